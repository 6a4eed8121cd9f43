"""Tables of students: UCI's CSV with semicolons, and students made up.

UCI Student Performance (Cortez and Silva 2008, "Using data mining to predict
secondary school student performance"): a header, text in quotes, some numbers
in quotes too; G1, G2 and G3 are the grades, 0 to 20.
"""

import csv
import io
import math
import pathlib

import numpy as np

from seqjax.data import text
from seqjax.data.examples import Example, check_not_empty
from seqjax.errors import InputError

PASS_GRADE = 10  # G3 from here on is a pass
EARLIER_GRADES = "G1", "G2"


def read(path: str | pathlib.Path, grades: bool) -> list[Example]:
  """Students as `{column: value}`, labels "pass" and "fail".

  Args:
    path: a CSV, fields parted by `;` or `,`, with a column G3.
    grades: whether the earlier grades G1 and G2 are among the columns.

  Raises:
    InputError: the file cannot be read or is empty, a row has another number of
      fields than the header, or a grade is no number.
  """
  content = text.read_utf8(path)
  header = content.split("\n", 1)[0]
  delimiter = ";" if header.count(";") >= header.count(",") else ","
  rows = list(csv.reader(io.StringIO(content), delimiter=delimiter))
  names = rows[0]
  if "G3" not in names:
    raise InputError(
      f"{path}:1: the columns are {', '.join(names)}, expected G3, the final"
      " grade, among them"
    )
  examples = []
  for number, row in enumerate(rows[1:], 2):
    if not row:
      continue
    if len(row) != len(names):
      raise InputError(
        f"{path}:{number}: {len(row)} fields, expected {len(names)} as in the"
        " header"
      )
    values = {name: _value(cell) for name, cell in zip(names, row, strict=True)}
    grade = values.pop("G3")
    for name, value in {**values, "G3": grade}.items():
      if isinstance(value, float) and not math.isfinite(value):
        raise InputError(
          f"{path}:{number}: {name} is {value}, expected a finite number"
        )
    if not isinstance(grade, float):
      raise InputError(
        f"{path}:{number}: G3 is {grade!r}, expected a grade from 0 to 20"
      )
    if not grades:
      for name in EARLIER_GRADES:
        values.pop(name, None)
    label = "pass" if grade >= PASS_GRADE else "fail"
    examples.append(Example(values, label))
  check_not_empty(path, examples, "a header and a student a line")
  return examples


def _value(cell: str) -> float | str:
  try:
    return float(cell)
  except ValueError:
    return cell.strip()


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
