"""Splits by class: nothing lost, nothing twice, groups on one side."""

from collections import Counter

import pytest

from seqjax.data.examples import Example, fold, split
from seqjax.errors import InputError


def make(counts, copies=1):
  return [
    Example(f"{label}{i}", label, group=f"{label}{i}" if copies > 1 else "")
    for label, count in counts.items()
    for i in range(count)
    for _ in range(copies)
  ]


def test_split_is_stratified_and_whole():
  examples = make({"a": 60, "b": 40})
  parts = split(examples, 0.1, 0.2, seed=0)
  assert [len(part) for part in parts] == [70, 10, 20]
  assert sorted(e for part in parts for e in part) == sorted(examples)
  for part in parts:
    counts = Counter(e.label for e in part)
    assert counts["a"] == pytest.approx(0.6 * len(part), abs=1)
  assert split(examples, 0.1, 0.2, seed=0) == parts
  assert split(examples, 0.1, 0.2, seed=1) != parts


def test_groups_stay_together():
  parts = split(make({"a": 30, "b": 30}, copies=3), 0.2, 0.2, seed=0)
  groups = [{e.group for e in part} for part in parts]
  assert [len(part) for part in parts] == [3 * len(g) for g in groups]
  assert not groups[0] & (groups[1] | groups[2])
  folds = [fold(make({"a": 6, "b": 6}, 2), k, 3, seed=0) for k in range(3)]
  for part in folds:
    assert not {e.group for e in part.train} & {e.group for e in part.test}


def test_a_group_with_two_labels():
  twins = [Example("x", "a", "x"), Example("x", "b", "x")]
  examples = make({"a": 20, "b": 20}) + twins
  parts = fold(examples, 0, 4, seed=0)
  assert (twins[0] in parts.test) == (twins[1] in parts.test)
  parts = split(examples, 0.2, 0.2, seed=0)
  assert sum(map(len, parts)) == len(examples)


def test_every_example_is_in_one_fold():
  examples = make({"a": 13, "b": 12})
  folds = [fold(examples, index, 5, seed=0) for index in range(5)]
  assert sorted(e for f in folds for e in f.test) == sorted(examples)
  for part in folds:
    assert sorted(part.train + part.test) == sorted(examples)
    assert part.validation == []


@pytest.mark.parametrize(
  ("run", "message"),
  [
    (
      lambda: split(make({"a": 9, "b": 1}), 0.1, 0.1, 0),
      r"class 'b' has 1 example\(s\), expected at least 2",
    ),
    (lambda: split(make({"a": 9}), 0.1, 0.1, 0), r"9 example\(s\) of 1 class"),
    (lambda: split(make({"a": 9, "b": 9}), 0.6, 0.5, 0), "validation is 0.6"),
    (lambda: split(make({"a": 3, "b": 3}), 0.0, 0.1, 0), "cannot be split"),
    (
      lambda: fold(make({"a": 9, "b": 4}), 0, 5, 0),
      r"class 'b' has 4 example\(s\), expected at least 5",
    ),
    (lambda: fold(make({"a": 9, "b": 9}), 5, 5, 0), "fold is 5, expected 0 to"),
  ],
)
def test_mistakes(run, message):
  with pytest.raises(InputError, match=message):
    run()
