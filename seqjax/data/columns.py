"""Comma- or semicolon-separated values: what these formats have in common."""

import csv
import io
import math
from typing import Any

from seqjax.errors import InputError


def read(path: Any, content: str) -> tuple[list[str], list[tuple[int, dict]]]:
  """The rows of a CSV with a header.

  The delimiter is that of `;` and `,` of which the header has more; lines that
  are empty are skipped.

  Args:
    path: what the content is of, for messages.
    content: the text.

  Returns:
    `(names, rows)`, each row its line number and `{name: cell}`.

  Raises:
    InputError: a row has another number of fields than the header.
  """
  header = content.split("\n", 1)[0]
  delimiter = ";" if header.count(";") >= header.count(",") else ","
  reader = csv.reader(io.StringIO(content), delimiter=delimiter)
  names = [name.strip() for name in next(reader)]
  for name in names:
    if names.count(name) > 1:
      raise InputError(
        f"{path}:1: {names.count(name)} columns are named {name!r}, expected"
        " names that differ"
      )
  rows = []
  for row in reader:
    if not any(cell.strip() for cell in row):
      continue
    if len(row) != len(names):
      raise InputError(
        f"{path}:{reader.line_num}: {len(row)} fields, expected {len(names)} as"
        " in the header"
      )
    rows.append((reader.line_num, dict(zip(names, row, strict=True))))
  return names, rows


def number(path: Any, line: int, name: str, cell: str) -> float:
  """The finite number in a cell.

  Raises:
    InputError: there is none.
  """
  try:
    value = float(cell)
  except ValueError:
    value = math.nan
  if not math.isfinite(value):
    raise InputError(
      f"{path}:{line}: {name} is {cell!r}, expected a finite number; fill it in"
      " or leave out the row"
    )
  return value
