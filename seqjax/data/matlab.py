"""Cells of numbers in MATLAB 5 files, `save -v7` and before.

Of "MAT-File Format" (The MathWorks), chapter 1, what data sets in cells need:
full real matrices, packed or not, in either order of bytes. SciPy reads all of
the format, but a damaged file can end the process; here nothing is believed
that the file's own bytes do not bear out.
"""

import itertools
import math
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

BEGINS = b"MATLAB 5.0"
_HEADER = 128  # bytes; in the last four are the version and the order of bytes
_ORDERS = {b"IM": "<", b"MI": ">"}
_MATRIX, _PACKED = 14, 15
_TYPES = {
  1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8",
  12: "i8", 13: "u8",
}  # fmt: skip
_CELL, _NUMBERS = 1, range(6, 16)  # classes of matrices
_COMPLEX = 0x800  # a flag
_MOST = 2**30  # bytes once they are unpacked


def cells(content: bytes, names: Sequence[str]) -> dict[str, list[np.ndarray]]:
  """The matrices in the cells of variables, column by column.

  Args:
    content: of the file.
    names: of the variables; others are left out.

  Raises:
    ValueError: the file is damaged, larger than a gigabyte, or a variable is
      not there or no cells of full real matrices.
  """
  order = _ORDERS.get(content[_HEADER - 2 : _HEADER])
  if order is None or not content.startswith(BEGINS):
    raise ValueError("no header of MATLAB 5")
  found = {}
  for kind, data in _unpacked(memoryview(content)[_HEADER:], order):
    if kind != _MATRIX:
      continue
    flags, shape, name, inner = _parts(data, order)
    if name not in names:
      continue
    if flags & 0xFF != _CELL:
      raise ValueError(f"{name} is of class {flags & 0xFF}, expected cells")
    found[name] = [_matrix(*cell, order) for cell in inner]
    if len(found[name]) != math.prod(shape):
      raise ValueError(
        f"{name} has {len(found[name])} cells, expected {math.prod(shape)}"
      )
  if missing := [name for name in names if name not in found]:
    raise ValueError(f"no {missing[0]}")
  return found


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
  """Type and bytes of elements that follow each other."""
  place = 0
  while place < len(data):
    if len(data) - place < 8:
      raise ValueError("cut short")
    kind, length = struct.unpack_from(f"{order}2I", data, place)
    begin = place + 8
    if kind >> 16:  # a short one: both in four bytes, the data in four more
      kind, length, begin = kind & 0xFFFF, kind >> 16, place + 4
    end = begin + length
    if end > len(data) or (begin == place + 4 and length > 4):
      raise ValueError("cut short")
    yield kind, data[begin:end]
    # All but what is packed begin at a multiple of eight.
    place = end if kind == _PACKED else end + -end % 8


def _unpacked(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
  """The elements of a file, those that are packed as what is in them."""
  room = _MOST
  for kind, element in _elements(data, order):
    if kind != _PACKED:
      yield kind, element
      continue
    unpacking = zlib.decompressobj()
    try:
      inner = unpacking.decompress(element, room + 1)
    except zlib.error as error:
      raise ValueError(f"{error}") from error
    room -= len(inner)
    if room < 0:
      raise ValueError(f"more than {_MOST:,} bytes")
    if not unpacking.eof:
      raise ValueError("cut short")
    yield from _elements(memoryview(inner), order)


def _parts(data: memoryview, order: str):
  """Flags, shape and name of a matrix, and the elements that it holds."""
  elements = _elements(data, order)
  first = [element for _, element in itertools.islice(elements, 3)]
  if len(first) < 3:
    raise ValueError("cut short")
  flags, shape, name = first
  if len(flags) != 8 or len(shape) % 4:
    raise ValueError("a matrix without flags or shape")
  (flag,) = struct.unpack_from(f"{order}I", flags)
  sizes = np.frombuffer(shape, f"{order}i4").tolist()
  return flag, sizes, bytes(name).decode("latin-1"), elements


def _matrix(kind: int, data: memoryview, order: str) -> np.ndarray:
  if kind != _MATRIX:
    raise ValueError(f"a cell of type {kind}, expected a matrix")
  if not len(data):
    return np.zeros((0, 0))
  flags, shape, _, inner = _parts(data, order)
  if flags & 0xFF not in _NUMBERS or flags & _COMPLEX:
    raise ValueError(
      f"a cell of class {flags & 0xFF}, expected full real numbers"
    )
  stored, values = next(inner, (0, b""))
  if stored not in _TYPES:
    raise ValueError(f"numbers of type {stored}")
  numbers = np.dtype(f"{order}{_TYPES[stored]}")
  if min(shape, default=-1) < 0 or (
    math.prod(shape) * numbers.itemsize != len(values)
  ):
    raise ValueError(f"{len(values)} bytes of numbers for shape {shape}")
  return np.frombuffer(values, numbers).reshape(shape, order="F")
