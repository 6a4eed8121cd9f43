"""A voice of a tune in ABC notation: its notes, bars and how it is played."""

import dataclasses
import functools
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from seqjax.data import abc_repeats
from seqjax.data.abc_header import ACCIDENTALS, Key, Metre
from seqjax.data.abc_repeats import Mark
from seqjax.data.notes import PITCHES, Note, Score

_VELOCITY, _ACCENT = 80, 88  # of the first note of a bar
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_LENGTH = re.compile(r"(\d{0,4})(?:(/)(\d{0,3})|(/{2,6}))?")
_MOST_PARTS = 512  # of a whole note, by a length
_LINES = "|", "||", "|]", "[|", "[|]", "||]", "[||", ""
# How many notes' time a tuplet takes; the others depend on the metre.
_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}


class Bar(NamedTuple):
  """A bar as written, repeats not played."""

  line: int
  length: Fraction  # whole notes
  inner: bool  # between two plain bar lines, in one metre
  metre: Metre | None  # None for free


class Tempo(NamedTuple):
  """From here on."""

  quarters: float  # a minute


@dataclasses.dataclass
class Sound:
  """A note, a chord or a rest."""

  pitches: dict[int, bool]  # and whether it is tied to the next
  length: Fraction  # whole notes
  first: bool  # of its bar


@dataclasses.dataclass
class Voice:
  """What holds at a place of a voice, and what has come so far.

  Its methods raise ValueError, saying why, where the music is not as it should
  be, and leave the voice so that it goes on.
  """

  key: Key
  unit: Fraction  # length of a note without a number
  metre: Metre | None
  moved: int = 0  # semitones, by the voice's clef
  items: list[Any] = dataclasses.field(default_factory=list)
  bars: list[Bar] = dataclasses.field(default_factory=list)
  _inside: list[Sound] = dataclasses.field(default_factory=list)  # of the bar
  _began: Metre | None = None  # the metre at its first sound
  _plain: bool = False  # whether it came after a plain bar line
  _many: int = 1  # bars that a rest stands for
  # Signs that hold for the bar; signs of the last sound, of tied notes alone
  # in `_tied`: by letter and octave.
  _signs: dict[tuple[str, int], int] = dataclasses.field(default_factory=dict)
  _last: dict[tuple[str, int], int] = dataclasses.field(default_factory=dict)
  _tied: dict[tuple[str, int], int] = dataclasses.field(default_factory=dict)
  _factor: Fraction = Fraction(1)  # of the next sound, by a broken rhythm
  _tuplet: Fraction = Fraction(1)
  _left: int = 0  # sounds that the tuplet holds for

  def notes(
    self, written: Iterable[tuple[str, str, str, bool]], length: Fraction
  ) -> None:
    """Notes at one time: signs, letters, octave marks, whether they are tied.

    Args:
      written: of each note; none for a rest.
      length: as written, in units.
    """
    pitches, last, tied, wrong = {}, {}, {}, []
    for sign, letter, marks, is_tied in written:
      octave = letter.islower() + marks.count("'") - marks.count(",")
      place = letter.upper(), octave
      if sign:
        self._signs[place] = ACCIDENTALS[sign]
      own = self.key.signs.get(place[0], 0)
      moved = self._signs.get(place, own)
      if not sign:
        moved = self._tied.get(place, moved)
      pitch = 60 + _LETTERS[place[0]] + 12 * octave + moved
      pitch += self.key.moved + self.moved
      last[place] = moved
      if is_tied:
        tied[place] = moved
      if 0 <= pitch < PITCHES:
        pitches[pitch] = is_tied
      else:
        wrong.append(f"{letter}{marks} is out of range")
    self._last, self._tied = last, tied
    self._add(pitches, length * self.unit)
    if wrong:
      raise ValueError(wrong[0])

  def _add(self, pitches: dict[int, bool], length: Fraction) -> None:
    length *= self._factor
    self._factor = Fraction(1)
    if self._left:
      length *= self._tuplet
      self._left -= 1
    if not self._inside:
      self._began = self.metre
    sound = Sound(pitches, length, not self._inside)
    self._inside.append(sound)
    self.items.append(sound)

  def tie(self) -> None:
    """Ties the last sound to the next."""
    if not self._inside or not self._inside[-1].pitches:
      raise ValueError("a tie - without a note before it")
    self._inside[-1].pitches = dict.fromkeys(self._inside[-1].pitches, True)
    self._tied = self._last

  def rest(self, bars: int) -> None:
    """A rest of whole bars."""
    self._last, self._tied = {}, {}
    if self.metre is None:
      raise ValueError("a rest of bars where the metre is free")
    self._many = 1 if self._inside else bars
    self._add({}, self.metre.length * bars)

  def broken(self, signs: str) -> None:
    """A broken rhythm: `>`, `>>`, `<` between two notes."""
    if not self._inside or self._factor != 1 or len(signs) > 3:
      raise ValueError(f"{signs} that is not between two notes")
    less = Fraction(1, 2 ** len(signs))
    before, self._factor = (2 - less, less)[:: 1 if signs[0] == ">" else -1]
    self._inside[-1].length *= before

  def tuplet(self, text: str) -> None:
    """A tuplet as it is written behind the bracket: `3`, `3:2`, `3:2:3`."""
    numbers = [int(one) if one else 0 for one in text.split(":")]
    notes, time, holds = [*numbers, 0, 0][:3]
    usual = 3 if self.metre and self.metre.compound else 2
    time = time or _TUPLETS.get(notes, usual)
    left, self._left = self._left, holds or notes
    self._tuplet = Fraction(time, notes or 1)
    if not 2 <= notes <= 9 or time > 32 or self._left > 32:
      self._left = 0
      raise ValueError(f"the tuplet ({text}, expected 2 to 9 notes")
    if left:
      raise ValueError("a tuplet in a tuplet")

  def line(self, symbol: str, line: int, column: int) -> None:
    """A bar line with what it says of repeats."""
    middle = symbol.strip(":")
    back = len(symbol) - len(symbol.lstrip(":"))
    ahead = symbol.endswith(":")
    if not middle:  # ::
      back = 1
    if back:
      back = min(back, abc_repeats.MOST - 1)
      self.items.append(Mark(abc_repeats.END, (back,), line, column))
    if ahead:
      self.items.append(Mark(abc_repeats.START, (), line, column))
    if not back and not ahead and len(middle) == 2:
      self.items.append(Mark(abc_repeats.DOUBLE, (), line, column))
    self.close(symbol == "|", line)
    if middle not in _LINES or (not middle and symbol != "::"):
      raise ValueError(f"the bar line {symbol} is not known")

  def close(self, plain: bool, line: int) -> None:
    """Ends the bar, if there is anything in it."""
    if self._inside:
      length = sum((sound.length for sound in self._inside), Fraction(0))
      if len(self._inside) == 1:
        length /= self._many
      inner = self._plain and plain and self._began == self.metre
      self.bars.append(Bar(line, length, inner, self._began))
    self._plain = plain and (self._plain or bool(self._inside))
    left, factor = self._left, self._factor
    self._inside, self._signs, self._many = [], {}, 1
    self._left, self._factor = 0, Fraction(1)
    if left:
      raise ValueError(f"a tuplet lacks {left} note(s) at the end of the bar")
    if factor != 1:
      raise ValueError("a broken rhythm without a second note")


