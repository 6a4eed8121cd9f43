"""How much boxes overlap, with a gradient wherever they lie."""

import jax
import jax.numpy as jnp

from seqjax.data.boxes import Corners


def generalized_iou(first: Corners, second: Corners) -> jax.Array:
  """How well two boxes agree, from -1 (far apart) to 1 (the same).

    |A and B| / |A or B|  -  (|C| - |A or B|) / |C|

  C is the smallest box around both: where they do not meet, the second term
  says how far apart they are. Rezatofighi et al. 2019, "Generalized
  intersection over union", algorithm 2. A quotient of two areas that are zero
  is zero, so that boxes without area have a finite value and gradient; sides
  below zero count as zero.

  Args:
    first: boxes; shapes broadcast with those of the second.
    second: boxes.
  """
  overlap = Corners(
    jnp.maximum(first.left, second.left),
    jnp.maximum(first.top, second.top),
    jnp.minimum(first.right, second.right),
    jnp.minimum(first.bottom, second.bottom),
  )
  around = Corners(
    jnp.minimum(first.left, second.left),
    jnp.minimum(first.top, second.top),
    jnp.maximum(first.right, second.right),
    jnp.maximum(first.bottom, second.bottom),
  )
  shared, hull = _area(overlap), _area(around)
  union = _area(first) + _area(second) - shared
  return _share(shared, union) - _share(hull - union, hull)


def _area(boxes: Corners) -> jax.Array:
  return jnp.maximum(boxes.right - boxes.left, 0) * jnp.maximum(
    boxes.bottom - boxes.top, 0
  )


def _share(part: jax.Array, whole: jax.Array) -> jax.Array:
  """The quotient; 0 of nothing, and no gradient that is not finite."""
  some = whole > 0
  return jnp.where(some, part / jnp.where(some, whole, 1), 0)
