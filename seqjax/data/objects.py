"""Images and the objects in them, each with a box.

config.data.images      a FOLDER of images; without one, scenes are made up, see
                        `object_scenes`
  boxes                 FILE.json of their boxes, see `coco`
  validation, test      shares of the images
  image_size            pixels of a side: images are scaled to a square, their
                        boxes along
  examples, validation_examples, test_examples
                        scenes of each part; they are made when they are asked
                        for, and not kept
"""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax import config as settings
from seqjax.config import Config
from seqjax.data import boxes, caption_files, coco, object_scenes, pictures
from seqjax.data.boxes import Corners
from seqjax.data.examples import Splits
from seqjax.errors import InputError, extra

_PARTS = Splits._fields


class Pictured(NamedTuple):
  """An image and what is in it."""

  name: str
  image: np.ndarray  # uint8 [size, size, 3]
  labels: np.ndarray  # int32 [objects], places among the classes
  corners: Corners  # float32 [objects], in pixels of `image`
  width: int  # pixels of the image as it came
  height: int


class Data(NamedTuple):
  """All that `config.data` asks for."""

  splits: Splits  # sequences of `Pictured`
  classes: list[str]
  most: int  # objects in one image


class Scenes(Sequence[Pictured]):
  """Made-up scenes, each a function of (seed, part, index)."""

  def __init__(self, count: int, seed: int, part: str, size: int):
    """Says which.

    Args:
      count: how many.
      seed: of all parts.
      part: "train", "validation" or "test": no two draw the same numbers.
      size: pixels of a side.

    Raises:
      InputError: `size` is too small.
    """
    object_scenes.check_size(size)
    self._count, self._size = count, size
    self._seed, self._part = (seed, _PARTS.index(part)), part

  def __len__(self) -> int:
    return self._count

  def __getitem__(self, index: Any) -> Any:
    if isinstance(index, slice):
      return [self[i] for i in range(*index.indices(self._count))]
    if not 0 <= index < self._count:
      raise IndexError(f"index is {index}, expected 0 to {self._count - 1}")
    rng = np.random.default_rng((*self._seed, int(index)))
    scene = object_scenes.make_up(rng, self._size)
    name = f"{self._part} scene {index}"
    return Pictured(name, *scene, self._size, self._size)


def load(data: Config, seed: int) -> Data:
  """The images and their boxes, as `config.data` asks for.

  Raises:
    InputError: a file cannot be read, or a number is out of range.
  """
  settings.at_least({"data": data}, 1, "data.image_size")
  if data.images:
    return _own(data, seed)
  counts = "examples", "validation_examples", "test_examples"
  settings.at_least({"data": data}, 0, *(f"data.{name}" for name in counts))
  settings.at_least({"data": data}, 1, "data.examples")
  splits = Splits(
    *(
      Scenes(data[count], seed, part, data.image_size)
      for part, count in zip(_PARTS, counts, strict=True)
    )
  )
  return Data(splits, list(object_scenes.CLASSES), object_scenes.MOST)


def scaled(
  name: str, image: np.ndarray, labels: Any, corners: Corners, size: int
) -> Pictured:
  """An image as a square, whatever its shape, and its boxes along.

  Args:
    name: of the image.
    image: uint8 `[height, width, 3]`, or grey `[height, width]`.
    labels: int `[objects]`.
    corners: `[objects]`, in pixels of the image as it is.
    size: pixels of a side.

  Raises:
    InputError: Pillow is not installed.
  """
  height, width = image.shape[:2]
  if image.ndim == 2:
    image = np.repeat(image[..., None], 3, axis=2)
  if image.shape != (size, size, 3):
    with extra():
      from PIL import Image
    drawn = Image.fromarray(image)
    image = np.array(drawn.resize((size, size), Image.Resampling.LANCZOS))
  fitting = boxes.scaled(corners, size / width, size / height)
  sides = (np.asarray(side, np.float32) for side in fitting)
  return Pictured(
    name, image, np.asarray(labels, np.int32), Corners(*sides), width, height
  )


def unlabelled(name: str, image: np.ndarray, size: int) -> Pictured:
  """An image of which nothing is known, see `scaled`.

  Raises:
    InputError: it is no image.
  """
  colours = image.shape[2:] in ((), (3,))
  if not (
    image.dtype == np.uint8 and image.size and image.ndim > 1 and colours
  ):
    raise InputError(
      f"{name} is {image.dtype} {image.shape}, expected uint8 [height, width,"
      " 3] or grey [height, width]"
    )
  return scaled(name, image, [], Corners(*np.zeros((4, 0))), size)


def read(path: str, size: int) -> list[Pictured]:
  """Images without boxes: an image, or a folder of them.

  Raises:
    InputError: there are none, or one cannot be read.
  """
  where = pathlib.Path(path)
  found = {where.name: where}
  if where.is_dir():
    found = pictures.find(where, "--input")
  return [unlabelled(name, _pixels(file), size) for name, file in found.items()]


def _pixels(path: pathlib.Path) -> np.ndarray:
  if not path.is_file():
    raise InputError(f"{path}: there is no such file, expected a picture")
  return pictures.decode(path, path)


def _own(data: Config, seed: int) -> Data:
  if not data.boxes:
    raise InputError(
      "config.data.boxes is empty, expected the JSON file of the boxes"
    )
  found = coco.read(data.boxes)
  folder = pathlib.Path(data.images)
  if not folder.is_dir():
    raise InputError(
      f"config.data.images is {folder}, expected a folder of pictures"
    )
  there = {
    name: each
    for name, each in found.images.items()
    if (folder / name).is_file()
  }
  if not there:
    raise InputError(
      f"config.data.boxes is {data.boxes}, whose {len(found.images)} image(s)"
      f" are not in {folder}: it names {next(iter(found.images), '')!r}"
    )
  if lost := len(found.images) - len(there):
    print(
      f"{data.boxes}: {lost} image(s) that {folder} lacks are left out",
      file=sys.stderr,
    )
  # By image, so that all boxes of one are in one part.
  names = {name: [name] for name in there}
  parts = caption_files.split(names, None, data.validation, data.test, seed)
  made, outside = [], 0
  for part in parts:
    made.append([])
    for name in part:
      pictured, dropped = _boxed(folder, name, there[name], data.image_size)
      made[-1].append(pictured)
      outside += dropped
  if outside:
    print(
      f"{data.boxes}: {outside} box(es) without a pixel of their image are"
      " left out",
      file=sys.stderr,
    )
  most = max(len(each.labels) for part in made for each in part)
  return Data(Splits(*made), found.classes, most)


def _boxed(
  folder: pathlib.Path, name: str, marked: coco.Marked, size: int
) -> tuple[Pictured, int]:
  """An image with its boxes, and how many boxes nothing is left of."""
  image = _pixels(folder / name)
  height, width = image.shape[:2]
  if marked.size is not None and marked.size != (width, height):
    raise InputError(
      f"{folder / name}: the picture is {width} x {height} pixels, expected"
      f" {marked.size[0]} x {marked.size[1]}, as the file of the boxes says"
    )
  corners = boxes.clipped(boxes.corners_of_coco(marked.boxes), width, height)
  kept = (corners.right > corners.left) & (corners.bottom > corners.top)
  corners = Corners(*(side[kept] for side in corners))
  labels = marked.labels[kept]
  return scaled(name, image, labels, corners, size), int((~kept).sum())
