"""cuDNN's LSTM: everything but the kernel on the CPU, the kernel on a GPU."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn
from jax.extend import backend

import seqjax
from seqjax import GRU, LSTM
from seqjax.cells import LSTMCarry
from seqjax.recurrence import Checkpointed, Cudnn, cudnn, length_mask
from seqjax.recurrence.scan import Steps

T, D, H = 5, 3, 4
CELL = LSTM(H)


def make(batch=(4,)):
  params = CELL.init(jax.random.key(0), D)
  rng = np.random.default_rng(0)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
  params = params._replace(bias=draw(4 * H))
  return params, draw(*batch, T, D), LSTMCarry(draw(*batch, H), draw(*batch, H))


@jax.custom_vjp
def spoiled(x, valid):
  """`x`, with NaN for the gradient of what is not valid."""
  return x


spoiled.defvjp(
  lambda x, valid: (x, valid),
  lambda valid, g: (jnp.where(valid, g, jnp.nan), None),
)


def stand_in(x, h, c, weights, lengths, *sizes_and_precision):
  """`jax.experimental.rnn`'s own pure version, as strict as the kernel.

  cuDNN fails on lengths below 1: here all results are NaN then. On the padding,
  of which it promises little, outputs and gradient are NaN.
  """
  *sizes, _ = sizes_and_precision
  layers = rnn.unpack_lstm_weights(weights, *sizes[:3], sizes[4])
  valid = length_mask(lengths, x.shape[1])[..., None]
  with jax.numpy_rank_promotion("allow"):
    y, h, c = rnn.lstm_ref(spoiled(x, valid), h, c, *layers, lengths, *sizes)
  legal = ((lengths >= 1) & (lengths <= x.shape[1])).all()
  return tuple(
    jnp.where(legal, z, jnp.nan) for z in (jnp.where(valid, y, jnp.nan), h, c)
  )


@pytest.fixture
def on_cpu(monkeypatch):
  monkeypatch.setattr(cudnn, "kernel", stand_in)
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


def compare(method, batch, lengths, reverse):
  """Value and gradient with those of "scan", 1e-5 of the largest entry."""
  args = make(batch)
  lengths = None if lengths is None else jnp.array(lengths)

  def loss(method):
    def run(params, inputs, carry):
      carry, outputs = seqjax.unroll(
        CELL,
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

    return jax.value_and_grad(run, (0, 1, 2), has_aux=True)(*args)

  def check(actual, expected):
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * scale)

  # By default "scan" is in TF32 on recent GPUs.
  with jax.default_matmul_precision("highest"):
    jax.tree.map(check, loss(method), loss("scan"))


CASES = [
  ((4,), None),
  ((4,), [0, 5, 2, 3]),
  ((4,), [0, 0, 0, 0]),
  ((4,), [1, 1, 1, 1]),
  ((4,), [5, 5, 5, 5]),
  ((), 3),
  ((2, 2), [[0, 5], [2, 3]]),
]
# Another object than the kernel's: what was compiled with the stand-in stays
# apart.
METHOD = Cudnn(exact=False)


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("batch", "lengths"), [*CASES[1:4:2], CASES[-1]])
def test_all_but_the_kernel(batch, lengths, reverse):
  compare(METHOD, batch, lengths, reverse)


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("reverse", [False, True])
def test_inside_of_checkpointed(reverse):
  """Whose segments have empty rows and, behind the last step, padding."""
  method = Checkpointed(segment=2, inner=METHOD)
  compare(method, (4,), [0, 5, 2, 3], reverse)


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs a GPU")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("batch", "lengths"), CASES)
def test_the_kernel(batch, lengths, reverse):
  compare(Cudnn(), batch, lengths, reverse)


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_may_hold_anything(reverse):
  """Also for a method that is run by itself, without `unroll` around it."""
  params, inputs, carry = make()
  valid = length_mask(jnp.array([0, 5, 2, 3]), T).T

  def run(params, inputs):
    steps = Steps(inputs, valid, None, None)
    return METHOD.run(CELL, params, carry, carry, steps, reverse)[1].sum()

  clean = inputs.swapaxes(0, 1)
  grads = [
    jax.grad(run, (0, 1))(params, jnp.where(valid[..., None], clean, filling))
    for filling in (jnp.nan, 0.0)
  ]
  jax.tree.map(np.testing.assert_array_equal, *grads)
  assert (np.asarray(grads[0][1])[~valid] == 0).all()
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))


@pytest.mark.parametrize(
  ("exact", "precision"),
  [(True, jax.lax.Precision.HIGHEST), (False, jax.lax.Precision.HIGH)],
)
def test_precision_does_not_depend_on_a_flag(monkeypatch, exact, precision):
  seen = []

  def kernel(*args):
    seen.append(args[-1])
    return stand_in(*args)

  monkeypatch.setattr(cudnn, "kernel", kernel)
  params, inputs, carry = make()
  steps = Steps(inputs.swapaxes(0, 1), None, None, None)
  with jax.default_matmul_precision("bfloat16"):
    Cudnn(exact).run(CELL, params, carry, carry, steps, False)
  assert seen == [precision]


def test_weights_are_packed_as_cudnn_wants_them():
  params, _, _ = make()
  flat = cudnn.pack_weights(params)
  assert flat.size == rnn.get_num_params_in_lstm(D, H, 1, False)
  w_x, w_h, b_x, b_h = rnn.unpack_lstm_weights(flat, D, H, 1, False)
  np.testing.assert_array_equal(w_x[0], params.input_kernel.T)
  np.testing.assert_array_equal(w_h[0], params.recurrent_kernel.T)
  np.testing.assert_array_equal(b_x[0] + b_h[0], params.bias)


def refuses(message, run):
  with pytest.raises(ValueError, match="method 'cudnn'") as error:
    run()
  assert str(error.value) == message


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize(
  "cell", [GRU(4), LSTM(4, peepholes=True), LSTM(4, projection_size=2)]
)
def test_refused_cells(cell):
  refuses(
    "method 'cudnn' needs an LSTM without peepholes or projection, which"
    f" {cell} is not; use method 'scan'",
    lambda: Cudnn().check(cell),
  )


@pytest.mark.usefixtures("on_cpu")
def test_refused_dtypes():
  refuses(
    "method 'cudnn' needs compute_dtype 'float32', not 'bfloat16'; use method"
    " 'scan'",
    lambda: Cudnn().check(LSTM(4, compute_dtype="bfloat16")),
  )
  params, inputs, _ = make()
  params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)
  refuses(
    "method 'cudnn' needs float32 params, not bfloat16; use method 'scan'",
    lambda: seqjax.unroll(CELL, params, inputs, method=Cudnn()),
  )


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("compute_dtype", [None, "float32"])
def test_accepted_dtypes(compute_dtype):
  Cudnn().check(LSTM(4, compute_dtype=compute_dtype))


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="there is a GPU")
def test_refused_without_a_gpu():
  params, inputs, _ = make()
  refuses(
    "method 'cudnn' needs an NVIDIA GPU, but JAX runs on"
    f" {jax.default_backend()}; use method 'scan'",
    lambda: seqjax.unroll(CELL, params, inputs, method="cudnn"),
  )


@pytest.mark.usefixtures("on_cpu")
def test_refused_on_amd(monkeypatch):
  amd = types.SimpleNamespace(platform_version="PJRT C API\nrocm 70000")
  monkeypatch.setattr(backend, "get_backend", lambda: amd)
  refuses(
    "method 'cudnn' needs an NVIDIA GPU, but JAX runs on rocm; use method"
    " 'scan'",
    lambda: Cudnn().check(CELL),
  )


@pytest.mark.usefixtures("on_cpu")
def test_refused_resets():
  params, inputs, _ = make()
  resets = jnp.zeros((4, T), bool)
  refuses(
    "method 'cudnn' has no resets; use method 'scan', or a row for every"
    " sequence",
    lambda: seqjax.unroll(CELL, params, inputs, resets=resets, method=Cudnn()),
  )


@pytest.mark.usefixtures("on_cpu")
def test_what_the_kernel_reads_is_row_major():
  """Its input and the gradient of its output; XLA would leave both as is.

  Read in the wrong order, the gradient of the input kernel is off by as much as
  it is large: what an H200 gave before.
  """
  params, inputs, carry = make()

  def loss(params, inputs):
    steps = Steps(inputs, None, None, None)
    return METHOD.run(CELL, params, carry, carry, steps, False)[1].sum()

  gradient = jax.jit(jax.value_and_grad(loss, (0, 1)))
  text = gradient.lower(params, inputs.swapaxes(0, 1)).as_text()
  lines = [line for line in text.split("\n") if "@LayoutConstraint" in line]
  shapes = [line.rpartition("tensor<")[2] for line in lines]
  expected = [f"4x5x{D}xf32>", f"4x5x{H}xf32>"]  # once each way
  assert sorted(shapes) == sorted(2 * expected)
  assert all("dense<[2, 1, 0]>" in line for line in lines)
