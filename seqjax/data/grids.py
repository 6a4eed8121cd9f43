"""Images as grids of numbers, one vector for each cell, as a network left them.

A file is NumPy's .npz in one of two layouts:

  features [images, cells, d] and names [images]
  q int8 [d, images, cells] and step: a value is q * step; the names are in a
    text file beside it, names.txt or names.txt.gz, one a line
"""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from seqjax.data import caption_files
from seqjax.errors import InputError

_LAYOUTS = ("features", "q")


class Grids(NamedTuple):
  """The grids of images."""

  names: list[str]  # [images], no two alike
  values: np.ndarray  # [images, cells, d], int8 or float32, C-contiguous
  step: float  # a value is values * step


def read(path: str | pathlib.Path) -> Grids:
  """Reads a file of grids; int8 stays int8, all else becomes float32.

  Args:
    path: the .npz file, or a folder with exactly one that holds `features` or
      `q`.

  Raises:
    InputError: the file is missing, damaged or has other contents, objects for
      instance, which are never unpickled; there are no images or no cells; a
      value is not finite; the names are missing, doubled or not as many as the
      images.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    path = _in_folder(path)
  with _opened(path) as arrays:
    layout = _layout(path, arrays)
    if layout is None:
      raise _error(
        path,
        f"it holds {', '.join(arrays.files) or 'nothing'}, expected one of"
        f" {' and '.join(_LAYOUTS)}",
      )
    values = _values(path, layout, _array(path, arrays, layout))
    step = _step(path, layout, arrays)
    names = _names(path, arrays)
  if len(names) != len(values):
    raise _error(
      path,
      f"it has {len(values)} images and {len(names)} names, expected as"
      " many names as images",
    )
  return Grids(names, values, step)


def _error(path: pathlib.Path, what: str) -> InputError:
  return InputError(f"{path}: {what}")


def _in_folder(folder: pathlib.Path) -> pathlib.Path:
  found = []
  for path in sorted(folder.glob("*.npz")):
    with _opened(path) as arrays:
      if _layout(path, arrays):
        found.append(path)
  if len(found) != 1:
    named = f" ({', '.join(path.name for path in found)})" if found else ""
    raise _error(
      folder,
      f"the folder has {len(found)} .npz files with features or q{named},"
      " expected one; name the file",
    )
  return found[0]


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Any]:
  """The arrays of the file, read one by one when asked for."""
  with contextlib.ExitStack() as stack:
    try:
      # NumPy leaves a file open that it opened and cannot read.
      file = stack.enter_context(path.open("rb"))
      arrays = np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
      raise _error(
        path, "there is no such file, expected grids, a FILE.npz"
      ) from error
    except Exception as error:  # NumPy and zipfile raise of all kinds
      raise _error(
        path, "it cannot be read, expected a whole .npz file"
      ) from error
    if not isinstance(arrays, np.lib.npyio.NpzFile):
      raise _error(path, "it is a single array, expected a .npz file")
    yield stack.enter_context(arrays)


def _layout(path: pathlib.Path, arrays: Any) -> str | None:
  found = [name for name in _LAYOUTS if name in arrays.files]
  if len(found) > 1:
    raise _error(path, "it holds both features and q, expected one of them")
  return found[0] if found else None


def _array(path: pathlib.Path, arrays: Any, name: str) -> np.ndarray:
  try:
    array = arrays[name]
  except Exception as error:  # as in `_opened`
    reason = " ".join(str(error).split()) or type(error).__name__
    raise _error(
      path,
      f"its {name} cannot be read ({reason}), expected a whole array without"
      " objects",
    ) from error
  if not isinstance(array, np.ndarray):  # NumPy hands on what is no array
    raise _error(path, f"its {name} is no array, expected one")
  return array


def _values(path: pathlib.Path, layout: str, values: np.ndarray) -> np.ndarray:
  axes = {"features": "[images, cells, d]", "q": "[d, images, cells]"}[layout]
  if values.ndim != 3:
    raise _error(
      path, f"its {layout} has the shape {values.shape}, expected {axes}"
    )
  if layout == "q":
    if values.dtype != np.int8:
      raise _error(path, f"its q is {values.dtype}, expected int8")
    values = values.transpose(1, 2, 0)
  elif values.dtype.kind not in "fiu":
    raise _error(path, f"its features are {values.dtype}, expected numbers")
  for axis, size in zip(("images", "cells", "d"), values.shape, strict=True):
    if not size:
      what = {"d": "numbers in a cell"}.get(axis, axis)
      raise _error(path, f"it has no {what}, expected {axes} of at least 1")
  if values.dtype != np.int8:
    with np.errstate(over="ignore"):  # is found below
      values = values.astype(np.float32)
    if not np.isfinite(values).all():
      image = int(np.nonzero(~np.isfinite(values).all((1, 2)))[0][0])
      raise _error(
        path,
        f"image {image} has a value that is NaN, infinite or too large for"
        " float32, expected finite ones",
      )
  return np.ascontiguousarray(values)


def _step(path: pathlib.Path, layout: str, arrays: Any) -> float:
  if "step" not in arrays.files:
    if layout == "q":
      raise _error(path, "it holds q without step, expected both")
    return 1.0
  step = _array(path, arrays, "step")
  if step.size != 1 or step.dtype.kind not in "fiu":
    raise _error(path, f"its step is {step!r}, expected one number")
  found = float(step.item())
  if not (np.isfinite(found) and found > 0):
    raise _error(path, f"its step is {found:g}, expected a number above 0")
  return found


def _names(path: pathlib.Path, arrays: Any) -> list[str]:
  """Those in the file, else those in a text beside it."""
  if "names" not in arrays.files:
    return caption_files.read_names(_names_file(path))
  array = _array(path, arrays, "names")
  if array.ndim != 1 or array.dtype.kind not in "US":
    raise _error(
      path,
      f"its names are {array.dtype} of the shape {array.shape}, expected texts"
      " [images]",
    )
  try:
    if array.dtype.kind == "S":
      array = np.char.decode(array, "utf-8")
  except UnicodeDecodeError as error:
    raise _error(path, "its names are not UTF-8, convert them") from error
  names = [str(name) for name in array]
  seen: set[str] = set()
  for name in names:
    if name in seen or not name:
      raise _error(
        path,
        f"the name {name!r} occurs twice, expected each once"
        if name
        else "a name is empty, expected the name of an image",
      )
    seen.add(name)
  return names


def _names_file(path: pathlib.Path) -> pathlib.Path:
  for usual in ("names.txt", "names.txt.gz"):
    if (path.parent / usual).is_file():
      return path.parent / usual
  found = sorted(
    {*path.parent.glob("*names*.txt"), *path.parent.glob("*names*.txt.gz")}
  )
  if len(found) != 1:
    raise _error(
      path,
      f"it holds no names, and {len(found)} files beside it look like theirs,"
      " expected names.txt or names.txt.gz",
    )
  return found[0]
