"""Files of sentence pairs, and how pairs are parted.

A folder holds a file for each part and language, line n of one belonging to
line n of the other; a table holds a pair a line.
"""

import pathlib
import re
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.data import text
from seqjax.data.examples import Splits, check_not_empty
from seqjax.errors import InputError


class Pair(NamedTuple):
  """A sentence and its translation."""

  source: str
  target: str
  # Pairs of one group stay on one side of a split: verses of a chapter.
  group: str = ""


def read_folder(folder: pathlib.Path, data: Config) -> Splits:
  """The parts of a folder; empty where it has no files of one.

  `train.SOURCE` and `train.TARGET`, `val.*`, and one of `test*.SOURCE`, each
  also as `.gz`; the languages are `data.source` and `data.target`.

  Raises:
    InputError: there is no training file, one language of a part is missing,
      or several test sets are there and `data.test_file` names none.
  """
  if not data.source or not data.target or data.source == data.target:
    raise InputError(
      f"config.data.source is {data.source!r} and config.data.target is"
      f" {data.target!r}, expected the endings of two languages in {folder}"
    )
  names = _names(folder, data.source)
  if "train" not in names:
    there = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    raise InputError(
      f"config.data.path is {folder}, where train.{data.source}[.gz] is not to"
      f" be found (there is {there}); set config.data.source and"
      " config.data.target to the endings of the files"
    )
  parts = ["train", *({"val"} & names), *_test(folder, names, data)]
  found = {part: _read_aligned(folder, part, data) for part in parts}
  test = [found[part] for part in parts if part not in ("train", "val")]
  return Splits(found["train"], found.get("val", []), test[0] if test else [])


def _names(folder: pathlib.Path, language: str) -> set[str]:
  names = (p.name.removesuffix(".gz") for p in folder.iterdir())
  ending = f".{language}"
  return {n.removesuffix(ending) for n in names if n.endswith(ending)}


def _test(folder: pathlib.Path, names: set[str], data: Config) -> list[str]:
  """The name of the test set, if there is one."""
  tests = sorted(name for name in names if name.startswith("test"))
  if data.test_file:
    if data.test_file not in names - {"train", "val"}:
      raise InputError(
        f"config.data.test_file is {data.test_file!r}, expected one of"
        f" {', '.join(tests) or 'none'}, without its language, in {folder}"
      )
    return [data.test_file]
  if len(tests) > 1:
    raise InputError(
      f"config.data.path is {folder}, which holds {len(tests)} test sets; name"
      f" one by --config.data.test_file={tests[0]} (or {', '.join(tests[1:])})"
    )
  return tests


def _read_aligned(folder: pathlib.Path, part: str, data: Config) -> list[Pair]:
  paths = [_file(folder, part, name) for name in (data.source, data.target)]
  sides = [
    text.read_utf8(path).removesuffix("\n").split("\n") for path in paths
  ]
  if len(sides[0]) != len(sides[1]):
    raise InputError(
      f"{paths[0]} has {len(sides[0])} lines and {paths[1]} has"
      f" {len(sides[1])}, expected as many: line n of one is line n of the"
      " other"
    )
  numbered = enumerate(zip(*sides, strict=True), 1)
  where = f"{paths[0]} and {paths[1].name}"
  return _filled(where, ((n, Pair(*pair)) for n, pair in numbered))


def _file(folder: pathlib.Path, part: str, language: str) -> pathlib.Path:
  for ending in ("", ".gz"):
    path = folder / f"{part}.{language}{ending}"
    if path.is_file():
      return path
  raise InputError(
    f"config.data.path is {folder}, where {part}.{language}[.gz] is not to be"
    " found; set config.data.source and config.data.target to the endings of"
    " the files"
  )


def read_table(path: pathlib.Path, data: Config) -> list[Pair]:
  """Pairs of a file with columns parted by tabs, also as `.gz`; no header.

  `data.columns` are those of source and target, from 1 on; `data.group` is that
  of a reference, 0 for none: what stands before its last ":" is the group, so
  that of "Genesis 1:1" is "Genesis 1". Empty lines are skipped.

  Raises:
    InputError: a line has too few columns, or the file holds no pairs.
  """
  columns = _columns(data)
  numbered = []
  for number, line in enumerate(text.read_utf8(path).split("\n"), 1):
    if not line.strip():
      continue
    cells = line.split("\t")
    if len(cells) < max(columns):
      raise InputError(
        f"{path}:{number}: {line[:60]!r} has {len(cells)} column(s) parted by"
        f" tabs, expected {max(columns)}: config.data.columns is"
        f" {tuple(data.columns)}, config.data.group is {data.group}"
      )
    source, target, *reference = (cells[column - 1] for column in columns)
    group = reference[0].rpartition(":")[0] or reference[0] if reference else ""
    numbered.append((number, Pair(source, target, group)))
  return _filled(path, numbered)


