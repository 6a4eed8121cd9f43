"""Generalized IoU by counting pixels, in closed form, and of nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.boxes import Coco, Corners, corners_of_coco, pairwise_iou
from seqjax.nn.boxes import generalized_iou


def _box(*numbers):
  return Corners(*(jnp.float32(number) for number in numbers))


def test_by_counting_pixels():
  rng = np.random.default_rng(0)
  for _ in range(60):
    first, second = (
      corners_of_coco(Coco(*rng.integers(0, 9, 2), *rng.integers(1, 9, 2)))
      for _ in range(2)
    )
    a, b, around = _pixels(first), _pixels(second), np.zeros((20, 20), bool)
    rows, columns = np.nonzero(a | b)
    around[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 1
    union, hull = (a | b).sum(), around.sum()
    expected = (a & b).sum() / union - (hull - union) / hull
    found = generalized_iou(_box(*first), _box(*second))
    assert float(found) == pytest.approx(expected, abs=1e-6)


def _pixels(box):
  image = np.zeros((20, 20), bool)
  image[box.top : box.bottom, box.left : box.right] = True
  return image


UNIT = (0.0, 0.0, 1.0, 1.0)
CLOSED = [
  (UNIT, UNIT, 1.0),
  (UNIT, (1.0, 0.0, 2.0, 1.0), 0.0),  # side by side: no gap, no overlap
  (UNIT, (3.0, 0.0, 4.0, 1.0), -0.5),  # a gap of half of what is around
  (UNIT, (0.0, 0.0, 2.0, 2.0), 0.25),  # one in the other: the IoU
  (UNIT, (1.0, 1.0, 2.0, 2.0), -0.5),  # corner to corner
  (UNIT, (999.0, 0.0, 1000.0, 1.0), -0.998),  # far apart: towards -1
  # Without area: a point or a line in a box, outside of it, twice the same.
  (UNIT, (0.5, 0.5, 0.5, 0.5), 0.0),
  (UNIT, (0.0, 0.5, 1.0, 0.5), 0.0),
  (UNIT, (2.0, 0.0, 2.0, 1.0), -0.5),
  ((0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5), 0.0),
  ((0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), -1.0),
  # A side below zero is none.
  (UNIT, (0.8, 0.5, 0.2, 0.5), 0.0),
]


@pytest.mark.parametrize(("first", "second", "expected"), CLOSED)
def test_closed_forms_and_gradients(first, second, expected):
  value = jax.value_and_grad(generalized_iou, argnums=(0, 1))
  for one, other in ((first, second), (second, first)):
    found, gradients = value(_box(*one), _box(*other))
    assert float(found) == pytest.approx(expected, abs=1e-6)
    assert np.isfinite(jax.tree.leaves(gradients)).all()


def test_the_gradient_brings_boxes_together():
  """Where they do not meet, too: the IoU alone has none there."""
  gradient = jax.grad(generalized_iou)(_box(*UNIT), _box(2.0, 2.0, 3.0, 3.0))
  assert gradient.right > 0
  assert gradient.bottom > 0
  rng = np.random.default_rng(1)
  corners = np.sort(rng.uniform(size=(2, 2, 2)), axis=1)  # [box, end, axis]
  first, second = (_box(*each.ravel()) for each in corners)
  flat = lambda x: generalized_iou(Corners(*x), second)
  at = jnp.stack(first)
  step = 1e-2 * jax.grad(flat)(at)
  assert flat(at + step) > flat(at)


def test_boxes_that_meet_and_fill_what_is_around_have_their_iou():
  rng = np.random.default_rng(2)
  top, bottom = np.zeros(20), np.ones(20)
  left, other = rng.uniform(0, 0.5, (2, 20))
  first = Corners(left, top, left + 0.5, bottom)
  second = Corners(other, top, other + 0.5, bottom)
  expected = pairwise_iou(first, second).diagonal()
  found = generalized_iou(
    Corners(*map(jnp.float32, first)), Corners(*map(jnp.float32, second))
  )
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
