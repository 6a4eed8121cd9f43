"""Images in IDX files (MNIST's format) or in folders, and glyphs drawn.

config.data.path         FOLDER of MNIST's four files, gzipped or not; or FOLDER
                         or ARCHIVE of pictures, see `image_folder`
config.data.image_size   pixels of a side that pictures are made to have; 0
                         takes them as they are
config.data.validation   share of training that is set aside
config.data.order        how an image is a sequence, see `Encoder`
config.data.patch        pixels of a patch's side
config.data.shift        pixels that an image is moved by in training, at most
config.data.flip         whether half of them are mirrored there
config.data.erase        pixels of the side of a square that is greyed there
"""

import gzip
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqjax.config import Config
from seqjax.data import image_folder, pictures
from seqjax.data.examples import Example, Splits, parts, path_of, stratified
from seqjax.errors import InputError

# How LeCun's files begin; the test set may lie beside them in its own folder.
_PREFIXES = {"train": "train", "test": "t10k"}
_BYTES = 0x08  # IDX's code for unsigned bytes
ORDERS = "rows", "pixels", "permuted", "patches"


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`."""
  path = path_of(data)
  if path is None:
    return parts(generate(data.examples, seed), data, seed)
  if path.is_dir() and any(_idx_files(path, "train-images-idx3-ubyte")):
    found = read_folder(path, data.validation, seed)
  else:
    found = image_folder.read(path, data.image_size, data.validation, seed)
  return parts(found, data, seed)


class Encoder:
  """Images as sequences; see `formats`.

  "rows" is `[height, width * colours]`, a row a step; "pixels" is `[height *
  width, colours]`, one after the other; "permuted" the same in one random
  order, fixed by a seed (Le, Jaitly and Hinton 2015): values from 0 to 1.
  "patches" is `[height * width / patch^2, patch^2 * colours]`, squares row by
  row, as a Vision Transformer reads them (Dosovitskiy et al. 2021, "An image is
  worth 16x16 words", equation 1): bytes, which the model takes as -1 to 1.
  """

  vocab_size = 0
  unknown = None

  def __init__(
    self,
    height: int,
    width: int,
    order: str,
    seed: int,
    colours: int = 1,
    patch: int = 0,
    size: int = 0,
  ):
    if order not in ORDERS:
      raise InputError(
        f"config.data.order is {order!r}, expected one of {', '.join(ORDERS)}"
      )
    if order == "patches" and (patch < 1 or height % patch or width % patch):
      raise InputError(
        f"config.data.patch is {patch}, expected a divisor of the sides of"
        f" images of {height} x {width}"
      )
    self.state = {
      "height": height,
      "width": width,
      "order": order,
      "seed": seed,
      "colours": colours,
      "patch": patch,
      "size": size,
    }
    self.shape = height, width, colours
    self.order, self._size = order, size
    self.patch = patch if order == "patches" else 0
    self.input_size = {
      "rows": width * colours,
      "patches": patch**2 * colours,
    }.get(order, colours)
    self._places = np.arange(height * width)
    if order == "permuted":
      self._places = np.random.default_rng(seed).permutation(height * width)

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """The shape of the images, and how `data` orders them."""
    height, width, *colours = examples[0].inputs.shape
    if not 0 <= data.shift < min(height, width):
      raise InputError(
        f"config.data.shift is {data.shift}, expected 0 or more, and less than"
        f" a side of images of {height} x {width}"
      )
    return cls(
      height,
      width,
      data.order,
      seed,
      colours[0] if colours else 1,
      data.patch,
      data.image_size,
    )

  def encode(self, inputs: np.ndarray) -> np.ndarray:
    height, width, colours = self.shape
    if self.order == "patches":
      p = self.patch
      cut = inputs.reshape(height // p, p, width // p, p, colours)
      return cut.swapaxes(1, 2).reshape(-1, self.input_size)
    pixels = inputs.reshape(-1, colours)[self._places] / np.float32(255)
    return pixels.reshape(-1, self.input_size)

  def read(self, path: str) -> list[np.ndarray]:
    """Images of an IDX file, or of a picture or a folder of them, by name."""
    place = pathlib.Path(path)
    if place.is_dir():
      files = pictures.find(place, "--input").values()
    elif place.suffix.lower() in pictures.ENDINGS:
      files = [place]
    else:
      return [self._fitting(path, image) for image in read_idx(path)]
    return [
      self._fitting(file, pictures.decode(file, file, self._size))
      for file in files
    ]

  def _fitting(self, where, image: np.ndarray) -> np.ndarray:
    """An image in the colours of training, if it is of the size."""
    height, width, colours = self.shape
    if image.shape[:2] != (height, width):
      raise InputError(
        f"{where}: images have shape {image.shape}, expected {(height, width)}"
      )
    if colours == 1 and image.ndim == 3:
      # The luma of ITU-R BT.601, as JPEG and Pillow weigh colours.
      grey = image @ np.array([0.299, 0.587, 0.114])
      return np.rint(grey).astype(np.uint8)
    if colours == 3 and image.ndim == 2:
      return image[..., None].repeat(3, -1)
    return image


def augmentation(
  data: Config,
) -> Callable[[Sequence[np.ndarray], np.random.Generator], Any] | None:
  """What `config.data` does to images of training, see `formats`."""
  if not (data.shift or data.flip or data.erase):
    return None

  def augment(images, rng):
    changed = moved(np.stack(images), rng, shift=data.shift, flip=data.flip)
    return erased(changed, rng, data.erase) if data.erase else changed

  return augment


def moved(
  images: np.ndarray, rng: np.random.Generator, *, shift: int, flip: bool
) -> np.ndarray:
  """Each image moved, its edge mirrored into what is laid bare, and flipped.

  Args:
    images: `[n, height, width, ...]`.
    rng: draws for each image of its own.
    shift: pixels up or down, left or right, at most; less than a side.
    flip: whether half of them are mirrored left to right.
  """
  count, height, width, *colours = images.shape
  rows, columns = np.arange(height)[None], np.arange(width)[None]
  if shift:
    rows = rows + rng.integers(-shift, shift + 1, (count, 1))
    columns = columns + rng.integers(-shift, shift + 1, (count, 1))
  rows, columns = _mirrored(rows, height), _mirrored(columns, width)
  if flip:
    turned = rng.random((count, 1)) < 0.5
    columns = np.where(turned, columns[:, ::-1], columns)
  # As one list of pixels: several times as fast as an index for each axis.
  places = height * np.arange(count)[:, None] + rows
  places = width * places[:, :, None] + columns[:, None, :]
  return images.reshape(-1, *colours).take(places, axis=0)


def erased(
  images: np.ndarray, rng: np.random.Generator, side: int
) -> np.ndarray:
  """Each image without a square of it, which is grey instead.

  DeVries and Taylor 2017, "Improved regularization of convolutional neural
  networks with Cutout": its centre is anywhere, so part of it may lie outside.

  Args:
    images: bytes `[n, height, width, ...]`.
    rng: draws for each image of its own.
    side: of the square, in pixels.
  """
  count, height, width, *colours = images.shape

  def inside(size):
    first = rng.integers(0, size, (count, 1)) - side // 2
    places = np.arange(size)[None]
    return (places >= first) & (places < first + side)

  gone = inside(height)[:, :, None] & inside(width)[:, None, :]
  gone = gone.reshape(*gone.shape, *[1] * len(colours))
  return np.where(gone, np.uint8(127), images)


def _mirrored(places: np.ndarray, size: int) -> np.ndarray:
  """Places past an edge, as far before it; the edge itself is not repeated."""
  places = np.abs(places)
  return np.where(places < size, places, 2 * (size - 1) - places)


def show(inputs: np.ndarray) -> str:
  """Its size."""
  return f"an image of {' x '.join(map(str, inputs.shape[:2]))}"


def read_idx(path: str | pathlib.Path) -> np.ndarray:
  """An IDX file of bytes, gzipped or not: uint8, any number of axes.

  Two zero bytes, the type, the number of axes, the size of each as a big-endian
  32-bit integer, the data.

  Raises:
    InputError: the file cannot be read, is no IDX file of bytes, or is cut
      short.
  """
  path = pathlib.Path(path)
  try:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
      data = gzip.decompress(data)
  except (OSError, EOFError) as error:
    raise InputError(f"{path}: cannot be read ({error})") from error
  if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _BYTES:
    raise InputError(f"{path}: no IDX file of unsigned bytes")
  axes = data[3]
  shape = tuple(np.frombuffer(data, ">u4", axes, 4).tolist())
  expected = 4 + 4 * axes + math.prod(shape)
  if len(data) != expected:
    raise InputError(
      f"{path}: {len(data)} bytes, expected {expected} for shape {shape}; fetch"
      " the file again"
    )
  return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def read_folder(
  folder: str | pathlib.Path, validation: float, seed: int
) -> Splits:
  """MNIST's four files, gzipped or not, in `folder` or folders below it.

  Args:
    folder: holds `train-images-idx3-ubyte` and so on.
    validation: share of the training images, at random, that is set aside.
    seed: of that choice.

  Raises:
    InputError: a file is missing, or images and labels do not fit.
  """
  found = {}
  for part, prefix in _PREFIXES.items():
    images = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"))
    if images.ndim != 3 or labels.shape != images.shape[:1]:
      raise InputError(
        f"{folder}: {part} images have shape {images.shape} and labels"
        f" {labels.shape}, expected [n, height, width] and [n]"
      )
    found[part] = [
      Example(image, str(label))
      for image, label in zip(images, labels, strict=True)
    ]
  train, validated, _ = stratified(found["train"], validation, 0.0, seed)
  return Splits(train, validated, found["test"])


def _find(folder: str | pathlib.Path, name: str) -> pathlib.Path:
  found = _idx_files(folder, name)
  if not found:
    raise InputError(
      f"config.data.path is {folder}, where {name}[.gz] is not to be found"
    )
  return found[0]


def _idx_files(folder: str | pathlib.Path, name: str) -> list[pathlib.Path]:
  folder = pathlib.Path(folder)
  return [
    path
    for path in sorted([*folder.glob(f"{name}*"), *folder.glob(f"*/{name}*")])
    if path.name in (name, f"{name}.gz")
  ]


# Seven-segment digits: which of top, upper left, upper right, middle, lower
# left, lower right, bottom are lit.
_SEGMENTS = {
  "0": "1110111", "1": "0010010", "2": "1011101", "3": "1011011",
  "4": "0111010", "5": "1101011", "6": "1101111", "7": "1010010",
  "8": "1111111", "9": "1111011",
}  # fmt: skip


def generate(count: int, seed: int, size: int = 12) -> list[Example]:
  """`count` drawn digits `[size, size]` of bytes, moved, faded and noisy."""
  rng = np.random.default_rng(seed)
  examples = []
  for index in range(count):
    label = str(index % 10)
    image = np.zeros((size, size))
    top, left = rng.integers(0, 3), rng.integers(0, 4)
    half, width = (size - 4) // 2, size // 2 - 1
    lit = [flag == "1" for flag in _SEGMENTS[label]]
    for row, on in (0, lit[0]), (half, lit[3]), (2 * half, lit[6]):
      image[top + row, left : left + width + 1] += on
    for column, row, on in (
      (0, 0, lit[1]), (width, 0, lit[2]), (0, half, lit[4]),
      (width, half, lit[5]),
    ):  # fmt: skip
      image[top + row : top + row + half + 1, left + column] += on
    image = np.minimum(image, 1) * rng.uniform(0.6, 1.0)
    image += rng.normal(0, 0.15, image.shape)
    image = np.clip(image, 0, 1)
    examples.append(Example((255 * image).astype(np.uint8), label))
  return examples
