"""Labelled examples, and how data is parted: training, validation, test.

`stratified` draws examples at random, class by class; `fold` does for
cross-validation; `contiguous` cuts by position, for what is one text or one
course of time, where neighbours tell of each other.
"""

import pathlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.errors import InputError, extra


class Example(NamedTuple):
  """One labelled input."""

  inputs: Any  # a text, a list of words, or an array
  label: str
  # Examples of one group stay on one side of a split: copies of a sequence.
  group: str = ""


class Tagged(NamedTuple):
  """Tokens and a tag for each: words, letters."""

  tokens: Sequence[str]
  tags: list[str]


class Splits(NamedTuple):
  """The three parts of a data set: lists, arrays or texts."""

  train: Any
  validation: Any
  test: Any


def check_room(made: int, in_vain: int, asked: int) -> None:
  """Raises InputError for a generator that finds nothing new any more.

  Args:
    made: different examples so far.
    in_vain: how many were drawn since the last new one.
    asked: `config.data.examples`.
  """
  if in_vain > 10_000:
    raise InputError(
      f"config.data.examples is {asked}, expected no more than about {made}:"
      " there are no more different ones to make up"
    )


def held_out(splits: Splits) -> str:
  """Which part to show: "test", "validation" if that is empty, or "train"."""
  names = "test", "validation"
  return next((name for name in names if len(getattr(splits, name))), "train")


def path_of(data: Config) -> pathlib.Path | None:
  """`data.path`; None if there is none and data is to be generated.

  Raises:
    InputError: no such file or folder.
  """
  if not data.path:
    return None
  path = pathlib.Path(data.path)
  if not path.exists():
    raise InputError(f"config.data.path is {path}, which does not exist")
  return path


def parts(found: Sequence[Example] | Splits, data: Config, seed: int) -> Splits:
  """The parts that a config asks for.

  Args:
    found: all examples: `data.fold` of `data.num_folds` is the test, or, where
      that is 0, shares `data.validation` and `data.test` are set aside. Or the
      parts that the data brings itself.
    data: `config.data`.
    seed: of the choice.

  Raises:
    InputError: folds are asked of data that brings its own parts, a share or a
      fold is out of range, a class has too few examples, or there are none to
      train on.
  """
  if isinstance(found, Splits):
    if data.num_folds:
      raise InputError(
        f"config.data.num_folds is {data.num_folds}, expected 0: {data.path}"
        " brings its own training and test parts"
      )
    made = found
  elif data.num_folds:
    if data.num_folds < 2:
      raise InputError(
        f"config.data.num_folds is {data.num_folds}, expected 0 (none) or at"
        " least 2"
      )
    made = fold(found, data.fold, data.num_folds, seed)
  else:
    made = stratified(found, data.validation, data.test, seed)
  if not len(made.train):
    raise InputError("config.data leaves no examples to train on")
  return made


def check_several(name: str, inputs: Sequence[Any]) -> None:
  """Raises InputError for one text where a sequence of inputs is asked for."""
  if isinstance(inputs, str):
    raise InputError(f"{name} is {inputs!r}, expected a list of them")


def label_ids(
  part: str, examples: Sequence[Example], labels: Sequence[str]
) -> np.ndarray:
  """The place of each example's label among `labels`, int32 `[n]`.

  Args:
    part: "validation" say, for the message.
    examples: those of the part.
    labels: those of training.

  Raises:
    InputError: a label is not among them.
  """
  known = {label: i for i, label in enumerate(labels)}
  for example in examples:
    if example.label not in known:
      raise InputError(
        f"the {part} part holds the label {example.label!r}, which training"
        f" does not: it knows {', '.join(labels)}"
      )
  return np.array([known[example.label] for example in examples], np.int32)


def tag_ids(part: str, example: Tagged, tags: Sequence[str]) -> np.ndarray:
  """The place of each tag among `tags`, int32 `[time]`.

  Args:
    part: what the example is of, "validation" say, for the message.
    example: tokens with their tags.
    tags: those of training.

  Raises:
    InputError: a tag that training does not have.
  """
  ids = {tag: i for i, tag in enumerate(tags)}
  for token, tag in zip(*example, strict=True):
    if tag not in ids:
      raise InputError(
        f"the {part} part holds the tag {tag!r} ({token!r}), which training"
        f" does not: it knows {', '.join(tags)}"
      )
  return np.array([ids[tag] for tag in example.tags], np.int32)