def _columns(data: Config) -> tuple[int, ...]:
  """Of source, target and, if there is one, the reference."""
  columns = tuple(data.columns)
  whole = all(type(c) is int and c >= 1 for c in columns)
  if len(columns) != 2 or not whole or len({*columns}) != 2:
    raise InputError(
      f"config.data.columns is {columns}, expected two whole numbers >= 1 that"
      " differ: the columns of source and target"
    )
  if type(data.group) is not int or data.group < 0:
    raise InputError(
      f"config.data.group is {data.group!r}, expected a whole number >= 0: the"
      " column of a reference, or 0 for none"
    )
  return (*columns, data.group) if data.group else columns


def _filled(where, numbered: Iterable[tuple[int, Pair]]) -> list[Pair]:
  """The pairs of which no side is empty; says how many there are else."""
  found, empty = [], []
  for number, pair in numbered:
    if pair.source.strip() and pair.target.strip():
      found.append(
        pair._replace(source=pair[0].strip(), target=pair[1].strip())
      )
    else:
      empty.append(number)
  if empty:
    lines = ", ".join(map(str, empty[:5])) + ", ..." * (len(empty) > 5)
    print(
      f"{where}: {len(empty)} pair(s) with an empty side are dropped (line"
      f" {lines})",
      file=sys.stderr,
    )
  check_not_empty(where, found, "pairs of sentences")
  return found


def split(
  pairs: Sequence[Pair],
  validation: float,
  test: float,
  seed: int,
  train_only: str = "",
) -> Splits:
  """Parts at random; groups, and pairs of one source, stay together.

  What hangs together and is larger than what a part still lacks goes to
  another, so that the shares hold; large heaps are thus of training.

  Args:
    pairs: all of them.
    validation: share of the whole, in [0, 1).
    test: share of the whole, in [0, 1).
    seed: the same seed gives the same split.
    train_only: a regular expression; a group that is one of those is trained
      on, with all that hangs together with it.

  Raises:
    InputError: the shares are out of range, nothing is left for a part, or the
      expression is none, or that of no group.
  """
  kept = _groups_of(pairs, train_only)
  if not (validation >= 0 and test >= 0 and validation + test < 1):
    raise InputError(
      f"config.data.validation is {validation} and config.data.test is {test},"
      " expected shares >= 0 that leave some pairs for training"
    )
  units = _together(pairs)
  order = np.random.default_rng(seed).permutation(len(units))
  shares = {"test": test, "validation": validation}
  wanted = {name: round(share * len(pairs)) for name, share in shares.items()}
  taken: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
  for unit in (units[i] for i in order):
    fits = (n for n in wanted if len(taken[n]) + len(unit) <= wanted[n])
    free = not kept or kept.isdisjoint(pairs[i].group for i in unit)
    taken[next(fits, "train") if free else "train"] += unit
  for name, indices in taken.items():
    if not indices and shares.get(name, 1):
      raise InputError(
        f"config.data.{name} is {shares.get(name, 'what is left')}, which"
        f" leaves nothing of {len(pairs)} pairs in {len(units)} group(s); give"
        " more data or other shares"
      )
  # In the order of the data.
  chosen = {n: [pairs[i] for i in sorted(ids)] for n, ids in taken.items()}
  return Splits(**chosen)


def _groups_of(pairs: Sequence[Pair], expression: str) -> set[str]:
  """The groups whose whole name the expression matches."""
  if not expression:
    return set()
  try:
    matches = re.compile(expression).fullmatch
  except re.error as error:
    raise InputError(
      f"config.data.train_only is {expression!r}, which is no regular"
      f" expression ({error})"
    ) from error
  found = {pair.group for pair in pairs if pair.group and matches(pair.group)}
  if not found:
    raise InputError(
      f"config.data.train_only is {expression!r}, which matches no group; it"
      " must match the whole name, and config.data.group must name a column"
    )
  return found


def _together(pairs: Sequence[Pair]) -> list[list[int]]:
  """Indices that share a source or a group, directly or by others."""
  root = list(range(len(pairs)))

  def find(i: int) -> int:
    while root[i] != i:
      root[i] = i = root[root[i]]
    return i

  first: dict[tuple[str, str], int] = {}
  for i, pair in enumerate(pairs):
    keys = [("source", pair.source)]
    keys += [("group", pair.group)] if pair.group else []
    for key in keys:
      one, other = find(first.setdefault(key, i)), find(i)
      root[max(one, other)] = min(one, other)
  units: dict[int, list[int]] = {}
  for i in range(len(pairs)):
    units.setdefault(find(i), []).append(i)
  return list(units.values())
