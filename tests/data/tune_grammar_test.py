"""Tunes that are made up."""

from fractions import Fraction

import pytest

from seqjax.data import abc_notation, tune_grammar, tunes

MADE = tune_grammar.make(120, 0)
TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def test_same_of_a_seed():
  assert tune_grammar.make(120, 0) == MADE
  assert tune_grammar.make(20, 0) == MADE[:20]
  assert tune_grammar.make(20, 1) != MADE[:20]
  assert tune_grammar.make(0, 0) == []
  bodies = {one.split("\nK:")[1].split("\n", 1)[1] for one in MADE}
  assert len(bodies) == len(MADE)
  assert tunes.cut("\n\n".join(MADE)) == MADE


@pytest.mark.parametrize("number", range(len(MADE)))
def test_well_formed(number):
  text = MADE[number]
  tune = abc_notation.read(text)
  assert not tune.problems
  assert 150 < len(text) < 350
  # Bars by counting: all are whole, eight to a part and one a second ending.
  endings = text.count("|2")
  assert len(tune.bars) == 16 + endings
  lengths = {bar.length for bar in tune.bars}
  assert lengths == {Fraction(dict(tune.header)["M"])}
  assert tune.score.end == 4 * 32 * lengths.pop()
  key = dict(tune.header)["K"]
  last = tune.score.notes[-1]
  assert last.pitch % 12 == TONICS[key[0]]
  # Where the first part ends, played for the second time.
  half = tune.score.end / 2
  at_half = [note for note in tune.score.notes if note.start < half]
  assert at_half[-1].pitch % 12 == TONICS[key[0]]
  assert all(62 <= note.pitch <= 83 for note in tune.score.notes)


def test_variety():
  headers = [dict(abc_notation.read(one).header) for one in MADE]
  metres = {header["M"] for header in headers}
  assert metres == {"2/4", "3/4", "4/4", "6/8", "9/8"}
  assert len({header["K"] for header in headers}) > 10
  assert len({header["T"] for header in headers}) > 100
  with_endings = sum("|2" in one for one in MADE)
  assert 20 < with_endings < 100


def test_mostly_by_step():
  steps = []
  for text in MADE:
    pitches = [note.pitch for note in abc_notation.read(text).written]
    steps += [abs(a - b) for a, b in zip(pitches, pitches[1:], strict=False)]
  assert sum(step <= 2 for step in steps) > 0.7 * len(steps)
