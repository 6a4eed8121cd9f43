"""What run directories say of how well the runs did; nothing is computed."""

import contextlib
import json
import math
import os
import pathlib
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from seqjax import files
from seqjax.errors import InputError
from seqjax.train import workdir

# What makes numbers comparable: fields of the config.
MEASURED = ("task", "best_metric", "best_mode")
_FOLD = re.compile(r"fold_(\d+)")


class Run(NamedTuple):
  """What a run directory says.

  Attributes:
    directory: where it lies.
    config: every field by its name, such as "model.cell".
    evaluations: step to the value of `config["best_metric"]`, in the order of
      training; empty if the run has no validation part.
    best: `(step, value)` of the best finite one; None without any.
    test: metrics of the test part, if some are there.
    step: the last one with a record.
    rates: metric to median of what is done in a second, "chars_per_second".
  """

  directory: pathlib.Path
  config: dict[str, Any]
  evaluations: dict[int, float]
  best: tuple[int, float] | None
  test: dict[str, float]
  step: int
  rates: dict[str, float]


def directories_of_runs(
  directories: Iterable[str | pathlib.Path],
) -> list[pathlib.Path]:
  """The same, with folds in the place of their cross-validation.

  Raises:
    InputError: one does not exist.
  """
  found = []
  for path in map(pathlib.Path, directories):
    if not os.path.exists(path):
      raise InputError(f"{path} does not exist; name run directories")
    folds = {}
    with contextlib.suppress(OSError):  # `read` says so
      if path.is_dir() and not workdir.begun(path):
        for inner in path.iterdir():
          if number := _FOLD.fullmatch(inner.name):
            folds[int(number[1])] = inner
    found += [folds[number] for number in sorted(folds)] if folds else [path]
  return found


def read(path: pathlib.Path, say: Callable[[str], None]) -> Run:
  """What a run directory says.

  Args:
    path: the directory.
    say: is told, in a line each, what is damaged or out of date there.

  Raises:
    InputError: no run, of another format, or one without any evaluation.
  """
  if not path.is_dir() or not workdir.begun(path):
    raise InputError(f"{path} is no run directory")
  config = workdir.flatten(json.loads(workdir.load_config(path).to_json()))
  if "study" in config:
    raise InputError(f"{path} is a study, which has pictures of its own")
  if missing := [name for name in MEASURED if name not in config]:
    raise InputError(f"{path}/{workdir.CONFIG_FILE} has no {missing[0]}")
  records = files.read_records(path, say)
  records = [r for r in records if isinstance(r.get("step"), int)]
  validation = [r for r in records if r.get("kind") == "validation"]
  metric = config["best_metric"]
  evaluations = {
    r["step"]: float(r[metric]) for r in validation if _is_number(r.get(metric))
  }
  if validation and not evaluations:
    known = ", ".join(_numbers(validation[-1], "step"))
    raise InputError(
      f"{path} has no validation metric {metric!r}, which is its"
      f" config.best_metric, but {known}"
    )
  finite = [(s, v) for s, v in evaluations.items() if math.isfinite(v)]
  choose = max if config["best_mode"] == "max" else min
  best = choose(finite, key=lambda entry: entry[1]) if finite else None
  try:
    test = _test(path, best, say)
  except InputError as error:
    say(f"without test metrics: {error}")
    test = {}
  if best is None and not test:
    raise InputError(f"{path} has no evaluation yet")
  step = max((r["step"] for r in records), default=0)
  return Run(path, config, evaluations, best, test, step, _rates(records))


def _test(
  path: pathlib.Path,
  best: tuple[int, float] | None,
  say: Callable[[str], None],
) -> dict[str, float]:
  """What `--mode=evaluate` says of the test part, or a cross-validation."""
  evaluation = path / workdir.EVALUATION_FILE
  together = path.parent / workdir.FOLDS_FILE
  number = _FOLD.fullmatch(path.name)
  try:
    if evaluation.exists():
      content = files.read_json(evaluation)
      step = content["step"]
      if best and step != best[0] and content.get("test"):
        say(
          f"{evaluation} is of step {step}, the best evaluation of step"
          f" {best[0]}; --mode=evaluate measures the best again"
        )
      return _numbers(content.get("test", {}))
    if number and together.exists():
      folds = files.read_json(together)["folds"]
      return _numbers(dict(enumerate(folds)).get(int(number[1]), {}))
  except (AttributeError, KeyError, TypeError) as error:
    which = evaluation if evaluation.exists() else together
    raise InputError(f"{which} is damaged; make it again") from error
  return {}


def _rates(records: Sequence[dict[str, Any]]) -> dict[str, float]:
  """The median of each `..._per_second` of training."""
  found: dict[str, list[float]] = {}
  for record in records:
    for name, value in _numbers(record).items():
      if record.get("kind") == "train" and name.endswith("_per_second"):
        found.setdefault(name, []).append(value)
  return {name: statistics.median(values) for name, values in found.items()}


def _numbers(record: dict[str, Any], *but: str) -> dict[str, float]:
  """The entries that are numbers."""
  return {
    name: float(value)
    for name, value in record.items()
    if _is_number(value) and name not in but
  }


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool)
