"""Time series: any CSV with a date column, and a series that is made up.

config.data.path      FILE
config.data.columns   columns to take; default all but the date
"""

import csv
import datetime
import pathlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.data import columns, text
from seqjax.data.examples import check_not_empty, path_of
from seqjax.errors import InputError

DATE_NAMES = "date", "month", "day", "time", "timestamp", "datetime"


class Series(NamedTuple):
  """Values over time, oldest first."""

  dates: list[datetime.datetime]
  names: list[str]
  values: np.ndarray  # float64 [time, columns]


class Scaling(NamedTuple):
  """Standardised values, so that columns of different units weigh the same.

    z = (x - mean) / deviation, a column each

  `Scaling(**scaling.state)` is the same again.
  """

  names: list[str]  # of the columns
  mean: list[float]
  deviation: list[float]  # 1 for a column that does not change

  @classmethod
  def fit(cls, names: Sequence[str], values: np.ndarray) -> "Scaling":
    """Of `values` `[time, columns]`, those of the training part alone."""
    deviation = values.std(axis=0)
    return cls(
      list(names),
      values.mean(axis=0).tolist(),
      np.where(deviation > 0, deviation, 1.0).tolist(),
    )

  @property
  def state(self) -> dict[str, list]:
    """For JSON."""
    return self._asdict()

  def standardise(self, values: np.ndarray) -> np.ndarray:
    """float32 `[..., columns]`, without a unit."""
    scaled = (values - np.array(self.mean)) / np.array(self.deviation)
    return scaled.astype(np.float32)

  def restore(self, values: np.ndarray) -> np.ndarray:
    """`[..., columns]` in the units of the columns again."""
    return values * np.array(self.deviation) + np.array(self.mean)


def load(data: Config, seed: int) -> Series:
  """The file of `config.data.path`, or hours of a series that is made up."""
  path = path_of(data)
  return read(path, data.columns) if path else generate(data.examples, seed)


def read(path: str | pathlib.Path, only: Sequence[str] = ()) -> Series:
  """A CSV with a header; the date column is named date, month, day or time.

  Dates are ISO 8601, or a year and a month. Rows that are not in order are
  sorted, with a notice on standard error.

  Args:
    path: the file.
    only: columns to take; default all but the date.

  Raises:
    InputError: the file cannot be read or is empty, there is no date column, a
      column is missing, a row is malformed, a value is no finite number, or a
      date occurs twice.
  """
  header, rows = columns.read(path, text.read_utf8(path))
  at = [name for name in header if name.lower() in DATE_NAMES]
  if not at:
    raise InputError(
      f"{path}:1: the columns are {', '.join(header)}, expected one named"
      f" {', '.join(DATE_NAMES)}"
    )
  names = list(only) or [name for name in header if name != at[0]]
  for name in names:
    if name not in header:
      raise InputError(
        f"config.data.columns holds {name!r}, expected some of"
        f" {', '.join(header)}, the columns of {path}"
      )
  dates = [_date(path, line, row[at[0]]) for line, row in rows]
  values = [
    [columns.number(path, line, name, row[name]) for name in names]
    for line, row in rows
  ]
  check_not_empty(path, dates, "a header, and a date and its values a line")
  if len({date.tzinfo is None for date in dates}) > 1:
    raise InputError(
      f"{path}: some dates name a time zone and others do not, expected all or"
      " none"
    )
  order = sorted(range(len(dates)), key=lambda index: dates[index])
  if order != list(range(len(dates))):
    print(f"{path}: dates are not in order; sorted", file=sys.stderr)
  dates = [dates[index] for index in order]
  for before, after in zip(dates, dates[1:], strict=False):
    if before == after:
      raise InputError(f"{path}: {after} occurs twice, expected once")
  return Series(dates, names, np.array(values, np.float64)[order])


def write(
  path: pathlib.Path,
  dates: Sequence[datetime.datetime],
  names: Sequence[str],
  values: np.ndarray,
) -> None:
  """A CSV that `read` reads: a date and its `values` `[time, columns]`.

  Raises:
    OSError: the file cannot be written.
  """
  with path.open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["date", *names])
    for date, row in zip(dates, values, strict=True):
      writer.writerow([date.isoformat(sep=" "), *(f"{v:.6g}" for v in row)])


def _date(path, number: int, cell: str) -> datetime.datetime:
  cell = cell.strip()
  try:
    if len(cell) == len("2026-11"):
      return datetime.datetime.strptime(cell, "%Y-%m")
    return datetime.datetime.fromisoformat(cell)
  except ValueError as error:
    raise InputError(
      f"{path}:{number}: {cell!r} is no date, expected 2026-11-21, 2026-11 or"
      " 2026-11-21 12:00:00"
    ) from error


