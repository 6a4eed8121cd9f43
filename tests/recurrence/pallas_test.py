"""The Pallas kernels: interpreted here, lowered for a GPU, run where one is."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax import GRU, LSTM, Elman
from seqjax.recurrence import Pallas

T, D, H = 5, 3, 16
CELLS = {
  "lstm": LSTM(H),
  "gru": GRU(H),
  "elman": Elman(H),
  "irnn": Elman(H, activation="relu", recurrent_init="identity"),
}


def make(cell, batch=(4,)):
  rng = np.random.default_rng(0)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
  params = cell.init(jax.random.key(0), D)
  params = params._replace(bias=draw(*params.bias.shape))
  if hasattr(params, "candidate_bias"):
    bias = draw(*params.candidate_bias.shape)
    params = params._replace(candidate_bias=bias)
  carry = jax.tree.map(
    lambda leaf: draw(*leaf.shape), cell.initial_carry(params, batch)
  )
  return params, draw(*batch, T, D), carry


def value_and_grad(cell, method, batch, lengths, reverse):
  lengths = None if lengths is None else jnp.array(lengths)

  def run(params, inputs, carry):
    carry, outputs = seqjax.unroll(
      cell,
      params,
      inputs,
      lengths=lengths,
      initial_carry=carry,
      reverse=reverse,
      method=method,
    )
    rng = np.random.default_rng(9)
    leaves = [*carry, outputs]
    total = sum((x * rng.normal(size=x.shape)).sum() for x in leaves)
    return total, leaves

  with jax.default_matmul_precision("highest"):
    return jax.value_and_grad(run, (0, 1, 2), has_aux=True)(*make(cell, batch))


def compare(cell, method, batch, lengths, reverse, bound):
  """Value and gradient with those of "scan", `bound` of the largest entry."""

  def check(actual, expected):
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound * scale)

  args = batch, lengths, reverse
  jax.tree.map(
    check,
    value_and_grad(cell, method, *args),
    value_and_grad(cell, "scan", *args),
  )


CASES = [
  ((4,), None, False),
  ((), 3, False),
  ((2, 9), None, True),  # 18 rows: two programs, the second mostly padding
]


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_interpreted(cell):
  compare(cell, Pallas(interpret=True), (4,), [0, 5, 2, 3], True, 1e-5)


@pytest.mark.parametrize(("batch", "lengths", "reverse"), CASES)
def test_interpreted_batches(batch, lengths, reverse):
  compare(GRU(H), Pallas(interpret=True), batch, lengths, reverse, 1e-5)


@pytest.mark.parametrize("cell", [LSTM, GRU, Elman])
def test_interpreted_bfloat16(cell):
  """The backward products are in bfloat16 too, those of "scan" are not."""
  cell = cell(H, compute_dtype="bfloat16")
  compare(cell, Pallas(interpret=True), (4,), [0, 5, 2, 3], False, 2e-2)


@pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated")
@pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs a GPU")
@pytest.mark.parametrize("size", [16, 128, 256])
@pytest.mark.parametrize("cell", [LSTM, GRU, Elman])
def test_on_a_gpu(cell, size):
  cell = cell(size, compute_dtype="bfloat16")
  compare(cell, Pallas(), (18,), None, False, 2e-2)


@pytest.mark.parametrize("size", [16, 256])
@pytest.mark.parametrize("cell", [LSTM, GRU, Elman])
def test_lowers_for_a_gpu(cell, size):
  """Triton accepts the kernels, forward and backward, without a GPU."""
  cell = cell(size, compute_dtype="bfloat16")
  params = cell.init(jax.random.key(0), D)
  carry = cell.initial_carry(params, (16,))

  def loss(params, inputs):
    steps = seqjax.recurrence.scan.Steps(inputs, None, None, None)
    _, outputs = Pallas().run(cell, params, carry, carry, steps, False)
    return outputs.sum()

  gpu = jax.sharding.AbstractDevice("NVIDIA H100", 132, "gpu")
  mesh = jax.sharding.AbstractMesh((1,), ("data",), abstract_device=gpu)
  inputs = jnp.zeros((T, 16, D))
  with jax.sharding.use_abstract_mesh(mesh), warnings.catch_warnings():
    warnings.filterwarnings("ignore", "The Pallas Triton backend is deprecated")
    traced = jax.jit(jax.grad(loss)).trace(params, inputs)
    lowered = traced.lower(lowering_platforms=("cuda",)).as_text()
  assert lowered.count("stablehlo.custom_call @__gpu$xla.gpu.triton") == 2


def refuses(message, run):
  with pytest.raises(ValueError, match="method 'pallas'") as error:
    run()
  assert str(error.value) == message


@pytest.mark.parametrize(
  "cell",
  [
    LSTM(H, peepholes=True),
    LSTM(H, projection_size=16),
    GRU(H, reset_after=False),
    seqjax.MGU(H),
  ],
)
def test_refused_cells(cell):
  refuses(
    "method 'pallas' needs an LSTM without peepholes or projection, a GRU with"
    f" reset_after or an Elman cell, which {cell} is not; use method 'scan'",
    lambda: Pallas().check(cell),
  )


@pytest.mark.parametrize("size", [8, 100, 512])
def test_refused_sizes(size):
  refuses(
    "method 'pallas' needs hidden_size to be one of (16, 32, 64, 128, 256), not"
    f" {size}; use method 'scan'",
    lambda: Pallas().check(LSTM(size)),
  )


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="there is a GPU")
def test_refused_without_a_gpu():
  refuses(
    "method 'pallas' needs an NVIDIA GPU, but JAX runs on"
    f" {jax.default_backend()}; use method 'scan'",
    lambda: Pallas().check(LSTM(H)),
  )


def test_refused_resets():
  params, inputs, _ = make(LSTM(H))
  refuses(
    "method 'pallas' has no resets; use method 'scan', or a row for every"
    " sequence",
    lambda: seqjax.unroll(
      LSTM(H),
      params,
      inputs,
      resets=jnp.zeros((4, T), bool),
      method=Pallas(interpret=True),
    ),
  )


def test_refused_dtypes():
  params, inputs, _ = make(Elman(H))
  params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)
  refuses(
    "method 'pallas' needs float32 params, the same for all rows, not"
    f" bfloat16[{H}, {H}]; use method 'scan'",
    lambda: seqjax.unroll(
      Elman(H), params, inputs, method=Pallas(interpret=True)
    ),
  )


def test_refused_rows():
  with pytest.raises(ValueError, match="rows is 8, expected a multiple of 16"):
    Pallas(rows=8)
