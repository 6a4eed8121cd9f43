"""Series of numbers, each with a label, and signals that are made up.

archive   `.ts` of the UCR/UEA archive, and its older rows with the label in
          front, see `archive`
table     one CSV with a header: which series, when, the values, the label;
          series may lie in each other, each in the order of its times
folder    FOLDER/CLASS/NAME.csv, a series each: a header, a step a line

What is called X_TRAIN finds its X_TEST beside it; of any other file, parts are
drawn at random.

  config.data.path         FILE or FOLDER
  config.data.columns      of a CSV, to take; default all others, by their names
  config.data.series       column that tells which series, of a table
  config.data.time         column of numbers or dates; "" is none
  config.data.label        column of the label, of a table
  config.data.per_series   whether each series is standardised by itself
  config.data.missing      values that are not there: "refuse", or "mark": the
                           one before in its place, and a column that says so
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.config import Config
from seqjax.data import archive, baselines, series_table, text
from seqjax.data.archive import Row
from seqjax.data.examples import (
  Example,
  Splits,
  check_not_empty,
  parts,
  path_of,
  stratified,
)
from seqjax.errors import InputError

BASELINES = {
  "nearest_neighbour": baselines.nearest_neighbour,
  "mean_regression": baselines.mean,
  "window_regression": baselines.window,
}


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`.

  Of data that brings its test part, `data.validation` of the training part is
  set aside.
  """
  path = path_of(data)
  if path is None:
    return parts(generate(data.examples, seed), data, seed)
  rows = read(path, data)
  if not path.stem.endswith("_TRAIN"):
    return parts(_examples(rows), data, seed)
  test = read(_test_of(path), data)
  labels = {row.label for _, row in rows}
  if len(labels) < 2:
    raise InputError(
      f"{path}: one class, {labels.pop()!r}, expected two or more"
    )
  for file, row in test:
    if row.label not in labels:
      raise InputError(
        f"{file}:{row.line}: the label is {row.label!r}, which {path} does not"
        f" hold: it knows {', '.join(sorted(labels))}"
      )
  _check(test, rows[0][1].values.shape[1], may_miss=True)
  train, validation, _ = stratified(_examples(rows), data.validation, 0.0, seed)
  return parts(Splits(train, validation, _examples(test)), data, seed)


class Encoder:
  """Standardised values, float32 `[time, columns]`; see `formats`.

    z = (x - mean) / deviation, a column each

  Mean and deviation are those of the training part, or of the series itself
  (`per_series`), over the values that are there. Where missing ones are marked
  it is `[time, 2 * columns]`: the last value before, 0 where there is none, and
  1 in the column behind all values, `columns` further on.
  """

  vocab_size = 0
  unknown = None

  def __init__(
    self,
    mean: list[float],
    deviation: list[float],
    per_series: bool,
    missing: str,
    fields: dict[str, Any],
  ):
    if missing not in ("refuse", "mark"):
      raise InputError(
        f"config.data.missing is {missing!r}, expected refuse or mark"
      )
    self.state = {
      "mean": mean,
      "deviation": deviation,
      "per_series": per_series,
      "missing": missing,
      "fields": fields,
    }
    self._known = np.array(mean), np.array(deviation)
    self._per_series, self._marks = per_series, missing == "mark"
    self._fields = fields
    self.input_size = len(mean) * (1 + self._marks)

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """Mean and deviation of each column."""
    del seed
    values = np.concatenate([example.inputs for example in examples])
    mean, deviation = _moments(values)
    fields = {"columns": list(data.columns)}
    fields |= {name: data[name] for name in ("series", "time", "label")}
    return cls(
      mean.tolist(), deviation.tolist(), data.per_series, data.missing, fields
    )

  def encode(self, inputs: Any) -> np.ndarray:
    inputs = np.asarray(inputs, np.float64)
    size = len(self._known[0])
    if inputs.ndim != 2 or inputs.shape[1] != size:
      raise InputError(
        f"a signal has shape {inputs.shape}, expected [time, {size}]"
      )
    missing = np.isnan(inputs)
    if missing.any() and not self._marks:
      raise InputError(
        "a signal has missing values; fill them in, or train with"
        " --config.data.missing=mark"
      )
    mean, deviation = _moments(inputs) if self._per_series else self._known
    values = (inputs - mean) / deviation
    if not self._marks:
      return values.astype(np.float32)
    # The step of the last value that is there; before the first is a 0.
    steps = np.where(missing, 0, np.arange(1, len(values) + 1)[:, None])
    last = np.maximum.accumulate(steps, axis=0)
    behind = np.concatenate([np.zeros((1, size)), values])
    filled = np.take_along_axis(behind, last, axis=0)
    return np.concatenate([filled, missing], axis=1).astype(np.float32)

  def read(self, path: str) -> list[np.ndarray]:
    """A `.ts` file, a CSV as above, or a series a line: dimensions parted by
    `:`, their values by tabs, commas or blanks.
    """
    lines, size = text.lines_of(path), len(self._known[0])
    if path.endswith(".csv"):
      rows = series_table.read(
        path, "\n".join(lines), self._fields, labelled=False
      )
    else:
      rows = archive.read_unlabelled(path, lines, size)
    _check([(path, row) for row in rows], size, self._marks)
    return [row.values for row in rows]


