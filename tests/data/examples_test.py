"""Parts: nothing lost, nothing twice, by class or by position."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_collections import config_dict

from seqjax.data.examples import (
  Example,
  Splits,
  contiguous,
  fold,
  label_ids,
  parts,
  path_of,
  stratified,
)
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
  found = stratified(examples, 0.1, 0.2, seed=0)
  assert [len(part) for part in found] == [70, 10, 20]
  assert sorted(e for part in found for e in part) == sorted(examples)
  for part in found:
    counts = Counter(e.label for e in part)
    assert counts["a"] == pytest.approx(0.6 * len(part), abs=1)
  assert stratified(examples, 0.1, 0.2, seed=0) == found
  assert stratified(examples, 0.1, 0.2, seed=1) != found


def test_groups_stay_together():
  found = stratified(make({"a": 30, "b": 30}, copies=3), 0.2, 0.2, seed=0)
  groups = [{e.group for e in part} for part in found]
  assert [len(part) for part in found] == [3 * len(g) for g in groups]
  assert not groups[0] & (groups[1] | groups[2])
  folds = [fold(make({"a": 6, "b": 6}, 2), k, 3, seed=0) for k in range(3)]
  for part in folds:
    assert not {e.group for e in part.train} & {e.group for e in part.test}


def test_a_group_with_two_labels():
  twins = [Example("x", "a", "x"), Example("x", "b", "x")]
  examples = make({"a": 20, "b": 20}) + twins
  found = fold(examples, 0, 4, seed=0)
  assert (twins[0] in found.test) == (twins[1] in found.test)
  found = stratified(examples, 0.2, 0.2, seed=0)
  assert sum(map(len, found)) == len(examples)


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
      lambda: stratified(make({"a": 9, "b": 1}), 0.1, 0.1, 0),
      r"class 'b' has 1 example\(s\), expected at least 2",
    ),
    (
      lambda: stratified(make({"a": 9}), 0.1, 0.1, 0),
      r"9 example\(s\) of 1 class",
    ),
    (
      lambda: stratified(make({"a": 9, "b": 9}), 0.6, 0.5, 0),
      "validation is 0.6",
    ),
    (
      lambda: stratified(make({"a": 3, "b": 3}), 0.0, 0.1, 0),
      "cannot be split",
    ),
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


@given(
  n=st.integers(0, 1000),
  validation=st.floats(0, 0.5),
  test=st.floats(0, 0.4),
)
def test_split_is_contiguous_and_whole(n, validation, test):
  tokens = list(range(n))
  train, val, end = contiguous(tokens, validation, test)
  assert train + val + end == tokens
  assert abs(len(val) - n * validation) <= 1
  assert abs(len(end) - n * test) <= 1


def test_split_of_the_reference():
  """tinyshakespeare's customary 90/10: 1,003,854 characters of training."""
  train, validation, test = contiguous("x" * 1_115_394, 0.1, 0.0)
  assert (len(train), len(validation), len(test)) == (1_003_854, 111_540, 0)


@pytest.mark.parametrize(
  "shares", [(0.6, 0.4), (-0.1, 0.0), (0.0, float("nan"))]
)
def test_bad_shares(shares):
  with pytest.raises(InputError, match="expected shares"):
    contiguous("text", *shares)


def config(**fields):
  defaults = {"path": None, "validation": 0.2, "test": 0.1}
  folds = {"num_folds": 0, "fold": 0}
  return config_dict.ConfigDict({**defaults, **folds, **fields})


def test_the_parts_that_a_config_asks_for():
  examples = make({"a": 20, "b": 10})
  shares = parts(examples, config(), 3)
  assert shares == stratified(examples, 0.2, 0.1, 3)
  folds = parts(examples, config(num_folds=5, fold=2), 3)
  assert folds == fold(examples, 2, 5, 3)
  own = Splits(examples[:4], examples[4:6], [])
  assert parts(own, config(), 3) == own


def test_parts_that_cannot_be():
  own = Splits(make({"a": 2}), [], [])
  data = config(num_folds=5, path="folder")
  with pytest.raises(InputError, match="num_folds is 5, expected 0: folder br"):
    parts(own, data, 0)
  with pytest.raises(InputError, match="no examples to train on"):
    parts(Splits([], own.train, []), config(), 0)


def test_labels():
  examples = make({"b": 2, "a": 1})
  found = label_ids("test", examples, ["a", "b"])
  assert found.dtype == np.int32
  assert found.tolist() == [1, 1, 0]
  assert label_ids("test", [], ["a"]).shape == (0,)
  with pytest.raises(InputError, match="the test part holds the label 'b', wh"):
    label_ids("test", examples, ["a", "c"])


def test_path(tmp_path):
  assert path_of(config()) is None
  assert path_of(config(path=str(tmp_path))) == tmp_path
  with pytest.raises(InputError, match="path is no/file, which does not exist"):
    path_of(config(path="no/file"))
