"""Scores as sound: sines added up, struck and dying away like a string's."""

import numpy as np

from seqjax.data import notes
from seqjax.data.notes import Score
from seqjax.errors import InputError

# How loud multiples of a note's frequency are.
_HARMONICS = 1.0, 0.5, 0.3, 0.15, 0.08, 0.04
_ATTACK, _RELEASE = 0.008, 0.08  # seconds to full loudness, and to none
_DECAY = 1.5  # seconds in which a held note falls to 1/e
_INAUDIBLE = 7 * _DECAY  # 61 dB below its beginning
_BLOCK = 8_192  # samples; so many at once stay in a processor's cache
_TAIL = 0.5  # seconds after the end of the last note
_PEAK = 0.9
_LONGEST, _MOST = 3_600, 100_000  # seconds, notes
_FASTEST = 10_000  # quarter notes a minute


def play(score: Score, rate: int = 22_050) -> np.ndarray:
  """The score as samples, float32 `[n]`, that begin and end with 0.

  A note of frequency f, T seconds long, its harmonics of amplitude a_k:

    velocity / 127 * envelope(t) * sum_k a_k sin(2 pi k f t),  k f < rate / 2
    envelope(t) = min(1, t / attack) exp(-t / decay) clip(1 - (t - T) /
      release, 0, 1)

  Frequencies are those of equal temperament, 440 * 2^((pitch - 69) / 12). The
  loudest sample is 0.9; silence stays silence.

  Args:
    score: what to play; notes may overlap.
    rate: samples a second.

  Returns:
    Half a second longer than the score is.

  Raises:
    InputError: the score lasts more than an hour, holds more than 100,000
      notes, or has a tempo that cannot be played.
    ValueError: a note starts before 0.
  """
  starts, lengths, end = _seconds(score)
  sound = np.zeros(round((end + _TAIL) * rate), np.float32)
  for note, start, length in zip(score.notes, starts, lengths, strict=True):
    lasts = min(length + _RELEASE, _INAUDIBLE)
    first, count = round(start * rate), round(lasts * rate)
    for begins in range(0, count, _BLOCK):
      time = np.arange(begins, min(begins + _BLOCK, count)) / rate
      played = note.velocity / 127 * _sound(note.pitch, lasts, time, rate)
      # The tail is longer than a release: nothing is cut off.
      sound[first + begins :][: len(played)] += played
  loudest = max(sound.max(initial=0), -sound.min(initial=0))
  if loudest > 0:
    sound *= _PEAK / loudest
  return sound


def _sound(pitch: int, lasts: float, time: np.ndarray, rate: int) -> np.ndarray:
  """A note at full velocity that lasts, its release included, so many seconds.

  Float64 `[n]`, at seconds `time`, `[n]`, after it is struck.
  """
  frequency = 440 * 2 ** ((pitch - 69) / 12)
  angle = 2 * np.pi * frequency * time
  # sin (k + 1)x = 2 cos x sin kx - sin (k - 1)x: two functions for all of them.
  before, sine, twice = np.zeros_like(time), np.sin(angle), 2 * np.cos(angle)
  total = np.zeros_like(time)
  for k, amplitude in enumerate(_HARMONICS, 1):
    if k * frequency >= rate / 2:  # it would sound as another frequency
      break
    total += amplitude * sine
    before, sine = sine, twice * sine - before
  total *= np.minimum(1, time / _ATTACK) * np.exp(time / -_DECAY)
  # One that is held for long ends below hearing, as softly.
  return total * np.clip((lasts - time) / _RELEASE, 0, 1)


def _seconds(score: Score) -> tuple[list[float], list[float], float]:
  """When notes start, how long they are, when the last one ends."""
  if len(score.notes) > _MOST:
    raise InputError(
      f"a tune has {len(score.notes):,} notes, expected at most {_MOST:,}"
    )
  for _, tempo in score.tempi:
    if not 0 < tempo <= _FASTEST:
      raise InputError(
        f"a tune has {tempo:g} quarter notes a minute, expected more than 0"
        f" and at most {_FASTEST:,}"
      )
  if any(note.start < 0 for note in score.notes):
    raise ValueError("a note starts before 0")
  # Before anything is turned to a float, which may be too small for it.
  quarters = score.end
  tempi = tuple(tempo for tempo in score.tempi if tempo[0] <= quarters)
  score = Score(score.notes, tempi)
  end = np.inf
  if quarters < _LONGEST * _FASTEST:
    end = float(notes.seconds(score, [quarters])[0])
  if end > _LONGEST:
    raise InputError(
      f"a tune lasts {end:,.0f} seconds, expected at most {_LONGEST:,}; take a"
      " part of it"
    )
  starts = notes.seconds(score, [note.start for note in score.notes])
  ends = notes.seconds(score, [n.start + n.length for n in score.notes])
  return starts.tolist(), (ends - starts).tolist(), end
