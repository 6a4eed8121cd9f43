"""Runs compared: what differs, how well each does, a table and a picture.

python -m seqjax.compare runs/*
python -m seqjax.compare runs/lstm-* runs/gru-* --output=cells.png

Runs whose configs are equal but for seed and fold are a group: a row, with the
fields in which it differs from the others. Its runs' best evaluations, by the
validation metric that config.best_metric names, are one mean and one sample
deviation; so are the test metrics, where --mode=evaluate or cross_validate has
left them. A run may still be training. What is no run is skipped and said.

  --output=FILE.png  the metric over steps and the best of each run; default
                     comparison.png, empty for none
"""

import json
import math
import pathlib
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import rich.box
import rich.console
import rich.table
from absl import flags

from seqjax.errors import InputError
from seqjax.models import expressions
from seqjax.train import results
from seqjax.train.results import Run

# In these the runs of a group may differ.
_REPEATED = ("seed", "data.fold")
# Written into each picture: one without it is not overwritten.
_TITLE = "seqjax.compare"


class Statistic(NamedTuple):
  """Mean, sample deviation (None for one value) and count of values."""

  mean: float
  deviation: float | None
  count: int


class Group(NamedTuple):
  """Runs whose configs are equal but for seed and fold.

  Attributes:
    differs: the config's fields that are not the same in all groups; one that
      this config lacks is left out.
    runs: in the order in which they were named.
    validation: of the best evaluations; None without any.
    test: of each metric of the test part.
    rates: of each rate.
  """

  differs: dict[str, Any]
  runs: list[Run]
  validation: Statistic | None
  test: dict[str, Statistic]
  rates: dict[str, Statistic]


def _say(line: str) -> None:
  print(line, file=sys.stderr)


def compare(
  directories: Iterable[str | pathlib.Path],
  say: Callable[[str], None] = _say,
) -> list[Group]:
  """The runs in `directories`, grouped, the best group first.

    for group in compare(pathlib.Path("runs").iterdir()):
      print(group.differs, group.validation)

  Only `config.json`, `metrics.jsonl`, `evaluation.json` and, for the folds of a
  cross-validation, `cross_validation.json` are read.

  Args:
    directories: of runs, or of cross-validations, which stand for their folds.
    say: is told, in a line each, what is skipped and why; default: stderr.

  Returns:
    Groups in the order of their mean validation metric, those that have none
    in the order of their test metric after them.

  Raises:
    InputError: a directory does not exist, none holds a run with an evaluation,
      or task or metric are not the same in all.
  """
  runs: dict[pathlib.Path, Run] = {}
  named = results.directories_of_runs(directories)
  for path in named:
    try:
      if path.resolve() not in runs:
        runs[path.resolve()] = results.read(path, say)
    except InputError as error:
      say(f"skipped: {str(error).removeprefix('--workdir=')}")
    except OSError as error:
      say(f"skipped: {path} cannot be read ({error.strerror})")
  if not runs:
    raise InputError(
      f"none of {len(named)} directories holds a run with an evaluation; name"
      " run directories, e.g. runs/*"
    )
  _check_measured(list(runs.values()))
  groups = _grouped(list(runs.values()), say)
  return sorted(groups, key=_rank)


def _check_measured(runs: Sequence[Run]) -> None:
  """Raises InputError unless all have the same task and metric."""
  kinds: dict[str, list[str]] = {}
  for run in runs:
    task, metric, mode = (run.config[name] for name in results.MEASURED)
    of_kind = kinds.setdefault(f"{task} by {metric} ({mode})", [])
    of_kind.append(str(run.directory))
  if len(kinds) > 1:
    each = (
      f"{kind} in {', '.join(names[:4])}"
      + (f" and {len(names) - 4} more" if len(names) > 4 else "")
      for kind, names in kinds.items()
    )
    raise InputError(
      f"the runs are not measured by one metric: {'; '.join(each)}; compare"
      " them apart"
    )