def parts(data: Config, rows: int) -> tuple[int, int, int]:
  """The rows at which training, validation and test end.

  Args:
    data: `train`, `validation` and `test` are rows, or shares below 1; a
      training part of 0 is the rest. `lookback` and `horizon` are steps.
    rows: of the series.

  Raises:
    InputError: more rows than there are, or too few for training.
  """
  counts = {}
  for name in ("train", "validation", "test"):
    share = data[name]
    counts[name] = int(share) if share >= 1 else round(share * rows)
  if not counts["train"]:
    counts["train"] = rows - counts["validation"] - counts["test"]
  ends = np.cumsum(list(counts.values())).tolist()
  if ends[-1] > rows or counts["train"] < data.lookback + data.horizon:
    raise InputError(
      f"config.data: {rows} rows with {counts['train']} for training,"
      f" {counts['validation']} for validation and {counts['test']} for the"
      f" test; expected lookback + horizon = {data.lookback + data.horizon}"
      f" rows or more for training, and no more than {rows} in all"
    )
  return ends[0], ends[1], ends[2]


def starts(
  ends: Sequence[int], part: str, lookback: int, horizon: int
) -> np.ndarray:
  """First rows of all windows whose future lies in a part.

  Args:
    ends: as `parts` tells them.
    part: "train", "validation" or "test".
    lookback: rows of the past, which may lie in the part before.
    horizon: rows of the future.
  """
  begins = (0, *ends)
  index = ("train", "validation", "test").index(part)
  if begins[index] == begins[index + 1]:
    return np.zeros(0, int)
  first = begins[index] - (lookback if index else 0)
  return np.arange(first, begins[index + 1] - lookback - horizon + 1)


def last(
  found: Series, count: int, names: Sequence[str], path: str
) -> tuple[list[datetime.datetime], np.ndarray]:
  """Dates and values `[count, columns]` of the last rows.

  Raises:
    InputError: the columns are not `names`, or there are fewer rows; `path` is
      what the series was read from.
  """
  if found.names != list(names):
    raise InputError(
      f"{path}: the columns are {', '.join(found.names)}, expected"
      f" {', '.join(names)} as in training"
    )
  if len(found.dates) < count:
    raise InputError(
      f"{path}: {len(found.dates)} rows, expected at least the lookback,"
      f" {count}"
    )
  return found.dates[-count:], found.values[-count:]


def following(
  dates: Sequence[datetime.datetime], count: int
) -> list[datetime.datetime]:
  """The `count` dates after the last: months, weekdays or equal steps."""
  steps = [b - a for a, b in zip(dates, dates[1:], strict=False)]
  step = sorted(steps)[len(steps) // 2]
  day = datetime.timedelta(days=1)
  monthly = 28 * day <= step <= 31 * day and len({d.day for d in dates}) == 1
  weekdays = step == day and all(d.weekday() < 5 for d in dates)
  found, date = [], dates[-1]
  while len(found) < count:
    if monthly:
      months = date.year * 12 + date.month
      date = date.replace(year=months // 12, month=months % 12 + 1)
    else:
      date = date + step
      while weekdays and date.weekday() >= 5:
        date = date + day
    found.append(date)
  return found


NOISE = 0.3  # standard deviation of what cannot be foreseen in `generate`


def generate(count: int, seed: int) -> Series:
  """Hourly values: `foreseeable`, and noise on top.

    y_t = foreseeable_t + NOISE e_t, e_t standard normal

  No forecast can have a mean squared error below NOISE^2.
  """
  rng = np.random.default_rng(seed)
  values = foreseeable(count) + NOISE * rng.normal(size=count)
  begin = datetime.datetime(2024, 1, 1)
  dates = [begin + datetime.timedelta(hours=int(hour)) for hour in range(count)]
  return Series(dates, ["value"], values[:, None])


def noise(values: np.ndarray) -> np.ndarray:
  """Of what `generate` made, `[time, 1]`: the noise, in its deviations."""
  return (values - foreseeable(len(values))[:, None]) / NOISE


def foreseeable(count: int) -> np.ndarray:
  """`[count]` hours with a day, a week and a slow wave.

  2 sin(2 pi t / 24) + sin(4 pi t / 24) [weekday] + sin(2 pi t / 1000)
  """
  hours = np.arange(count)
  weekday = (hours // 24) % 7 < 5
  return (
    2 * np.sin(2 * np.pi * hours / 24)
    + np.where(weekday, np.sin(4 * np.pi * hours / 24), 0)
    + np.sin(2 * np.pi * hours / 1_000)
  )
