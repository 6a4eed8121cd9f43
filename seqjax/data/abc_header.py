"""What fields of ABC notation say: keys, metres, lengths, tempi.

ABC 2.1 (Walshaw and others 2011), section 3.1. Where a value cannot be read,
ValueError says what was expected.
"""

import re
from fractions import Fraction
from typing import NamedTuple

# Sharps of the major key on each letter; in the order in which they come.
_SHARPS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
# What a mode has more of them than major.
_MODES = {
  "maj": 0, "ion": 0, "mix": -1, "dor": -2, "min": -3, "aeo": -3, "phr": -4,
  "loc": -5, "lyd": 1,
}  # fmt: skip
_TONIC = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
_SIGN = re.compile(r"(\^\^?|__?|=)([A-Ga-g])")
# Of a clef and what goes with it; "-8" and the like lower what is written.
_CLEF = re.compile(
  r"((clef|name|nm|subname|snm|sname|stem|middle|m|octave|transpose|t|stafflines"
  r"|staffscale|style|shift|score|sound|gchords|brace|bracket|merge|dyn|lyrics)"
  r"=(\"[^\"]*\"|\S*)"
  r"|(treble|alto|tenor|bass|baritone|soprano|mezzosoprano|perc)"
  r"\d?([+-](8|15))?)(?=\s|$)"
)
_RATIO = re.compile(r"(\d{1,4})/(\d{1,4})")
_MOST = 10_000  # quarter notes a minute
ACCIDENTALS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}


class Metre(NamedTuple):
  """How long a bar is."""

  length: Fraction  # whole notes
  compound: bool  # three units a beat, as in 6/8


class Key(NamedTuple):
  """What a note without a sign is moved by."""

  signs: dict[str, int]  # semitones of each letter A to G that has some
  moved: int = 0  # semitones of all: octave=, transpose=, "bass-8"


def key(text: str, before: Key | None = None) -> Key:
  """The key that a field `K:` names: `D`, `Ador`, `F# minor`, `HP`, `none`.

  Modes are told by three letters in either case, `m` is minor; signs behind
  them are added, or alone hold after `exp`. No tonic at all, as in `K:bass`,
  leaves the key as it is.

  Args:
    text: what is behind `K:`.
    before: the key so far.

  Raises:
    ValueError: there is no such key.
  """
  moved, rest = clef(text)
  if before and rest == text.strip():
    moved = before.moved
  signs = dict(before.signs) if before and rest != text.strip() else None
  first = _TONIC.match(rest)
  if rest[:2] in ("HP", "Hp"):
    signs, rest = {"HP": {}, "Hp": {"F": 1, "C": 1}}[rest[:2]], rest[2:]
  elif rest[:4].lower() == "none":
    signs, rest = {}, rest[4:]
  elif first:
    signs, rest = _signature(*first.groups()), rest[first.end() :]
  rest = rest.strip()
  if rest[:3].lower() == "exp":
    signs, rest = {}, rest[3:]
  signs = signs if signs is not None else {} if _SIGN.match(rest) else None
  for sign, letter in _SIGN.findall(rest):
    signs = {**(signs or {}), letter.upper(): ACCIDENTALS[sign]}
  if signs is None or _SIGN.sub("", rest).strip():
    raise ValueError(
      f"the key {text.strip()!r}, expected one such as D or Edor"
    )
  return Key(signs, moved)


def _signature(letter: str, sign: str, mode: str) -> dict[str, int]:
  named = "maj" if mode in ("", "M") else "min" if mode == "m" else mode[:3]
  if mode[:3].lower() == "exp":
    return {}
  if named.lower() not in _MODES:
    raise ValueError(
      f"the mode {mode!r}, expected one of {', '.join(_MODES)} or m"
    )
  sharps = _SHARPS[letter] + {"": 0, "#": 7, "b": -7}[sign]
  sharps += _MODES[named.lower()]
  if abs(sharps) > 7:
    raise ValueError(
      f"the key {letter}{sign} {mode}, expected at most 7 sharps or flats"
    )
  order = list(_SHARPS)
  if sharps < 0:
    return dict.fromkeys(order[sharps:], -1)
  return dict.fromkeys(order[:sharps], 1)


