"""Curves of groups, and the best of each run."""

import numpy as np
import pytest
from PIL import Image

from seqjax.show import compare, plot
from tests.show.conftest import LABELS


def draw(groups, path, **options):
  options = {"metric": "validation loss", "mode": "min", **options}
  compare.draw(groups, path, **options)


def test_mean_band_and_best(tmp_path, figures, words):
  path = tmp_path / "a.png"
  a = [([10, 20, 30], [3.0, 2.0, 1.0]), ([10, 20], [5.0, 3.0])]
  b = [([10, 20], [4.0, 5.0])]
  draw([("1", ["gru"], a), ("2", ["lstm"], b)], path, heading="cell", title="T")
  left, right = figures[-1].axes
  mean, *thin, other = left.get_lines()
  # Over the steps that both have.
  np.testing.assert_allclose(mean.get_xydata(), [[10, 4], [20, 2.5]])
  assert [len(line.get_xdata()) for line in thin] == [3, 2]
  np.testing.assert_allclose(other.get_ydata(), [4, 5])
  assert mean.get_color() == plot.COLORS[0]
  assert other.get_color() == plot.COLORS[1]
  (band,) = left.collections
  box = band.get_datalim(left.transData)
  np.testing.assert_allclose(box.get_points(), [[10, 2], [20, 5]])
  dots, bar, single = right.get_lines()
  np.testing.assert_allclose(dots.get_xydata(), [[1, 0], [3, 0]])
  np.testing.assert_allclose(bar.get_xydata(), [[2, 0]])
  np.testing.assert_allclose(single.get_xydata(), [[4, 1]])
  for said in ("cell", "1: gru (2 runs)", "2: lstm (1 run)", "validation loss"):
    assert said in words()
  with Image.open(path) as picture:
    assert picture.info["Title"] == "T"


@pytest.mark.parametrize(
  ("mode", "values", "scale"),
  [
    ("min", [1.0, 20.0], "log"),
    ("min", [1.0, 5.0], "linear"),
    ("min", [0.0, 20.0], "linear"),
    ("max", [0.01, 0.9], "linear"),
  ],
)
def test_the_scale(mode, values, scale, tmp_path, figures):
  draw([("1", [], [([1, 2], values)])], tmp_path / "a.png", mode=mode)
  assert figures[-1].axes[0].get_yscale() == scale


def test_what_has_no_colour_left_is_grey(tmp_path, figures, words):
  runs = [([1, 2], [3.0, 2.0]), ([1, 2], [3.0, 1.0])]
  groups = [(str(n), [f"w{n}"], runs) for n in range(1, 21)]
  draw(groups, tmp_path / "a.png")
  assert "13 more" in words()
  assert "7: w7 (2 runs)" in words()
  assert "w8" not in words()
  left, right = figures[-1].axes
  labelled = [line for line in left.get_lines() if line.get_label()[0] != "_"]
  assert len({line.get_color() for line in labelled}) == 8
  assert len(left.collections) == 7
  assert [t.get_text() for t in right.get_yticklabels()][-1] == "20"


@pytest.mark.parametrize(
  "runs",
  [
    [([5], [1.0])],
    [([5], [1.0]), ([5], [1.0])],
    [([5], [1.0]), ([6], [2.0])],  # no step in common
    [([1, 2], [np.nan, 1.0]), ([1, 2], [np.inf, 1.0])],
    [([1, 2], [-1.0, 0.0])],
  ],
)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_few_points_and_no_numbers(runs, mode, tmp_path):
  draw([("1", [], runs), ("2", ["a"], runs)], tmp_path / "a.png", mode=mode)


def test_any_label(tmp_path):
  groups = [("1", LABELS, [([1], [1.0])]), ("2", ["x"], [([1], [2.0])])]
  draw(groups, tmp_path / "a.png", heading=LABELS[0], metric=LABELS[1])
  draw(groups[:1], tmp_path / "a.png")
