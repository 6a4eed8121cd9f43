"""Numbers that Keras 3.15 computed, see tests/goldens/make_keras.py."""

import pathlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.cells import GRU, LSTM, Elman
from seqjax.convert import keras as convert

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "keras.npz"
CELLS = {
  "elman": Elman(5),
  "lstm": LSTM(5),
  "gru": GRU(5),
  "gru_original": GRU(5, reset_after=False),
}


@pytest.fixture(scope="module")
def goldens():
  with np.load(GOLDENS) as file:
    return dict(file)


def close(actual, expected, what):
  np.testing.assert_allclose(
    actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max(), err_msg=what
  )


@pytest.mark.parametrize("name", CELLS)
def test_keras_agrees(goldens, name):
  cell = CELLS[name]
  golden = {
    key.removeprefix(f"{name}/"): value for key, value in goldens.items()
  }
  weights = [golden[f"weight{i}"] for i in range(3)]
  lengths = goldens["lengths"]

  def run(weights, inputs):
    params = convert.from_keras(cell, weights)
    return seqjax.unroll(cell, params, inputs, lengths=jnp.array(lengths))

  def loss(weights, inputs):
    carry, outputs = run(weights, inputs)
    return (golden["loss.outputs"] * outputs).sum() + sum(
      (golden[f"loss.state{i}"] * leaf).sum() for i, leaf in enumerate(carry)
    )

  carry, outputs = run(weights, goldens["inputs"])
  # Past a row's end Keras repeats the last output, ours is zero.
  for row, length in enumerate(lengths):
    close(outputs[row, :length], golden["outputs"][row, :length], "outputs")
    assert not outputs[row, length:].any()
  for index, leaf in enumerate(carry):
    close(leaf, golden[f"state{index}"], f"state{index}")
  grads, d_inputs = jax.grad(loss, (0, 1))(weights, goldens["inputs"])
  close(d_inputs, golden["inputs.grad"], "gradient of the inputs")
  for index, grad in enumerate(grads):
    close(grad, golden[f"grad{index}"], f"gradient of weight {index}")


@pytest.mark.parametrize("name", CELLS)
def test_round_trip_is_exact(name):
  cell = CELLS[name]
  params = jax.tree.map(lambda p: p + 0.37, cell.init(jax.random.key(0), 4))
  weights = convert.to_keras(cell, params)
  assert all(type(w) is np.ndarray for w in weights)
  chex.assert_trees_all_equal(convert.from_keras(cell, weights), params)


@pytest.mark.parametrize("name", CELLS)
def test_a_layer_without_a_bias(name):
  cell = CELLS[name]
  weights = convert.to_keras(cell, cell.init(jax.random.key(0), 4))[:2]
  assert not convert.from_keras(cell, weights).bias.any()


@pytest.mark.parametrize(
  ("cell", "message"),
  [
    (LSTM(4), r"weights has shapes .*, expected \(input_size, 16\), \(4, 16\)"),
    (GRU(3), "weights has shapes"),
    (LSTM(3, peepholes=True), "expected Elman, GRU, or LSTM without"),
    (seqjax.MGU(3), "Keras has no other"),
  ],
)
def test_bad_weights(cell, message):
  good = LSTM(3)
  weights = convert.to_keras(good, good.init(jax.random.key(0), 2))
  with pytest.raises(ValueError, match=message) as error:
    convert.from_keras(cell, weights)
  assert "\n" not in str(error.value)
