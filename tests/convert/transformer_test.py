"""Numbers that PyTorch 2.13 computed, see tests/goldens/make_transformer.py."""

import pathlib
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import nn
from seqjax.cells import base
from seqjax.cells.dot_product import dot_product_attention, heads_of, visible
from seqjax.convert import torch_transformer as convert
from seqjax.recurrence import length_mask

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens"
D, HEADS, INNER = 8, 2, 6

with np.load(GOLDENS / "transformer.npz") as file:
  ALL = dict(file)

CASES = sorted(
  name.removesuffix("/outputs") for name in ALL if name.endswith("/outputs")
)
LAYERS = [name for name in CASES if not name.startswith("attention")]


def block(norm="pre", activation="gelu", sees="causal", **options):
  """Of PyTorch's kind: positions are no part of it."""
  kind = nn.Transformer(
    heads=HEADS,
    feed_forward=INNER,
    norm=norm,
    activation=activation,
    positions="none",
  )
  causal = sees == "causal"
  return nn.TransformerBlock(
    kind, D, causal=causal, key=jax.random.key(0), **options
  )


def part(goldens, prefix, dtype) -> dict[str, Any]:
  return {
    name.removeprefix(prefix): jnp.asarray(value, dtype)
    for name, value in goldens.items()
    if name.startswith(prefix)
  }


def close(actual, expected, what):
  tolerance = 1e-10 if actual.dtype == np.float64 else 1e-5
  scale = np.abs(expected).max()
  np.testing.assert_allclose(
    actual, expected, rtol=tolerance, atol=tolerance * scale, err_msg=what
  )


def agrees(run, state, arrays, golden, loss):
  """Outputs and gradients, by PyTorch's names, of `run(state, *arrays)`."""
  outputs = jax.jit(run)(state, *arrays.values())
  close(outputs, golden["outputs"], "outputs")
  total = lambda *args: (loss * run(*args)).sum()
  which = tuple(range(1 + len(arrays)))
  grads, *others = jax.jit(jax.grad(total, which))(state, *arrays.values())
  for name, grad in zip(arrays, others, strict=True):
    close(grad, golden[f"{name}.grad"], f"gradient of {name}")
  expected = part(golden, "grads/", outputs.dtype)
  # The same for all keys, this bias has no gradient, but PyTorch's rounding.
  scale = max(np.abs(leaf).max() for leaf in expected.values())
  for name, leaf in expected.items():
    np.testing.assert_array_less(
      np.abs(grads[name] - leaf),
      (1e-10 if leaf.dtype == np.float64 else 1e-5) * scale,
      err_msg=f"gradient of {name}",
    )


def converted(layer, state, prefix=""):
  layer.params = nn.Parameters(convert.from_torch(layer, state, prefix=prefix))
  return layer


def layers_of(kind, state, options):
  """The layers of a golden with their weights."""
  if kind == "encoder":
    return [converted(block(*options), state)]
  blocks = [converted(block(*options), state, f"layers.{i}.") for i in range(2)]
  if options[0] == "post":
    return blocks
  return [*blocks, converted(nn.LayerNorm(D), state, "norm.")]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])
def test_layers_agree(name, wide):
  kind, *options = name.split("/")
  with jax.enable_x64(wide):
    dtype = np.float64 if wide else np.float32
    golden = part(ALL, f"{name}/", dtype)
    state = part(ALL, f"{kind}/params/", dtype)
    lengths = jnp.asarray(ALL["lengths"])
    memory_lengths = jnp.asarray(ALL["memory_lengths"])
    names = ["inputs"] + ["memory"] * (kind == "decoder")
    arrays = {key: jnp.asarray(ALL[key], dtype) for key in names}

    def run(state, x, memory=None):
      if memory is None:
        for layer in layers_of(kind, state, options):
          _, x = layer(x, lengths=lengths)
        return x
      layer = converted(block(*options, memory_size=D), state)
      remembered = layer.remember(memory, memory_lengths)
      return layer.attend(remembered)(x, lengths=lengths)[1]

    agrees(run, state, arrays, golden, jnp.asarray(ALL["loss"], dtype))


def attend(query, keys, values, mask):
  """With heads behind time."""
  turn = lambda x: jnp.swapaxes(x, 1, 2)
  parts = map(turn, (query, keys, values))
  return turn(dot_product_attention(*parts, mask[:, None]))


