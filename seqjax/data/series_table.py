"""Series in CSV files: many in one, or a file each in its class' folder."""

import datetime
import pathlib
from typing import Any

import numpy as np

from seqjax.data import archive, columns, text
from seqjax.data.archive import Row
from seqjax.data.examples import check_not_empty
from seqjax.errors import InputError


def read(path: Any, content: str, fields: Any, labelled: bool) -> list[Row]:
  """The series of one CSV, each in the order of its times.

  Args:
    path: what the content is of, for messages.
    content: the text.
    fields: `columns`, the names of those to take (default all others, in the
      order of their names), and the names of `series`, `time` and `label`.
    labelled: whether there must be a label.

  Raises:
    InputError: a column is missing, a cell is no number, times of a series do
      not grow, or it has no label or several.
  """
  names, rows = columns.read(path, content)
  taken = _columns(path, names, fields, "series", *(["label"] * labelled))
  series: dict[str, list[tuple[int, dict]]] = {}
  for line, row in rows:
    series.setdefault(row[fields["series"]].strip(), []).append((line, row))
  found = []
  for name, members in series.items():
    label = ""
    if labelled:
      label = archive.label_of(members[0][1][fields["label"]])
      for line, row in members:
        if archive.label_of(row[fields["label"]]) != label or not label:
          raise InputError(
            f"{path}:{line}: series {name!r} has the label"
            f" {row[fields['label']]!r}, expected one, the same in all its rows"
          )
    values = _values(path, names, members, taken, fields["time"])
    found.append(Row(members[0][0], values, label))
  return found


def read_folder(
  folder: pathlib.Path, fields: Any
) -> list[tuple[pathlib.Path, Row]]:
  """`FOLDER/CLASS/NAME.csv`, a series each, with its file; see `read`."""
  found = []
  for file in sorted(folder.glob("*/*.csv")):
    names, rows = columns.read(file, text.read_utf8(file))
    check_not_empty(file, rows, "a header and a step a line")
    taken = _columns(file, names, fields)
    values = _values(file, names, rows, taken, fields["time"])
    label = archive.label_of(file.parent.name)
    found.append((file, Row(1, values, label)))
  if not found:
    raise InputError(
      f"config.data.path is {folder}, expected a folder of CLASS/NAME.csv files"
    )
  return found


def _columns(path: Any, names: list[str], fields: Any, *needed: str):
  """Which columns are values."""
  chosen = list(fields["columns"])
  for name in (*(fields[field] for field in needed), *chosen):
    if name not in names:
      raise InputError(
        f"{path}:1: no column {name!r} in the header, which has"
        f" {', '.join(names)}; see config.data.columns, series, time and label"
      )
  others = {fields[name] for name in ("series", "time", "label")}
  taken = chosen or sorted(set(names) - others)
  if not taken:
    raise InputError(f"{path}:1: no columns of values in the header")
  return taken


def _values(path, names, rows, taken: list[str], time: str) -> np.ndarray:
  """float64 `[time, columns]`; times grow from row to row."""
  before = -np.inf
  for line, row in rows if time in names else ():
    now = _moment(path, line, time, row[time])
    if not now > before:
      raise InputError(
        f"{path}:{line}: {time} is {row[time]!r}, expected more than in the row"
        " before of its series; sort the rows"
      )
    before = now
  values = [
    [archive.number(path, line, name, row[name]) for name in taken]
    for line, row in rows
  ]
  return np.array(values, np.float64)


def _moment(path: Any, line: int, name: str, cell: str) -> float:
  """A number, or a date in seconds."""
  try:
    return float(cell)
  except ValueError:
    pass
  try:
    date = datetime.datetime.fromisoformat(cell.strip())
  except ValueError as error:
    raise InputError(
      f"{path}:{line}: {name} is {cell!r}, expected a number or a date"
    ) from error
  # Without a time zone no hour comes twice.
  return (
    date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
  ).timestamp()