def _grouped(runs: Sequence[Run], say: Callable[[str], None]) -> list[Group]:
  by_config: dict[str, list[Run]] = {}
  for run in runs:
    same = {k: v for k, v in run.config.items() if k not in _REPEATED}
    by_config.setdefault(json.dumps(same, sort_keys=True), []).append(run)
  configs = [members[0].config for members in by_config.values()]
  names = sorted(set().union(*configs) - set(_REPEATED))
  differing = [
    name
    for name in names
    if len({json.dumps(c[name]) if name in c else None for c in configs}) > 1
  ]
  groups = []
  for members in by_config.values():
    _say_of_twins(members, say)
    config = members[0].config
    bests = [run.best[1] for run in members if run.best]
    groups.append(
      Group(
        {name: config[name] for name in differing if name in config},
        members,
        statistic(bests) if bests else None,
        _statistics([run.test for run in members]),
        _statistics([run.rates for run in members]),
      )
    )
  return groups


def _say_of_twins(runs: Sequence[Run], say: Callable[[str], None]) -> None:
  """The same run twice says nothing of the deviation."""
  seen: dict[Any, Run] = {}
  for run in runs:
    key = tuple(run.config.get(name) for name in _REPEATED)
    twin = seen.setdefault(key, run)
    if twin is not run:
      say(
        f"{twin.directory} and {run.directory} have the same config and seed;"
        " they are counted as two"
      )


def statistic(values: Sequence[float]) -> Statistic:
  """Of one value or more; NaN of what is not finite."""
  deviation = None
  if len(values) > 1:
    finite = all(map(math.isfinite, values))
    deviation = statistics.stdev(values) if finite else math.nan
  return Statistic(statistics.fmean(values), deviation, len(values))


def _statistics(found: Sequence[dict[str, float]]) -> dict[str, Statistic]:
  names = dict.fromkeys(name for values in found for name in values)
  return {
    name: statistic([values[name] for values in found if name in values])
    for name in names
  }


def _rank(group: Group) -> tuple[bool, float]:
  """Sorts the best first: by validation, then by test, then what has none."""
  config = group.runs[0].config
  found = group.validation or group.test.get(config["best_metric"])
  value = math.inf if found is None else found.mean
  sign = -1 if found and config["best_mode"] == "max" else 1
  return group.validation is None, sign * value


