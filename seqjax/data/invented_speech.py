"""Ten words of no language, spoken by voices that are made of sines.

A vowel is a sum of multiples of the voice's pitch, of which those near the
resonances of the mouth, its formants, are loud (Fant 1960, "Acoustic Theory of
Speech Production"); a consonant is a burst of noise in a band, a closure, or a
murmur. At time t, of pitch f and formants F_j:

  sum_k g(k f) sin(2 pi k f t)
  g(x) = tilt(x) * sum_j a_j / sqrt(1 + ((x - F_j) / b_j)^2)

Formants glide from sound to sound, children have shorter mouths and higher
formants, and nothing is said twice in the same way. Some words hold the same
syllables in another order, so that a mean over time does not tell them apart.
"""

from typing import NamedTuple

import numpy as np

RATE = 8_000  # samples a second, where nothing else is said
_FRAME = 0.005  # seconds between the values of what glides
_GLIDE = 0.025  # seconds before and after a boundary in which it does
_HIGHEST = 5_000  # Hz; above are no harmonics
_SOFT = 0.003  # standard deviation of the noise of a room


class Voice(NamedTuple):
  """Who speaks.

  Attributes:
    pitch: Hz.
    scale: of the formants; 1 is a man's.
    speed: of speaking; 1 is a syllable in 0.2 seconds or so.
    breath: noise in the vowels, as a share of their loudness.
  """

  pitch: float
  scale: float
  speed: float
  breath: float


VOICES = {
  "ben": Voice(105, 1.00, 1.00, 0.02),
  "carl": Voice(88, 0.96, 0.85, 0.06),
  "dan": Voice(135, 1.04, 1.20, 0.03),
  "eve": Voice(195, 1.14, 1.05, 0.05),
  "fay": Voice(225, 1.18, 1.15, 0.03),
  "gran": Voice(175, 1.12, 0.80, 0.12),
  "hal": Voice(265, 1.28, 0.95, 0.04),
  "ivy": Voice(310, 1.36, 1.10, 0.08),
}
_WORDS = (
  "kamo", "moka", "sula", "lasu", "fine", "nefi", "rido", "tubera", "pasiko",
  "gomeli",
)  # fmt: skip


class _Sound(NamedTuple):
  """What a letter stands for.

  Attributes:
    seconds: how long it is.
    formants: Hz, of a man.
    voiced: how loud the voice is.
    noise: how loud its noise is.
    band: middle and half width of the noise, Hz.
    burst: seconds of the noise, at the end, behind a closure; 0 is all of it.
  """

  seconds: float
  formants: tuple[int, int, int]
  voiced: float = 0.0
  noise: float = 0.0
  band: tuple[int, int] = (0, 1)
  burst: float = 0.0


# Vowels as Peterson and Barney 1952, "Control methods used in a study of the
# vowels", measured those of men.
_SOUNDS = {
  "a": _Sound(0.12, (730, 1_090, 2_440), 1.0),
  "e": _Sound(0.11, (530, 1_840, 2_480), 0.9),
  "i": _Sound(0.10, (270, 2_290, 3_010), 0.8),
  "o": _Sound(0.12, (520, 840, 2_410), 0.9),
  "u": _Sound(0.10, (300, 870, 2_240), 0.8),
  "m": _Sound(0.07, (250, 1_000, 2_200), 0.25),
  "n": _Sound(0.07, (250, 1_500, 2_500), 0.25),
  "l": _Sound(0.06, (360, 1_150, 2_700), 0.5),
  "r": _Sound(0.06, (340, 1_250, 1_600), 0.4),
  "s": _Sound(0.11, (300, 1_700, 2_600), 0, 0.30, (3_500, 500)),
  "f": _Sound(0.10, (300, 1_000, 2_300), 0, 0.10, (2_400, 1_500)),
  "p": _Sound(0.09, (300, 800, 2_200), 0, 0.20, (800, 400), 0.012),
  "t": _Sound(0.09, (300, 1_750, 2_600), 0, 0.30, (3_300, 600), 0.020),
  "k": _Sound(0.10, (300, 1_900, 2_200), 0, 0.30, (1_900, 350), 0.028),
  "b": _Sound(0.07, (250, 800, 2_200), 0.10, 0.12, (700, 400), 0.008),
  "d": _Sound(0.07, (250, 1_750, 2_600), 0.10, 0.20, (3_000, 700), 0.010),
  "g": _Sound(0.07, (250, 1_900, 2_200), 0.10, 0.20, (1_800, 400), 0.015),
}
_LOUD = np.array([1.0, 0.6, 0.3])  # of the formants
_BANDWIDTH = np.array([45.0, 60.0, 90.0])  # Hz, half of it


