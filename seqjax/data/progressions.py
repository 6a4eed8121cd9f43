"""Four voices by a small grammar: keys, functions of chords, voice leading.

A piece is in one major or minor key and has a few phrases. In a phrase the
chords follow each other by their function, tonic, subdominant, dominant, a
chord a quarter note, and it ends on the dominant or with a cadence on the
tonic; the last one always does. Of the ways to set a chord for soprano, alto,
tenor and bass the one that moves the voices least is taken, but for some
chance, and parallel fifths and octaves are avoided.
"""

import functools
import itertools

import numpy as np

_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 11)}
# Degrees of the scale, 0 is the tonic: what comes next, and how often.
_NEXT = {
  0: {3: 4, 1: 2, 4: 3, 5: 3, 0: 1},
  1: {4: 5, 6: 1, 1: 1},
  3: {4: 4, 1: 2, 0: 2, 6: 1},
  4: {0: 5, 5: 2, 4: 1},
  5: {3: 3, 1: 3, 4: 1},
  6: {0: 1},
}
_TONIC, _DOMINANT = 0, 4
# Lowest and highest MIDI number of bass, tenor, alto, soprano.
_RANGES = (40, 60), (48, 67), (55, 74), (60, 81)
_PAIRS = tuple(itertools.combinations(range(4), 2))
_PHRASES, _CHORDS = (4, 7), (6, 9)  # at least, less than


def generate(count: int, seed: int) -> list[list[list[int]]]:
  """Pieces of frames of MIDI numbers, from the bass up, a frame a quarter.

  Args:
    count: of pieces.
    seed: the same seed gives the same pieces, the first of them whatever the
      count.
  """
  return [_piece(np.random.default_rng((seed, i))) for i in range(count)]


def _piece(rng: np.random.Generator) -> list[list[int]]:
  tonic, mode = int(rng.integers(12)), str(rng.choice(list(_SCALES)))
  phrases = int(rng.integers(*_PHRASES))
  frames, voices = [], None
  for phrase in range(phrases):
    degrees = _degrees(rng, ends=phrase == phrases - 1)
    for place, degree in enumerate(degrees):
      inner = 0 < place < len(degrees) - 2
      # The third in the bass, at times; in a cadence the root.
      inverted = bool(inner and rng.random() < 0.25)
      voices = _lead(rng, voices, _settings(tonic, mode, degree, inverted))
      frames.append(voices.tolist())
    frames.append(frames[-1])  # held where a phrase ends
  return frames


def _degrees(rng: np.random.Generator, ends: bool) -> list[int]:
  """The chords of a phrase; `ends`: it is the last one."""
  degrees = [_TONIC]
  for _ in range(int(rng.integers(*_CHORDS)) - 3):
    after = _NEXT[degrees[-1]]
    weights = np.array(list(after.values()), float)
    degrees.append(int(rng.choice(list(after), p=weights / weights.sum())))
  cadence = [_DOMINANT, _TONIC]
  if not ends and rng.random() < 0.3:
    cadence = [_TONIC, _DOMINANT]
  return degrees + cadence


@functools.cache
def _settings(tonic: int, mode: str, degree: int, inverted: bool) -> np.ndarray:
  """All ways to set a triad for four voices, `[n, 4]` from the bass up.

  Each of its notes sounds, no voice is above the next, and the upper ones are
  an octave apart at most.
  """
  scale = _SCALES[mode]
  chord = [(tonic + scale[(degree + third) % 7]) % 12 for third in (0, 2, 4)]
  bass = chord[1 if inverted else 0]
  ranges = [np.arange(low, high + 1) for low, high in _RANGES]
  ranges[0] = ranges[0][ranges[0] % 12 == bass]
  ranges[1:] = [r[np.isin(r % 12, chord)] for r in ranges[1:]]
  voices = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 4)
  gaps = np.diff(voices, axis=1)
  good = (gaps >= 0).all(axis=1) & (gaps[:, 1:] <= 12).all(axis=1)
  for note in chord:
    good &= (voices % 12 == note).any(axis=1)
  return voices[good]


def _lead(
  rng: np.random.Generator, before: np.ndarray | None, ways: np.ndarray
) -> np.ndarray:
  """The next setting of four voices; the first one is drawn."""
  if before is None:
    return ways[rng.integers(len(ways))]
  moves = ways - before
  cost = np.abs(moves).sum(axis=1) + rng.gumbel(size=len(ways))
  for low, high in _PAIRS:
    interval = (before[high] - before[low]) % 12
    same = (ways[:, high] - ways[:, low]) % 12 == interval
    cost += 50 * (same & (moves[:, low] != 0)) * (interval in (0, 7))
  return ways[cost.argmin()]