def clef(text: str) -> tuple[int, str]:
  """Semitones that a clef moves notes by, and the text without it."""
  moved = 0
  for found in _CLEF.finditer(text):
    name, value, octave = found[2], found[3] or "", found[5]
    if name in ("octave", "transpose", "t") and (
      number := re.fullmatch(r"[+-]?\d{1,2}", value)
    ):
      moved += int(number[0]) * (12 if name == "octave" else 1)
    if name == "clef" and (end := re.search(r"[+-]\d+$", value)):
      octave = end[0]
    moved += {"+8": 12, "-8": -12, "+15": 24, "-15": -24}.get(octave, 0)
  return moved, _CLEF.sub("", text).strip()


def metre(text: str) -> Metre | None:
  """The metre that a field `M:` names: `6/8`, `C|`, `2+3/8`; None for `none`.

  Raises:
    ValueError: there is no such metre.
  """
  text = text.strip()
  named = {"C": "4/4", "C|": "2/2"}.get(text, text)
  if named.lower() == "none":
    return None
  found = re.fullmatch(
    r"(\()?(\d{1,2}(?:\s*\+\s*\d{1,2}){0,9})(?(1)\))\s*/\s*(\d{1,3})", named
  )
  beats = sum(map(int, found[2].split("+"))) if found else 0
  unit = int(found[3]) if found else 0
  if not beats or unit not in (1, 2, 4, 8, 16, 32, 64):
    raise ValueError(f"the metre {text!r}, expected one such as 6/8, C or none")
  return Metre(Fraction(beats, unit), beats > 3 and beats % 3 == 0)


def unit(text: str) -> Fraction:
  """The length that a field `L:` gives a note without a number, whole notes.

  Raises:
    ValueError: it is none.
  """
  bare = re.sub(r"\s", "", text)
  found = _RATIO.fullmatch("1/1" if bare == "1" else bare)
  numbers = [int(number) for number in found.groups()] if found else [0, 1]
  if not numbers[0] or numbers[1] not in [2**n for n in range(10)]:
    raise ValueError(f"the length {text.strip()!r}, expected one such as 1/8")
  return Fraction(*numbers)


def default_unit(metre: Metre | None) -> Fraction:
  """A note's length where no field `L:` says it, by section 3.1.7."""
  short = metre is not None and metre.length < Fraction(3, 4)
  return Fraction(1, 16 if short else 8)


def tempo(text: str, unit: Fraction) -> float | None:
  """Quarter notes a minute of a field `Q:`; None where it has words alone.

  Args:
    text: `1/4=120`, `"Allegro" 3/8=100`, or of old `120`, `C=120` and `C3=40`,
      which count notes of the length `unit`.
    unit: see `unit`.

  Raises:
    ValueError: there is no such tempo.
  """
  bare = re.sub(r'"[^"]*"', "", text).strip()
  if not bare and '"' in text:
    return None
  beat, _, count = bare.rpartition("=")
  beat = beat.strip()
  old = re.fullmatch(r"[A-Ga-g]?(\d{0,2})", beat)
  if old:
    length = unit * int(old[1] or 1)
  else:
    parts = beat.split()
    ratios = [_RATIO.fullmatch(part) for part in parts]
    length = sum(
      (Fraction(int(r[1]), int(r[2])) for r in ratios if r and int(r[2])),
      Fraction(0),
    )
    length *= all(ratios)
  number = re.fullmatch(r"\d{1,4}(\.\d{1,3})?", count.strip())
  quarters = float(length) * 4 * float(number[0]) if number else 0.0
  if not 0 < quarters <= _MOST:
    raise ValueError(f"the tempo {text.strip()!r}, expected one as 1/4=120")
  return quarters
