"""What a network has to beat: classifiers without one, by the same arrays.

Each is a function `(arrays, labels, others) -> predicted`: arrays of training,
`[time, ...]` each, their classes int `[n]`, and the arrays to be classified, to
classes int `[m]`. None where it would take minutes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.errors import extra

Arrays = Sequence[np.ndarray]

_MOST = 5e9  # differences of numbers that `nearest_neighbour` takes
_WINDOW = 8  # steps
_WINDOWS = 20_000  # to learn from


def majority(arrays: Arrays, labels: np.ndarray, others: Arrays) -> np.ndarray:
  """The commonest class of training, always."""
  return np.full(len(others), np.bincount(labels).argmax())


def nearest_neighbour(arrays: Arrays, labels: np.ndarray, others: Arrays):
  """The class of the training series at the least Euclidean distance.

  Two series of different length are compared over the steps of the shorter.
  Without an alignment of time (Ding et al. 2008 find it hard to beat).
  """
  lengths = np.array([len(array) for array in arrays])
  longest, size = lengths.max(), arrays[0].shape[-1]
  if len(arrays) * len(others) * longest * size > _MOST:
    return None
  # [n, time, features]; what is not there is far from nothing.
  known = np.zeros((len(arrays), longest, size), np.float32)
  for row, array in zip(known, arrays, strict=True):
    row[: len(array)] = array
  there = np.arange(longest) < lengths[:, None]
  found = []
  for other in others:
    time = min(len(other), longest)
    squares = np.square(known[:, :time] - other[:time]).sum(-1)
    found.append(np.where(there[:, :time], squares, 0).sum(-1).argmin())
  return labels[np.array(found, int)]


def logistic_regression(arrays: Arrays, labels: np.ndarray, others: Arrays):
  """Of vectors, `[1, features]` each (scikit-learn's, C = 1)."""
  return _regression(np.concatenate(arrays), labels).predict(
    np.concatenate(others)
  )


def mean(arrays: Arrays, labels: np.ndarray, others: Arrays):
  """Logistic regression of each column's mean over time."""
  means = [np.stack([one.mean(0) for one in some]) for some in (arrays, others)]
  return _regression(means[0], labels).predict(means[1])


def window(arrays: Arrays, labels: np.ndarray, others: Arrays):
  """Logistic regression of every eight steps in a row; the windows vote.

  It knows all that is to be seen in a window, and not where or in which order
  that comes. The vote is the mean of the windows' log probabilities; shorter
  series are filled up with zeros.
  """
  cut = [_windows(array) for array in arrays]
  rows = np.concatenate(cut)
  classes = np.repeat(labels, [len(one) for one in cut])
  if len(rows) > _WINDOWS:
    chosen = np.random.default_rng(0).choice(len(rows), _WINDOWS, replace=False)
    rows, classes = rows[chosen], classes[chosen]
  fitted = _regression(rows, classes)
  # A probability may be 0 in float32.
  shares = (fitted.predict_proba(_windows(one)) for one in others)
  votes = [np.log(np.maximum(share, 1e-9)).mean(0) for share in shares]
  return fitted.classes_[np.argmax(votes, axis=1)]


def _windows(array: np.ndarray) -> np.ndarray:
  """`[windows, _WINDOW * features]`."""
  short = max(0, _WINDOW - len(array))
  array = np.pad(array, ((0, short), (0, 0)))
  cut = np.lib.stride_tricks.sliding_window_view(array, _WINDOW, axis=0)
  return cut.reshape(len(cut), -1)


def _regression(rows: np.ndarray, labels: np.ndarray) -> Any:
  with extra():
    from sklearn import linear_model

  return linear_model.LogisticRegression(max_iter=2_000).fit(rows, labels)
