"""Boxes: three formats, and what two of them share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data import boxes
from seqjax.data.boxes import Centred, Coco, Corners

SIDE = st.integers(-40, 40).map(lambda n: n / 4)  # exact in binary


@given(st.tuples(SIDE, SIDE, SIDE, SIDE))
def test_there_and_back(numbers):
  corners = Corners(*map(np.float64, numbers))
  centred = boxes.centred_of_corners(corners)
  assert boxes.corners_of_centred(centred) == corners


def test_one_box_in_all_formats():
  corners = Corners(10.0, 20.0, 40.0, 60.0)
  assert boxes.centred_of_corners(corners) == Centred(25.0, 40.0, 30.0, 40.0)
  assert boxes.corners_of_coco(Coco(10.0, 20.0, 30.0, 40.0)) == corners
  assert boxes.scaled(corners, 2, 0.5) == Corners(20.0, 10.0, 80.0, 30.0)
  assert boxes.clipped(corners, 30, 100) == Corners(10, 20, 30, 60)
  assert boxes.clipped(corners, 5, 5) == Corners(5, 5, 5, 5)


@pytest.mark.parametrize("other", [Centred, Coco])
def test_a_format_is_not_taken_for_another(other):
  with pytest.raises(AttributeError):
    boxes.centred_of_corners(other(1.0, 2.0, 3.0, 4.0))
  with pytest.raises(AttributeError):
    boxes.corners_of_centred(Corners(1.0, 2.0, 3.0, 4.0))


def test_overlaps_of_pairs_by_counting_pixels():
  rng = np.random.default_rng(0)
  first, second = (_whole(rng, count) for count in (7, 9))
  found = boxes.pairwise_iou(first, second)
  assert found.shape == (7, 9)
  for i in range(7):
    for j in range(9):
      a, b = _pixels(first, i), _pixels(second, j)
      union = (a | b).sum()
      expected = (a & b).sum() / union if union else 0
      assert found[i, j] == pytest.approx(expected)


def _whole(rng, count):
  """Boxes of whole pixels, some without area."""
  left, top = rng.integers(0, 10, (2, count))
  width, height = rng.integers(0, 8, (2, count))
  return boxes.corners_of_coco(Coco(left, top, width, height))


def _pixels(corners, index):
  image = np.zeros((20, 20), bool)
  left, top, right, bottom = (side[index] for side in corners)
  image[top:bottom, left:right] = True
  return image
