"""Made-up scenes of coloured shapes, with the caption that is right for each.

A scene holds 1 to 4 objects on grey. Its caption names them from left to right,
and between two of them how the first lies to the second:

  a small red circle left of a large blue square above a small green triangle

Some colours and shapes never meet outside of the scenes that are held out, so
that a model can be asked for a red triangle that has seen red and triangles,
but not both at once (Johnson et al. 2017, "CLEVR", section 4.7).
"""

import functools
from typing import NamedTuple

import numpy as np

from seqjax.errors import InputError

# Width in pixels of an image of 64, give or take one.
SIZES = {"small": 12, "large": 20}
COLOURS = {
  "red": (215, 40, 40),
  "green": (40, 165, 55),
  "blue": (45, 75, 225),
  "yellow": (235, 215, 45),
  "purple": (165, 50, 195),
  "cyan": (60, 205, 220),
}
SHAPES = ("circle", "square", "triangle", "cross", "ring")
# A tenth of the pairs; each colour and each shape is also outside of it.
HELD_OUT = frozenset(
  {("red", "triangle"), ("blue", "cross"), ("yellow", "ring")}
)
MOST = 4  # objects in a scene
SMALLEST = 48  # pixels of an image; in less, small shapes look alike

_APART = 2  # pixels between two objects, whatever the size of the image
_CLEAR = 5  # pixels of 64: nearer to a tie than this, no one could be sure
_GREYS = (60, 150)
_TINT = 15  # most that a channel of an object is off its colour
_NOISE = 5  # standard deviation of a channel of a pixel
# The two objects of each pair, by the number of objects.
_PAIRS = [np.triu_indices(number, 1) for number in range(MOST + 1)]
_KINDS = [(s, c, f) for s in SIZES for c in COLOURS for f in SHAPES]


class Thing(NamedTuple):
  """An object of a scene."""

  size: str  # of SIZES
  colour: str  # of COLOURS
  shape: str  # of SHAPES
  mask: np.ndarray  # bool [size, size], the pixels that it covers


class Scene(NamedTuple):
  """An image and what it shows."""

  image: np.ndarray  # uint8 [size, size, 3]
  caption: str
  things: tuple[Thing, ...]  # in the order of the caption
  held_out: bool  # whether one of the things is of HELD_OUT


def generate(
  count: int, seed: int, *, size: int = 64, held_out: bool | None = None
) -> list[Scene]:
  """Different scenes, the objects of each different too.

  The centre of an object is that of the box around it. Objects are two pixels
  apart or more. Centres differ by 5 pixels or more from left to right, and by
  5 or more between the two axes for neighbours in the caption (of an image of
  64, in proportion else), so that no caption is a close call.

  Args:
    count: how many.
    seed: the same seed gives the same scenes, fewer of them a first part.
    size: pixels on each side of the image.
    held_out: True: each scene holds a pair of HELD_OUT; False: none does;
      None: as it falls.

  Raises:
    InputError: `count` is below 0 or `size` too small.
  """
  if count < 0:
    raise InputError(f"config.data.examples is {count}, expected 0 or more")
  if size < SMALLEST:
    raise InputError(
      f"config.data.image_size is {size}, expected {SMALLEST} pixels or more,"
      " for shapes that can be told apart"
    )
  rng = np.random.default_rng(seed)
  scenes, seen = [], set()
  while len(scenes) < count:
    kinds = _kinds(rng, held_out)
    widths = np.array(
      [
        round((SIZES[name] + rng.integers(-1, 2)) * size / 64)
        for name, _, _ in kinds
      ]
    )
    corners = _place(rng, widths, size)
    order = np.argsort(corners[:, 0] * 2 + widths)
    kinds = [kinds[i] for i in order]
    corners, widths = corners[order], widths[order]
    key = (*kinds, *corners.ravel().tolist())
    if key not in seen:
      seen.add(key)
      scenes.append(_scene(rng, kinds, corners, widths, size))
  return scenes


def objects_at(scene: Scene) -> list[int | None]:
  """Which of `scene.things` each word of the caption shows, if any.

  Returns:
    For a word of colour or shape the index of its thing, None for all others.
  """
  found: list[int | None] = []
  thing = 0
  for word in scene.caption.split():
    found.append(thing if word in COLOURS or word in SHAPES else None)
    thing += word in SHAPES  # the last word of a thing
  return found


