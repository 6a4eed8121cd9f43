"""Music as notes: what ABC and MIDI files are read to, what is played."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from seqjax.errors import InputError

# Pitches as MIDI numbers them: 60 is the middle C, 69 the A of 440 Hz.
PITCHES = 128
_LONGEST = 1_000_000  # frames; an hour has a fraction of it


class Note(NamedTuple):
  """A note that sounds; times in quarter notes, exact."""

  start: Fraction
  length: Fraction
  pitch: int
  velocity: int = 80  # 1 to 127, how loud
  voice: int = 0


class Score(NamedTuple):
  """Notes by start and pitch, and how fast they are played.

  `tempi` holds (start in quarter notes, quarter notes a minute) by start; the
  first one starts at 0.
  """

  notes: list[Note]
  tempi: tuple[tuple[Fraction, float], ...] = ((Fraction(0), 120.0),)

  @property
  def end(self) -> Fraction:
    """When the last note ends, in quarter notes; 0 without any."""
    ends = [note.start + note.length for note in self.notes]
    return max(ends, default=Fraction(0))


def in_order(notes: Iterable[Note]) -> list[Note]:
  """By start, pitch and voice, as a score has them."""
  return sorted(notes, key=lambda n: (n.start, n.pitch, n.voice, n.length))


def seconds(score: Score, times: Sequence[Fraction]) -> np.ndarray:
  """When quarter notes `times` are, in seconds, float64 `[n]`."""
  starts = np.array([float(start) for start, _ in score.tempi])
  lasts = np.array([60 / tempo for _, tempo in score.tempi])  # of a quarter
  passed = np.concatenate([[0.0], np.cumsum(np.diff(starts) * lasts[:-1])])
  at = np.array([float(time) for time in times])
  which = np.searchsorted(starts, at, side="right") - 1
  return passed[which] + (at - starts[which]) * lasts[which]


class Counts(NamedTuple):
  """What `frames` could not take as it was, in notes.

  Attributes:
    moved: start or end is between two frames.
    dropped: outside of the pitches, not there any more.
    merged: some of its frames are those of another note of its pitch.
    joined: begins where another of its pitch ends: struck again, it cannot be
      told from one held note.
  """

  moved: int
  dropped: int
  merged: int
  joined: int


def frames(
  score: Score, step: Fraction, lowest: int = 21, count: int = 88
) -> tuple[np.ndarray, Counts]:
  """Which pitches sound when: a piano roll, which knows no voices, no velocity.

  A note sounds in frames floor(start / step + 1/2) to floor(end / step + 1/2),
  the last one not, but in one at least.

  Args:
    score: its notes start at 0 or later.
    step: of a frame, in quarter notes.
    lowest: the pitch of the first column; those of a piano begin with 21.
    count: of pitches.

  Returns:
    bool `[time, count]`, as long as the last note that is taken, and what was
    lost.

  Raises:
    ValueError: `step` is not positive, or a note starts before 0.
    InputError: there would be more than a million frames.
  """
  if step <= 0:
    raise ValueError(f"step is {step}, expected a positive number")
  half = Fraction(1, 2)
  taken, moved, dropped = [], 0, 0
  for note in score.notes:
    if note.start < 0:
      raise ValueError(f"a note starts at {note.start}, expected 0 or later")
    column = note.pitch - lowest
    if not 0 <= column < count:
      dropped += 1
      continue
    first, last = note.start / step, (note.start + note.length) / step
    moved += first.denominator != 1 or last.denominator != 1
    begins = math.floor(first + half)
    ends = max(math.floor(last + half), begins + 1)
    taken.append((column, begins, ends))
  time = max((ends for _, _, ends in taken), default=0)
  if time > _LONGEST:
    raise InputError(
      f"a tune has {time:,} frames of {step} quarter notes, expected at most"
      f" {_LONGEST:,}; take a part of it or a longer step"
    )
  found, merged, joined = np.zeros((time, count), bool), 0, 0
  sounds_to: dict[int, int] = {}  # by column
  for column, begins, ends in sorted(taken):
    before = sounds_to.get(column, -1)
    merged += begins < before
    joined += begins == before
    found[begins:ends, column] = True
    sounds_to[column] = max(before, ends)
  return found, Counts(moved, dropped, merged, joined)


def score_of(
  frames: np.ndarray, step: Fraction, tempo: float, lowest: int = 21
) -> Score:
  """The notes of a piano roll; frames of a pitch in a row are one held note.

  Args:
    frames: what is not 0 sounds, `[time, count]`.
    step: of a frame, in quarter notes.
    tempo: quarter notes a minute.
    lowest: the pitch of the first column.
  """
  sounds = np.pad(np.asarray(frames).astype(bool), ((1, 1), (0, 0)))
  changed = sounds[1:] != sounds[:-1]
  # Column by column, changes take turns: it begins, it ends.
  columns, times = np.nonzero(changed.T)
  notes = [
    Note(step * begins, step * (ends - begins), lowest + column)
    for column, begins, ends in zip(
      columns[::2].tolist(),
      times[::2].tolist(),
      times[1::2].tolist(),
      strict=True,
    )
  ]
  return Score(in_order(notes), ((Fraction(0), tempo),))
