"""cuDNN's LSTM: everything but the kernel on the CPU, the kernel on a GPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn

import seqjax
from seqjax import GRU, LSTM
from seqjax.cells import LSTMCarry
from seqjax.recurrence import Cudnn, cudnn

T, D, H = 5, 3, 4
CELL = LSTM(H)


def make(batch=(4,)):
  params = CELL.init(jax.random.key(0), D)
  rng = np.random.default_rng(0)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
  params = params._replace(bias=draw(4 * H))
  return params, draw(*batch, T, D), LSTMCarry(draw(*batch, H), draw(*batch, H))


def reference(x, h, c, weights, lengths, *sizes_and_precision):
  """`jax.experimental.rnn`'s own pure version of the kernel."""
  sizes = sizes_and_precision[:-1]
  layers = rnn.unpack_lstm_weights(weights, *sizes[:3], sizes[4])
  # A length the kernel would not take must not reach it.
  with jax.numpy_rank_promotion("allow"):
    return rnn.lstm_ref(x, h, c, *layers, lengths, *sizes)


@pytest.fixture
def on_cpu(monkeypatch):
  monkeypatch.setattr(cudnn, "kernel", reference)
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


def compare(actual, batch, lengths, reverse, tolerance):
  args = make(batch)

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

  jax.tree.map(
    lambda a, e: np.testing.assert_allclose(a, e, atol=tolerance),
    loss(actual),
    loss("scan"),
  )


CASES = [
  ((4,), None),
  ((4,), [0, 5, 2, 3]),
  ((4,), [1, 1, 1, 1]),
  ((4,), [0, 0, 0, 0]),
  ((), 3),
  ((2, 2), [[0, 5], [2, 3]]),
]


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("batch", "lengths"), CASES)
def test_all_but_the_kernel(batch, lengths, reverse):
  # Another object than below: what was compiled with the reference stays apart.
  compare(
    Cudnn(exact=False),
    batch,
    None if lengths is None else jnp.array(lengths),
    reverse,
    1e-5,
  )


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs a GPU")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("batch", "lengths"), CASES)
def test_the_kernel(batch, lengths, reverse):
  compare(
    Cudnn(),
    batch,
    None if lengths is None else jnp.array(lengths),
    reverse,
    1e-4,
  )


def test_weights_are_packed_as_cudnn_wants_them():
  params, _, _ = make()
  flat = cudnn.pack_weights(params)
  assert flat.size == rnn.get_num_params_in_lstm(D, H, 1, False)
  w_x, w_h, b_x, b_h = rnn.unpack_lstm_weights(flat, D, H, 1, False)
  np.testing.assert_array_equal(w_x[0], params.input_kernel.T)
  np.testing.assert_array_equal(w_h[0], params.recurrent_kernel.T)
  np.testing.assert_array_equal(b_x[0] + b_h[0], params.bias)


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize(
  ("cell", "message"),
  [
    (GRU(4), "needs an LSTM without peepholes or projection, which GRU"),
    (LSTM(4, peepholes=True), "needs an LSTM without peepholes"),
    (LSTM(4, projection_size=2), "needs an LSTM without peepholes"),
    (LSTM(4, compute_dtype="bfloat16"), "needs compute_dtype 'float32'"),
  ],
)
def test_refused_cells(cell, message):
  with pytest.raises(ValueError, match=f"method 'cudnn' {message}"):
    Cudnn().check(cell)


def test_refused_without_a_gpu():
  if jax.default_backend() == "gpu":
    pytest.skip("there is one")
  params, inputs, _ = make()
  with pytest.raises(ValueError, match="needs an NVIDIA GPU, but JAX runs on"):
    seqjax.unroll(CELL, params, inputs, method="cudnn")


@pytest.mark.usefixtures("on_cpu")
def test_resets_are_refused():
  params, inputs, _ = make()
  with pytest.raises(ValueError, match="method 'cudnn' has no resets"):
    seqjax.unroll(
      CELL, params, inputs, resets=jnp.zeros((4, T), bool), method="cudnn"
    )
