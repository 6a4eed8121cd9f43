"""Baselines, against what can be told by hand."""

import numpy as np
import pytest

from seqjax.data import baselines


def arrays(*rows):
  return [np.array(row, np.float32)[:, None] for row in rows]


def test_majority():
  found = baselines.majority([], np.array([0, 2, 2, 1]), arrays([1], [2]))
  assert found.tolist() == [2, 2]


def test_the_nearest_over_the_shorter_length():
  known = arrays([0, 0, 9], [5, 5], [1, 1, 1, 1])
  labels = np.array([3, 4, 5])
  asked = arrays([0.1, 0.1], [0.9, 0.9, 1, 3], [4, 4], [], [1, 1, 1, 1, 50])
  found = baselines.nearest_neighbour(known, labels, asked)
  assert found.tolist() == [3, 5, 4, 3, 5]


def test_the_nearest_is_that_of_a_plain_loop():
  rng = np.random.default_rng(0)
  draw = lambda n: [rng.normal(size=(k, 3)) for k in rng.integers(1, 9, n)]
  known, asked = draw(30), draw(20)
  labels = rng.integers(0, 4, 30)
  expected = []
  for one in asked:
    distances = [
      sum(((a - b) ** 2).sum() for a, b in zip(one, two, strict=False))
      for two in known
    ]
    expected.append(labels[np.argmin(distances)])
  found = baselines.nearest_neighbour(known, labels, asked)
  np.testing.assert_array_equal(found, expected)


def test_what_takes_too_long_is_left_out(monkeypatch):
  monkeypatch.setattr(baselines, "_MOST", 3)
  known = arrays([1, 2], [3, 4])
  assert baselines.nearest_neighbour(known, np.zeros(2, int), known) is None


@pytest.mark.parametrize("name", ["mean", "window", "logistic_regression"])
def test_regressions_tell_levels_apart(name):
  rng = np.random.default_rng(0)
  time = 1 if name == "logistic_regression" else 5  # shorter than a window
  labels = np.arange(40) % 2
  some = [rng.normal(size=(time, 1)) + 6 * label for label in labels]
  found = getattr(baselines, name)(some, labels, some)
  assert (found == labels).mean() > 0.95


def test_a_window_tells_what_a_mean_does_not():
  """Zigzags of mean 0, slow and fast."""
  rng = np.random.default_rng(0)
  labels = np.arange(60) % 2
  some = []
  for label in labels:
    wave = np.sin(np.arange(24) * np.pi / (4 if label else 2)) ** 2
    some.append((wave - wave.mean() + 0.1 * rng.normal(size=24))[:, None])
  right = [
    (classify(some[:40], labels[:40], some[40:]) == labels[40:]).mean()
    for classify in (baselines.mean, baselines.window)
  ]
  assert right[0] < 0.8
  assert right[1] <= 1.0