@functools.lru_cache(1024)
def length_of(text: str) -> Fraction:
  """A length as written behind a note, in units: `2`, `/`, `3/2`, `//`.

  Raises:
    ValueError: there is no such length.
  """
  found = _LENGTH.fullmatch(text)
  if found:
    slash, below, slashes = found[2], found[3], found[4]
    parts = 2 ** len(slashes) if slashes else int(below or 2) if slash else 1
    whole = int(found[1] or 1)
    if whole and 0 < parts <= _MOST_PARTS:
      return Fraction(whole, parts)
  raise ValueError(f"the length {text!r}, expected one such as 2, / or 3/2")


def play(
  voices: Sequence[Voice], tempo: float | None
) -> tuple[Score, list[tuple[Mark, str]]]:
  """The voices together, with repeats, and what is wrong with these."""
  notes, problems = [], []
  tempi = {Fraction(0): tempo or 120.0}
  for number, voice in enumerate(voices):
    played, some = abc_repeats.unfold(voice.items)
    problems += some
    time, tied = Fraction(0), {}
    for item in played:
      if isinstance(item, Tempo):
        tempi[time] = item.quarters
        continue
      length, going_on = item.length * 4, {}
      for pitch, is_tied in item.pitches.items():
        at = tied.get(pitch)
        if at is None:
          at = len(notes)
          velocity = _ACCENT if item.first else _VELOCITY
          notes.append(Note(time, length, pitch, velocity, number))
        else:
          notes[at] = notes[at]._replace(length=notes[at].length + length)
        if is_tied:
          going_on[pitch] = at
      time, tied = time + length, going_on
  notes.sort(key=lambda note: (note.start, note.pitch))
  return Score(notes, tuple(sorted(tempi.items()))), problems
