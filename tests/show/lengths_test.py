"""A score over length."""

import numpy as np
import pytest

from seqjax.show import lengths
from tests.show.conftest import LABELS

SCORES = {
  "plain": np.array([[20.0, 18, 22], [10, 8, 12], [5, 4, 6]]),
  "looking": np.array([[21.0, 19, 23], [20, 18, 22], [19, 17, 21]]),
}
GAINS = {"looking": np.array([[1.0, -1, 3], [10, 8, 12], [14, 12, 16]])}


def draw(path, scores, gains, **options):
  options = {
    "words": (5.0, 15.0, 30.0),
    "bins": ("1 to 9", "10 to 19", "20 or more"),
    "counts": (11, 12, 13),
    "metric": "BLEU",
    "first": next(iter(scores)),
    **options,
  }
  lengths.draw(scores, gains, path, **options)


def test_scores_above_differences_below(tmp_path, figures, words):
  draw(tmp_path / "a.png", SCORES, GAINS, mark=20, svg=True)
  assert (tmp_path / "a.svg").exists()
  above, below = figures[0].axes
  lines = {line.get_label(): line for line in above.get_lines()}
  for label, found in SCORES.items():
    np.testing.assert_array_equal(lines[label].get_ydata(), found[:, 0])
    # At its length, but for a little, so that none hides another.
    np.testing.assert_allclose(lines[label].get_xdata(), (5, 15, 30), atol=0.5)
  assert lines["plain"].get_color() != lines["looking"].get_color()
  spans = [
    np.asarray(segment)[:, 1].tolist()
    for drawn in above.collections
    for segment in drawn.get_segments()
  ]
  assert spans == [list(e[1:]) for found in SCORES.values() for e in found]
  gain, zero, _ = below.get_lines()
  np.testing.assert_array_equal(gain.get_ydata(), GAINS["looking"][:, 0])
  assert gain.get_color() == lines["looking"].get_color()
  assert list(zero.get_ydata()) == [0, 0]
  said = words()
  for text in (
    "10 to 19\nn = 12",
    "BLEU",
    "difference to\nplain",
    "20 words",
    "looking",
  ):
    assert text in said


@pytest.mark.parametrize(("mark", "drawn"), [(0, 0), (20, 1), (50, 0)])
def test_the_mark_is_where_sentences_are(mark, drawn, tmp_path, figures):
  draw(tmp_path / "a.png", SCORES, GAINS, mark=mark)
  for axis in figures[0].axes:
    upright = [
      line for line in axis.get_lines() if set(line.get_xdata()) == {mark}
    ]
    assert len(upright) == drawn


def test_one_bin_and_any_label(tmp_path):
  one = np.array([[3.0, 2, 4]])
  draw(
    tmp_path / "a.png",
    {label: one for label in LABELS},
    {label: one for label in LABELS[1:]},
    words=(7.0,),
    bins=("1 or more",),
    counts=(3,),
    mark=7,
  )
