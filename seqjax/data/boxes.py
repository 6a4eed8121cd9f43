"""Boxes in three formats, a type for each: none can be taken for another.

Every type is a tree of four arrays of one shape, NumPy's or JAX's; the axes are
the user's, x to the right and y down. What they are measured in (pixels, shares
of an image) is said where they are used.
"""

from typing import Any, NamedTuple

import numpy as np


class Corners(NamedTuple):
  """The edges: what overlaps are computed from."""

  left: Any
  top: Any
  right: Any
  bottom: Any


class Centred(NamedTuple):
  """The middle and the sides: what a detector predicts."""

  x: Any
  y: Any
  width: Any
  height: Any


class Coco(NamedTuple):
  """A corner and the sides: `bbox` of a COCO file."""

  left: Any
  top: Any
  width: Any
  height: Any


def corners_of_centred(boxes: Centred) -> Corners:
  """The edges of boxes given by their middle and sides."""
  half_width, half_height = boxes.width / 2, boxes.height / 2
  return Corners(
    boxes.x - half_width,
    boxes.y - half_height,
    boxes.x + half_width,
    boxes.y + half_height,
  )


def centred_of_corners(boxes: Corners) -> Centred:
  """The inverse of `corners_of_centred`."""
  return Centred(
    (boxes.left + boxes.right) / 2,
    (boxes.top + boxes.bottom) / 2,
    boxes.right - boxes.left,
    boxes.bottom - boxes.top,
  )


def corners_of_coco(boxes: Coco) -> Corners:
  """The edges of boxes given by a corner and sides."""
  return Corners(
    boxes.left,
    boxes.top,
    boxes.left + boxes.width,
    boxes.top + boxes.height,
  )


def scaled(boxes: Corners, across: Any, down: Any) -> Corners:
  """Boxes in another unit: x times `across`, y times `down`."""
  return Corners(
    boxes.left * across,
    boxes.top * down,
    boxes.right * across,
    boxes.bottom * down,
  )


def clipped(boxes: Corners, width: Any, height: Any) -> Corners:
  """What of boxes lies within an image, NumPy arrays.

  A box outside of it has a side of 0.
  """
  return Corners(
    np.clip(boxes.left, 0, width),
    np.clip(boxes.top, 0, height),
    np.clip(boxes.right, 0, width),
    np.clip(boxes.bottom, 0, height),
  )


def pairwise_iou(first: Corners, second: Corners) -> np.ndarray:
  """Intersection over union of all pairs, NumPy arrays.

  Of two boxes without area it is 0.

  Args:
    first: `[..., n]`.
    second: `[..., m]`, with the same leading axes.

  Returns:
    `[..., n, m]`.
  """
  a = Corners(*(np.asarray(side)[..., :, None] for side in first))
  b = Corners(*(np.asarray(side)[..., None, :] for side in second))
  width = np.minimum(a.right, b.right) - np.maximum(a.left, b.left)
  height = np.minimum(a.bottom, b.bottom) - np.maximum(a.top, b.top)
  shared = np.maximum(width, 0) * np.maximum(height, 0)
  area = lambda box: (box.right - box.left) * (box.bottom - box.top)
  union = area(a) + area(b) - shared
  return np.where(union > 0, shared / np.where(union > 0, union, 1), 0.0)
