"""Fields of ABC notation."""

from fractions import Fraction

import pytest

from seqjax.data import abc_header

# Sharps of the major keys, round the circle of fifths.
CIRCLE = (
  "Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#",
  "C#",
)  # fmt: skip
MODES = "lyd", "ion", "mix", "dor", "aeo", "phr", "loc"
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Steps of each mode from its tonic.
STEPS = {
  "ion": (2, 2, 1, 2, 2, 2, 1),
  "dor": (2, 1, 2, 2, 2, 1, 2),
  "phr": (1, 2, 2, 2, 1, 2, 2),
  "lyd": (2, 2, 2, 1, 2, 2, 1),
  "mix": (2, 2, 1, 2, 2, 1, 2),
  "aeo": (2, 1, 2, 2, 1, 2, 2),
  "loc": (1, 2, 2, 1, 2, 2, 2),
}


@pytest.mark.parametrize("mode", STEPS)
@pytest.mark.parametrize("tonic", ["C", "D", "E", "F#", "G", "A", "Bb", "B"])
def test_scales(tonic, mode):
  """The scale that a signature makes has the steps of the mode."""
  try:
    signs = abc_header.key(f"{tonic} {mode}").signs
  except ValueError:
    sharps = CIRCLE.index(tonic) - 7 + 1 - MODES.index(mode)
    assert abs(sharps) > 7
    return
  letters = "CDEFGAB" * 2
  scale = letters[letters.index(tonic[0]) :][:8]
  places = [SEMITONES[c] + signs.get(c, 0) for c in scale]
  steps = [(b - a) % 12 for a, b in zip(places, places[1:], strict=False)]
  assert tuple(steps) == STEPS[mode]
  tonic_place = SEMITONES[tonic[0]] + {"#": 1, "b": -1}.get(tonic[1:], 0)
  assert places[0] == tonic_place


@pytest.mark.parametrize(
  ("text", "expected"),
  [
    ("D", {"F": 1, "C": 1}),
    ("D Major", {"F": 1, "C": 1}),
    ("Dmaj", {"F": 1, "C": 1}),
    ("DMIXolydian", {"F": 1}),
    ("Ador", {"F": 1}),
    ("Am", {}),
    ("F#m", {"F": 1, "C": 1, "G": 1}),
    ("F# minor", {"F": 1, "C": 1, "G": 1}),
    ("Gm clef=bass", {"B": -1, "E": -1}),
    ("Bb", {"B": -1, "E": -1}),
    ("HP", {}),
    ("Hp", {"F": 1, "C": 1}),
    ("none", {}),
    ("D exp _b ^f", {"B": -1, "F": 1}),
    ("D =c", {"F": 1, "C": 0}),
    ("Ephr ^f", {"F": 1}),
  ],
)
def test_keys(text, expected):
  assert abc_header.key(text).signs == expected


@pytest.mark.parametrize(
  "text", ["", "H", "Bn", "D foo", "G#", "d", "C ?", "b"]
)
def test_no_keys(text):
  with pytest.raises(ValueError, match="expected"):
    abc_header.key(text)


def test_keys_that_stay():
  before = abc_header.key("D treble-8")
  assert before.moved == -12
  assert abc_header.key("bass", before).signs == before.signs
  assert abc_header.key("A", before).moved == -12
  assert abc_header.key("C transpose=-2 octave=1").moved == 10


def test_metres():
  lengths = {
    "C": 1, "C|": 1, "6/8": "3/4", "2+3/8": "5/8", "(2+3)/8": "5/8",
    "12/8": "3/2", " 2 / 4 ": "1/2",
  }  # fmt: skip
  for text, length in lengths.items():
    found = abc_header.metre(text)
    assert found is not None, text
    assert found.length == Fraction(length), text
  compound = {"6/8", "9/8", "12/8", "6/4"}
  for text in *compound, "3/4", "3/8", "2/4", "C":
    found = abc_header.metre(text)
    assert found is not None, text
    assert found.compound == (text in compound), text
  assert abc_header.metre("none") is None
  for text in "", "4", "0/4", "4/3", "4/4 x", "(2+3/8", "1/0", "++/4":
    with pytest.raises(ValueError, match="the metre"):
      abc_header.metre(text)


def test_units():
  assert abc_header.unit("1/8") == Fraction(1, 8)
  assert abc_header.unit("1") == 1
  for text in "", "1/7", "1/0", "0/8", "x", "1/8 x", "11":
    with pytest.raises(ValueError, match="the length"):
      abc_header.unit(text)


def test_tempi():
  eighth = Fraction(1, 8)
  for text, quarters in {
    "1/4=120": 120, "3/8=80": 120, '"Allegro" 1/4=120': 120, "120": 60,
    "C=120": 60, "C3=40": 60, "1/4 3/8 1/4 3/8=40": 200, '1/2=60 "x"': 120,
    "1/4=90.5": 90.5, '"Lively"': None,
  }.items():  # fmt: skip
    assert abc_header.tempo(text, eighth) == quarters, text
  for text in "", "x", "=", "1/4=0", "1/0=3", "1/4=", "1/4=99999", "4/1=9999":
    with pytest.raises(ValueError, match="the tempo"):
      abc_header.tempo(text, eighth)
