"""Tunes in ABC notation, read to notes.

ABC 2.1 (Walshaw and others 2011, "The ABC music standard"), and of older
files: `!` that ends a line, `+trill+`, `Q:C=120`. Signs hold to the end of the
bar for their letter and octave. Grace notes, lyrics, names of chords,
decorations, slurs and the order of parts in `P:` are read over: the score is
without them. Overlays (`&`) are not read and count as a problem. Keys are in
`abc_header`, the music of a voice in `abc_voice`, repeats in `abc_repeats`.
"""

import contextlib
import re
from fractions import Fraction
from typing import NamedTuple

from seqjax.data import abc_header, abc_voice, text
from seqjax.data.abc_header import Key, Metre
from seqjax.data.abc_repeats import ENDING, MOST, Mark
from seqjax.data.abc_voice import Bar, Sound, Tempo, Voice
from seqjax.data.notes import Score

HEADER, MUSIC, REPEAT = "header", "music", "repeat"  # kinds of problems
_IN_HEADER = "ABCDFGHIKLMNOPQRSTUVWXZmrw"
_IN_MUSIC = "IKLMNPQRTUVWmrsw"
_DECORATIONS = (
  "trill lowermordent uppermordent mordent pralltriller roll turn turnx"
  " invertedturn invertedturnx arpeggio > accent emphasis fermata"
  " invertedfermata tenuto + plus snap slide wedge upbow downbow open thumb"
  " breath pppp ppp pp p mp mf f ff fff ffff sfz sf crescendo( <( crescendo)"
  " <) diminuendo( >( diminuendo) >) segno coda D.S. D.C. dacoda dacapo fine"
  " shortphrase mediumphrase longphrase 0 1 2 3 4 5 / // /// trill( trill)"
  " editorial courtesy"
)
_NAMES = frozenset(_DECORATIONS.split())
_MOST_PROBLEMS = 1000
_SHORT = ".~HLMOPSTuv"
_LENGTH = r"(?P<length>\d*(?:/+\d*)?)"
_NOTE = r"(?P<sign>\^\^?|__?|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)" + _LENGTH
# What music is made of; the first that fits.
_TOKEN = re.compile(
  r"(?P<blank>[\s`$]+|\\\s*(?=$|%))"
  r"|(?P<comment>%)"
  r'|(?P<text>"[^"]*")'
  r"|(?P<grace>\{[^{}]*\})"
  r"|!(?P<name>[\w.+<>()/]+)!"
  r"|\+(?P<old>[a-z.()<>]+)\+"
  r"|(?P<break>!)"
  r"|\[(?P<field>[A-Za-z]:[^\[\]]*)\]"
  r"|\.?(?P<bar>:*\[?\|[|\]:]*|::+)(?P<ending>\d[\d,-]*)?"
  r"|\[(?P<first>\d[\d,-]*)"
  r"|\[(?P<chord>[^\[\]|]*)\](?P<times>\d*(?:/+\d*)?)"
  r"|\((?P<tuplet>\d{1,3}(?::\d{0,3}){0,2})"
  r"|(?P<slur>\.?\(|\))"
  r"|(?P<tie>\.?-)"
  r"|(?P<rest>[zxy])(?P<lasts>\d*(?:/+\d*)?)"
  r"|(?P<bars>[ZX])(?P<count>\d*)"
  r"|(?P<broken>>+|<+)"
  r"|(?P<overlay>&[^|%]*)"
  r"|(?P<note>" + _NOTE + r")"
  r"|(?P<short>[.~H-Wh-w])"
  r"|(?P<other>.)"
)
_IN_CHORD = re.compile(
  r"(?P<note>" + _NOTE + r")(?P<tie>-?)"
  r'|(?P<over>[\s`().~H-Wh-w]|"[^"]*"|![\w.+<>()/]+!)|(?P<other>.)'
)
_GRACES = re.compile(r"/?([\s().-]|(\^\^?|__?|=)?[A-Ga-g][,']*\d*(/+\d*)?)*")


class Problem(NamedTuple):
  """What is not understood or not as it should be; counted from 1 on."""

  line: int
  column: int
  what: str
  kind: str = MUSIC  # or HEADER, REPEAT

  def __str__(self) -> str:
    return f"{self.line}:{self.column}: {self.what}"


class Written(NamedTuple):
  """A note as written, repeats not played; of a chord the first one."""

  pitch: int
  length: Fraction  # whole notes


class Tune(NamedTuple):
  """What a text in ABC says."""

  header: list[tuple[str, str]]  # letter and value of each field, to `K:`
  score: Score  # as it is played, with repeats
  bars: list[Bar]  # as written, voice after voice
  written: list[Written]  # likewise
  problems: list[Problem]


