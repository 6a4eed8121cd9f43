"""Tables of students: UCI's CSV with semicolons, and students made up.

UCI Student Performance (Cortez and Silva 2008, "Using data mining to predict
secondary school student performance"): a header, text in quotes, some numbers
in quotes too; G1, G2 and G3 are the grades, 0 to 20.

  config.data.path     FILE, fields parted by `;` or `,`, with a column G3
  config.data.grades   whether the earlier grades G1 and G2 are known
"""

import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.config import Config
from seqjax.data import baselines, columns, text
from seqjax.data.examples import (
  Example,
  Splits,
  check_not_empty,
  parts,
  path_of,
)
from seqjax.errors import InputError

FINAL_GRADE = "G3"
PASS_GRADE = 10  # from here on is a pass
EARLIER_GRADES = "G1", "G2"
BASELINES = {"logistic_regression": baselines.logistic_regression}


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`."""
  path = path_of(data)
  if path is None:
    return parts(generate(data.examples, seed), data, seed)
  return parts(read(path, data.grades), data, seed)


class Encoder:
  """A row as a sequence of one step, `[1, features]`; see `formats`.

  Numbers are standardised by mean and deviation of the training part; a column
  of text becomes one entry for each of its values there. A value that did not
  occur is zero in all of them.
  """

  vocab_size = 0
  unknown = None

  def __init__(
    self, numbers: dict[str, list[float]], choices: dict[str, list[str]]
  ):
    self.state = {"numbers": numbers, "choices": choices}
    self._numbers, self._choices = numbers, choices
    self.input_size = len(numbers) + sum(map(len, choices.values()))

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """Mean and deviation of numbers, the values of texts."""
    del data, seed
    numbers, choices = {}, {}
    for name in examples[0].inputs:
      values = [example.inputs[name] for example in examples]
      if isinstance(values[0], float):  # then all are, see `read`
        deviation = float(np.std(values))
        numbers[name] = [float(np.mean(values)), deviation or 1.0]
      else:
        choices[name] = sorted(set(values))
    return cls(numbers, choices)

  def encode(self, inputs: dict[str, Any]) -> np.ndarray:
    vector = [
      (inputs[name] - mean) / deviation
      for name, (mean, deviation) in self._numbers.items()
    ]
    for name, found in self._choices.items():
      vector += [float(inputs[name] == value) for value in found]
    return np.array([vector], np.float32)

  def read(self, path: str) -> list[dict[str, Any]]:
    """A CSV with a header, fields parted by `;` or `,`."""
    names, rows = columns.read(path, "\n".join(text.lines_of(path)))
    for name in (*self._numbers, *self._choices):
      if name not in names:
        raise InputError(f"{path}:1: no column {name!r} in the header")
    numbers = [
      {n: columns.number(path, line, n, row[n]) for n in self._numbers}
      for line, row in rows
    ]
    return [
      {**{name: row[name].strip() for name in self._choices}, **known}
      for (_, row), known in zip(rows, numbers, strict=True)
    ]


def show(inputs: dict[str, Any]) -> str:
  """Each column and its value."""
  return text.shorten(", ".join(f"{k} {v}" for k, v in inputs.items()))


def read(path: str | pathlib.Path, grades: bool) -> list[Example]:
  """Students as `{column: value}`, labels "pass" and "fail".

  Args:
    path: a CSV, fields parted by `;` or `,`, with a column G3.
    grades: whether the earlier grades G1 and G2 are among the columns.

  Raises:
    InputError: the file cannot be read or is empty, a row has another number of
      fields than the header, or a grade or a number in a column of numbers is
      not finite.
  """
  names, rows = columns.read(path, text.read_utf8(path))
  if FINAL_GRADE not in names:
    raise InputError(
      f"{path}:1: the columns are {', '.join(names)}, expected {FINAL_GRADE},"
      " the final grade, among them"
    )
  left_out = {FINAL_GRADE, *(() if grades else EARLIER_GRADES)}
  kept = [name for name in names if name not in left_out]
  numeric = {n for n in kept if all(_is_number(row[n]) for _, row in rows)}
  examples = []
  for line, row in rows:
    values = {
      name: columns.number(path, line, name, row[name])
      if name in numeric
      else row[name].strip()
      for name in kept
    }
    grade = columns.number(path, line, FINAL_GRADE, row[FINAL_GRADE])
    examples.append(Example(values, "pass" if grade >= PASS_GRADE else "fail"))
  check_not_empty(path, examples, "a header and a student a line")
  return examples


def _is_number(cell: str) -> bool:
  try:
    float(cell)
  except ValueError:
    return False
  return True


def generate(count: int, seed: int) -> list[Example]:
  """Students whose chance to pass follows a known rule.

    log-odds = 0.6 (hours - 5) + 0.25 (attendance - 70) / 5 - 0.8 failures
               + 0.5 [sleep is "enough"]

  Even who knows the rule is right in 81 of 100 cases.
  """
  rng = np.random.default_rng(seed)
  examples = []
  for _ in range(count):
    values = {
      "hours": round(float(rng.uniform(0, 10)), 1),
      "attendance": float(rng.integers(40, 101)),
      "failures": float(rng.choice([0, 0, 0, 1, 2, 3])),
      "sleep": str(rng.choice(["enough", "too little"])),
    }
    odds = (
      0.6 * (values["hours"] - 5)
      + 0.25 * (values["attendance"] - 70) / 5
      - 0.8 * values["failures"]
      + 0.5 * (values["sleep"] == "enough")
    )
    passes = rng.random() < 1 / (1 + math.exp(-odds))
    examples.append(Example(values, "pass" if passes else "fail"))
  return examples
