"""How well boxes are found: COCO's average precision, and their number.

Detections of a class are taken from the surest down. One is right if a box of
its class in its image agrees with it by an IoU of the threshold or more and no
surer one has taken that box already: doubles are wrong. After each detection
there is a precision and a recall; the precision at a recall r is the best at r
or any larger one, 0 where r is not reached. The average is that at r = 0, .01,
.. 1 (Lin et al. 2014, "Microsoft COCO", and its `COCOeval`: tests hold its
numbers).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.data.boxes import Corners, pairwise_iou

RECALLS = np.linspace(0, 1, 101)
# How sure a detection must be to count as an object, of which one is chosen.
THRESHOLDS = np.linspace(0.05, 0.95, 91)


class Detected(NamedTuple):
  """What was found in an image, in any order."""

  labels: Any  # int [n]
  scores: Any  # float [n], the larger the surer
  corners: Corners  # [n]


class Truth(NamedTuple):
  """What there is in an image."""

  labels: Any  # int [m]
  corners: Corners  # [m], in the same unit


def precisions(
  found: Sequence[Detected],
  true: Sequence[Truth],
  num_classes: int,
  threshold: float,
) -> np.ndarray:
  """The precision of each class at each of `RECALLS`.

  Its mean over these is the average precision of a class, see
  `average_precision`.

  Args:
    found: of each image.
    true: of the same images.
    num_classes: labels are below it.
    threshold: the IoU from which on a box counts as found.

  Returns:
    `[num_classes, 101]`, NaN for a class without a box. Among detections that
    are equally sure the one of the earlier image comes first, in an image the
    earlier one.
  """
  rows = []
  for label in range(num_classes):
    count, scores, right = 0, [], []
    for said, fact in zip(found, true, strict=True):
      ours, theirs = said.labels == label, fact.labels == label
      count += int(theirs.sum())
      order = np.argsort(-said.scores[ours], kind="stable")
      boxes = Corners(*(side[ours][order] for side in said.corners))
      facts = Corners(*(side[theirs] for side in fact.corners))
      scores.append(said.scores[ours][order])
      right.append(_right(pairwise_iou(boxes, facts), threshold))
    rows.append(_envelope(scores, right, count))
  return np.array(rows).reshape(num_classes, len(RECALLS))


def average_precision(rows: np.ndarray) -> tuple[np.ndarray, float]:
  """`([classes], mean)` of `precisions`; NaN without a box, not in the mean."""
  each = rows.mean(axis=1)
  there = each[~np.isnan(each)]
  return each, float(there.mean()) if len(there) else float("nan")


def best_threshold(
  found: Sequence[Detected], true: Sequence[Truth]
) -> tuple[float, float]:
  """The threshold with the most images right, and their share.

  Of several as good the middle one.
  """
  shares = np.array([objects_right(found, true, t) for t in THRESHOLDS])
  best = np.flatnonzero(shares == shares.max())
  chosen = best[len(best) // 2]
  return float(THRESHOLDS[chosen]), float(shares[chosen])


def objects_right(
  found: Sequence[Detected], true: Sequence[Truth], threshold: float
) -> float:
  """Share of images with as many detections above as there are objects."""
  right = [
    int((said.scores >= threshold).sum()) == len(fact.labels)
    for said, fact in zip(found, true, strict=True)
  ]
  return float(np.mean(right))


def _right(overlaps: np.ndarray, threshold: float) -> np.ndarray:
  """Which detections are right, bool `[n]`, from IoUs `[n, m]`.

  In their order each takes, of the boxes that are left, the one that it agrees
  with most; of two alike the last.
  """
  right = np.zeros(len(overlaps), bool)
  if not overlaps.size:
    return right
  free = np.ones(overlaps.shape[1], bool)
  for index, row in enumerate(overlaps):
    row = np.where(free, row, -1.0)[::-1]
    best = len(row) - 1 - int(np.argmax(row))
    # As there, a threshold of 1 allows for rounding.
    if free[best] and overlaps[index, best] >= min(threshold, 1 - 1e-10):
      right[index], free[best] = True, False
  return right


def _envelope(
  scores: list[np.ndarray], right: list[np.ndarray], count: int
) -> np.ndarray:
  if not count:
    return np.full(len(RECALLS), np.nan)
  order = np.argsort(-np.concatenate(scores), kind="stable")
  hits = np.cumsum(np.concatenate(right)[order])
  precision = hits / np.arange(1, len(hits) + 1)
  # The best at this recall or a larger one; behind the last there is none.
  best = np.maximum.accumulate(precision[::-1])[::-1]
  at = np.searchsorted(hits / count, RECALLS, side="left")
  return np.append(best, 0.0)[at]