def words() -> tuple[str, ...]:
  """The ten words, of two or three syllables."""
  return _WORDS


def say(
  word: str, voice: Voice, rng: np.random.Generator, rate: int = RATE
) -> np.ndarray:
  """A word, said once: float32 `[n]`, its loudest sample 0.3 to 0.9.

  Args:
    word: letters of a e i o u m n l r s f p t k b d g.
    voice: who says it.
    rng: draws how it is said this time: pitch, speed, loudness, each vowel.
    rate: samples a second, 1,000 or more.

  Raises:
    ValueError: a letter has no sound, there is none, or the rate is too low.
  """
  if rate < 1_000:
    raise ValueError(f"rate is {rate}, expected 1,000 or more")
  if not word or not set(word) <= set(_SOUNDS):
    raise ValueError(f"word is {word!r}, expected of {''.join(_SOUNDS)}")
  sounds = [_SOUNDS[letter] for letter in word]
  speed = voice.speed * rng.uniform(0.9, 1.12)
  lasts = np.array([sound.seconds for sound in sounds])
  lasts = lasts * rng.uniform(0.8, 1.25, len(sounds)) / speed
  lasts[-1] *= 1.3
  ends = np.cumsum(lasts)
  begins = ends - lasts
  size = round(_FRAME * rate)
  frames = int(np.ceil(ends[-1] / _FRAME))
  samples = _voice(sounds, voice, rng, begins, ends, frames, size, rate)
  for sound, begin, end in zip(sounds, begins, ends, strict=True):
    if sound.noise:
      first = max(begin, end - sound.burst) if sound.burst else begin
      there = samples[round(first * rate) : round(end * rate)]
      there += sound.noise * _noise(len(there), sound.band, rng, rate)
  return samples * np.float32(rng.uniform(0.3, 0.9) / np.abs(samples).max())


def clips(count: int, seed: int) -> list[tuple[np.ndarray, str, str]]:
  """Words said by any of the voices, as often each: samples, word, voice.

  Before and after a word are 20 to 80 ms of a room's noise. The first of many
  are those of few.
  """
  found = []
  for index in range(count):
    rng = np.random.default_rng((seed, index))
    word = _WORDS[index % len(_WORDS)]
    name = list(VOICES)[rng.integers(len(VOICES))]
    pauses = rng.uniform(0.02, 0.08, 2)
    found.append((_joined([word], VOICES[name], pauses, rng), word, name))
  return found


def strings(
  count: int, seed: int, fewest: int = 2, most: int = 5
) -> list[tuple[np.ndarray, str, str]]:
  """Words said one after the other: samples, the words by blanks, the voice.

  Between two words are 50 to 200 ms of a room's noise.

  Args:
    count: of the strings.
    seed: of all that is drawn; the first of many are those of few.
    fewest: words of a string.
    most: words of one.

  Raises:
    ValueError: not 1 <= fewest <= most.
  """
  if not 1 <= fewest <= most:
    raise ValueError(f"strings of {fewest} to {most} words, expected 1 or more")
  found = []
  for index in range(count):
    rng = np.random.default_rng((seed, index, 1))
    name = list(VOICES)[rng.integers(len(VOICES))]
    number = int(rng.integers(fewest, most + 1))
    said = [_WORDS[i] for i in rng.integers(len(_WORDS), size=number)]
    pauses = rng.uniform(0.05, 0.2, number + 1)
    samples = _joined(said, VOICES[name], pauses, rng)
    found.append((samples, " ".join(said), name))
  return found


