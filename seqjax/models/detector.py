"""An image in, a set of objects out: all of them at once."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.cells.positions import sinusoidal
from seqjax.data.boxes import Centred
from seqjax.models.set_prediction import Guesses
from seqjax.nn.keys import one_key
from seqjax.nn.layer_norm import LayerNorm
from seqjax.nn.layers import Layer
from seqjax.nn.read_out import affine
from seqjax.nn.transformer import TransformerBlock

# Waves over an image: so many of the shortest, which tells neighbouring regions
# apart, and the longest so many times as long.
_WAVES, _LONGEST = 6, 20.0
# Where a box that is guessed begins, in shares of the image.
_SIDE = 0.25
# Where queries read around the middle of their anchor, in shares of its sides.
_POINTS = (0.0, 0.0), (-0.4, 0.0), (0.4, 0.0), (0.0, -0.4), (0.0, 0.4)


def placed(x: jax.Array, y: jax.Array, size: int) -> jax.Array:
  """Points of an image as features, half of them of x, half of y.

  `positions.sinusoidal` of 2 pi 6 x and 2 pi 6 y: the waves are as long as a
  sixth of the image up to three images. (DETR's shortest is one image, and its
  longest 10,000; it has 20 to 40 regions a side, and larger objects.)

  Args:
    x: shares of the width, any shape.
    y: shares of the height, alike.
    size: features, even.
  """
  told = [
    sinusoidal(2 * math.pi * _WAVES * point, size // 2, _LONGEST)
    for point in (x, y)
  ]
  return jnp.concatenate(told, axis=-1)


class AllGuesses(NamedTuple):
  """What a `Detector` says of images; those after the last block count."""

  blocks: Guesses  # [blocks, batch, queries]
  regions: Guesses | None  # [batch, regions]; None without anchors


class Guess(nnx.Module):
  """What is guessed of an object, from features and where to begin.

    class = W norm(x) + b
    box = sigmoid(W_3 relu(W_2 relu(W_1 norm(x) + b_1) + b_2) + b_3
                  + logit(anchor))

  Initialisation: W_3 zero, so that a box begins as its anchor; the rest as
  `nnx.Linear`.

  Raises:
    ValueError: a size is not positive.
  """

  def __init__(
    self,
    size: int,
    num_classes: int,
    *,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    base.check_size("size", size)
    base.check_size("num_classes", num_classes)
    rngs = nnx.Rngs(one_key(key, rngs))
    zero = nnx.initializers.zeros_init()
    self.norm = LayerNorm(size)
    self.classes = nnx.Linear(size, num_classes + 1, rngs=rngs)
    self.first = nnx.Linear(size, size, rngs=rngs)
    self.second = nnx.Linear(size, size, rngs=rngs)
    self.box = nnx.Linear(size, 4, kernel_init=zero, rngs=rngs)
    self.compute_dtype = compute_dtype

  def __call__(self, x: jax.Array, anchors: Centred) -> Guesses:
    """Guesses `[*batch]` from features `[*batch, size]`, anchors `[*batch]`."""
    x = self.norm.step((), x)[1]
    logits = affine(self.classes, x, self.compute_dtype)
    for layer in (self.first, self.second):
      x = jax.nn.relu(affine(layer, x, self.compute_dtype))
    moved = jnp.moveaxis(affine(self.box, x, self.compute_dtype), -1, 0)
    sides = zip(moved, anchors, strict=True)
    boxes = (jax.nn.sigmoid(move + _logit(side)) for move, side in sides)
    return Guesses(logits, Centred(*boxes))


class Detector(nnx.Module):
  """Guesses the objects in an image, by a fixed number of queries.

    m = encoder(regions(image) + place of each region)
    x_0 = a learned vector for each query
    x_l = block_l(x_(l-1) + told_l, m)
    class_l, box_l = guess(x_l, anchor_l)

  Carion et al. 2020, "End-to-end object detection with Transformers" (DETR). A
  block is self-attention of the queries, attention to m, two layers. As there,
  blocks share one `Guess`, and each is trained on its own guesses ("auxiliary
  losses"); the last count.

  What differs: a query has an anchor, a box at which it begins to look, and is
  told about it,

    told_l = W [place of the middle, m at the middle and near the four sides]

  m at a point between regions is mixed of the four around. The first anchors
  are guesses, too: of all regions, each from its own place, those that are the
  surest not to be nothing. Then the anchor is the box of the block before; no
  gradient goes through an anchor. Zhu et al. 2021, "Deformable DETR", section
  4.2 and A.4, whose points are learned; Zhang et al. 2022, "DINO", whose mixed
  query selection this is: learned vectors, chosen places. DETR itself needs
  hundreds of epochs to learn where a query looks: without anchors told_l = 0,
  all boxes begin in the middle of the image, and the learned vectors have to
  say it.

  Initialisation: learned vectors normal with deviation 1; the rest as `Guess`,
  `nnx.Linear`, `TransformerBlock`.

  Attributes:
    regions: from images to `[batch, rows x columns, features]`; has
      `output_size`.
    encoder: a layer that is not causal.
    blocks: of the decoder, `TransformerBlock` with a memory.
    anchored: whether queries have anchors.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive, or features of regions are odd; from the
      call, there are less regions than queries with anchors.
  """

  def __init__(
    self,
    make_regions: Callable[[jax.Array], Any],
    make_encoder: Callable[[int, jax.Array], Layer[Any]],
    make_block: Callable[[int, jax.Array], TransformerBlock],
    num_classes: int,
    *,
    num_queries: int,
    num_blocks: int,
    anchored: bool = True,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      make_regions: from a key.
      make_encoder: from `(input_size, key)`.
      make_block: from `(memory_size, key)`.
      num_classes: kinds of objects, without "no object".
      num_queries: guesses for an image.
      num_blocks: of the decoder.
      anchored: see above.
      compute_dtype: of the products of the read-outs.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    base.check_size("num_queries", num_queries)
    base.check_size("num_blocks", num_blocks)
    keys = jax.random.split(one_key(key, rngs), 7)
    self.regions = make_regions(keys[0])
    if self.regions.output_size % 2:
      raise ValueError(
        f"regions have {self.regions.output_size} features, expected an even"
        " number: half of them say where from left to right, half from top to"
        " bottom"
      )
    self.encoder = make_encoder(self.regions.output_size, keys[1])
    memory_size = self.encoder.output_size
    self.blocks = nnx.List(
      [
        make_block(memory_size, jax.random.fold_in(keys[2], index))
        for index in range(num_blocks)
      ]
    )
    size = self.blocks[0].output_size
    shape = (num_queries, size)
    self.queries = nnx.Param(jax.random.normal(keys[3], shape, jnp.float32))
    how: Any = {"compute_dtype": compute_dtype}
    self.guess = Guess(size, num_classes, key=keys[4], **how)
    self.anchored, self.compute_dtype = anchored, compute_dtype
    if anchored:
      self.propose = Guess(memory_size, num_classes, key=keys[5], **how)
      told = self.regions.output_size + len(_POINTS) * memory_size
      self.told = nnx.Linear(told, size, rngs=nnx.Rngs(keys[6]))

  def __call__(
    self, images: jax.Array, *, key: jax.Array | None = None
  ) -> AllGuesses:
    """All guesses.

    Args:
      images: `[batch, height, width, 3]`, see `ConvGrid`.
      key: randomness of dropout; None turns it off.
    """
    encode_key, key = (None, None) if key is None else jax.random.split(key)
    grid = self.encode(images, key=encode_key)
    memory = grid.reshape(grid.shape[0], -1, grid.shape[-1])
    queries = self.queries.get_value()
    shape = (memory.shape[0], len(queries))
    x = jnp.broadcast_to(queries, (*shape, queries.shape[-1]))
    anchors, proposed = Centred(*(jnp.full(shape, 0.5),) * 4), None
    if self.anchored:
      middle_x, middle_y = _middles(*grid.shape[1:3])
      side = jnp.full_like(middle_x, _SIDE)
      places = Centred(middle_x, middle_y, side, side)
      proposed = self.propose(memory, Centred(*(p[None] for p in places)))
      anchors = _surest(proposed, len(queries))
    guesses = []
    for index, block in enumerate(self.blocks):
      if self.anchored:
        x = x + self._told(grid, anchors)
      reading = block.attend(block.remember(memory))
      _, x = reading(x, key=base.subkey(key, index))
      guesses.append(self.guess(x, anchors))
      if self.anchored:
        anchors = jax.lax.stop_gradient(guesses[-1].boxes)
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *guesses)
    return AllGuesses(stacked, proposed)

  def encode(
    self, images: jax.Array, *, key: jax.Array | None = None
  ) -> jax.Array:
    """What the queries look at: `[batch, rows, columns, features]`."""
    regions = self.regions(images)
    batch, count, size = regions.shape
    height, width = images.shape[1:3]
    # A grid of the shape of the image.
    rows = max(1, round(math.sqrt(count * height / width)))
    told = placed(*_middles(rows, count // rows), size)
    memory = self.encoder(regions + told[None], key=key)[1]
    return memory.reshape(batch, rows, count // rows, -1)

  def _told(self, grid: jax.Array, anchors: Centred) -> jax.Array:
    """What queries are told of their anchors, `[batch, queries, size]`."""
    points = [
      (anchors.x + across * anchors.width, anchors.y + down * anchors.height)
      for across, down in _POINTS
    ]
    x, y = (jnp.stack(axis, axis=-1) for axis in zip(*points, strict=True))
    read = read_at(grid, x, y)
    read = read.reshape(*read.shape[:2], -1)
    where = placed(anchors.x, anchors.y, self.regions.output_size)
    told = jnp.concatenate([where, read], axis=-1)
    return affine(self.told, told, self.compute_dtype)


def read_at(grid: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
  """A grid at points between its middles, bilinear; beyond, as at the edge.

  Args:
    grid: `[batch, rows, columns, features]`.
    x: `[batch, *points]`, shares of the width.
    y: alike, of the height.

  Returns:
    `[batch, *points, features]`.
  """
  batch, rows, columns, features = grid.shape

  def near(point, count):
    """How much of each middle, `[batch, points, count]`."""
    at = jnp.clip(point.reshape(batch, -1, 1) * count - 0.5, 0, count - 1)
    middles = jnp.arange(count, dtype=at.dtype)
    return jnp.maximum(1 - jnp.abs(at - middles[None, None]), 0)

  # Two products over a small grid: a gather's gradient is slow on a CPU.
  read = jnp.einsum("bpr,bpc,brcf->bpf", near(y, rows), near(x, columns), grid)
  return read.reshape(*x.shape, features)


def _middles(rows: int, columns: int) -> tuple[jax.Array, jax.Array]:
  """`(x, y)` of the regions of a grid, `[rows x columns]` each, shares."""
  middles = lambda n: (jnp.arange(n, dtype=jnp.float32) + 0.5) / n
  y, x = jnp.meshgrid(middles(rows), middles(columns), indexing="ij")
  return x.ravel(), y.ravel()


def _surest(guesses: Guesses, count: int) -> Centred:
  """The boxes that are most likely something, `[batch, count]`."""
  shares = jax.nn.softmax(guesses.logits)[..., :-1].max(axis=-1)
  if count > shares.shape[-1]:
    raise ValueError(
      f"queries are {count}, expected no more than the {shares.shape[-1]}"
      " regions of the image, at which they begin"
    )
  _, best = jax.lax.top_k(shares, count)
  boxes = jax.lax.stop_gradient(guesses.boxes)
  return Centred(*(jnp.take_along_axis(side, best, 1) for side in boxes))


def _logit(shares: jax.Array) -> jax.Array:
  """The inverse of the sigmoid, finite at 0 and 1."""
  inside = jnp.clip(shares, 1e-4, 1 - 1e-4)
  return jnp.log(inside) - jnp.log1p(-inside)
