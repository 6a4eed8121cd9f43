"""Sound as frames of log-mel features, of whole files or as it comes.

Davis and Mermelstein 1980, "Comparison of parametric representations for
monosyllabic word recognition in continuously spoken sentences": frame t is
the samples from t * hop on; a taper weighs them, a filterbank of triangles,
evenly placed on the mel scale, adds up their spectrum:

  s_t = rfft(taper * samples[t * hop : t * hop + window], fft)
  feature_t = log(max(filters |s_t|^power, floor))

A stream gives the frames of the whole file, however it is cut: the samples of
a frame that is not complete yet are kept, and so is what the deltas and the
normalisation know.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import Config
from seqjax.data import mel_frames
from seqjax.data.mel_frames import BLOCK
from seqjax.errors import InputError

_LARGEST_FFT = 2**16
_LOUDEST = 1e6  # of a sample; its power is far from the largest float32
_SHORTEST = 4_096  # samples that a file is padded to


@dataclasses.dataclass(frozen=True)
class Features:
  """How sound becomes features; a static argument of `jax.jit`.

  Attributes:
    rate: samples a second.
    window: seconds of a frame.
    hop: seconds from the beginning of a frame to that of the next.
    fft: points of the Fourier transform, the frame's zeros included; 0 is the
      next power of two.
    mels: filters.
    low: Hz, lower edge of the first filter.
    high: Hz, upper edge of the last one; 0 is half of the rate.
    scale: "slaney", linear below 1000 Hz and logarithmic above (Slaney 1998,
      "Auditory Toolbox"), or "htk", 2595 log10(1 + f / 700) (Young et al. 2006,
      "The HTK Book", equation 5.13).
    area_norm: whether each triangle has an area of 1 Hz, not a height of 1.
    taper: "hann" or "hamming", periodic.
    power: 2 for the energy, 1 for the magnitude.
    centre: whether frame t is centred at sample t * hop, zeros around the
      sound. Otherwise frames lie inside of it, the first from its first sample
      on, as in Kaldi; librosa's begin (fft - window) / 2 samples later.
    log: whether the natural logarithm is taken.
    floor: the least energy that it is taken of.
    deltas: 0; 1 adds slopes over time, 2 the slopes of these as well.
    delta_frames: frames on either side that a slope is fitted to.
    delta_ahead: whether a slope is that at its frame; otherwise the fit ends
      there, and sees nothing to come.
    normalise: "utterance", each feature has mean 0 and deviation 1 over the
      frames of its row; "running", by those up to the frame itself; "none".
    memory: seconds, beyond which a running mean forgets.
  """

  rate: int = 8_000
  window: float = 0.025
  hop: float = 0.010
  fft: int = 0
  mels: int = 40
  low: float = 20.0
  high: float = 0.0
  scale: str = "slaney"
  area_norm: bool = True
  taper: str = "hann"
  power: float = 2.0
  centre: bool = False
  log: bool = True
  floor: float = 1e-5
  deltas: int = 0
  delta_frames: int = 2
  delta_ahead: bool = True
  normalise: str = "utterance"
  memory: float = 3.0

  def __post_init__(self):
    choices = {
      "scale": tuple(mel_frames.SCALES),
      "taper": tuple(mel_frames.TAPERS),
      "normalise": ("utterance", "running", "none"),
      "deltas": (0, 1, 2),
    }
    for name, known in choices.items():
      if getattr(self, name) not in known:
        _refuse(self, name, f"one of {', '.join(map(str, known))}")
    if not 1 <= self.rate <= 1_000_000:
      _refuse(self, "rate", "1 to 1,000,000")
    for name in ("power", "floor", "memory"):
      if not 0 < getattr(self, name) < np.inf:
        _refuse(self, name, "more than 0")
    if not 0 < self.hop <= self.window < np.inf or self.step < 1:
      _refuse(self, "hop", "a sample or more, at most the window")
    if self.frame > _LARGEST_FFT:
      _refuse(self, "window", f"at most {_LARGEST_FFT:,} samples")
    if self.fft and not self.frame <= self.fft <= _LARGEST_FFT:
      _refuse(
        self, "fft", f"the {self.frame} samples of a window to {_LARGEST_FFT:,}"
      )
    if not 0 <= self.low < self.top <= self.rate / 2:
      _refuse(self, "low", f"0 <= low < high <= {self.rate / 2:g}")
    if not 1 <= self.mels <= self.points // 2:
      _refuse(self, "mels", f"1 to {self.points // 2}, half of fft")
    if not 1 <= self.delta_frames <= 100:
      _refuse(self, "delta_frames", "1 to 100")
    empty = np.flatnonzero(mel_frames.filterbank(self).max(axis=1) == 0)
    if empty.size:
      _refuse(
        self,
        "mels",
        f"fewer or a longer fft, since filter {empty[0] + 1} lies between two"
        f" points of the transform ({self.points})",
      )

  @classmethod
  def from_config(cls, data: Config, rate: int = 0) -> "Features":
    """What `config.data.features` says; what it does not has its default.

    Args:
      data: `config.data`.
      rate: of the sound; 0 takes that of the fields, or the default.

    Raises:
      InputError: a field is unknown, or its value is of no use.
    """
    fields: dict[str, Any] = dict(data.get("features", {}))
    known = [field.name for field in dataclasses.fields(cls)]
    for name in fields:
      if name not in known:
        raise InputError(
          f"config.data.features.{name} is unknown, expected one of"
          f" {', '.join(known)}"
        )
    if rate:
      fields["rate"] = rate
    return cls(**fields)

  @property
  def frame(self) -> int:
    """Samples of a window."""
    return round(self.window * self.rate)

  @property
  def step(self) -> int:
    """Samples of a hop."""
    return round(self.hop * self.rate)

  @property
  def points(self) -> int:
    """Points of the Fourier transform."""
    return self.fft or 1 << (self.frame - 1).bit_length()

  @property
  def top(self) -> float:
    """Hz, upper edge of the last filter."""
    return self.high or self.rate / 2

  @property
  def size(self) -> int:
    """Features of a frame."""
    return self.mels * (1 + self.deltas)

  def count(self, samples: Any) -> Any:
    """Frames of so many samples: an integer, or an array of them."""
    if self.centre:  # and none of no sample
      frames = (samples - self.points % 2) // self.step + 1
      shortest = 1
    else:
      frames = (samples - self.frame) // self.step + 1
      shortest = self.frame
    if isinstance(samples, jax.Array):
      return jnp.where(samples < shortest, 0, frames)
    if isinstance(samples, np.ndarray):
      return np.where(samples < shortest, 0, frames)
    return 0 if samples < shortest else int(frames)

  def __call__(
    self, samples: jax.Array, lengths: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Features of rows of sound; compiled for each shape.

    Args:
      samples: float32 `[batch, n]`; what lies past a length is not looked at.
      lengths: int32 `[batch]`, samples of each row.

    Returns:
      Float32 `[batch, frames, size]`, 0 past a row's end, and the frames of
      each row, int32 `[batch]`.
    """
    return mel_frames.whole(self, samples, lengths)

  def of(self, samples: np.ndarray) -> np.ndarray:
    """Features of one sound, `[n]`: float32 `[frames, size]`, on the host.

    Sounds are padded to powers of two, so that few shapes are compiled.

    Raises:
      InputError: a sample is no finite number, or far beyond -1 to 1.
    """
    samples = _checked(samples)
    size = max(_SHORTEST, 1 << (len(samples) - 1).bit_length())
    row = np.zeros((1, size), np.float32)
    row[0, : len(samples)] = samples
    found, _ = mel_frames.whole(self, row, np.array([len(samples)], np.int32))
    return np.asarray(found)[0, : self.count(len(samples))]

  def stream(self) -> "Stream":
    """The same features of sound that is still to come.

    Raises:
      ValueError: a frame depends on what comes after it.
    """
    wrong = [
      name
      for name, ahead in (
        ("centre=True", self.centre),
        ("normalise='utterance'", self.normalise == "utterance"),
        ("delta_ahead=True", self.deltas > 0 and self.delta_ahead),
      )
      if ahead
    ]
    if wrong:
      raise ValueError(f"{', '.join(wrong)} looks ahead: no stream has it")
    return Stream(self)


