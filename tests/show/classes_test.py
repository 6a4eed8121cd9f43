"""Confusion matrices and lines about classes."""

import numpy as np
import pytest
from PIL import Image

from seqjax.show import classes
from tests.show.conftest import LABELS


@pytest.mark.parametrize("count", [2, 18, 50, 70])
def test_confusion(count, tmp_path, figures, words):
  rng = np.random.default_rng(0)
  found = rng.random((count, count)) < 0.1
  matrix = found * rng.integers(1, 2_000, (count, count))
  matrix[0, 1] = 4_321
  names = [f"class {i}" for i in range(count)]
  classes.draw_confusion(matrix, names, tmp_path / "a.png", "validation")
  axis, bar = figures[0].axes
  shares = np.asarray(axis.images[0].get_array())
  sums = np.maximum(matrix.sum(1, keepdims=True), 1)
  np.testing.assert_allclose(shares, matrix / sums)
  assert ("4321" in words()) == (count <= 60)
  assert "true (validation part)" in words()
  assert bar.get_ylabel() == "share of the true class"
  with Image.open(tmp_path / "a.png") as picture:
    assert max(picture.size) < 3_000
  figures[0].draw_without_rendering()  # at its own resolution
  # No name or number runs into its neighbour.
  boxes = [t.get_window_extent() for t in axis.get_yticklabels()]
  gaps = [above.y0 - below.y1 for above, below in zip(boxes, boxes[1:])]  # noqa: B905
  assert min(gaps) > -1
  cell = np.diff(axis.transData.transform([(0, 0), (1, 0)])[:, 0])[0]
  for text in axis.texts:
    assert text.get_window_extent().width < cell


def test_any_class(tmp_path, words):
  count = len(LABELS)
  classes.draw_confusion(
    np.eye(count, dtype=int), LABELS, tmp_path / "a.png", LABELS[0]
  )
  assert "<b>&" in words()
  said = np.arange(count)
  written = classes.report("test", said, said, LABELS)
  assert written.startswith(f"test part, {count} examples\n")
  for label in LABELS:
    line = classes.prediction(label, label, 0.5, label)
    assert "\n" not in line
  # A line for each class, whatever is in its name.
  assert len(written.splitlines()) == 3 + count + 5 - 1


def test_report_is_scikit_learns():
  from sklearn import metrics

  true, said = [0, 0, 1, 2], [0, 1, 1, 1]
  expected = metrics.classification_report(
    true,
    said,
    labels=range(3),
    target_names=["a", "b", "c"],
    digits=3,
    zero_division=0,
  )
  written = classes.report("test", true, said, ["a", "b", "c"])
  assert written == f"test part, 4 examples\n{expected}"


def test_what_is_better_than_the_model_is_said():
  lines = classes.beside(0.5, {"majority": 0.25, "nearest_neighbour": 0.75})
  assert lines == [
    "accuracy               50.0%",
    "nearest neighbour      75.0%, better than the model",
    "majority               25.0%",
  ]


def test_the_surest_mistakes_come_first_with_what_is_true():
  rows = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
  lines = classes.surest_mistakes(
    ["first", "second", "third", "fourth"], rows, [1, 1, 1, 0], ["no", "yes"]
  )
  assert lines == [
    "The surest mistakes:",
    "  first: no 90%, is yes",
    "  second: no 60%, is yes",
  ]
  right = classes.surest_mistakes(["a"], rows[:1], [0], ["no", "yes"])
  assert right == ["No mistakes."]
  some = classes.surest_mistakes(
    ["a"] * 4, rows, [1, 1, 0, 1], ["no", "yes"], count=2
  )
  assert len(some) == 3


def test_a_prediction_is_one_line():
  assert classes.prediction("a\nb", "no", 0.5, None) == "a b: no 50%"
  assert classes.prediction("a", "no", 0.5, "yes") == "a: no 50%, is yes"
  assert len(classes.prediction("a" * 99, "b" * 99, 1.0, "c" * 99)) < 170