def labels(groups: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
  """`(fields, rows)`: what differs, and a row of short values for each group.

  A cell or method is told without the options that all of its name share.
  """
  fields = sorted(set().union(*(group.differs for group in groups)))
  columns = []
  for field in fields:
    values = [group.differs.get(field) for group in groups]
    texts = ["none" if v is None or v == "" else str(v) for v in values]
    columns.append(expressions.brief(texts))
  return fields, [[column[i] for column in columns] for i in range(len(groups))]


def columns(groups: Sequence[Group]) -> dict[str, list[str]]:
  """What the table shows, a cell a group; an empty column is left out."""
  config = groups[0].runs[0].config
  fields, rows = labels(groups)
  found: dict[str, list[str]] = {
    "": [str(number) for number in range(1, len(groups) + 1)],
    "config": [
      " ".join(f"{f}={w}" for f, w in zip(fields, words, strict=True))
      for words in rows
    ],
    "runs": [str(len(group.runs)) for group in groups],
    "steps": [_steps(group) for group in groups],
    f"validation {config['best_metric']}": [
      _spread(group.validation, len(group.runs)) for group in groups
    ],
  }
  for name in dict.fromkeys(name for group in groups for name in group.test):
    found[f"test {name}"] = [
      _spread(group.test.get(name), len(group.runs)) for group in groups
    ]
  for name in dict.fromkeys(name for group in groups for name in group.rates):
    rates = [group.rates.get(name) for group in groups]
    found[name.replace("_per_second", "/s")] = [
      f"{rate.mean:,.0f}" if rate else "" for rate in rates
    ]
  return {name: cells for name, cells in found.items() if any(cells)}


def _print(groups: Sequence[Group]) -> None:
  """The table; where it is too wide, what differs stands above it."""
  console = rich.console.Console(highlight=False, emoji=False, markup=False)
  room = console.width if console.is_terminal else math.inf
  console.width = 10_000  # a row stays a line
  cells = columns(groups)
  made = _table(cells)
  if console.measure(made).maximum > room and "config" in cells:
    for number, differs in zip(cells[""], cells.pop("config"), strict=True):
      console.print(f"{number:>2}   {differs}", soft_wrap=True)
    made = _table(cells)
  console.print(made)


def _table(cells: dict[str, list[str]]) -> rich.table.Table:
  made = rich.table.Table(
    box=rich.box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
  )
  for name in cells:
    justify = "left" if name == "config" else "right"
    made.add_column(name, justify=justify, overflow="fold")
  for row in zip(*cells.values(), strict=True):
    made.add_row(*row)
  return made


def _spread(found: Statistic | None, runs: int) -> str:
  """`1.234 ± 0.012`, with the count where it is not that of the runs."""
  if found is None:
    return ""
  mean, deviation, count = found
  text = f"{mean:.4g} ± –"
  if deviation is not None:
    text = f"{mean:.4g} ± {deviation:.2g}"
    if 0 < deviation < math.inf:  # both to the second digit of the deviation
      digits = max(0, 1 - math.floor(math.log10(deviation)))
      text = f"{mean:,.{digits}f} ± {deviation:,.{digits}f}"
  return text if count == runs else f"{text} (n={count})"


def _steps(group: Group) -> str:
  steps = _range([run.step for run in group.runs])
  planned = group.runs[0].config.get("steps")
  whole = f"{planned:,}" if isinstance(planned, int) else str(planned)
  return steps if steps == whole else f"{steps} of {whole}"


def _range(steps: Sequence[int]) -> str:
  if not steps:
    return ""
  least, most = min(steps), max(steps)
  return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _draw(groups: Sequence[Group], path: pathlib.Path) -> str:
  """Draws what has evaluations; returns a line that says where it lies."""
  fields, rows = labels(groups)
  curves = []
  for number, (group, words) in enumerate(zip(groups, rows, strict=True), 1):
    found = [
      (list(run.evaluations), list(run.evaluations.values()))
      for run in group.runs
      if run.best
    ]
    if found:
      curves.append((str(number), words, found))
  if not curves:
    return "no picture: no run has evaluations of a validation part"
  try:
    from seqjax.show import compare as show
  except InputError as error:  # without the library that draws
    return f"no picture: {error}"
  config = groups[0].runs[0].config
  metric = f"validation {config['best_metric']}"
  try:
    show.draw(
      curves,
      path,
      metric=metric,
      mode=config["best_mode"],
      heading=", ".join(fields),
      title=_TITLE,
    )
  except OSError as error:
    raise InputError(
      f"--output={path} cannot be written ({error.strerror})"
    ) from error
  return f"{metric.capitalize()} over steps: {path}"


def _check_output(path: pathlib.Path) -> None:
  """Raises InputError for a place where no picture of ours may be."""
  if path.suffix != ".png":
    raise InputError(f"--output is {str(path)!r}, expected a name in .png")
  if not path.parent.is_dir():
    raise InputError(f"--output={path} is in a folder that does not exist")
  if path.exists() and not (
    path.is_file() and f"Title\0{_TITLE}".encode() in path.read_bytes()
  ):
    raise InputError(
      f"--output={path} exists and is no picture of this command; name another"
      " file or remove it"
    )


def main(argv: list[str]) -> int:
  """Runs the command line; returns the exit code."""
  values = flags.FlagValues()
  values.set_gnu_getopt(True)  # flags may follow the directories
  flags.DEFINE_string("output", "comparison.png", "", flag_values=values)
  if {"--help", "-help", "-h", "--helpfull"} & set(argv[1:]):
    print(__doc__)
    return 0
  try:
    try:
      _, *directories = values(argv)
    except flags.Error as error:
      raise InputError(str(error).splitlines()[-1].strip()) from error
    if not directories:
      raise InputError("no run directory is named; e.g. runs/*")
    output = pathlib.Path(values.output) if values.output else None
    if output:
      _check_output(output)
    groups = compare(directories)
    _print(groups)
    if output:
      print(_draw(groups, output))
    return 0
  except InputError as error:
    print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
  sys.exit(main(sys.argv))
