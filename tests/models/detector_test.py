"""Detector: what queries are told, where boxes begin, whom a guess hangs on."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from seqjax import nn
from seqjax.models import detector, layers
from seqjax.models.detector import Detector
from seqjax.nn.regions import ConvGrid

SIZE, QUERIES, BLOCKS, CLASSES = 8, 4, 2, 3
OPTIONS = nn.Transformer(heads=2, feed_forward=8, positions="none")
CONFIG = ConfigDict(
  {
    "hidden_size": SIZE,
    "num_layers": 1,
    "dropout": 0.0,
    "compute_dtype": "float32",
  }
)


def make_block(memory_size, key):
  return nn.TransformerBlock(
    OPTIONS, SIZE, causal=False, memory_size=memory_size, key=key
  )


def make(features=SIZE, **options):
  options = {"num_queries": QUERIES, "num_blocks": BLOCKS} | options
  return nn.functionalize(
    Detector(
      lambda key: ConvGrid((4, features), (2, 2), key=key),
      layers.transformer(OPTIONS, CONFIG, causal=False),
      make_block,
      CLASSES,
      key=jax.random.key(0),
      **options,
    )
  )


def images(batch=2, height=12, width=8):
  shape = batch, height, width, 3
  return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


class Model(NamedTuple):
  params: Any  # biases and zeros moved off zero
  apply: Any
  anchored: bool
  fresh: Any  # params as they are drawn


@pytest.fixture(scope="module", params=[True, False], ids=["anchored", "plain"])
def model(request):
  params, apply = make(anchored=request.param)
  keys = iter(jax.random.split(jax.random.key(1), 200))
  draw = lambda x: x + 0.3 * jax.random.normal(next(keys), x.shape, x.dtype)
  moved = jax.tree.map(draw, params)
  return Model(moved, jax.jit(apply), request.param, params)


def test_guesses_of_all_blocks(model):
  found = model.apply(model.params, images())
  assert found.blocks.logits.shape == (BLOCKS, 2, QUERIES, CLASSES + 1)
  for side in found.blocks.boxes:
    assert side.shape == (BLOCKS, 2, QUERIES)
    assert ((side > 0) & (side < 1)).all()
  assert (found.regions is not None) == model.anchored
  if model.anchored:
    assert found.regions.logits.shape == (2, 6, CLASSES + 1)  # 3 x 2 regions
  # A row does not hang on the others of its batch.
  other = images()
  other[0] = 0
  again = model.apply(model.params, other)
  for one, two in zip(
    jax.tree.leaves(again.blocks), jax.tree.leaves(found.blocks), strict=True
  ):
    np.testing.assert_allclose(one[:, 1], two[:, 1], atol=1e-5)
    assert (np.abs(one[:, 0] - two[:, 0]) > 1e-4).any()


def test_what_learns_of_what(model):
  """All parameters do; of the last guesses, those of anchors do not."""

  @jax.jit
  def gradients(params, everything):
    def total(params):
      found = model.apply(params, images())
      last = found.blocks.logits[-1].sum()
      whole = sum((leaf**2).sum() for leaf in jax.tree.leaves(found))
      return jnp.where(everything, whole, last)

    return jax.grad(total)(params)

  for path, leaf in jax.tree_util.tree_leaves_with_path(
    gradients(model.params, True)
  ):
    assert np.isfinite(leaf).all()
    assert (leaf != 0).any(), path
  if model.anchored:
    last = gradients(model.params, False)
    assert all((g == 0).all() for g in jax.tree.leaves(last["propose"]))
    assert (last["told"]["kernel"] != 0).any()


def test_boxes_begin_at_their_anchors(model):
  """At the surest regions, a quarter wide; without anchors in the middle."""
  found = model.apply(model.fresh, images())
  if not model.anchored:
    for side in found.blocks.boxes:
      np.testing.assert_allclose(side, 0.5)
    return
  x, y = (np.asarray(side[0]) for side in found.regions.boxes[:2])
  np.testing.assert_allclose(x, [0.25, 0.75] * 3, rtol=1e-5)
  np.testing.assert_allclose(y, np.repeat([1, 3, 5], 2) / 6, rtol=1e-5)
  for side in found.regions.boxes[2:]:
    np.testing.assert_allclose(side, 0.25, rtol=1e-5)
  shares = jax.nn.softmax(found.regions.logits)[..., :-1].max(-1)
  best = np.argsort(-shares[0])[:QUERIES]
  for block in range(BLOCKS):
    boxes = [side[block, 0] for side in found.blocks.boxes]
    np.testing.assert_allclose(boxes[0], x[best], rtol=1e-4)
    np.testing.assert_allclose(boxes[1], y[best], rtol=1e-4)
    np.testing.assert_allclose(boxes[2], 0.25, rtol=1e-4)


def test_reading_between_regions():
  """At a middle the region itself, between two their mean, beyond the edge."""
  grid = jax.random.normal(jax.random.key(0), (1, 3, 2, 5), jnp.float32)
  x = jnp.array([[0.25, 0.75, 0.5, 0.5, -1.0, 2.0]], jnp.float32)
  y = jnp.array([[1 / 6, 5 / 6, 0.5, 1 / 3, 0.0, 0.5]], jnp.float32)
  found = detector.read_at(grid, x, y)
  g = grid[0]
  expected = [
    g[0, 0],
    g[2, 1],
    (g[1, 0] + g[1, 1]) / 2,
    (g[0, 0] + g[0, 1] + g[1, 0] + g[1, 1]) / 4,
    g[0, 0],
    g[1, 1],
  ]
  np.testing.assert_allclose(found[0], jnp.stack(expected), atol=1e-5)
  nested = detector.read_at(grid, x.reshape(1, 2, 3), y.reshape(1, 2, 3))
  np.testing.assert_allclose(nested.reshape(found.shape), found)


def test_places_tell_neighbours_apart():
  """Of 12 x 12 regions each is most like itself, and like none far away."""
  middles = (jnp.arange(12, dtype=jnp.float32) + 0.5) / 12
  y, x = jnp.meshgrid(middles, middles, indexing="ij")
  told = detector.placed(x.ravel(), y.ravel(), 32)
  assert told.shape == (144, 32)
  like = np.array(told @ told.T) / 16
  np.testing.assert_allclose(like.diagonal(), 1, atol=1e-5)
  np.fill_diagonal(like, 0)
  assert like.max() < 0.95


REFUSED = [
  ({"num_queries": 7}, "queries are 7, expected no more than the 6 regions"),
  ({"num_queries": 0}, "num_queries is 0, expected"),
  ({"num_blocks": 0}, "num_blocks is 0, expected"),
  ({"features": 7}, "regions have 7 features, expected an even number"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_does_not_fit_is_refused(options, message):
  def build_and_run():
    params, apply = make(**options)
    return apply(params, images())

  with pytest.raises(ValueError, match=message):
    jax.eval_shape(build_and_run)


def test_in_both_modes_of_flax(nnx_mode):
  del nnx_mode
  found = jax.eval_shape(lambda: make()[1](make()[0], images()))
  assert found.blocks.logits.shape == (BLOCKS, 2, QUERIES, CLASSES + 1)
