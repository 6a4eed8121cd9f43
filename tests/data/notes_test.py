from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data import notes
from seqjax.data.notes import Counts, Note, Score
from seqjax.errors import InputError


def test_seconds_at_changing_tempi():
  score = Score([], ((F(0), 60.0), (F(4), 120.0), (F(6), 30.0)))
  found = notes.seconds(score, [F(0), F(3), F(4), F(5), F(6), F(13, 2)])
  np.testing.assert_allclose(found, [0, 3, 4, 4.5, 5, 6])
  assert Score([Note(F(1), F(2), 60), Note(F(0), F(5, 2), 60)]).end == 3
  assert Score([]).end == 0


def test_in_order():
  long, low = Note(F(0), F(9), 60), Note(F(0), F(1), 50)
  high, late = Note(F(0), F(1), 70), Note(F(1), F(1), 40)
  other = long._replace(voice=1, length=F(1))
  found = notes.in_order([late, high, other, long, low])
  assert found == [low, long, other, high, late]


def sounding(*played, **options):
  """Frames as sets of pitches, and what was lost."""
  options = {"step": F(1, 4)} | options
  score = Score([Note(*map(F, times), pitch) for *times, pitch in played])
  found, counts = notes.frames(score, **options)
  lowest = options.get("lowest", 21)
  assert found.dtype == bool
  return [set((np.flatnonzero(row) + lowest).tolist()) for row in found], counts


def test_frames():
  found, counts = sounding(("1/4", "1/2", 60), ("1/2", "1/4", 64))
  assert found == [set(), {60}, {60, 64}]
  assert counts == Counts(0, 0, 0, 0)
  assert notes.frames(Score([]), F(1))[0].shape == (0, 88)


@pytest.mark.parametrize(
  ("start", "length", "expected"),
  [
    # In quarters of a quarter: from 1/2 on the next one, not the even one.
    ("3/32", "1/4", {0}),
    ("1/8", "1/4", {1}),
    ("3/8", "1/4", {2}),
    ("1/4", "1/3", {1}),
    ("1/4", "3/8", {1, 2}),
    # One frame at least.
    ("1/4", "1/100", {1}),
    ("9/40", "1/100", {1}),
  ],
)
def test_times_between_frames_are_moved(start, length, expected):
  found, counts = sounding((start, length, 60))
  assert {i for i, now in enumerate(found) if now} == expected
  assert counts == Counts(1, 0, 0, 0)


def test_what_a_piano_roll_cannot_hold_is_counted():
  found, counts = sounding((0, 1, 20), (0, 1, 21), (0, 1, 108), (0, 2, 109))
  assert found == [{21, 108}] * 4
  assert counts == Counts(0, 2, 0, 0)
  assert sounding((0, 1, 60), lowest=60, count=1)[0] == [{60}] * 4
  # The second is within the first, the third beyond both, the fourth behind.
  found, counts = sounding(
    (0, 2, 60), (1, "1/4", 60), ("7/4", 1, 60), ("11/4", "1/4", 60), (2, 1, 61)
  )
  assert found == [{60}] * 8 + [{60, 61}] * 4
  assert counts == Counts(0, 0, 2, 1)


def test_mistakes():
  with pytest.raises(ValueError, match="step is 0, expected a positive"):
    notes.frames(Score([]), F(0))
  with pytest.raises(ValueError, match="starts at -1, expected 0 or later"):
    sounding((-1, 1, 60))
  with pytest.raises(InputError, match="4,000,000,004 frames of 1/4 quarter"):
    sounding((10**9, 1, 60))


rolls = st.integers(0, 6).flatmap(
  lambda time: st.lists(
    st.lists(st.booleans(), min_size=5, max_size=5),
    min_size=time,
    max_size=time,
  )
)


@given(rolls, st.sampled_from([F(1, 4), F(1, 3), F(2)]))
def test_frames_of_the_score_of_frames(roll, step):
  given = np.array(roll, bool).reshape(-1, 5)
  score = notes.score_of(given, step, 90.0, lowest=60)
  found, counts = notes.frames(score, step, 60, 5)
  # A score does not know of silence behind it.
  assert not given[len(found) :].any()
  np.testing.assert_array_equal(found, given[: len(found)])
  assert counts == Counts(0, 0, 0, 0)
  keys = [(note.start, note.pitch) for note in score.notes]
  assert keys == sorted(keys)
  # As many notes as there are frames whose pitch was not there before.
  before = np.concatenate([np.zeros((1, 5), bool), given])[:-1]
  assert len(score.notes) == (given & ~before).sum()


def test_score_of_the_frames_of_a_score():
  score = Score(
    [Note(F(0), F(1), 60), Note(F(0), F(3, 2), 64), Note(F(5, 4), F(1), 60)],
    ((F(0), 72.0),),
  )
  found, _ = notes.frames(score, F(1, 4))
  assert notes.score_of(found, F(1, 4), 72.0) == score
  assert notes.score_of(found.astype(np.float32), F(1, 4), 72.0) == score
  assert notes.score_of(np.zeros((3, 88)), F(1, 4), 72.0).notes == []
