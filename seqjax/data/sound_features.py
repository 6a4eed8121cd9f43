"""Features of many sounds at once, each as if it were alone."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.data import batching
from seqjax.data.spectrogram import Features
from seqjax.errors import InputError

_LOUDEST = 1e6  # of a sample, as `spectrogram` has it
_ROWS = 1, 8, 32  # sounds that are computed at once


def features_of(
  features: Features, sounds: Sequence[np.ndarray]
) -> list[np.ndarray]:
  """Features of each sound, float32 `[frames, size]`.

  Sounds are padded to few lengths, so that few programs are compiled.

  Args:
    features: how.
    sounds: float32 `[n]` each.

  Raises:
    InputError: a sample is no finite number, or far beyond -1 to 1.
  """
  compute: Any = features  # takes arrays of NumPy, too
  found: list[np.ndarray] = [np.zeros((0, 0), np.float32)] * len(sounds)
  by_length: dict[int, list[int]] = defaultdict(list)
  for place, samples in enumerate(sounds):
    # A NaN is within no bounds.
    if not (np.abs(samples) <= _LOUDEST).all():
      raise InputError(
        "a sound holds samples that are no finite numbers, or beyond"
        f" {_LOUDEST:,.0f}; expected -1 to 1"
      )
    by_length[_padded(len(samples), features.rate // 4)].append(place)
  for padded, places in by_length.items():
    for begin in range(0, len(places), _ROWS[-1]):
      some = places[begin : begin + _ROWS[-1]]
      rows = next(rows for rows in _ROWS if len(some) <= rows)
      chosen = [np.asarray(sounds[i], np.float32) for i in some]
      lengths = batching.fill([len(one) for one in chosen], rows, np.int32)
      made, counts = compute(batching.pad(chosen, rows, padded), lengths)
      made, counts = np.asarray(made), np.asarray(counts)
      for row, place in enumerate(some):
        found[place] = made[row, : counts[row]].copy()
  return found


def _padded(count: int, least: int) -> int:
  """`least` times 1, 1.5, 2, 3, 4, 6, ...: the first that `count` fits into."""
  whole = batching.size(max(count, 1), max(least, 1))
  shorter = whole * 3 // 4
  return shorter if count <= shorter and whole > least else whole
