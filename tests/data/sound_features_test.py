"""Features of several sounds, of which none knows of the others."""

from typing import Any

import numpy as np
import pytest

from seqjax.data.sound_features import features_of
from seqjax.data.spectrogram import Features
from seqjax.errors import InputError

FEATURES = Features(mels=10, normalise="running")


def noise(count):
  rng = np.random.default_rng(count)
  return rng.normal(0, 0.1, count).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 9, 33])
def test_each_is_as_if_it_were_alone(count):
  # About the edges of what sounds are padded to, 2,000 and 3,000 samples.
  lengths = [0, 199, 200, 2_000, 2_001, 3_000, 1_999, 2_999]
  sounds = [noise(lengths[i % 8]) for i in range(count)]
  found = features_of(FEATURES, sounds)
  assert len(found) == count
  for samples, array in zip(sounds, found, strict=True):
    assert array.dtype == np.float32
    assert array.shape == (FEATURES.count(len(samples)), 10)
    np.testing.assert_allclose(array, FEATURES.of(samples), atol=1e-5)


def test_few_programs_are_compiled():
  shapes = set()

  class Counted:
    rate = 8_000

    def __call__(self, samples, lengths):
      shapes.add(samples.shape)
      frames = samples.shape[1] // 80
      return np.zeros((len(samples), frames, 1)), lengths // 80

  counted: Any = Counted()
  counts = range(1, 16_000, 37)
  for beside in 1, 5, 40:
    for first in range(0, len(counts), beside):
      chosen = counts[first : first + beside]
      sounds = [np.zeros(count, np.float32) for count in chosen]
      found = features_of(counted, sounds)
      assert [len(array) for array in found] == [n // 80 for n in chosen]
  assert {rows for rows, _ in shapes} == {1, 8, 32}
  padded = sorted({length for _, length in shapes})
  assert padded == [2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 16_000]


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e7])
def test_what_is_no_sound(value):
  wrong = noise(300)
  wrong[7] = value
  with pytest.raises(
    InputError, match="no finite numbers, or beyond 1,000,000"
  ):
    features_of(FEATURES, [noise(300), wrong])
