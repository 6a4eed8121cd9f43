"""What is written is read by `midi.read`, and by mido alone."""

from fractions import Fraction as F

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqjax.data import midi
from seqjax.data.midi import Counts
from seqjax.data.notes import Note, Score, in_order
from seqjax.errors import InputError


@st.composite
def scores(draw):
  """Notes that do not overlap in a voice and pitch; voices from 0 on."""
  times = st.fractions(0, 4, max_denominator=6)
  notes = []
  for voice in range(draw(st.integers(0, 3))):
    for pitch in draw(st.sets(st.integers(0, 127), min_size=1, max_size=3)):
      edges = sorted(draw(st.sets(times, min_size=2, max_size=4)))
      keeps = draw(st.lists(st.booleans(), min_size=2, max_size=2))
      kept = [
        Note(a, b - a, pitch, draw(st.integers(1, 127)), voice)
        for a, b, keep in zip(edges, edges[1:], [True, *keeps], strict=False)
        if keep
      ]
      notes += kept
  starts = sorted({F(0)} | draw(st.sets(times, max_size=3)))
  tempi = tuple((at, draw(st.floats(4, 1_000))) for at in starts)
  return Score(in_order(notes), tempi)


@given(scores())
@settings(max_examples=40)
def test_what_is_written_is_read(tmp_path_factory, score):
  path = tmp_path_factory.getbasetemp() / "a.mid"
  midi.write(path, score)
  found, counts = midi.read(path)
  assert found.notes == score.notes
  assert counts == Counts()
  assert [at for at, _ in found.tempi] == [at for at, _ in score.tempi]
  for (_, got), (_, true) in zip(found.tempi, score.tempi, strict=True):
    assert 60e6 / got == pytest.approx(60e6 / true, abs=0.501)


def test_written_as_mido_sees_it(tmp_path):
  score = Score(
    [Note(F(1, 3), F(1), 60, 80, 0), Note(F(0), F(1), 48, 70, 3)],
    ((F(0), 90.0), (F(1, 7), 60.0)),
  )
  midi.write(tmp_path / "a.mid", score)
  found = mido.MidiFile(tmp_path / "a.mid")
  assert (found.type, len(found.tracks)) == (1, 3)
  assert found.ticks_per_beat == 483  # 21 times 23
  first, second, _ = found.tracks[0]
  assert (first.tempo, second.tempo, second.time) == (666_667, 1_000_000, 69)
  played = found.tracks[1]
  assert [m.type for m in played] == ["note_on", "note_off", "end_of_track"]
  assert (played[0].time, played[0].note, played[0].velocity) == (161, 60, 80)
  assert played[1].time == 483
  assert {m.channel for m in found.tracks[2][:2]} == {1}
  # At 90 to 1/7, then at 60: as `length` has it by itself.
  assert found.length == pytest.approx(2 / 3 / 7 + 4 / 3 - 1 / 7, abs=1e-5)


def test_no_voice_is_written_as_drums(tmp_path):
  score = Score([Note(F(0), F(1), 60, 80, voice) for voice in range(20)])
  midi.write(tmp_path / "a.mid", score)
  tracks = mido.MidiFile(tmp_path / "a.mid").tracks[1:]
  channels = [each[0].channel for each in tracks]
  assert set(channels) == set(range(16)) - {9}
  assert len(channels) == 20


def test_times_that_no_file_has_are_rounded(tmp_path):
  score = Score(
    [Note(F(1, 997), F(1, 10**6), 60), Note(F(1, 991), F(1, 3), 62)]
  )
  midi.write(tmp_path / "a.mid", score)
  found = midi.read(tmp_path / "a.mid").score
  assert [note.pitch for note in found.notes] == [60, 62]
  for got, true in zip(found.notes, score.notes, strict=True):
    assert abs(got.start - true.start) <= F(1, 2 * 30_240)
    assert abs(got.length - true.length) <= F(1, 30_240)
    assert got.length > 0
  # As many as can be: prime, and nothing smaller would do.
  exact = Score([Note(F(1, 32_749), F(1), 60)])
  midi.write(tmp_path / "a.mid", exact)
  assert midi.read(tmp_path / "a.mid").score.notes == exact.notes


def test_overlaps_of_a_voice_are_cut(tmp_path):
  score = Score(
    [
      Note(F(0), F(1), 60, 70),
      Note(F(0), F(4), 60, 80),
      Note(F(2), F(4), 60, 90),
      Note(F(1), F(4), 60, 90, 1),
    ]
  )
  midi.write(tmp_path / "a.mid", score)
  found, counts = midi.read(tmp_path / "a.mid")
  assert found.notes == [
    Note(F(0), F(2), 60, 80),
    Note(F(1), F(4), 60, 90, 1),
    Note(F(2), F(4), 60, 90),
  ]
  assert counts == Counts()


@pytest.mark.parametrize(
  ("score", "message"),
  [
    (Score([Note(F(0), F(1), 128)]), "pitch 128 and velocity 80, expected 0 "),
    (Score([Note(F(0), F(1), -1)]), "pitch -1 and"),
    (Score([Note(F(0), F(1), 60, 0)]), "pitch 60 and velocity 0"),
    (Score([Note(F(-1), F(1), 60)]), "a time of -1, expected 0"),
    (Score([Note(F(10**7), F(1), 60)]), "4,800,000,000 ticks from one"),
    (Score([], ((F(0), 3.5),)), "3.5 quarter notes a minute, expected 3.6"),
    (Score([], ((F(0), 0.0),)), "0 quarter notes a minute"),
    (Score([], ((F(0), float("inf")),)), "inf quarter notes a minute"),
    (Score([], ((F(0), float("nan")),)), "nan quarter notes a minute"),
  ],
)
def test_what_no_file_can_hold_is_refused(score, message, tmp_path):
  with pytest.raises(InputError, match=message):
    midi.write(tmp_path / "a.mid", score)
  assert not (tmp_path / "a.mid").exists()
