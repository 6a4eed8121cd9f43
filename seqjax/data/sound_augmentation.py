"""Sounds of training, changed each time: speed, pauses, noise, masks.

config.data.speed            share by which a sound is slower or faster, at
                             most; its pitch changes with it (Ko et al. 2015,
                             "Audio augmentation for speech recognition")
config.data.shift            seconds of silence before it and behind it, at most
config.data.noise            deviation of white noise, at most, as a share of
                             the sound's own
config.data.time_masks       how many times frames are covered
config.data.time_mask        frames that are covered at once, at most
config.data.frequency_masks  how many times features are covered
config.data.frequency_mask   features beside each other, at most

Masks are those of Park et al. 2019, "SpecAugment".
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqjax import config
from seqjax.config import Config
from seqjax.data.spectrogram import Features
from seqjax.errors import InputError

Change = Callable[
  [Sequence[np.ndarray], int, np.random.Generator], list[np.ndarray]
]

_STEPS = 200  # of speed, from none to the sound's own
_LONGEST_MASK = 0.2  # of all frames, as in the paper's bound p


def augmentation(data: Config) -> Change | None:
  """What `config.data` does to sounds, before they become features.

  Returns:
    A function of sounds `[n]` each, their rate and a generator that is all it
    draws from, to float32 sounds `[m]`; None if nothing is to change.

  Raises:
    InputError: a field is of no use.
  """
  _check(data)
  if not (data.speed or data.shift or data.noise):
    return None

  def augment(sounds, rate, rng):
    return [_changed(samples, rate, rng, data) for samples in sounds]

  return augment


def room(lengths: Sequence[int], features: Features, data: Config) -> list[int]:
  """Frames that sounds of so many have behind `augmentation`, at most."""
  if not (data.speed or data.shift):
    return list(lengths)
  # Speeds are rounded, by half of a two hundredth at most.
  slower = 1 / (1 - data.speed - 0.5 / _STEPS) if data.speed else 1.0
  # What the windows reach beyond the hops is longer, too.
  more = (slower - 1) * features.frame + 2 * data.shift * features.rate
  more = more / features.step + 2
  return [math.ceil(slower * length + more) for length in lengths]


def masked(
  features: np.ndarray, data: Config, rng: np.random.Generator
) -> np.ndarray:
  """Features of which some frames, and some bands, are covered by the mean.

  Each mask is 0 to as many frames wide as the field says, but a fifth of all
  at most. A band is covered in the slopes over time as well.

  Args:
    features: `[time, size]`; not changed.
    data: `config.data`.
    rng: draws the masks.
  """
  found = features.copy()
  time, size = features.shape
  if not features.size:
    return found
  mean = features.mean(axis=0)
  slopes = data.get("features", {}).get("deltas", 0)
  mels = size // (1 + slopes)
  for _ in range(data.frequency_masks):
    low, high = _span(mels, min(data.frequency_mask, mels), rng)
    for part in range(0, size, mels):
      found[:, part + low : part + high] = mean[part + low : part + high]
  widest = min(data.time_mask, int(_LONGEST_MASK * time))
  for _ in range(data.time_masks):
    first, last = _span(time, widest, rng)
    found[first:last] = mean
  return found


def _check(data: Config) -> None:
  wrapped = {"data": data}
  fields = "speed", "shift", "noise"
  config.at_least(wrapped, 0.0, *(f"data.{name}" for name in fields))
  fields = "time_masks", "time_mask", "frequency_masks", "frequency_mask"
  config.at_least(wrapped, 0, *(f"data.{name}" for name in fields))
  for field, most in (("speed", 0.5), ("shift", 60), ("noise", 100)):
    if data[field] > most:
      raise InputError(
        f"config.data.{field} is {data[field]}, expected at most {most}"
      )


def _span(size: int, widest: int, rng: np.random.Generator) -> tuple[int, int]:
  """Where a mask begins and ends."""
  width = int(rng.integers(widest + 1))
  first = int(rng.integers(size - width + 1))
  return first, first + width


def _changed(samples, rate, rng, data):
  """One sound, float32 `[m]`."""
  samples = np.asarray(samples, np.float32)
  if data.speed and len(samples):
    most = round(data.speed * _STEPS)
    samples = _faster(samples, _STEPS + int(rng.integers(-most, most + 1)))
  if data.shift:
    pauses = np.rint(rng.uniform(0, data.shift, 2) * rate).astype(int)
    samples = np.pad(samples, pauses)
  if data.noise and len(samples):
    level = np.float32(rng.uniform(0, data.noise) * samples.std())
    samples = samples + level * rng.standard_normal(len(samples), np.float32)
  return samples


def _faster(samples: np.ndarray, steps: int) -> np.ndarray:
  """The sound at so many `_STEPS` of its speed."""
  from scipy import signal

  common = math.gcd(_STEPS, steps)
  up, down = _STEPS // common, steps // common
  if up == down:
    return samples
  return signal.resample_poly(samples, up, down, window=_filter(max(up, down)))


@functools.cache
def _filter(most: int) -> np.ndarray:
  """What SciPy would design anew for each sound, in most of its time."""
  from scipy import signal

  window: Any = "kaiser", 5.0
  taps: Any = signal.firwin(20 * most + 1, 1 / most, window=window)
  return np.asarray(taps, np.float32)
