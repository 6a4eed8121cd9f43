"""Average precision against pycocotools, and by hand."""

import json
import pathlib

import numpy as np
import pytest

from seqjax.data.average_precision import (
  RECALLS,
  Detected,
  Truth,
  average_precision,
  best_threshold,
  objects_right,
  precisions,
)
from seqjax.data.boxes import Coco, corners_of_coco

GOLDEN = pathlib.Path(__file__).parents[1] / "goldens/average_precision.json"
CASES = json.loads(GOLDEN.read_text())


def _corners(boxes):
  """From rows of x, y, width, height."""
  return corners_of_coco(Coco(*np.reshape(boxes, (-1, 4)).T.astype(float)))


def _found(labels, boxes, scores):
  return Detected(np.array(labels, int), np.array(scores), _corners(boxes))


def _true(labels, boxes):
  return Truth(np.array(labels, int), _corners(boxes))


@pytest.mark.parametrize("case", CASES)
def test_pycocotools_says_the_same(case):
  """Doubles, ties, images and a class without boxes; goldens/make_... ."""
  found = [_found(*each) for each in case["found"]]
  true = [_true(*each) for each in case["true"]]
  thresholds = zip(case["thresholds"], case["precisions"], strict=True)
  for threshold, expected in thresholds:
    rows = precisions(found, true, len(expected), threshold)
    for row, golden in zip(rows, expected, strict=True):
      if golden is None:
        assert np.isnan(row).all()
      else:
        np.testing.assert_allclose(row, golden, atol=1e-9)
    each, mean = average_precision(rows)
    known = [np.mean(golden) for golden in expected if golden is not None]
    assert 0 < len(known) < len(expected)
    assert mean == pytest.approx(np.mean(known))
    assert np.isnan(each[-1])


def test_by_hand():
  """Two boxes: one found, doubled, the other found last."""
  box, other = [0, 0, 10, 10], [50, 50, 10, 10]
  true = [_true([0, 0], [box, other])]
  found = [_found([0, 0, 0], [box, box, other], [0.9, 0.8, 0.7])]
  (row,) = precisions(found, true, 1, 0.5)
  # Precision 1, 1/2, 2/3 at recall .5, .5, 1.
  np.testing.assert_allclose(row, np.where(RECALLS <= 0.5, 1, 2 / 3))
  assert average_precision(row[None])[1] == pytest.approx(
    (51 + 50 * 2 / 3) / 101
  )


@pytest.mark.parametrize(
  ("found", "expected"),
  [
    (([], [], []), 0.0),  # nothing is found
    (([1], [[0, 0, 10, 10]], [0.9]), 0.0),  # of another class
    (([0], [[0, 0, 10, 5]], [0.9]), 1.0),  # an IoU of .5 is enough
    (([0], [[0, 0, 10, 4]], [0.9]), 0.0),
    (([0], [[0, 0, 0, 0]], [0.9]), 0.0),
  ],
)
def test_of_one_box(found, expected):
  rows = precisions([_found(*found)], [_true([0], [[0, 0, 10, 10]])], 2, 0.5)
  each, mean = average_precision(rows)
  assert (each[0], mean) == (expected, expected)
  assert np.isnan(each[1])


def test_a_sure_detection_takes_its_box_first():
  """The less sure one may have the other, where it agrees with both."""
  true = [_true([0, 0], [[0, 0, 10, 10], [2, 0, 10, 10]])]
  boxes = [[1, 0, 10, 10], [0, 0, 10, 10]]
  sure_in_the_middle = [_found([0, 0], boxes, [0.9, 0.8])]
  rows = precisions(sure_in_the_middle, true, 1, 0.5)
  assert average_precision(rows)[1] == 1.0
  # An unsure copy finds nothing left.
  doubled = [_found([0] * 3, [*boxes, boxes[1]], [0.9, 0.8, 0.85])]
  assert average_precision(precisions(doubled, true, 1, 0.5))[1] == 1.0
  last = [_found([0] * 2, [[0, 0, 10, 10]] * 2, [0.9, 0.8])]
  single = [_true([0], [[0, 0, 10, 10]])]
  curve = precisions(last, single, 1, 0.5)[0]
  np.testing.assert_allclose(curve, 1.0)  # the double comes after recall 1


def test_without_any_box_there_is_no_number():
  nothing = [_found([], [], [])]
  each, mean = average_precision(precisions(nothing, [_true([], [])], 2, 0.5))
  assert np.isnan(each).all()
  assert np.isnan(mean)


def test_the_threshold_that_counts_best():
  nowhere = lambda scores: _found(
    [0] * len(scores), [[0] * 4] * len(scores), scores
  )
  there = lambda count: _true([0] * count, [[0] * 4] * count)
  scores = [0.9, 0.8, 0.3], [0.6, 0.2], [0.4, 0.1], []
  found = [nowhere(list(each)) for each in scores]
  true = [there(2), there(1), there(0), there(0)]
  assert objects_right(found, true, 0.5) == 1.0
  assert objects_right(found, true, 0.4) == 0.75  # as sure as that counts
  assert objects_right(found, true, 0.7) == 0.75
  threshold, share = best_threshold(found, true)
  assert (round(threshold, 2), share) == (0.51, 1.0)  # amid .41 to .60
