from fractions import Fraction as F

import numpy as np
import pytest

from seqjax.data import synthesiser
from seqjax.data.notes import Note, Score
from seqjax.errors import InputError

RATE = 22_050


def spectrum(score, rate=RATE):
  """Frequencies and the size of each, of the largest; windowed."""
  sound = synthesiser.play(score, rate).astype(float)
  sizes = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
  return np.fft.rfftfreq(len(sound), 1 / rate), sizes / sizes.max()


def held(pitch, quarters=4):
  return Score([Note(F(0), F(quarters), pitch)])


def test_an_a_sounds_at_440_and_its_multiples():
  frequencies, sizes = spectrum(held(69))
  harmonics = 440 * np.arange(1, 7)
  near = np.abs(frequencies[:, None] - harmonics) < 20
  for column in near.T:
    peak = frequencies[column][sizes[column].argmax()]
    assert np.abs(harmonics - peak).min() < 1
  heights = [sizes[column].max() for column in near.T]
  assert heights[0] == 1
  assert (np.diff(heights) < 0).all()
  assert heights[-1] > 0.01
  assert sizes[~near.any(1)].max() < 0.002


@pytest.mark.parametrize(("pitch", "rate", "sounds"), [
  # 8,372 Hz: its double, 16,744, would come back as 5,306.
  (120, RATE, [8372.02]),
  (100, RATE, [2637.02, 5274.04, 7911.06, 10548.08]),
  (120, 16_000, []),
])  # fmt: skip
def test_nothing_is_above_half_the_rate(pitch, rate, sounds):
  if not sounds:
    assert not synthesiser.play(held(pitch), rate).any()
    return
  frequencies, sizes = spectrum(held(pitch), rate)
  near = np.abs(frequencies[:, None] - np.array(sounds)) < 20
  assert (near.T @ sizes > 0).all()
  assert sizes[~near.any(1)].max() < 0.002


def loud(sound, at, rate=RATE):
  """Whether something is heard within 20 ms behind a time."""
  first = round(at * rate)
  return np.abs(sound[first : first + rate // 50]).max() > 0.02


def test_notes_sound_when_the_tempo_says():
  score = Score(
    [Note(F(0), F(1), 60), Note(F(4), F(1), 64), Note(F(6), F(2), 67)],
    ((F(0), 60.0), (F(4), 240.0), (F(6), 120.0)),
  )
  sound = synthesiser.play(score)
  # At 0 to 1 s, 4 to 4.25, 4.5 to 5.5; then half a second.
  assert len(sound) == 6 * RATE
  heard = [0.01, 0.5, 0.97, 4.0, 4.2, 4.5, 5.4]
  silent = [1.1, 3.97, 4.4, 5.6]
  assert [loud(sound, at) for at in heard] == [True] * 7
  assert [loud(sound, at) for at in silent] == [False] * 4


def test_no_clicks():
  """No step is larger than those of the deepest tones, whatever their ends."""
  score = Score(
    [Note(F(i, 3), F(1, 3), 30 + i % 5) for i in range(9)]
    + [Note(F(4), F(60), 33)],  # ends below hearing
    ((F(0), 100.0),),
  )
  sound = synthesiser.play(score)
  assert sound[0] == sound[-1] == 0
  # Harmonics up to 6 * 58 Hz, the sum of which is 0.9 or a little more.
  assert np.abs(np.diff(sound)).max() < 2 * np.pi * 6 * 58 / RATE
  late = sound[10 * RATE :]
  assert 0 < np.abs(np.diff(late)).max() < 0.001
  assert not sound[round(13.1 * RATE) :].any()


def test_loudness():
  """The loudest is at 0.9, others as their velocities are."""
  score = Score([Note(F(0), F(1), 69, 120), Note(F(4), F(1), 69, 30)])
  sound = synthesiser.play(score)
  assert np.abs(sound).max() == pytest.approx(0.9, abs=1e-6)
  assert np.abs(sound).max() <= np.float32(0.9)
  late = np.abs(sound[2 * RATE - 10 :]).max()
  assert late == pytest.approx(0.9 / 4, rel=1e-3)
  chord = Score([Note(F(0), F(1), pitch) for pitch in range(40, 100)])
  assert np.abs(synthesiser.play(chord)).max() <= np.float32(0.9)


def test_notes_add_up():
  """A chord is the sum of its notes, but for its loudness."""
  first, second = Note(F(0), F(2), 60), Note(F(1, 2), F(2), 67)
  alone = [synthesiser.play(Score([note])) for note in (first, second)]
  chord = synthesiser.play(Score([first, second])).astype(float)
  basis = np.zeros((len(chord), 2))
  for column, part in enumerate(alone):
    basis[: len(part), column] = part
  weights, *_ = np.linalg.lstsq(basis, chord, rcond=None)
  np.testing.assert_allclose(basis @ weights, chord, atol=1e-6)
  # Both are as loud; their own loudest samples may differ a little.
  assert weights[0] == pytest.approx(weights[1], rel=0.05)


def test_silence():
  sound = synthesiser.play(Score([]))
  assert sound.dtype == np.float32
  assert sound.shape == (RATE // 2,)
  assert not sound.any()


def test_the_same_again():
  score = held(64)
  np.testing.assert_array_equal(
    synthesiser.play(score, 8_000), synthesiser.play(score, 8_000)
  )


@pytest.mark.parametrize(
  ("score", "message"),
  [
    (held(60, 7_300), "lasts 3,650 seconds, expected at most 3,600"),
    (held(60, 10**400), "lasts inf seconds, expected at most"),
    (Score([], ((F(0), 0.0),)), "has 0 quarter notes a minute"),
    (Score([], ((F(0), float("nan")),)), "has nan quarter notes a minute"),
    (Score([], ((F(0), 1e5),)), "has 100000 quarter notes a minute"),
    (Score([Note(F(0), F(0), 60)] * 100_001), "has 100,001 notes, expected"),
  ],
)
def test_refused(score, message):
  with pytest.raises(InputError, match=message):
    synthesiser.play(score)


def test_odd_scores():
  with pytest.raises(ValueError, match="starts before 0"):
    synthesiser.play(Score([Note(F(-1), F(1), 60)]))
  late = held(60)._replace(tempi=((F(0), 120.0), (F(10**400), 60.0)))
  np.testing.assert_array_equal(
    synthesiser.play(late), synthesiser.play(held(60))
  )
