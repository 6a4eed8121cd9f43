"""Made-up scenes: what is promised of boxes, shapes and what is no object."""

import numpy as np
import pytest

from seqjax.data import boxes, object_scenes
from seqjax.data.examples import InputError
from seqjax.data.objects import Scenes

COUNT, SIZE = 150, 64


@pytest.fixture(scope="module")
def scenes():
  return list(Scenes(COUNT, 0, "test", SIZE))


def test_numbers_sizes_and_overlaps(scenes):
  counts = np.bincount([len(each.labels) for each in scenes], minlength=6)
  assert len(counts) == 6
  assert (counts > COUNT / 6 / 2).all()
  assert np.bincount(np.concatenate([e.labels for e in scenes])).min() > 60
  sides, most = [], 0.0
  for each in scenes:
    corners = each.corners
    inside = boxes.clipped(corners, SIZE, SIZE)
    np.testing.assert_array_equal(inside, corners)
    sides += [*(corners.right - corners.left), *(corners.bottom - corners.top)]
    overlaps = boxes.pairwise_iou(corners, corners)
    most = max(most, np.triu(overlaps, 1).max(initial=0))
  assert 0.1 * SIZE <= min(sides) < 0.13 * SIZE
  assert 0.37 * SIZE < max(sides) <= 0.4 * SIZE
  assert 0.2 < most <= 0.3  # some do overlap


def test_a_scene_is_a_function_of_its_index(scenes):
  again = Scenes(10**9, 0, "test", SIZE)
  np.testing.assert_array_equal(again[7].image, scenes[7].image)
  assert again[7].name == "test scene 7"
  others = Scenes(9, 0, "train", SIZE), Scenes(9, 1, "test", SIZE)
  for other in (*(part[7] for part in others), again[8]):
    assert (other.image != scenes[7].image).mean() > 0.5
  assert [each.name for each in again[3:5]] == ["test scene 3", "test scene 4"]
  with pytest.raises(IndexError, match="index is 9, expected 0 to 8"):
    others[0][9]


@pytest.mark.parametrize("shape", object_scenes.CLASSES)
@pytest.mark.parametrize("sides", [(10, 10), (11, 11), (7, 25), (25, 8)])
def test_a_shape_touches_all_sides_of_its_box(shape, sides):
  width, height = sides
  if shape == "circle" and width != height:
    return  # circles are not drawn so
  filled = object_scenes._filled(shape, width, height)
  assert filled.shape == (height, width)
  for edge in (filled[0], filled[-1], filled[:, 0], filled[:, -1]):
    assert edge.any()
  share = {"circle": np.pi / 4, "square": 1, "triangle": 1 / 2}[shape]
  assert filled.mean() == pytest.approx(share, abs=0.1)


def test_objects_are_seen(scenes):
  """Each is of one colour but for noise, another one than around it."""
  for each in scenes[:40]:
    for label, *edges in zip(each.labels, *each.corners, strict=True):
      left, top, right, bottom = map(int, edges)
      shape = object_scenes.CLASSES[label]
      inside = object_scenes._filled(shape, right - left, bottom - top)
      pixels = each.image[top:bottom, left:right][inside].astype(float)
      middle = np.median(pixels, axis=0)
      away = np.linalg.norm(pixels - middle, axis=1)
      # What lies on it may hide a part.
      assert (away < 45).mean() > 0.3
  empty = [each for each in scenes if not len(each.labels)]
  assert any(
    np.ptp(each.image.reshape(-1, 3), axis=0).max() > 80 for each in empty
  )


def test_a_small_image_is_refused():
  with pytest.raises(InputError, match="image_size is 31, expected 32 pixels"):
    Scenes(1, 0, "train", 31)
