"""Tunes in ABC notation that are made up, by a small grammar.

Two parts of eight bars, each repeated, as most dances of Ireland are: phrases
of two bars in the order a b a c, where b ends on the dominant's chord and c on
the tonic; the second part is d e d, then often the same c. A bar has a chord;
its melody goes mostly by step, at beats often to a note of the chord.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqjax.data.examples import check_room

_LETTERS = "CDEFGAB"
_LOW, _HIGH = 1, 13  # places on the staff from middle C: from D to b
_KEYS = (
  "D", "G", "A", "C", "F", "Em", "Bm", "Am", "Dm", "Ador", "Edor", "Ddor",
  "Dmix", "Amix", "Gmix",
)  # fmt: skip
_TONIC, _DOMINANT = 0, 4  # degrees of chords, from 0 on
_MIDDLE = 0, 0, 3, 4, 5, 1  # what a bar within a phrase may have
_STEP, _TO_CHORD, _RETURNS, _ENDINGS = 0.8, 0.6, 0.6, 0.3  # probabilities
_SYLLABLES = (
  "bal", "cor", "dun", "fer", "gal", "kil", "lis", "mor", "nav", "ros", "tur",
  "ven", "ar", "el", "in", "or", "ane", "een", "ick", "ough", "ow", "ry",
)  # fmt: skip
_TITLES = (
  "The {kind} of {one}", "{one}'s {kind}", "The {one} {kind}",
  "{one} and {other}", "The Road to {one}", "The Lass from {one}",
)  # fmt: skip

type _Bar = tuple[tuple[int, int], ...]  # place on the staff, length


class _Dance(NamedTuple):
  """A metre, and the rhythms of a group of notes and of a bar that ends."""

  name: str
  metre: str
  unit: str  # which lengths count
  groups: int  # in a bar
  size: int  # units of a group that is written together
  rhythms: Sequence[tuple[int, ...]]
  closes: Sequence[tuple[int, ...]]


# What is commoner stands there more often.
_TWOS = *[(1, 1)] * 3, (2,)
_THREES = *[(1, 1, 1)] * 4, (2, 1), (2, 1), (3,)
_FOURS = *[(1, 1, 1, 1)] * 4, (2, 1, 1), (1, 1, 2), (2, 2), (3, 1)
_ENDS = (1, 1, 1, 1, 4), (2, 1, 1, 4), (1, 1, 2, 4), (3, 1, 4)
_DANCES = (
  _Dance("Polka", "2/4", "1/16", 2, 4, _FOURS, _ENDS),
  _Dance("Waltz", "3/4", "1/8", 3, 6, _TWOS, [(1, 1, 4), (2, 1, 1, 2)]),
  _Dance("Reel", "4/4", "1/8", 2, 4, _FOURS, _ENDS),
  _Dance("Jig", "6/8", "1/8", 2, 3, _THREES, [(1, 1, 1, 3), (2, 1, 3)]),
  _Dance("Slip Jig", "9/8", "1/8", 3, 3, _THREES, [(1, 1, 1, 2, 1, 3)]),
)


def make(count: int, seed: int) -> list[str]:
  """`count` tunes, no two of the same music; the same of a seed.

  Raises:
    InputError: there are no more different ones.
  """
  rng = np.random.default_rng((seed, 0x746E))
  found: dict[str, str] = {}
  made = in_vain = 0
  while len(found) < count:
    in_vain = in_vain + 1 if len(found) == made else 0
    made = len(found)
    check_room(made, in_vain, count)
    dance, key = _pick(rng, _DANCES), _pick(rng, _KEYS)
    music = _music(rng, dance, _LETTERS.index(key[0]))
    header = f"X:{made + 1}\nT:{_title(rng, dance)}\nR:{dance.name.lower()}"
    header += f"\nM:{dance.metre}\nL:{dance.unit}\nK:{key}"
    found.setdefault(music, f"{header}\n{music}")
  return list(found.values())


def _pick(rng: np.random.Generator, choices: Sequence):
  return choices[int(rng.integers(len(choices)))]


def _title(rng: np.random.Generator, dance: _Dance) -> str:
  one, other = (
    "".join(_pick(rng, _SYLLABLES) for _ in range(rng.integers(2, 4)))
    for _ in range(2)
  )
  title = _pick(rng, _TITLES)
  names = {"one": one.capitalize(), "other": other.capitalize()}
  return title.format(kind=dance.name, **names)


def _music(rng: np.random.Generator, dance: _Dance, tonic: int) -> str:
  """Both parts, two lines each; `tonic` is its place on the staff."""
  first = _part(rng, dance, tonic, tonic + 4, [])
  same = first[-2:] if rng.random() < _RETURNS else []
  second = _part(rng, dance, tonic, tonic + 8, same)
  lines = []
  for part in first, second:
    bars = [_written(bar, dance) for bar in part]
    lines.append(f"|:{'|'.join(bars[:4])}|")
    end = f"{bars[-1]}:|"
    if rng.random() < _ENDINGS:
      # The first time round the part ends open.
      back = _bar(rng, dance, tonic + _DOMINANT, part[-2][-1][0], True)
      end = f"1{_written(back, dance)}:|2{bars[-1]}||"
    lines.append(f"{'|'.join(bars[4:7])}|{end}")
  return "\n".join(lines)


def _part(
  rng: np.random.Generator,
  dance: _Dance,
  tonic: int,
  start: int,
  close: Sequence[_Bar],
) -> list[_Bar]:
  """Eight bars that begin near `start`; `close` is the last two, if any."""

  def phrase(first: int, last: int, near: int, ends: bool) -> list[_Bar]:
    bar = _bar(rng, dance, tonic + first, near, False)
    after = _bar(rng, dance, tonic + last, bar[-1][0], ends)
    return [bar, after]

  a = phrase(_TONIC, int(_pick(rng, _MIDDLE)), start, False)
  b = phrase(int(_pick(rng, _MIDDLE)), _DOMINANT, a[-1][-1][0], True)
  if not close:
    close = phrase(_DOMINANT, _TONIC, a[-1][-1][0], True)
    close = [close[0], _cadence(close[1], close[0][-1][0], tonic)]
  return [*a, *b, *a, *close]


def _bar(
  rng: np.random.Generator, dance: _Dance, root: int, near: int, ends: bool
) -> _Bar:
  """A bar on the chord of `root`, from near a place on the staff."""
  if ends:
    groups = [_pick(rng, dance.closes)]
  else:
    groups = [_pick(rng, dance.rhythms) for _ in range(dance.groups)]
  notes, place = [], near
  for lengths in groups:
    for index, length in enumerate(lengths):
      on_beat = index == 0 or length > 2
      if on_beat and (ends or rng.random() < _TO_CHORD):
        place = _nearest(root, place, _pick(rng, (-1, 1)))
      elif rng.random() < _STEP:
        place += _pick(rng, (-1, 1))
      else:
        place = _nearest(root, place, _pick(rng, (-3, 3)))
      # Back by a third from where the range ends.
      place += 2 * (place < _LOW) - 2 * (place > _HIGH)
      place = int(np.clip(place, _LOW, _HIGH))
      notes.append((place, length))
  return tuple(notes)


def _nearest(root: int, place: int, towards: int) -> int:
  """The note of the chord that is nearest to `place + towards`, in range."""
  chord = [p for p in range(_LOW, _HIGH + 1) if (p - root) % 7 in (0, 2, 4)]
  return min(chord, key=lambda p: abs(p - place - towards))


def _cadence(bar: _Bar, before: int, tonic: int) -> _Bar:
  """The bar with the tonic last, from the step above or below it."""
  *notes, (near, length) = bar
  tonics = [p for p in range(_LOW, _HIGH + 1) if (p - tonic) % 7 == 0]
  last = min(tonics, key=lambda p: abs(p - near))
  if notes:
    side = 1 if (before >= last or last == _LOW) and last < _HIGH else -1
    notes[-1] = last + side, notes[-1][1]
  return (*notes, (last, length))


def _written(bar: _Bar, dance: _Dance) -> str:
  """The bar in ABC, blanks between its groups."""
  text, time = "", 0
  for place, length in bar:
    if time and time % dance.size == 0:
      text += " "
    letter = _LETTERS[place % 7]
    letter = letter.lower() if place >= 7 else letter
    text += letter + (str(length) if length > 1 else "")
    time += length
  return text