class Stream:
  """Features of sound that comes in pieces of any length.

  Attributes:
    features: what is computed.
    frames: that were given out so far.
  """

  def __init__(self, features: Features):
    self.features = features
    self.frames = 0
    self._rest = np.zeros(0, np.float32)  # samples of the next frame on
    self._before = np.zeros((0, features.mels), np.float32)
    self._known = mel_frames.unknown(1, features.size)
    self._finished = False

  def push(self, samples: np.ndarray) -> np.ndarray:
    """Takes samples `[m]`, gives the frames complete now, `[k, size]`.

    Raises:
      InputError: a sample is no finite number, or far beyond -1 to 1.
      ValueError: the stream is finished.
    """
    if self._finished:
      raise ValueError("the stream is finished")
    self._rest = np.concatenate([self._rest, _checked(samples)])
    count = self.features.count(len(self._rest))
    step, frame = self.features.step, self.features.frame
    found = [np.zeros((0, self.features.size), np.float32)]
    for first in range(0, count, BLOCK):
      number = min(BLOCK, count - first)
      block = np.zeros((1, frame + (BLOCK - 1) * step), np.float32)
      part = self._rest[first * step :][: frame + (number - 1) * step]
      block[0, : len(part)] = part
      found.append(self._block(block, number))
    self._rest = self._rest[count * step :]
    self.frames += count
    return np.concatenate(found)

  def finish(self) -> np.ndarray:
    """Ends it: `[0, size]`, since what is left over is less than a window."""
    self._finished = True
    return np.zeros((0, self.features.size), np.float32)

  def _block(self, block: np.ndarray, number: int) -> np.ndarray:
    computed = mel_frames.energies(self.features, block, BLOCK)
    energies = np.asarray(computed)[0, :number]
    if not self.features.deltas:
      values = energies
    else:
      # The first frame is repeated before it, as in a whole file; of frames
      # further on, as many are kept as the slopes reach back.
      reach = 2 * self.features.deltas * self.features.delta_frames
      together = np.concatenate([self._before, energies])
      rows = np.zeros((1, reach + BLOCK, self.features.mels), np.float32)
      rows[0, : len(together)] = together
      length = np.array([len(together)], np.int32)
      values = np.asarray(mel_frames.deltas(self.features, rows, length))[0]
      values = values[len(self._before) : len(together)]
      self._before = together[max(0, len(together) - reach) :]
    if self.features.normalise == "none":
      return values
    rows = np.zeros((1, BLOCK, self.features.size), np.float32)
    rows[0, :number] = values
    valid = np.arange(BLOCK) < number
    self._known, found = mel_frames.running(
      self.features, self._known, rows, valid
    )
    return np.asarray(found)[0, :number]


def _refuse(features: Features, name: str, expected: str):
  raise InputError(
    f"config.data.features.{name} is {getattr(features, name)!r}, expected"
    f" {expected}"
  )


def _checked(samples: np.ndarray) -> np.ndarray:
  samples = np.asarray(samples)
  if samples.ndim != 1:
    raise ValueError(f"samples have shape {samples.shape}, expected [n]")
  # A NaN is within no bounds.
  if not (np.abs(samples) <= _LOUDEST).all():
    raise InputError(
      "the sound holds samples that are no finite numbers, or beyond"
      f" {_LOUDEST:,.0f}; expected -1 to 1"
    )
  return samples.astype(np.float32)