@pytest.mark.parametrize("sees", ["causal", "both"])
@pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])
def test_multi_head_attention_agrees(sees, wide):
  """`nn.MultiheadAttention`, made of `dot_product_attention`."""
  with jax.enable_x64(wide):
    dtype = np.float64 if wide else np.float32
    golden = part(ALL, f"attention/{sees}/", dtype)
    state = part(ALL, "attention/params/", dtype)
    x, loss = (jnp.asarray(ALL[key], dtype) for key in ("inputs", "loss"))
    valid = length_mask(jnp.asarray(ALL["lengths"]), x.shape[1])
    steps = jnp.arange(x.shape[1])[None]
    mask = valid[:, None] & (visible(steps, steps) | (sees == "both"))

    def run(state, x):
      kernel = state["in_proj_weight"].T
      parts = base.affine(x, kernel, state["in_proj_bias"])
      query, keys, values = jnp.split(heads_of(parts, 3 * HEADS), 3, axis=-2)
      context = attend(query, keys, values, mask).reshape(x.shape)
      kernel = state["out_proj.weight"].T
      outputs = base.affine(context, kernel, state["out_proj.bias"])
      return jnp.where(valid[..., None], outputs, 0)

    agrees(run, state, {"inputs": x}, golden, loss)


def test_attention_to_a_memory_of_another_size_agrees(float64):
  """Of `kdim` and `vdim`, see tests/goldens/make_attention.py."""
  with np.load(GOLDENS / "attention.npz") as file:
    golden = part(dict(file), "memory/", np.float64)
    lengths = jnp.asarray(file["lengths"])
  state = part(golden, "params/", np.float64)
  biases = jnp.split(state["in_proj_bias"], 3)
  inputs = [golden[name] for name in ("queries", "keys", "keys")]
  query, keys, values = (
    heads_of(base.affine(x, state[f"{name}_proj_weight"].T, bias), HEADS)
    for x, name, bias in zip(inputs, "qkv", biases, strict=True)
  )
  mask = length_mask(lengths, keys.shape[1])[:, None]
  mask = jnp.repeat(mask, query.shape[1], axis=1)
  context = attend(query, keys, values, mask).reshape(inputs[0].shape)
  kernel, bias = state["out_proj.weight"].T, state["out_proj.bias"]
  close(base.affine(context, kernel, bias), golden["outputs"], "outputs")


@pytest.mark.parametrize("prefix", ["", "decoder.layers.1."])
@pytest.mark.parametrize("layer", ["encoder", "decoder", "norm"])
def test_round_trip_is_exact(layer, prefix):
  layers = {
    "encoder": block(),
    "decoder": block(memory_size=D),
    "norm": nn.LayerNorm(D),
  }
  layer = layers[layer]
  leaves, treedef = jax.tree.flatten(layer.params.get_value())
  keys = jax.random.split(jax.random.key(1), len(leaves))
  params = treedef.unflatten(
    [jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)]
  )
  state = convert.to_torch(layer, params, prefix=prefix)
  assert all(type(value) is np.ndarray for value in state.values())
  again = convert.from_torch(layer, state, prefix=prefix)
  chex.assert_trees_all_equal(again, params)
  # And the other way: a number changed is a number changed back.
  chex.assert_trees_all_equal(
    convert.to_torch(layer, again, prefix=prefix), state
  )


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_state_dict_comes_back_under_the_names_of_pytorch(kind):
  state = part(ALL, f"{kind}/params/", np.float32)
  layer = block(memory_size=D if kind == "decoder" else 0)
  back = convert.to_torch(layer, convert.from_torch(layer, state))
  assert list(back) == list(state)
  chex.assert_trees_all_equal(
    back, {k: np.asarray(v) for k, v in state.items()}
  )


def test_a_layer_without_biases():
  layer = block(memory_size=D)
  state = convert.to_torch(layer, layer.params.get_value())
  bare = {name: v for name, v in state.items() if "bias" not in name}
  params = convert.from_torch(layer, bare)
  chex.assert_trees_all_equal(params, layer.params.get_value())


def test_bad_state():
  layer = block()
  state = convert.to_torch(layer, layer.params.get_value())
  with pytest.raises(ValueError, match=r"x\.self_attn\.in_proj_weight is not"):
    convert.from_torch(layer, state, prefix="x.")
  wide = {**state, "linear1.weight": np.zeros((7, D), np.float32)}
  with pytest.raises(ValueError, match=r"is \(7, 8\), expected \(6, 8\) for"):
    convert.from_torch(layer, wide)
  with pytest.raises(ValueError, match=r"norm1\.bias is \(1,\), expected \(8,"):
    convert.from_torch(layer, {**state, "norm1.bias": np.zeros(1)})
  other = block(memory_size=5)
  with pytest.raises(ValueError, match="memory_size is 5, expected 8, the"):
    convert.to_torch(other, other.params.get_value())
