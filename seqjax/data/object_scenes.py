"""Made-up scenes of shapes to be found, with the box of each.

A scene has 0 to 5 circles, squares and triangles of any colour on a background
of any other, of sides between 10 and 40 % of the image, any two of which
overlap by an IoU of .3 at most; the smaller lies on the larger. There are
lines, crosses and specks behind them, which are no objects, and noise over all.
"""

from typing import NamedTuple

import numpy as np

from seqjax.data import boxes
from seqjax.data.boxes import Corners
from seqjax.errors import InputError

CLASSES = ("circle", "square", "triangle")
MOST = 5  # objects of a scene
SIDES = 0.1, 0.4  # shares of the image
OVERLAP = 0.3  # IoU, at most
SMALLEST = 32  # pixels of an image: of less, a small circle is a square

_CLEAR = 70.0  # between two colours of a scene, of 442 at most
_COLOURS = 32  # that are drawn, to choose from
_TRIES = 8  # arrangements that are judged at once
_DISTRACTORS = 6  # at most
_NOISE = 3.0, 16.0  # at most, of a channel


class Scene(NamedTuple):
  """An image and what it shows, the larger objects first."""

  image: np.ndarray  # uint8 [size, size, 3]
  labels: np.ndarray  # int32 [objects], of CLASSES
  corners: Corners  # float32 [objects], in pixels


def check_size(size: int) -> None:
  """Raises InputError for an image too small to tell shapes apart."""
  if size < SMALLEST:
    raise InputError(
      f"config.data.image_size is {size}, expected {SMALLEST} pixels or more,"
      " for shapes that can be told apart"
    )


def make_up(rng: np.random.Generator, size: int) -> Scene:
  """One scene, `size` pixels wide and high, in about a millisecond."""
  count = int(rng.integers(MOST + 1))
  labels = rng.integers(len(CLASSES), size=count).astype(np.int32)
  corners = _place(rng, labels, size)
  # The larger first: what is painted later lies on it.
  areas = (corners.right - corners.left) * (corners.bottom - corners.top)
  order = np.argsort(-areas, kind="stable")
  labels, corners = labels[order], Corners(*(side[order] for side in corners))
  ground, *colours = _colours(rng, count + 1)
  image = np.empty((size, size, 3), np.float32)
  image[:] = ground
  for _ in range(rng.integers(_DISTRACTORS + 1)):
    _distract(rng, image)
  edges = np.stack(corners, axis=-1).tolist()
  for label, box, colour in zip(labels, edges, colours, strict=True):
    left, top, right, bottom = box
    inside = _filled(CLASSES[label], right - left, bottom - top)
    image[top:bottom, left:right][inside] = colour
  # Uniform: normal numbers would take as long as all the rest.
  noise, most = rng.random(image.shape, np.float32), rng.uniform(*_NOISE)
  noise *= 2 * most
  image += noise
  image += 0.5 - most
  np.clip(image, 0, 255, out=image)
  edges = Corners(*(side.astype(np.float32) for side in corners))
  return Scene(image.astype(np.uint8), labels, edges)


def _place(rng: np.random.Generator, labels: np.ndarray, size: int) -> Corners:
  """Boxes for objects, int `[objects]`, that overlap little."""
  least, most = np.ceil(SIDES[0] * size), np.floor(SIDES[1] * size)
  shape = _TRIES, len(labels)
  while True:
    width, height = rng.integers(least, most + 1, (2, *shape))
    # A triangle alone may be wider than high.
    height = np.where(labels == CLASSES.index("triangle"), height, width)
    left, top = (rng.integers(0, size - side + 1) for side in (width, height))
    found = Corners(left, top, left + width, top + height)
    overlaps = np.triu(boxes.pairwise_iou(found, found), 1)
    good = (overlaps <= OVERLAP).all(axis=(1, 2))
    if good.any():
      return Corners(*(side[np.argmax(good)] for side in found))


def _colours(rng: np.random.Generator, count: int) -> np.ndarray:
  """RGB `[count, 3]`, any two of which are far apart."""
  while True:
    drawn = rng.uniform(0, 255, (_COLOURS, 3))
    apart = drawn[:, None] - drawn[None]
    near = np.einsum("ijk,ijk->ij", apart, apart) < _CLEAR**2
    free, chosen = np.ones(_COLOURS, bool), []
    while len(chosen) < count and free.any():
      first = int(np.argmax(free))
      chosen.append(first)
      free &= ~near[first]
    if len(chosen) == count:
      return drawn[chosen]


def _distract(rng: np.random.Generator, image: np.ndarray) -> None:
  """Paints a line, a cross or a speck of any colour: none is an object."""
  size = len(image)
  kind, colour = rng.integers(3), rng.uniform(0, 255, 3)
  x, y = rng.integers(0, size, 2)
  if kind == 0:  # a line from edge to edge, or a part of one
    ends = np.rint(rng.uniform(0, size - 1, (2, 2)))
    steps = np.linspace(ends[0], ends[1], 2 * size).astype(int)
    image[steps[:, 1], steps[:, 0]] = colour
  elif kind == 1:
    arm = int(rng.integers(size // 24 + 1, size // 10 + 2))
    image[max(y - arm, 0) : y + arm + 1, x] = colour
    image[y, max(x - arm, 0) : x + arm + 1] = colour
  else:
    width, height = rng.integers(2, max(size // 24, 2) + 1, 2)
    image[y : y + height, x : x + width] = colour


def _filled(shape: str, width: int, height: int) -> np.ndarray:
  """The pixels of a shape, bool `[height, width]`, that touches all sides."""
  # Twice the way of a pixel's middle from that of the box, in whole numbers.
  across = np.abs(2 * np.arange(width) + 1 - width)[None, :]
  down = np.abs(2 * np.arange(height) + 1 - height)[:, None]
  if shape == "circle":
    return (across / width) ** 2 + (down / height) ** 2 <= 1
  if shape == "square":
    return np.ones((height, width), bool)
  # The point, of 1 pixel or 2, is up; the lowest row is as wide as the box.
  rows = np.arange(1, height + 1)[:, None]
  return across * height <= np.maximum(rows * width, height)