def read(tune: str) -> Tune:
  """The tune of a text.

  Whatever cannot be read is told in `problems` and passed over.

  Args:
    tune: one tune; what is behind a blank line or another `X:` is not read.
  """
  reader = _Reader()
  reader.read(tune)
  return reader.tune()


class _Reader:
  """Goes through the lines of a tune, and through the signs of a line."""

  def __init__(self):
    self.header: list[tuple[str, str]] = []
    self.problems: list[Problem] = []
    self.key = Key({})
    self.unit: Fraction | None = None
    self.metre: Metre | None = None
    self.voices: dict[str, Voice] = {}
    self.moved: dict[str, int] = {}  # of voices, by their clef
    self.name = ""  # of the voice
    self.line, self.short = 0, set(_SHORT)

  def read(self, tune: str) -> None:
    """Reads the lines."""
    lines = re.split(r"\r\n?|\n", tune.removeprefix("\ufeff"))
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    in_header = True
    for self.line, line in enumerate(lines[first:], first + 1):
      if not line.strip():
        if any(rest.strip() for rest in lines[self.line :]):
          self.problem(0, "a blank line ends the tune, more is behind it")
        break
      # `A:|` and `d::` are music.
      field = re.match(r"\s*(?:([A-Za-z])|\+):(.*)", line)
      if field and not in_header and re.match(r"\s*[A-Ga-gxz]:[|:]", line):
        field = None
      if line.startswith("%") or (field and not field[1]):
        continue
      if not field:
        if in_header:
          self.problem(0, "music before a key, K:", HEADER)
        in_header = False
        self.music(line)
      elif in_header:
        self.header_field(field[1], _uncommented(field[2]))
        in_header = field[1] != "K"
      elif field[1] == "X":
        self.problem(0, "a second tune begins")
        break
      else:
        self.field(field[1], _uncommented(field[2]), 0)
    if in_header:
      self.problem(0, "no key, K:", HEADER)
    for voice in self.voices.values():
      with self.noting(0):
        voice.close(False, self.line)

  def tune(self) -> Tune:
    """What was read."""
    tempo, voices = None, list(self.voices.values())
    for letter, value in self.header:
      if letter == "Q":
        with contextlib.suppress(ValueError):  # it is told already
          tempo = abc_header.tempo(value, self.usual_unit())
    score, wrong = abc_voice.play(voices, tempo)
    self.problems += [
      Problem(mark.line, mark.column, what, REPEAT) for mark, what in wrong
    ]
    written = [
      Written(next(iter(item.pitches)), item.length)
      for voice in voices
      for item in voice.items
      if isinstance(item, Sound) and item.pitches
    ]
    bars = [bar for voice in voices for bar in voice.bars]
    return Tune(self.header, score, bars, written, sorted(self.problems))

  def problem(self, at: int, what: str, kind: str = MUSIC) -> None:
    """Notes what is wrong at a place of the line."""
    if len(self.problems) < _MOST_PROBLEMS:
      what = text.shorten(what, 200)
      self.problems.append(Problem(self.line, at + 1, what, kind))

  @contextlib.contextmanager
  def noting(self, at: int, kind: str = MUSIC):
    """Notes a ValueError as a problem at that place."""
    try:
      yield
    except ValueError as error:
      self.problem(at, str(error), kind)

  def usual_unit(self) -> Fraction:
    """The length of a note without a number, as the header has it."""
    return self.unit or abc_header.default_unit(self.metre)

  def header_field(self, letter: str, value: str) -> None:
    """Reads a field above the music."""
    self.header.append((letter, value))
    with self.noting(0, HEADER):
      if letter not in _IN_HEADER:
        raise ValueError(f"the field {letter}: is not known")
      if letter == "K":
        self.key = abc_header.key(value)
      elif letter == "M":
        self.metre = abc_header.metre(value)
      elif letter == "L":
        self.unit = abc_header.unit(value)
      elif letter == "Q":
        abc_header.tempo(value, self.usual_unit())
      elif letter == "U":
        self.user(value)
      elif letter == "V":
        name, rest = _first_word(value)
        self.moved[name] = abc_header.clef(rest)[0]
        self.name = self.name or name

  def user(self, value: str) -> None:
    """A letter that stands for a decoration."""
    found = re.match(r"([~H-Wh-w])\s*=", value)
    if not found:
      raise ValueError(
        f"the symbol {value!r}, expected one such as T = !trill!"
      )
    self.short.add(found[1])

  def voice(self) -> Voice:
    """The one that is being read."""
    if self.name not in self.voices:
      moved = self.moved.get(self.name, 0)
      made = Voice(self.key, self.usual_unit(), self.metre, moved)
      self.voices[self.name] = made
    return self.voices[self.name]

  def field(self, letter: str, value: str, at: int) -> None:
    """Reads a field within the music; it is of the voice alone."""
    with self.noting(at):
      if letter not in _IN_MUSIC:
        raise ValueError(f"the field {letter}: within music")
      if letter == "V":
        self.name, rest = _first_word(value)
        if "=" in rest:
          self.voice().moved = abc_header.clef(rest)[0]
      elif letter == "K":
        self.voice().key = abc_header.key(value, self.voice().key)
      elif letter == "M":
        self.voice().metre = abc_header.metre(value)
      elif letter == "L":
        self.voice().unit = abc_header.unit(value)
      elif letter == "Q":
        quarters = abc_header.tempo(value, self.voice().unit)
        if quarters:
          self.voice().items.append(Tempo(quarters))
      elif letter == "U":
        self.user(value)

  def music(self, line: str) -> None:
    """Reads a line of music."""
    for token in _TOKEN.finditer(line):
      kind, at = token.lastgroup, token.start()
      if kind == "comment":
        break
      try:
        self.sign(token)
      except ValueError as error:
        self.problem(at, str(error))

  def sign(self, token: re.Match) -> None:
    """Reads one sign."""
    voice, at = self.voice(), token.start()
    if token["note"]:
      written = [(token["sign"], token["letter"], token["octave"], False)]
      voice.notes(written, self.length(token["length"], at))
    elif token["bar"]:
      if token["ending"]:
        # After the bar, whatever is wrong with it.
        with self.noting(at):
          voice.line(token["bar"], self.line, at + 1)
        self.ending(token["ending"], at)
      else:
        voice.line(token["bar"], self.line, at + 1)
    elif token["first"]:
      self.ending(token["first"], at)
    elif token["chord"] is not None:
      self.chord(token["chord"], token["times"], at)
    elif token["tuplet"]:
      voice.tuplet(token["tuplet"])
    elif token["tie"]:
      voice.tie()
    elif token["rest"] and token["rest"] != "y":
      voice.notes([], self.length(token["lasts"], at))
    elif token["bars"]:
      voice.rest(int(token["count"][:3] or 1))
    elif token["broken"]:
      voice.broken(token["broken"])
    elif token["field"]:
      letter, value = token["field"].split(":", 1)
      self.field(letter, value.strip(), at)
    elif token["grace"] and not _GRACES.fullmatch(token["grace"][1:-1]):
      raise ValueError(f"the grace notes {token['grace']}")
    elif name := token["name"] or token["old"]:
      if name not in _NAMES:
        raise ValueError(f"the decoration {name} is not known")
    elif token["overlay"]:
      raise ValueError("an overlay, &, is not read")
    elif (token["short"] or ".") not in self.short or token["other"]:
      raise ValueError(f"{token[0]!r} is not known")

  def length(self, text: str, at: int) -> Fraction:
    """A length as written, in units; 1 where it cannot be read."""
    try:
      return abc_voice.length_of(text)
    except ValueError as error:
      self.problem(at, str(error))
      return Fraction(1)

  def ending(self, text: str, at: int) -> None:
    """The numbers of an ending: `1`, `1,3`, `1-3`."""
    found = re.fullmatch(r"(\d(-\d)?)(,\d(-\d)?){0,9},?", text)
    numbers: list[int] = []
    for part in text.strip(",").split(",") if found else ():
      first, _, last = part.partition("-")
      numbers += range(int(first), int(last or first) + 1)
    if not numbers or not 1 <= min(numbers) <= max(numbers) <= MOST:
      raise ValueError(f"the ending {text}, expected one such as 1 or 1,3")
    mark = Mark(ENDING, tuple(numbers), self.line, at + 1)
    self.voice().items.append(mark)

  def chord(self, text: str, times: str, at: int) -> None:
    """Notes at one time; the first one's length is that of all."""
    written, lengths = [], []
    for token in _IN_CHORD.finditer(text):
      if token["note"]:
        note = token["sign"], token["letter"], token["octave"]
        written.append((*note, bool(token["tie"])))
        lengths.append(self.length(token["length"], at + 1 + token.start()))
      elif token["other"]:
        self.problem(at + 1 + token.start(), f"{token[0]!r} in a chord")
    if not written:
      raise ValueError(f"the chord [{text}] without a note")
    self.voice().notes(written, lengths[0] * self.length(times, at))


def _uncommented(value: str) -> str:
  """A field's value without a comment."""
  return re.split(r"(?<!\\)%", value)[0].strip()


def _first_word(value: str) -> tuple[str, str]:
  """The first word and what is behind it."""
  word, *rest = value.split(None, 1) or [""]
  return word, "".join(rest)
