"""Photographs and drawings from files, as RGB of one size."""

import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.errors import InputError, extra

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif"}


def find(folder: str | pathlib.Path, field: str) -> dict[str, pathlib.Path]:
  """The picture files of a folder, by name with its ending, sorted.

  Folders in it are not entered, hidden files are left out.

  Args:
    folder: of the pictures.
    field: or flag that names it, for messages.

  Raises:
    InputError: there is no such folder, or no picture in it.
  """
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    raise InputError(f"{field} is {folder}, expected a folder of pictures")
  found = {
    path.name: path
    for path in sorted(folder.iterdir())
    if path.suffix.lower() in ENDINGS
    and not path.name.startswith(".")
    and path.is_file()
  }
  if not found:
    raise InputError(
      f"{field} is {folder}, which holds no pictures: files that end in"
      f" {', '.join(sorted(ENDINGS))}"
    )
  return found


def read_all(paths: Sequence[pathlib.Path], size: int) -> np.ndarray:
  """The pictures, uint8 `[n, size, size, 3]`.

  Raises:
    InputError: as `read`.
  """
  _check(size)
  images = np.empty((len(paths), size, size, 3), np.uint8)
  for image, path in zip(images, paths, strict=True):
    image[...] = read(path, size)
  return images


def read(path: str | pathlib.Path, size: int) -> np.ndarray:
  """A picture's largest square about its centre, scaled by Lanczos' filter.

  It is turned upright as its EXIF data says. What is transparent lies on white,
  16 bits of grey become 8, of an animation the first picture is taken.

  Args:
    path: of a file in any format that Pillow reads.
    size: pixels on each side of the result.

  Returns:
    RGB, uint8 `[size, size, 3]`.

  Raises:
    InputError: the file is missing, a folder, no picture, damaged or of too
      many pixels; Pillow is not installed; `size` is below 1.
  """
  _check(size)
  path = pathlib.Path(path)
  if not path.is_file():
    what = "this is a folder" if path.is_dir() else "there is no such file"
    raise InputError(f"{path}: {what}, expected a picture")
  image, _ = _opened(path, path)
  return np.array(_square(image, size))


def decode(where: Any, source: Any, size: int = 0) -> np.ndarray:
  """A picture as it is, upright: uint8 `[height, width, 3]`, or grey.

  `[height, width]` where the file is grey and nothing in it transparent.

  Args:
    where: it comes from, for messages.
    source: a path, or a file that is open, in any format that Pillow reads.
    size: pixels on each side of its largest square, see `read`; 0 leaves it as
      it is.

  Raises:
    InputError: this is no picture, a damaged one, or one of too many pixels.
  """
  image, grey = _opened(where, source)
  image = _square(image, size) if size else image
  return np.array(image.convert("L") if grey else image)


def _opened(where: Any, source: Any) -> tuple[Any, bool]:
  """`(image, grey)`: upright, in RGB, and whether the file has no colours.

  Args:
    where: it comes from, for messages.
    source: a path, or a file that is open.
  """
  with extra():
    from PIL import Image, ImageOps, UnidentifiedImageError

  try:
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")  # odd EXIF data, say
      warnings.simplefilter("error", Image.DecompressionBombWarning)
      with Image.open(source) as image:
        clear = image.has_transparency_data
        grey = image.mode in ("1", "L") or image.mode.startswith("I")
        return _rgb(ImageOps.exif_transpose(image)), grey and not clear
  except UnidentifiedImageError as error:
    raise InputError(
      f"{where}: this is no picture, or one of an unknown format; expected"
      " JPEG, PNG or the like"
    ) from error
  except (
    Image.DecompressionBombWarning,
    Image.DecompressionBombError,
  ) as error:
    raise InputError(
      f"{where}: the picture has more than {Image.MAX_IMAGE_PIXELS:,} pixels,"
      " scale it down"
    ) from error
  except Exception as error:  # each format's decoder raises its own
    reason = " ".join(str(error).split()) or type(error).__name__
    raise InputError(
      f"{where}: the picture cannot be read ({reason}), expected a whole file"
    ) from error


def _square(image: Any, size: int) -> Any:
  """The largest square about the centre, scaled."""
  from PIL import Image

  side = min(image.size)
  left, top = (image.width - side) // 2, (image.height - side) // 2
  square = image.crop((left, top, left + side, top + side))
  return square.resize((size, size), Image.Resampling.LANCZOS)


def _check(size: int) -> None:
  if size < 1:
    raise InputError(
      f"config.data.image_size is {size}, expected 1 pixel or more"
    )


def _rgb(image: Any) -> Any:
  """The picture in RGB, whatever its mode."""
  from PIL import Image

  if image.mode == "I" or image.mode.startswith("I;16"):
    # `convert` would clip at 255; "I" is how some formats give 16 bits.
    grey = np.clip(np.asarray(image).astype(np.float64), 0, 65_535) / 257
    image = Image.fromarray(np.rint(grey).astype(np.uint8))
  if image.has_transparency_data:
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image.convert("RGBA"))
  return image.convert("RGB")
