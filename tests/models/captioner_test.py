"""Captioner: what it sees of regions, by direct computation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqjax import cells, nn
from seqjax.models.captioner import Captioner
from seqjax.models.text_decoder import looked_at
from seqjax.nn.regions import ConvGrid, ProjectedGrid

VOCABULARY, EMBED, HIDDEN, FEATURES, REGION = 9, 5, 6, 4, 7


def make_decoder(input_size, memory_size, key):
  cell = cells.Bahdanau(cells.GRU(HIDDEN), cells.Additive(8), memory_size)
  return nn.AttendingRNN(cell, input_size, key=key)


def captioner(make=make_decoder, seed=0, **options):
  model = Captioner(
    lambda key: ProjectedGrid(FEATURES, REGION, key=key),
    make,
    VOCABULARY,
    embed_size=EMBED,
    key=jax.random.key(seed),
    **options,
  )
  params, apply = nn.functionalize(model)
  # Biases that are drawn as zeros would hide a mistake.
  keys = iter(jax.random.split(jax.random.key(seed + 1), 100))
  params = jax.tree.map(
    lambda x: x + 0.3 * jax.random.normal(next(keys), x.shape), params
  )
  return params, apply


def drawn(batch=3, side=3, time=5):
  rng = np.random.default_rng(0)
  grids = rng.normal(size=(batch, side * side, FEATURES)).astype(np.float32)
  tokens = rng.integers(0, VOCABULARY, (batch, time)).astype(np.int32)
  return grids, tokens, np.full(batch, time, np.int32)


def weights_of(apply, params, grids, tokens):
  """Weights of every step, `[time, batch, cells]`."""
  encoded = apply(params, grids, method="encode")
  carry, found = encoded.carry, []
  for column in tokens.T:
    carry, _ = apply(params, encoded.memory, carry, column, method="step")
    found.append(looked_at(carry))
  return np.stack(found)


def test_cells_in_another_order_have_their_weights_in_that_order():
  params, apply = captioner()
  grids, tokens, lengths = drawn()
  order = np.random.default_rng(1).permutation(grids.shape[1])
  _, logits = apply(params, grids, tokens, lengths)
  _, same = apply(params, grids[:, order], tokens, lengths)
  np.testing.assert_allclose(same, logits, rtol=1e-4, atol=1e-5)
  weights = weights_of(apply, params, grids, tokens)
  moved = weights_of(apply, params, grids[:, order], tokens)
  np.testing.assert_allclose(moved, weights[..., order], rtol=1e-4, atol=1e-6)
  assert weights.std(axis=-1).min() > 1e-3  # it prefers some


def test_a_grid_of_one_cell_is_show_and_tell_with_that_vector():
  """Step by step with a plain GRU that is given the vector each time."""
  params, apply = captioner()
  grids, tokens, lengths = drawn(side=1)
  _, logits = apply(params, grids, tokens, lengths)

  params = jax.tree.map(np.asarray, params)
  linear = params["regions"]["linear"]
  region = np.maximum(grids[:, 0] @ linear["kernel"] + linear["bias"], 0)
  bridge = params["bridge_map"]
  h = np.tanh(region @ bridge["kernel"] + bridge["bias"])
  cell = cells.GRU(HIDDEN)
  kind = type(cell.init(jax.random.key(0), EMBED + REGION))
  gru = kind(**params["decoder"]["params"]["cell"])
  inner, head = params["inner"], params["head"]
  carry = cell.initial_carry(gru, (len(grids),))._replace(h=jnp.asarray(h))
  for t, column in enumerate(tokens.T):
    embedded = params["target_embed"]["embedding"][column]
    fed = np.concatenate([embedded, region], axis=-1)
    carry, out = cell.step(gru, carry, fed)
    seen = np.concatenate([out, region, embedded], axis=-1)
    read = np.tanh(seen @ inner["kernel"] + inner["bias"])
    expected = read @ head["kernel"] + head["bias"]
    np.testing.assert_allclose(logits[:, t], expected, rtol=1e-4, atol=1e-5)


def test_the_mean_of_all_regions_is_one_region():
  params, apply = captioner(pool="mean")
  grids, tokens, lengths = drawn()
  _, logits = apply(params, grids, tokens, lengths)
  assert weights_of(apply, params, grids, tokens).shape[-1] == 1
  # Regions that are all the same are their own mean.
  alike = np.repeat(grids[:, :1], 9, axis=1)
  _, one = apply(params, alike, tokens, lengths)
  _, plain = captioner()[1](params, grids[:, :1], tokens, lengths)
  np.testing.assert_allclose(one, plain, rtol=1e-4, atol=1e-5)
  assert np.abs(np.asarray(logits - one)).max() > 1e-2


def test_without_attention_an_image_is_seen_at_the_start_alone():
  make = lambda size, memory_size, key: nn.RNN(cells.GRU(HIDDEN), size, key=key)
  params, apply = captioner(make)
  grids, tokens, lengths = drawn()
  encoded = apply(params, grids, method="encode")
  assert not jax.tree.leaves(encoded.memory)
  _, logits = apply(params, grids, tokens, lengths)
  _, others = apply(params, grids[::-1], tokens, lengths)
  assert np.abs(np.asarray(logits[0] - others[0])).max() > 1e-3


def transformer(input_size, memory_size, key):
  options = nn.Transformer(3, 8)
  first = nn.PositionalInput(input_size, HIDDEN, key=key)
  block = nn.TransformerBlock(
    options, HIDDEN, memory_size=memory_size, key=jax.random.fold_in(key, 1)
  )
  return nn.Sequential([first, block], input_size)


def test_a_transformer_sees_regions_and_nothing_else():
  """No bridge: the mean of all goes nowhere."""
  params, apply = captioner(transformer, bridge="none", deep_output=False)
  assert not {"bridge_map", "inner"} & set(params)
  apply = jax.jit(apply, static_argnames="method")
  grids, tokens, lengths = drawn()
  _, logits = apply(params, grids, tokens, lengths)
  order = np.random.default_rng(1).permutation(grids.shape[1])
  _, same = apply(params, grids[:, order], tokens, lengths)
  np.testing.assert_allclose(same, logits, rtol=1e-4, atol=1e-5)
  _, others = apply(params, grids[::-1], tokens, lengths)
  assert np.abs(np.asarray(logits[0] - others[0])).max() > 1e-3
  weights = weights_of(apply, params, grids, tokens)
  np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
  with pytest.raises(ValueError, match="bridge is 'learned', expected 'none'"):
    captioner(transformer)


def test_dropout_needs_a_key_and_changes_with_it():
  params, apply = captioner(dropout=0.5, embed_dropout=0.5)
  grids, tokens, lengths = drawn()
  run = lambda key: apply(params, grids, tokens, lengths, key=key)[1]
  np.testing.assert_array_equal(run(None), run(None))
  one, two = run(jax.random.key(0)), run(jax.random.key(1))
  assert np.abs(np.asarray(one - two)).max() > 1e-2


def conv_grid(channels=(6, 8), strides=(4, 2)):
  module = ConvGrid(channels, strides, key=jax.random.key(0))
  return nn.functionalize(module)


def test_regions_lie_row_by_row_where_their_pixels_do():
  params, apply = conv_grid()
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
  before = np.asarray(apply(params, image))
  assert before.shape == (1, 16, 8)
  other = image.copy()
  other[:, 8:16, 24:32] = 255 - other[:, 8:16, 24:32]  # cell (1, 3)
  moved = np.abs(np.asarray(apply(params, other)) - before).max(axis=-1)
  expected = np.zeros((4, 4), bool)
  expected[1, 3] = True
  np.testing.assert_array_equal(moved.reshape(4, 4) > 1e-6, expected)


def test_what_a_region_sees_lies_around_its_own_pixels():
  """Else a picture of where was looked would be off to one side."""
  params, apply = conv_grid((6, 8, 8), (4, 2, 1))
  rng = np.random.default_rng(0)
  image = rng.random((48, 48, 3)).astype(np.float32)
  cell = lambda image: apply(params, image[None])[0, 2 * 6 + 3].sum()
  seen = np.abs(np.asarray(jax.grad(cell)(image))).sum(axis=-1) > 0
  for axis, place in ((1, 2), (0, 3)):
    reached = np.flatnonzero(seen.any(axis=axis))
    assert reached.min() + reached.max() == 2 * (8 * place) + 7


def test_images_are_bytes_or_floats_and_rows_share_no_fate():
  params, apply = conv_grid()
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
  whole = apply(params, images)
  floats = apply(params, (images / 255).astype(np.float32))
  np.testing.assert_allclose(whole, floats, rtol=1e-4, atol=1e-5)
  for i in range(3):
    alone = apply(params, images[i : i + 1])
    np.testing.assert_allclose(alone[0], whole[i], rtol=1e-4, atol=1e-5)


def test_the_same_colour_elsewhere_is_another_region():
  """Else nothing could be left of anything."""
  params, apply = conv_grid()
  grid = np.asarray(apply(params, np.full((1, 32, 32, 3), 99, np.uint8)))[0]
  inside = grid.reshape(4, 4, 8)[1:3, 1:3].reshape(4, 8)
  assert np.abs(inside[0] - inside[1:]).max(axis=-1).min() > 1e-3


def test_what_is_refused():
  with pytest.raises(ValueError, match="pool is 'max', expected one of"):
    captioner(pool="max")
  with pytest.raises(ValueError, match=r"strides is \(4,\), expected as many"):
    ConvGrid((6, 8), (4,), key=jax.random.key(0))
  with pytest.raises(ValueError, match="channels is 0"):
    ConvGrid((0,), (4,), key=jax.random.key(0))
  with pytest.raises(ValueError, match="both given, expected"):
    ConvGrid((6,), (4,), key=jax.random.key(0), rngs=nnx.Rngs(0))
