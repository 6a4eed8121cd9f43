"""The picture of a run."""

import numpy as np
import pytest

from seqjax.show import plot, training


def records(count, norm=1.0):
  train = [
    {"kind": "train", "step": i, "loss": 1 / i, "grad_norm": norm / i}
    for i in range(1, count + 1)
  ]
  return [*train, {"kind": "validation", "step": count, "loss": 0.25}]


def test_nothing_to_draw(tmp_path):
  assert not training.draw([], tmp_path / "a.png", "nats", 1.0)
  assert not training.draw(records(3)[-1:], tmp_path / "a.png", "nats", 1.0)
  assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("count", [1, 3, 300, 1_000])
def test_lines_have_the_looks_of_their_roles(count, tmp_path, figures, words):
  path = tmp_path / "a.png"
  assert training.draw(records(count), path, "nats", 0.5)
  top, bottom = figures[-1].axes
  *lines, validation = top.get_lines()
  for line in lines:
    assert line.get_color() == plot.ROLES["training"]["color"]
  assert validation.get_color() == plot.ROLES["validation"]["color"]
  assert bottom.get_lines()[-1].get_color() == plot.ROLES["threshold"]["color"]
  assert "validation, last 0.25" in words()
  assert "clipped at 0.5" in words()
  np.testing.assert_allclose(
    lines[0].get_ydata(), [1 / i for i in range(1, count + 1)]
  )


def test_the_median_of_many_points_lies_where_they_do(tmp_path, figures):
  training.draw(records(1_000), tmp_path / "a.png", "nats", 0.0)
  points, median = figures[-1].axes[0].get_lines()[:2]
  np.testing.assert_allclose(len(median.get_xdata()), 991)
  # The values fall: the median of ten lies between its neighbours.
  at = list(points.get_xdata()).index(median.get_xdata()[500])
  ys = points.get_ydata()
  assert ys[at + 1] < median.get_ydata()[500] < ys[at - 2]


@pytest.mark.parametrize("norm", [0.0, np.nan, np.inf])
def test_norms_without_a_logarithm(norm, tmp_path):
  for clip_norm in (0.0, 1.0):
    path = tmp_path / "a.png"
    assert training.draw(records(3, norm), path, "nats", clip_norm)


def test_any_unit(label, tmp_path):
  assert training.draw(records(3), tmp_path / "a.png", label, 1.0)
