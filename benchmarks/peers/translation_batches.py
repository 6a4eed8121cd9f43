"""The sentence pairs that all peers of `benchmarks.translation` train on.

Ids without meaning. The lengths are close to those of Multi30k in joint
subwords: log-normal, 14 on average, a deviation of 4, at most 40, those of
source and target correlated. NumPy alone.
"""

from typing import NamedTuple

import numpy as np

PADDING, RESERVED = 0, 4  # and unknown, start, stop
MEAN, DEVIATION, CORRELATION, LONGEST = 14, 4, 0.8, 40
PAIRS = 10_000  # of which are chosen


class Batch(NamedTuple):
  """Ids of both sides, padded to the longest of the bucket.

  The stop is among the targets and counted.
  """

  sources: np.ndarray  # int32 [batch, source]
  source_lengths: np.ndarray  # int32 [batch]
  targets: np.ndarray  # int32 [batch, target]
  target_lengths: np.ndarray  # int32 [batch]


def batches(case: dict) -> list[Batch]:
  """A batch of each of `case["buckets"]` buckets, always the same ones.

  Buckets hold equally many pairs, as those of training do: a batch of each is
  an epoch in small.
  """
  rng = np.random.default_rng(0)
  first, second = rng.normal(size=(2, PAIRS))
  second = CORRELATION * first + (1 - CORRELATION**2) ** 0.5 * second
  scale = np.log1p((DEVIATION / MEAN) ** 2) ** 0.5
  lengths = np.exp(scale * np.stack([first, second], axis=1) - scale**2 / 2)
  lengths = np.clip(np.round(MEAN * lengths), 1, LONGEST).astype(np.int32)
  order = np.argsort(lengths.max(axis=1), kind="stable")
  found = []
  for bucket in np.array_split(lengths[order], case["buckets"]):
    rows = rng.choice(bucket, case["batch"], replace=False)
    sides = []
    for of_side, longest in zip(rows.T, bucket.max(axis=0), strict=True):
      shape = len(rows), longest
      ids = rng.integers(RESERVED, case["vocab"], shape, np.int32)
      valid = np.arange(longest) < of_side[:, None]
      sides += [np.where(valid, ids, PADDING), of_side]
    found.append(Batch(*sides))
  return [found[i] for i in rng.permutation(len(found))]


def target_tokens(case: dict) -> int:
  """Of all batches together, the stop of each sentence counted."""
  return sum(int(batch.target_lengths.sum()) for batch in batches(case))