def contiguous(sequence: Any, validation: float, test: float) -> Splits:
  """Parts by position: training first, the test at the end.

  Args:
    sequence: anything that can be sliced, text too.
    validation: share of the whole, in [0, 1).
    test: share of the whole, in [0, 1).

  Raises:
    InputError: the shares are out of range.
  """
  if not (validation >= 0 and test >= 0 and validation + test < 1):
    raise InputError(
      f"config.data.validation is {validation} and config.data.test is {test},"
      " expected shares >= 0 that leave some text for training"
    )
  n = len(sequence)
  train_end = int(n * (1 - validation - test) + 1e-9)
  validation_end = int(n * (1 - test) + 1e-9)
  return Splits(
    sequence[:train_end],
    sequence[train_end:validation_end],
    sequence[validation_end:],
  )


def stratified(
  examples: Sequence[Example], validation: float, test: float, seed: int
) -> Splits:
  """Parts at random, stratified by label, groups kept together.

  Args:
    examples: all of them.
    validation: share of the whole, in [0, 1).
    test: share of the whole, in [0, 1).
    seed: the same seed gives the same split.

  Raises:
    InputError: the shares are out of range, or a class has too few examples.
  """
  if not (validation >= 0 and test >= 0 and validation + test < 1):
    raise InputError(
      f"config.data.validation is {validation} and config.data.test is {test},"
      " expected shares >= 0 that leave some examples for training"
    )
  with extra():
    from sklearn import model_selection  # a second, and no use to a text

  units: Any = _units(examples)
  parts = []
  for share in (test, validation / (1 - test)):
    taken = []
    if share:
      labels = _strata(units, 2)
      try:
        units, taken = model_selection.train_test_split(
          units, test_size=share, stratify=labels, random_state=seed
        )
      except ValueError as error:
        raise InputError(
          f"config.data: {len(units)} examples cannot be split with a share of"
          f" {share:g} ({error}); give more data or a larger share"
        ) from error
    parts.append(_flat(taken))
  return Splits(_flat(units), parts[1], parts[0])


def fold(
  examples: Sequence[Example], index: int, count: int, seed: int
) -> Splits:
  """Part `index` of `count` is the test, the others train; no validation.

  Stratified by label, groups kept together.

  Raises:
    InputError: no such part, or a class has fewer examples than `count`.
  """
  if not 0 <= index < count:
    raise InputError(
      f"config.data.fold is {index}, expected 0 to {count - 1}, one of"
      f" config.data.num_folds = {count}"
    )
  with extra():
    from sklearn import model_selection

  units = _units(examples)
  labels = _strata(units, count)
  splitter = model_selection.StratifiedKFold(
    count, shuffle=True, random_state=seed
  )
  train, test = list(splitter.split(labels, labels))[index]
  return Splits(
    _flat([units[i] for i in train]), [], _flat([units[i] for i in test])
  )


def _units(examples: Sequence[Example]) -> list[list[Example]]:
  """Groups, and examples that are in none, in the order of the data."""
  units: dict[Any, list[Example]] = {}
  for index, example in enumerate(examples):
    units.setdefault(example.group or index, []).append(example)
  return list(units.values())


def _flat(units) -> list[Example]:
  return [example for unit in units for example in unit]


def _strata(units: list[list[Example]], fewest: int) -> list[str]:
  """What a split keeps the shares of: labels, or all the labels of a group.

  Raises:
    InputError: there are less than two classes, or less than `fewest` units of
      one.
  """
  labels = {example.label for unit in units for example in unit}
  if len(labels) < 2:
    raise InputError(
      f"the data holds {len(units)} example(s) of {len(labels)} class(es),"
      " expected two classes or more"
    )
  joint = [" and ".join(sorted({e.label for e in unit})) for unit in units]
  counts = Counter(joint)
  # A rare mixture counts as what its first example is.
  strata = [
    name if counts[name] >= fewest else unit[0].label
    for name, unit in zip(joint, units, strict=True)
  ]
  for label, count in sorted(Counter(strata).items()):
    if count < fewest:
      raise InputError(
        f"class {label!r} has {count} example(s), expected at least {fewest}"
        " for a split by class; add some, or leave the class out"
      )
  return strata


def check_not_empty(path: Any, examples: Sequence, what: str) -> None:
  """Raises InputError if the file held nothing but blanks or a header."""
  if not examples:
    raise InputError(f"{path}: the file holds no examples, expected {what}")
