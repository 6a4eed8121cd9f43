"""Files of the UCR/UEA archive of labelled series (Bagnall et al. 2018).

.ts    a header, `@NAME VALUES` a line up to `@data`, then a series a line: the
       values of each dimension parted by commas, dimensions parted by `:`, the
       label last. Lengths differ from series to series; `?` is missing.
rows   the older form: the label, then the values, parted by tabs, commas or
       blanks. Rows are filled up to one length with NaN (Dau et al. 2018);
       what is missing at the end of a row is no part of the series.

Labels are texts; numbers that are equal are one label, `1` and `1.0000e+00`.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.data import columns
from seqjax.errors import InputError

MISSING = "?", "nan", ""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Row(NamedTuple):
  """A series as a file has it."""

  line: int
  values: np.ndarray  # float64 [time, columns], NaN where one is missing
  label: str  # "" where there is none


def label_of(cell: str) -> str:
  """A label; whole numbers without what else they may be written with."""
  cell = cell.strip()
  if _NUMBER.fullmatch(cell) and abs(value := float(cell)) < 2**53:
    return str(int(value)) if value == int(value) else repr(value)
  return cell


def number(path: Any, line: int, name: str, cell: str) -> float:
  """The number in a cell, NaN if it is missing.

  Raises:
    InputError: it is something else.
  """
  missing = cell.strip().lower() in MISSING
  return math.nan if missing else columns.number(path, line, name, cell)


def is_ts(lines: Sequence[str]) -> bool:
  """Whether lines begin with the header of a `.ts` file."""
  first = next((line for line in lines if line.strip()), "")
  return first.startswith(("#", "@"))


def read_ts(path: Any, lines: Sequence[str]) -> list[Row]:
  """The series of a `.ts` file with classes.

  Args:
    path: what the lines are of, for messages.
    lines: all of them.

  Raises:
    InputError: the header tells of other than classes, or a line does not have
      what it says.
  """
  header, first = _header(path, lines)
  declared = _classes(path, header)
  size = _dimensions(path, header)
  rows = []
  for line, content in enumerate(lines[first:], first + 1):
    if not content.strip():
      continue
    *cells, label = content.split(":")
    values = _values(path, line, cells, size or len(cells) or 1)
    label, size = label_of(label), values.shape[1]
    if label not in declared:
      raise InputError(
        f"{path}:{line}: the label is {label[:40]!r}, expected one of those"
        f" that @classLabel declares: {', '.join(declared)}"
      )
    rows.append(Row(line, values, label))
  return rows


def read_rows(path: Any, lines: Sequence[str]) -> list[Row]:
  """Series of one column, a line each, the label first.

  Raises:
    InputError: a line has no label, no values, or other than numbers.
  """
  rows = []
  for line, content in enumerate(lines, 1):
    if not content.strip():
      continue
    label, *cells = _cells(content.strip())
    if label.strip().lower() in MISSING:
      raise InputError(f"{path}:{line}: no label, expected it in front")
    values = np.array([number(path, line, "a value", cell) for cell in cells])
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
      raise InputError(
        f"{path}:{line}: no values, expected a label and the values of a series"
      )
    kept = values[: known[-1] + 1, None]
    rows.append(Row(line, kept, label_of(label)))
  return rows


def read_unlabelled(path: Any, lines: Sequence[str], size: int) -> list[Row]:
  """Series a line each: dimensions parted by `:`, a `.ts` header or none.

  A label is passed over if the header says that there are some. A blank line is
  a series of no steps.

  Args:
    path: what the lines are of, for messages.
    lines: all of them.
    size: columns that each must have.
  """
  first, labelled = 0, False
  if is_ts(lines):
    header, first = _header(path, lines)
    line, words = header.get("classlabel", (0, []))
    labelled = words[:1] == ["true"]
  rows = []
  for line, content in enumerate(lines[first:], first + 1):
    values = np.zeros((0, size))
    if content.strip():
      cells = content.split(":")
      values = _values(path, line, cells[:-1] if labelled else cells, size)
    rows.append(Row(line, values, ""))
  return rows


def _header(path: Any, lines: Sequence[str]):
  """`({name: (line, words)}, index of the first line of data)`."""
  found = {}
  for line, content in enumerate(lines, 1):
    name, *words = content.split() or [""]
    if name.lower() == "@data":
      return found, line
    if name.startswith("@"):
      lower = words[:1] and [words[0].lower()]
      found[name[1:].lower()] = line, [*lower, *words[1:]]
    elif name and not name.startswith("#"):
      raise InputError(
        f"{path}:{line}: {content[:40]!r} stands in the header, expected"
        " @NAME, a comment with # or @data"
      )
  raise InputError(f"{path}:{len(lines)}: no @data, after which series begin")


def _classes(path: Any, header: dict) -> list[str]:
  """The labels that are declared; of what else a header may tell, a line."""
  for name, what, expected in (
    ("targetlabel", "numbers to be foretold", "classes"),
    ("timestamps", "a time for each value", "values at equal steps"),
  ):
    line, words = header.get(name, (0, []))
    if words[:1] == ["true"]:
      raise InputError(f"{path}:{line}: {what}, expected {expected}")
  line, words = header.get("classlabel", (1, []))
  if words[:1] != ["true"] or len(words) < 2:
    raise InputError(
      f"{path}:{line}: no classes are declared, expected @classLabel true NAME"
      " NAME ..."
    )
  return [label_of(word) for word in words[1:]]


def _dimensions(path: Any, header: dict) -> int:
  """How many columns a header says that there are; 0 if it does not."""
  for name in "dimensions", "dimension":
    if name in header:
      line, words = header[name]
      if not (words and words[0].isdecimal() and int(words[0])):
        raise InputError(f"{path}:{line}: expected a number, 1 or more")
      return int(words[0])
  _, words = header.get("univariate", (0, []))
  return int(words[:1] == ["true"])


def _cells(content: str) -> list[str]:
  """What is parted by tabs, or by commas, or by blanks."""
  for mark in "\t", ",":
    if mark in content:
      return content.split(mark)
  return content.split()


def _values(path: Any, line: int, dimensions: list[str], size: int):
  """float64 `[time, size]`."""
  if len(dimensions) != size:
    raise InputError(
      f"{path}:{line}: {len(dimensions)} dimension(s), expected {size}, parted"
      " by `:`"
    )
  found = []
  for index, content in enumerate(dimensions, 1):
    name = f"a value of dimension {index}" if size > 1 else "a value"
    cells = _cells(content.strip()) if content.strip() else []
    found.append([number(path, line, name, cell) for cell in cells])
    if len(found[-1]) != len(found[0]) or not found[-1]:
      raise InputError(
        f"{path}:{line}: {len(found[-1])} values in dimension {index}, expected"
        f" {len(found[0]) or 'some'} as in the first"
      )
  return np.array(found, np.float64).T