def _kinds(
  rng: np.random.Generator, held_out: bool | None
) -> list[tuple[str, str, str]]:
  number = int(rng.integers(1, MOST + 1))
  while True:  # the number stays, or scenes that hold one would have more
    drawn = rng.choice(len(_KINDS), number, replace=False)
    kinds = [_KINDS[i] for i in drawn]
    if held_out is None or _has_held_out(kinds) == held_out:
      return kinds


def _has_held_out(kinds: list[tuple[str, str, str]]) -> bool:
  return any((colour, shape) in HELD_OUT for _, colour, shape in kinds)


def _place(
  rng: np.random.Generator, widths: np.ndarray, size: int
) -> np.ndarray:
  """The left upper corners, (x, y), int `[n, 2]`, of boxes that lie clearly."""
  number, clear = len(widths), _CLEAR * size / 64
  first, second = _PAIRS[number]
  tries = 4**number  # are judged at once: the more objects the fewer fit
  while True:
    room = size - 1 - widths[:, None]  # a pixel is left at each edge
    drawn = rng.random((tries, number, 2)) * room
    corners = 1 + drawn.astype(np.int64)
    ends = corners + widths[:, None] + _APART
    apart = (ends[:, first] <= corners[:, second]) | (
      ends[:, second] <= corners[:, first]
    )
    good = apart.any(2).all(1)
    centres = corners + (widths[:, None] - 1) / 2
    order = np.argsort(centres[:, :, :1], axis=1)
    steps = np.diff(np.take_along_axis(centres, order, 1), axis=1)
    good &= (steps[:, :, 0] >= clear).all(1)
    sides = np.abs(steps)
    good &= (np.abs(sides[:, :, 0] - sides[:, :, 1]) >= clear).all(1)
    if good.any():
      return corners[np.argmax(good)]


def _scene(
  rng: np.random.Generator,
  kinds: list[tuple[str, str, str]],
  corners: np.ndarray,
  widths: np.ndarray,
  size: int,
) -> Scene:
  """Draws what is placed, in the order of the caption."""
  image = np.full((size, size, 3), rng.uniform(*_GREYS), np.float32)
  centres = corners + (widths[:, None] - 1) / 2
  between = ["", *(_relation(*step) for step in np.diff(centres, axis=0))]
  things, words = [], []
  for kind, (x, y), width, relation in zip(
    kinds, corners.tolist(), widths.tolist(), between, strict=True
  ):
    mask = np.zeros((size, size), bool)
    box = np.s_[y : y + width, x : x + width]
    mask[box] = filled = _filled(kind[2], width)
    colour = np.add(COLOURS[kind[1]], rng.uniform(-_TINT, _TINT, 3))
    image[box][filled] = colour
    things.append(Thing(*kind, mask))
    words += [relation, "a", *kind]
  image += _NOISE * rng.standard_normal(image.shape, np.float32)
  np.clip(np.rint(image, out=image), 0, 255, out=image)
  return Scene(
    image.astype(np.uint8),
    " ".join(words[1:]),
    tuple(things),
    _has_held_out(kinds),
  )


def _relation(right: float, down: float) -> str:
  """How an object lies to one that is so many pixels off."""
  if abs(right) >= abs(down):
    return "left of"
  return "above" if down > 0 else "below"


@functools.cache
def _filled(shape: str, width: int) -> np.ndarray:
  """The pixels of a shape, bool `[width, width]`, that touches all sides."""
  # Centres of pixels, from -1 to 1 at the edges of the box.
  row = np.arange(width)
  line = (2 * row + 1 - width) / width
  x, y = line[None, :], line[:, None]
  radius = np.hypot(x, y)
  if shape == "circle":
    return radius <= 1
  if shape == "square":
    return np.ones((width, width), bool)
  if shape == "triangle":  # the point, of 1 pixel or 2, is up
    return np.abs(2 * row + 1 - width) <= np.maximum(row, 1)[:, None]
  if shape == "cross":
    return (np.abs(x) <= 0.27) | (np.abs(y) <= 0.27)
  return (radius <= 1) & (radius > 0.55)  # ring
