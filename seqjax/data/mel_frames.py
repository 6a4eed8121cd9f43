"""What `spectrogram` computes with: filters, frames, slopes, normalisation.

Everywhere `features` are the options, a `spectrogram.Features`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 16  # frames at once, of a stream and of a whole file, see `energies`
_LEAST = 1e-4  # variance of a feature that is divided by
_PRIOR = 10  # frames that the variance of 1, with which it starts, counts for


def filterbank(features: Any) -> np.ndarray:
  """The weights of the mel filters, float64 `[mels, fft / 2 + 1]`.

  Filter m is a triangle in Hz, from the m-th of mels + 2 places that are evenly
  spaced in mel, by way of the next, to the one after that.
  """
  to_mel, to_hertz = SCALES[features.scale]
  low, high = to_mel(np.array([features.low, features.top]))
  edges = to_hertz(np.linspace(low, high, features.mels + 2))
  # `rfftfreq` of an odd number ends below half of the rate, too.
  at = np.fft.rfftfreq(features.points, 1 / features.rate)[None]
  left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
  rising = (at - left) / (middle - left)
  falling = (right - at) / (right - middle)
  weights = np.maximum(0, np.minimum(rising, falling))
  return weights * 2 / (right - left) if features.area_norm else weights


# Slaney: 200 / 3 Hz a mel up to 1000 Hz, then 27 mels for each factor of 6.4.
_LINEAR, _KNEE, _GROWTH = 200 / 3, 1_000.0, np.log(6.4) / 27


def _slaney_mel(hertz):
  above = np.log(np.maximum(hertz, _KNEE) / _KNEE) / _GROWTH
  return np.minimum(hertz, _KNEE) / _LINEAR + above


def _slaney_hertz(mel):
  knee = _KNEE / _LINEAR
  above = np.exp(_GROWTH * np.maximum(mel - knee, 0))
  return np.minimum(mel, knee) * _LINEAR * above


SCALES = {
  "slaney": (_slaney_mel, _slaney_hertz),
  "htk": (
    lambda hertz: 2_595 * np.log10(1 + hertz / 700),
    lambda mel: 700 * (10 ** (mel / 2_595) - 1),
  ),
}
TAPERS = {"hann": 0.5, "hamming": 0.54}


@functools.partial(jax.jit, static_argnums=0)
def whole(features, samples, lengths):
  """What a `Features` gives for rows of samples `[batch, n]`."""
  inside = jnp.arange(samples.shape[1])[None] < lengths[:, None]
  samples = jnp.where(inside, samples.astype(jnp.float32), 0.0)
  count = features.count(samples.shape[1])
  if features.centre:
    before = features.points // 2 - (features.points - features.frame) // 2
    samples = jnp.pad(samples, ((0, 0), (before, features.frame)))
  frames = features.count(lengths).astype(jnp.int32)
  valid = jnp.arange(count)[None] < frames[:, None]
  if not count:
    return jnp.zeros((len(samples), 0, features.size)), frames
  values = energies(features, samples, count)
  values = deltas(features, values, frames)
  if features.normalise == "utterance":
    values = standardised(values, valid, frames)
  elif features.normalise == "running":
    start = unknown(*values.shape[::2])
    _, values = running(features, start, values, jnp.ones(count, bool))
  return jnp.where(valid[:, :, None], values, 0.0), frames


@functools.partial(jax.jit, static_argnums=(0, 2))
def energies(features, samples, count):
  """Log-mel `[batch, count, mels]` of samples `[batch, n]`."""
  frame, step = features.frame, features.step
  # Hops beside each other are a frame: slices, many times as fast as indices.
  hops = -(-frame // step)
  need = (count + hops - 1) * step
  missing = max(0, need - samples.shape[1])
  samples = jnp.pad(samples, ((0, 0), (0, missing)))[:, :need]
  blocks = samples.reshape(len(samples), -1, step)
  frames = jnp.concatenate(
    [blocks[:, hop : hop + count] for hop in range(hops)], axis=2
  )[:, :, :frame]
  share = TAPERS[features.taper]
  taper = share - (1 - share) * np.cos(2 * np.pi * np.arange(frame) / frame)
  frames = frames * jnp.asarray(taper, jnp.float32)[None, None]
  spectrum = jnp.fft.rfft(frames, features.points)
  power = spectrum.real**2 + spectrum.imag**2
  if features.power != 2:
    power **= features.power / 2
  filters = jnp.asarray(filterbank(features).T, jnp.float32)
  # A product of more rows is rounded otherwise: always so many at once, that
  # a stream gives the very frames of the whole file.
  rows = len(samples) * count
  power = power.reshape(rows, -1)
  power = jnp.pad(power, ((0, -rows % BLOCK), (0, 0)))
  found = jax.lax.map(
    lambda block: jnp.matmul(block, filters, precision="highest"),
    power.reshape(-1, BLOCK, power.shape[1]),
  )
  found = found.reshape(-1, features.mels)[:rows]
  found = found.reshape(len(samples), count, features.mels)
  return jnp.log(jnp.maximum(found, features.floor)) if features.log else found


@functools.partial(jax.jit, static_argnums=0)
def deltas(features, values, frames):
  """Values `[batch, time, mels]` and their slopes, a frame's beside them.

  The slope of the line fitted to N frames on either side (The HTK Book,
  equation 5.16), the first and last frame of a row repeated beyond it:

    d_t = sum_n n (c_{t+n} - c_{t-n}) / (2 sum_n n^2),  n = 1 .. N

  What does not look ahead is d_{t-N}.
  """
  width = features.delta_frames
  scale = 2 * sum(n * n for n in range(1, width + 1))
  last = jnp.maximum(frames - 1, 0)[:, None]
  at = jnp.arange(values.shape[1])[None]
  middle = at if features.delta_ahead else at - width

  def frame(offset):
    places = jnp.clip(middle + offset, 0, last)
    return jnp.take_along_axis(parts[-1], places[:, :, None], axis=1)

  parts = [values]
  for _ in range(features.deltas):
    slope = sum(n * (frame(n) - frame(-n)) for n in range(1, width + 1))
    parts.append(slope / scale)
  return jnp.concatenate(parts, axis=2)


def standardised(values, valid, frames):
  """By mean and deviation over the valid frames of each row."""
  number = jnp.maximum(frames, 1).astype(jnp.float32)[:, None, None]
  valid = valid[:, :, None]

  def mean(of):
    return jnp.where(valid, of, 0.0).sum(axis=1, keepdims=True) / number

  values = values - mean(values)
  return values / jnp.sqrt(jnp.maximum(mean(values**2), _LEAST))


def unknown(batch: int, size: int):
  """What a running mean knows before the first frame."""
  zeros = np.zeros((batch, size), np.float32)
  return np.float32(0), zeros, zeros + 1


@functools.partial(jax.jit, static_argnums=0)
def running(features, known, values, valid):
  """Standardised by what is known, and what is known afterwards.

  Frame by frame, and not by sums over time, whose rounding would depend on how
  the sound is cut: with n frames seen, or as many as the memory holds,

    m' = m + (x - m) / n
    v' = v + ((x - m) (x - m') - v) / (n + prior)

  Args:
    features: the options.
    known: n, m and v, `[batch, size]`.
    values: `[batch, time, size]`.
    valid: bool `[time]`, of frames that count.
  """
  memory = max(1, round(features.memory / features.hop))

  def step(known, frame):
    value, valid = frame
    number, mean, variance = known
    number = jnp.minimum(number + 1, memory)
    change = value - mean
    middle = mean + change / number
    spread = change * (value - middle) - variance
    new = number, middle, variance + spread / (number + _PRIOR)
    found = (value - middle) / jnp.sqrt(jnp.maximum(new[2], _LEAST))
    return jax.tree.map(lambda *x: jnp.where(valid, *x), new, known), found

  frames = jnp.moveaxis(values, 1, 0), valid
  known, found = jax.lax.scan(step, known, frames)
  return known, jnp.moveaxis(found, 0, 1)
