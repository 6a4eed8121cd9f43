"""Grey images in IDX files (MNIST's format), and glyphs that are drawn.

config.data.path         FOLDER of MNIST's four files, gzipped or not
config.data.validation   share of its training images that is set aside
config.data.order        how an image is a sequence, see `Encoder`
"""

import gzip
import math
import pathlib
from collections.abc import Sequence

import numpy as np

from seqjax.config import Config
from seqjax.data.examples import Example, Splits, parts, path_of, stratified
from seqjax.errors import InputError

# How LeCun's files begin; the test set may lie beside them in its own folder.
_PREFIXES = {"train": "train", "test": "t10k"}
_BYTES = 0x08  # IDX's code for unsigned bytes
ORDERS = "rows", "pixels", "permuted"


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`."""
  path = path_of(data)
  if path is None:
    return parts(generate(data.examples, seed), data, seed)
  return parts(read_folder(path, data.validation, seed), data, seed)


class Encoder:
  """Grey images as sequences, values from 0 to 1; see `formats`.

  "rows" is `[height, width]`, a row a step; "pixels" is `[height * width, 1]`,
  one after the other; "permuted" the same in one random order, fixed by a seed
  (Le, Jaitly and Hinton 2015).
  """

  vocab_size = 0
  unknown = None

  def __init__(self, height: int, width: int, order: str, seed: int):
    if order not in ORDERS:
      raise InputError(
        f"config.data.order is {order!r}, expected one of {', '.join(ORDERS)}"
      )
    self.state = {
      "height": height,
      "width": width,
      "order": order,
      "seed": seed,
    }
    self._shape = height, width
    self.input_size = width if order == "rows" else 1
    self._order = np.arange(height * width)
    if order == "permuted":
      self._order = np.random.default_rng(seed).permutation(height * width)

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """The size of the images, and `data.order`."""
    height, width = examples[0].inputs.shape
    return cls(height, width, data.order, seed)

  def encode(self, inputs: np.ndarray) -> np.ndarray:
    pixels = inputs.reshape(-1)[self._order] / np.float32(255)
    return pixels.reshape(-1, self.input_size)

  def read(self, path: str) -> list[np.ndarray]:
    """An IDX file of images."""
    found = read_idx(path)
    if found.shape[1:] != self._shape:
      raise InputError(
        f"{path}: images have shape {found.shape[1:]}, expected {self._shape}"
      )
    return list(found)


def show(inputs: np.ndarray) -> str:
  """Its size."""
  return f"an image of {' x '.join(map(str, inputs.shape))}"


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
  folder = pathlib.Path(folder)
  found = [
    path
    for path in sorted([*folder.glob(f"{name}*"), *folder.glob(f"*/{name}*")])
    if path.name in (name, f"{name}.gz")
  ]
  if not found:
    raise InputError(
      f"config.data.path is {folder}, where {name}[.gz] is not to be found"
    )
  return found[0]


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
