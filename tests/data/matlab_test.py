"""MATLAB files against SciPy's writer and reader, and damaged ones."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from scipy import io as scipy_io

from seqjax.data import matlab

KINDS = "u1", "i1", "u2", "i2", "u4", "i4", "i8", "f4", "f8"
HEADER = b"MATLAB 5.0".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")


def saved(variables, **options):
  file = io.BytesIO()
  scipy_io.savemat(file, variables, **options)
  return file.getvalue()


def of_cells(*arrays):
  cells = np.empty((1, len(arrays)), object)
  for i, array in enumerate(arrays):
    cells[0, i] = array
  return cells


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes(compressed):
  rng = np.random.default_rng(0)
  arrays = [
    rng.integers(0, 2, (n, 5)).astype(kind) for n, kind in enumerate(KINDS, 1)
  ]
  arrays += [np.zeros((0, 0)), np.zeros((3, 0)), np.ones((2, 3, 4)), [[7]]]
  variables = {
    "other": np.eye(2),
    "one": of_cells(*arrays),
    "two": of_cells(),
  }
  content = saved(variables, do_compression=compressed)
  found = matlab.cells(content, ["one", "two"])
  assert list(found) == ["one", "two"]
  assert found["two"] == []
  read = scipy_io.loadmat(io.BytesIO(content))["one"][0]
  for ours, its, array in zip(found["one"], read, arrays, strict=True):
    np.testing.assert_array_equal(ours, array)
    np.testing.assert_array_equal(ours, its)


def test_the_other_order_of_bytes():
  """By hand: one cell, a row of two numbers of 16 bits."""
  numbers = struct.pack(">2I", 6, 8) + struct.pack(">2I", 10, 0)
  numbers += struct.pack(">2I2i", 5, 8, 1, 2) + struct.pack(">2I", 1, 0)
  numbers += struct.pack(">2H2h", 4, 3, 258, -1)  # a short one, of type 3
  cell = struct.pack(">2I", 6, 8) + struct.pack(">2I", 1, 0)
  cell += struct.pack(">2I2i", 5, 8, 1, 1) + struct.pack(">2H4s", 1, 1, b"x")
  cell += struct.pack(">2I", 14, len(numbers)) + numbers
  header = HEADER[:124] + struct.pack(">H2s", 0x0100, b"MI")
  content = header + struct.pack(">2I", 14, len(cell)) + cell
  np.testing.assert_array_equal(matlab.cells(content, "x")["x"], [[[258, -1]]])


@pytest.mark.parametrize(
  ("variable", "message"),
  [
    (np.eye(2), "x is of class 6, expected cells"),
    (of_cells(np.full((1, 2), 1j)), "a cell of class 6, expected full real"),
    (of_cells("abc"), "a cell of class 4, expected full real numbers"),
    (of_cells(of_cells(np.eye(2))), "a cell of class 1, expected full real"),
  ],
)
def test_other_variables(variable, message):
  with pytest.raises(ValueError, match=message):
    matlab.cells(saved({"x": variable}), ["x"])
  assert matlab.cells(saved({"x": variable}), []) == {}
  with pytest.raises(ValueError, match="no y"):
    matlab.cells(saved({"x": variable}), ["y"])


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_files(compressed):
  """Cut short, and bytes changed: no other error, and never much memory."""
  expected = [np.eye(3, 88, dtype="u1"), np.arange(4.0).reshape(2, 2)]
  content = saved({"x": of_cells(*expected)}, do_compression=compressed)
  rng = np.random.default_rng(0)
  changed = [content[:n] for n in range(len(content) - 8)]
  for _ in range(2_000):
    one = bytearray(content)
    for place in rng.integers(0, len(content), rng.integers(1, 4)):
      one[place] = rng.choice([rng.integers(256), 0, 255])
    changed.append(bytes(one))
  refused = []
  tracemalloc.start()
  for one in changed:
    try:
      matlab.cells(one, ["x"])
    except ValueError as error:
      refused.append(str(error))
  most = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert len(refused) >= len(content) - 8
  assert not any("\n" in message for message in refused)
  assert most < 2**22


def test_headers_that_lie():
  """2^31 - 1 cells in a few bytes, and gigabytes of zeros packed."""
  body = struct.pack("<4I", 6, 8, 1, 0)  # flags: cells
  body += struct.pack("<2I2i", 5, 8, 1, 2**31 - 1)
  body += struct.pack("<2I8s", 1, 1, b"x")
  content = HEADER + struct.pack("<2I", 14, len(body)) + body
  with pytest.raises(ValueError, match="x has 0 cells, expected 2147483647"):
    matlab.cells(content, ["x"])


def test_what_is_packed_has_an_end(monkeypatch):
  monkeypatch.setattr(matlab, "_MOST", 2**20)
  one = zlib.compress(bytes(2**19), 1)
  packed = struct.pack("<2I", 15, len(one)) + one
  assert matlab.cells(HEADER + 2 * packed, []) == {}
  with pytest.raises(ValueError, match="more than 1,048,576 bytes"):
    matlab.cells(HEADER + 3 * packed, [])
  one = zlib.compress(bytes(2**26), 1)
  packed = struct.pack("<2I", 15, len(one)) + one
  tracemalloc.start()
  with pytest.raises(ValueError, match="more than 1,048,576 bytes"):
    matlab.cells(HEADER + packed, [])
  assert tracemalloc.get_traced_memory()[1] < 2**23
  tracemalloc.stop()