def show(inputs: np.ndarray) -> str:
  """Its size, and the course of its first column."""
  values = inputs[~np.isnan(inputs[:, 0]), 0]
  marks = "▁▂▃▄▅▆▇█"
  course = ""
  if len(values):
    places = np.linspace(0, len(values) - 1, min(len(values), 40)).astype(int)
    low, high = values.min(), values.max()
    heights = (values[places] - low) / ((high - low) or 1.0)
    course = "".join(marks[int(height * 7.99)] for height in heights)
  return f"{len(inputs)} x {inputs.shape[1]} {course}"


def steps(inputs: np.ndarray) -> np.ndarray:
  """The values, to be drawn."""
  return inputs


def read(path: pathlib.Path, data: Config) -> list[tuple[pathlib.Path, Row]]:
  """All series of a file or folder, each with the file it is from.

  Raises:
    InputError: a file cannot be read or is empty, a line is malformed, or a
      value is missing and `data.missing` does not allow it.
  """
  if path.is_dir():
    rows = series_table.read_folder(path, data)
  else:
    content = text.read_utf8(path)
    lines = content.removesuffix("\n").split("\n")
    if path.suffix == ".csv":
      found = series_table.read(path, content, data, labelled=True)
    elif path.suffix == ".ts" or archive.is_ts(lines):
      found = archive.read_ts(path, lines)
    else:
      found = archive.read_rows(path, lines)
    rows = [(path, row) for row in found]
  check_not_empty(path, rows, "a series a line")
  _check(rows, rows[0][1].values.shape[1], data.missing == "mark")
  return rows


def _examples(rows: list[tuple[pathlib.Path, Row]]) -> list[Example]:
  return [Example(row.values, row.label) for _, row in rows]


def _test_of(path: pathlib.Path) -> pathlib.Path:
  """X_TEST of the same kind beside X_TRAIN, or of another."""
  name = path.stem.removesuffix("TRAIN") + "TEST"
  beside = sorted(path.parent.glob(f"{name}.*"))
  for found in (path.with_name(name + path.suffix), *beside):
    if found.exists():
      return found
  raise InputError(
    f"config.data.path is {path}, beside which there is no {name}{path.suffix};"
    " rename the file to have parts drawn at random"
  )


def _check(rows: Sequence[tuple[Any, Row]], size: int, may_miss: bool) -> None:
  """Raises InputError for a series of other columns, or missing values."""
  for file, row in rows:
    if row.values.shape[1] != size:
      raise InputError(
        f"{file}:{row.line}: a series of {row.values.shape[1]} column(s),"
        f" expected {size}"
      )
    if not may_miss and np.isnan(row.values).any():
      raise InputError(
        f"{file}:{row.line}: a value is missing; fill it in, leave the series"
        " out, or train with --config.data.missing=mark"
      )


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Mean and deviation of each column over what is there; 1 for no change."""
  there = ~np.isnan(values)
  count = np.maximum(there.sum(axis=0), 1)
  mean = np.where(there, values, 0.0).sum(axis=0) / count
  squares = np.where(there, values - mean, 0.0) ** 2
  deviation = np.sqrt(squares.sum(axis=0) / count)
  return mean, np.where(deviation > 0, deviation, 1.0)


LABELS = "rise first", "fall first"
_EVENT = 5  # steps that an event takes
_APART = 12  # steps between the beginnings of two, at least
_EDGE = 8  # steps before the first and behind the second, at least
_HEIGHT = 3.0  # of an event, in deviations of the noise


def generate(count: int, seed: int) -> list[Example]:
  """`count` signals of 40 to 80 steps: a rise and a fall in standard noise.

    x_t = e_t + 3 sin(pi (t - r) / 6) for r < t < r + 6   (rise)
              - 3 sin(pi (t - f) / 6) for f < t < f + 6   (fall)

  The label is which comes first. Both are in every signal at random places, 12
  steps apart or more and 8 from the ends: no window of eight steps sees more
  than one, and each is seen by as many windows, whichever comes first. So means
  and windows are alike in both classes.
  """
  rng = np.random.default_rng(seed)
  shape = _HEIGHT * np.sin(np.pi * np.arange(1, _EVENT + 1) / (_EVENT + 1))
  examples = []
  for index in range(count):
    length = int(rng.integers(40, 81))
    last = length - _EDGE - _EVENT
    first = int(rng.integers(_EDGE, last - _APART + 1))
    second = int(rng.integers(first + _APART, last + 1))
    values = rng.normal(size=length)
    sign = 1 if index % 2 == 0 else -1
    values[first : first + _EVENT] += sign * shape
    values[second : second + _EVENT] -= sign * shape
    examples.append(Example(values[:, None], LABELS[index % 2]))
  return examples
