"""Signals by class, and reliability."""

import numpy as np
import pytest

from seqjax.show import reliability, signals
from tests.show.conftest import LABELS


def drawn(path, true, columns=2, **options):
  rng = np.random.default_rng(0)
  lengths = rng.integers(5, 30, len(true))
  found = [
    rng.normal(size=(n, columns)) * [1.0, 9.0][:columns] for n in lengths
  ]
  weights = [np.append(np.full(n, 1 / n), [0.0] * 3) for n in lengths]
  signals.draw(
    path,
    found,
    weights,
    [true[0]] * len(true),
    [0.7] * len(true),
    true,
    **options,
  )
  return found


def test_a_row_for_each_class_a_panel_for_each_signal(tmp_path, figures, words):
  found = drawn(tmp_path / "a.png", ["b", "a", "b", "b", "b"])
  axes = figures[0].axes
  assert [axis.axison for axis in axes] == [
    True,
    False,
    False,
    True,
    True,
    True,
  ]
  assert axes[0].get_ylabel() == "a"
  lines = axes[3].get_lines()
  assert [len(line.get_ydata()) for line in lines] == [len(found[0])] * 2
  assert "taken for b 70%" in words()
  (ground,) = axes[3].images
  assert ground.get_array().shape == (1, len(found[0]))  # padding is left out
  assert np.ptp([np.ptp(line.get_ydata()) for line in lines]) < 5  # one scale


def test_many_classes_and_any_name(tmp_path, words):
  drawn(tmp_path / "a.png", list(LABELS) * 2, columns=1)
  assert f"6 of {len(LABELS)} classes" in words()
  gaps = np.array([[1.0], [np.nan], [2.0]])
  signals.draw(tmp_path / "b.png", [gaps], [np.ones(3)], ["x"], [1.0], ["x"])
  assert (tmp_path / "b.png").stat().st_size


def test_reliability(tmp_path, figures, words, label):
  curves = {
    "before": ([0.5, 0.9], [0.4, 0.7], [3, 9]),
    label: ([0.45], [0.5], [12]),
  }
  reliability.draw(tmp_path / "a.png", curves, "test")
  (axis,) = figures[0].axes
  _, first, second = axis.get_lines()
  assert first.get_ydata().tolist() == [0.4, 0.7]
  assert second.get_xdata().tolist() == [0.45]
  sizes = axis.collections[0].get_sizes()
  assert sizes[1] > sizes[0]
  assert axis.get_xlim()[0] == pytest.approx(0.35)
  assert "share that is right (test part)" in words()
