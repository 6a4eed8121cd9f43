"""Tables of students: UCI's CSV with semicolons, and students made up.

UCI Student Performance (Cortez and Silva 2008, "Using data mining to predict
secondary school student performance"): a header, text in quotes, some numbers
in quotes too; G1, G2 and G3 are the grades, 0 to 20.
"""

import math
import pathlib

import numpy as np

from seqjax.data import columns, text
from seqjax.data.examples import Example, check_not_empty
from seqjax.errors import InputError

FINAL_GRADE = "G3"
PASS_GRADE = 10  # from here on is a pass
EARLIER_GRADES = "G1", "G2"


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