def _joined(said, voice, pauses, rng):
  """Words between pauses of so many seconds, in a room."""
  quiet = [np.zeros(round(pause * RATE), np.float32) for pause in pauses]
  parts = [quiet[0]]
  for word, pause in zip(said, quiet[1:], strict=True):
    parts += [say(word, voice, rng), pause]
  samples = np.concatenate(parts)
  noise = rng.standard_normal(len(samples), np.float32)
  return samples + np.float32(_SOFT * rng.uniform(0.3, 1)) * noise


def _voice(sounds, voice, rng, begins, ends, frames, size, rate):
  """What is voiced, float32 `[frames * size]`."""
  # Each sound holds its values but near its ends, and glides in between.
  glide = np.minimum(_GLIDE, (ends - begins) / 3)
  at = np.stack([begins + glide, ends - glide], 1).ravel()
  time = _FRAME * np.arange(frames + 1)

  def track(values):
    return np.interp(time, at, np.repeat(values, 2))

  targets = np.array([sound.formants for sound in sounds])
  mouth = voice.scale * rng.uniform(0.96, 1.04)
  targets = targets * mouth * rng.uniform(0.94, 1.06, targets.shape)
  formants = np.stack([track(column) for column in targets.T], 1)
  loud = track([sound.voiced for sound in sounds])
  loud *= np.clip((time[-1] - time) / 0.04, 0, 1) * np.clip(time / 0.01, 0, 1)
  # The pitch falls in the course of a word, more or less.
  pitch = voice.pitch * rng.uniform(0.92, 1.08)
  pitch = pitch * np.linspace(1.05, rng.uniform(0.8, 1.02), frames + 1)
  multiples = np.arange(1, 1 + int(min(rate / 2, _HIGHEST) / pitch.min()))
  hertz = pitch[:, None] * multiples
  off = (hertz[:, :, None] - formants[:, None]) / (mouth * _BANDWIDTH)
  gains = (_LOUD / np.sqrt(1 + off**2)).sum(axis=2) / (1 + hertz / 800)
  gains *= (hertz < min(rate / 2, _HIGHEST)) * loud[:, None]
  # Turns since the beginning, in float64; whole ones change nothing.
  turns = np.interp(np.arange(frames * size) / size, time / _FRAME, pitch)
  turns = (np.cumsum(turns / rate) % 1).astype(np.float32)
  waves = np.sin(2 * np.pi * turns[:, None] * multiples.astype(np.float32))
  both = np.stack([gains[:-1], gains[1:]], 2).astype(np.float32)
  both = waves.reshape(frames, size, -1) @ both
  share = np.linspace(0, 1, size, endpoint=False, dtype=np.float32)
  samples = (both[..., 0] * (1 - share) + both[..., 1] * share).ravel()
  level = np.repeat(loud[:-1], size).astype(np.float32)
  breath = rng.standard_normal(len(samples), np.float32)
  return samples + np.float32(voice.breath) * level * breath


def _noise(count, band, rng, rate):
  """Noise of deviation 1 in a band, which sets in and ends softly."""
  noise = np.fft.rfft(rng.standard_normal(count))
  middle, half = band
  hertz = np.fft.rfftfreq(count, 1 / rate)
  noise = np.fft.irfft(noise / (1 + ((hertz - middle) / half) ** 4), count)
  edge = np.minimum(np.arange(count) + 1, np.arange(count, 0, -1))
  noise *= np.minimum(1, edge / (0.005 * rate))
  return (noise / (noise.std() + 1e-9)).astype(np.float32)
