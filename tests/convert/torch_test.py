"""Numbers that PyTorch 2.13 computed, see tests/goldens/make_torch.py."""

import pathlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.cells import GRU, LSTM, Elman
from seqjax.convert import torch as convert
from seqjax.recurrence import bidirectional

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "torch.npz"
H = 5
CELLS = {
  "elman_tanh": Elman(H),
  "elman_relu": Elman(H, activation="relu"),
  "lstm": LSTM(H),
  "lstm_proj": LSTM(H, projection_size=3),
  "gru": GRU(H),
}
CASES = [
  f"{kind}/{layers}/{directions}"
  for kind in CELLS
  for layers in (1, 2, 3)
  for directions in ("one", "both")
]


@pytest.fixture(scope="module")
def goldens():
  with np.load(GOLDENS) as file:
    return dict(file)


def part(goldens, prefix):
  return {
    name.removeprefix(prefix): value
    for name, value in goldens.items()
    if name.startswith(prefix)
  }


def suffixes(layer, directions):
  names = [f"l{layer}", f"l{layer}_reverse"]
  return names if directions == "both" else names[:1]


def close(actual, expected, what):
  scale = np.abs(expected).max()
  np.testing.assert_allclose(
    actual, expected, rtol=1e-5, atol=1e-5 * scale, err_msg=what
  )


@pytest.mark.parametrize(
  ("case", "method"),
  [(case, "scan") for case in CASES]
  # The methods agree among themselves (tests/recurrence); here a stack each.
  + [
    (f"{kind}/2/both", method)
    for kind in CELLS
    for method in ("fused", "checkpointed")
  ],
)
def test_pytorch_agrees(goldens, case, method):
  kind, layers, directions = case.split("/")
  cell = CELLS[kind]
  golden = part(goldens, f"{case}/")
  state = part(golden, "params/")
  lengths = jnp.asarray(goldens["lengths"])

  # Stacked layers, one or two directions, from the state dict itself, so that
  # gradients come out under PyTorch's names.
  def run(state, inputs):
    last = []
    for layer in range(int(layers)):
      names = suffixes(layer, directions)
      params = [convert.from_torch(cell, state, suffix=n) for n in names]
      options = {"lengths": lengths, "method": method}
      if directions == "both":
        carries, inputs = bidirectional(cell, cell, params, inputs, **options)
      else:
        carry, inputs = seqjax.unroll(cell, params[0], inputs, **options)
        carries = [carry]
      last.extend(carries)
    # (h of all layers and directions), (c of all layers and directions)
    return inputs, [jnp.stack(leaves) for leaves in zip(*last, strict=True)]

  def loss(state, inputs):
    outputs, states = run(state, inputs)
    total = (golden["loss.outputs"] * outputs).sum()
    for index, leaf in enumerate(states):
      total += (golden[f"loss.state{index}"] * leaf).sum()
    return total

  outputs, states = jax.jit(run)(state, golden["inputs"])
  close(outputs, golden["outputs"], "outputs")
  for index, leaf in enumerate(states):
    close(leaf, golden[f"state{index}"], f"state{index}")
  grads, d_inputs = jax.jit(jax.grad(loss, (0, 1)))(state, golden["inputs"])
  close(d_inputs, golden["inputs.grad"], "gradient of the inputs")
  for name, expected in part(golden, "grads/").items():
    close(grads[name], expected, f"gradient of {name}")


@pytest.mark.parametrize("kind", CELLS)
def test_round_trip_is_exact(kind):
  cell = CELLS[kind]
  params = cell.init(jax.random.key(0), 4)
  params = jax.tree.map(lambda p: p + 0.37, params)
  for suffix in ("l0", "l2_reverse"):
    state = convert.to_torch(cell, params, suffix=suffix)
    assert all(type(value) is np.ndarray for value in state.values())
    again = convert.from_torch(cell, state, suffix=suffix)
    chex.assert_trees_all_equal(again, params)
    assert type(again) is type(params)


def test_a_layer_without_biases():
  cell = LSTM(2)
  params = cell.init(jax.random.key(0), 3)
  state = convert.to_torch(cell, params)
  bare = {name: v for name, v in state.items() if "weight" in name}
  assert not convert.from_torch(cell, bare).bias.any()


@pytest.mark.parametrize(
  ("cell", "suffix", "message"),
  [
    (LSTM(3), "l1", "weight_ih_l1 is not in the state dict, which has weight"),
    (LSTM(4), "l0", r"weight_ih_l0 is \(12, 2\), expected \(16, input_size\)"),
    (
      LSTM(3, projection_size=2),
      "l0",
      r"hh_l0 is \(12, 3\), expected \(12, 2\)",
    ),
    (GRU(3, reset_after=False), "l0", "cell is .*, expected LSTM without"),
    (LSTM(3, peepholes=True), "l0", "cell is .*, expected LSTM without"),
    (Elman(3, activation="sigmoid"), "l0", "cell is .*, expected LSTM without"),
  ],
)
def test_bad_state(cell, suffix, message):
  state = convert.to_torch(LSTM(3), LSTM(3).init(jax.random.key(0), 2))
  with pytest.raises(ValueError, match=message):
    convert.from_torch(cell, state, suffix=suffix)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 12), (12, 1)])
@pytest.mark.parametrize("name", ["bias_ih_l0", "bias_hh_l0"])
def test_a_bias_is_not_broadcast(name, shape):
  cell = LSTM(3)
  state = convert.to_torch(cell, cell.init(jax.random.key(0), 2))
  with pytest.raises(ValueError, match=rf"{name} is .*, expected \(12,\) for"):
    convert.from_torch(cell, {**state, name: np.zeros(shape, np.float32)})
