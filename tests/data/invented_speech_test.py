import itertools

import numpy as np
import pytest

from seqjax.data import invented_speech
from seqjax.data.invented_speech import RATE, VOICES, Voice, say

PLAIN = Voice(100, 1.0, 1.0, 0.0)


def spectrum(samples, rate=RATE):
  """Powers by Hz."""
  power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), rate)) ** 2
  return power, np.fft.rfftfreq(rate, 1 / rate)


def test_words():
  words = invented_speech.words()
  assert len(set(words)) == len(words) == 10
  for word in words:
    assert 2 <= sum(word.count(vowel) for vowel in "aeiou") <= 3
  # Told apart by their order alone, some of them.
  syllables = [
    frozenset((word[:2], word[2:])) for word in words if len(word) == 4
  ]
  assert len(set(syllables)) < len(syllables)


def test_a_vowel_has_its_pitch_and_its_formants():
  """The loudest harmonics are those beside the first formant of a man."""
  for vowel, formant in (("a", 730), ("e", 530), ("i", 270), ("u", 300)):
    samples = np.concatenate(
      [say(vowel, PLAIN, np.random.default_rng(seed)) for seed in range(20)]
    )
    power, hertz = spectrum(samples)
    assert abs(hertz[power.argmax()] - formant) < 130
  # A pitch: the sound is like itself one period later.
  middle = say("a", Voice(200, 1.2, 0.5, 0.0), np.random.default_rng(0))
  middle = middle[len(middle) // 3 :][:800]
  lags = np.arange(20, 80)
  alike = [middle[:-lag] @ middle[lag:] for lag in lags]
  assert 170 < RATE / lags[np.argmax(alike)] < 235


def test_consonants_are_noise_in_their_bands():
  shares = {}
  for letter in "sfm":
    power, hertz = spectrum(say(letter, PLAIN, np.random.default_rng(0)))
    shares[letter] = power[hertz > 2_800].sum() / power.sum()
  assert shares["s"] > 0.9
  assert 0.1 < shares["f"] < 0.8
  assert shares["m"] < 0.01
  # A stop is a silence, then a burst.
  samples = say("t", PLAIN, np.random.default_rng(0))
  half = len(samples) // 2
  assert not samples[:half].any()
  assert samples[half:].any()


def test_children_are_higher_and_the_slow_are_longer():
  def alike(**changes):
    return say("a", PLAIN._replace(**changes), np.random.default_rng(0))

  low, high = (spectrum(alike(scale=scale)) for scale in (1.0, 1.36))
  centres = [(p * hertz).sum() / p.sum() for p, hertz in (low, high)]
  assert centres[1] > 1.2 * centres[0]
  assert len(alike(speed=0.5)) == pytest.approx(2 * len(alike()), rel=0.05)


def test_never_twice_the_same():
  rng = np.random.default_rng(0)
  a, b = (say("sula", VOICES["eve"], rng) for _ in range(2))
  assert len(a) != len(b)
  again = say("sula", VOICES["eve"], np.random.default_rng(0))
  np.testing.assert_array_equal(a, again)
  assert a.dtype == np.float32
  assert 0.3 <= np.abs(a).max() <= 0.9


@pytest.mark.parametrize("rate", [1_000, 8_000, 11_025, 16_000, 44_100])
def test_any_rate(rate):
  """As long, in seconds, and nothing that the rate cannot hold."""
  for word in invented_speech.words():
    for voice in VOICES.values():
      samples = say(word, voice, np.random.default_rng(0), rate)
      other = say(word, voice, np.random.default_rng(0))
      assert np.isfinite(samples).all()
      assert len(samples) / rate == pytest.approx(len(other) / RATE, rel=0.01)


@pytest.mark.parametrize("word", ["", "kaxo", "Kamo", "ka mo"])
def test_what_has_no_sound(word):
  with pytest.raises(ValueError, match=f"word is '{word}', expected of"):
    say(word, PLAIN, np.random.default_rng(0))


def test_rates_that_are_too_low():
  with pytest.raises(ValueError, match="rate is 999, expected 1,000"):
    say("kamo", PLAIN, np.random.default_rng(0), 999)


def test_clips():
  found = invented_speech.clips(40, 5)
  assert [word for _, word, _ in found] == [*invented_speech.words()] * 4
  assert {voice for *_, voice in found} <= set(VOICES)
  assert len({voice for *_, voice in found}) > 5
  fewer = invented_speech.clips(3, 5)
  other = invented_speech.clips(3, 6)
  for a, b, c in zip(fewer, found, other, strict=False):
    np.testing.assert_array_equal(a[0], b[0])
    assert len(a[0]) != len(c[0])
  for samples, _, _ in found:
    assert samples.dtype == np.float32
    assert 0.25 * RATE < len(samples) < 1.5 * RATE
    assert np.abs(samples).max() < 1
    # A room, not silence, around the word.
    edge = samples[: RATE // 50]
    assert 0 < edge.std() < 0.05 * samples.std() + 0.004


def test_strings():
  found = invented_speech.strings(30, 0, 2, 3)
  known = set(invented_speech.words())
  for samples, text, voice in found:
    assert len(text.split()) in (2, 3)
    assert set(text.split()) <= known
    assert voice in VOICES
    assert np.abs(samples).max() < 1
    # Between words, and at both ends, at least 50 ms of low noise.
    size = RATE // 100
    levels = (
      samples[: len(samples) // size * size].reshape(-1, size).std(axis=1)
    )
    runs = [
      len(list(run))
      for quiet, run in itertools.groupby(levels < 0.006)
      if quiet
    ]
    assert sum(run >= 4 for run in runs) >= len(text.split()) + 1
    assert (levels > 0).all()
  assert {len(text.split()) for _, text, _ in found} == {2, 3}
  again = invented_speech.strings(2, 0, 2, 3)
  np.testing.assert_array_equal(again[1][0], found[1][0])
  single = invented_speech.strings(3, 0, 1, 1)
  assert all(text in known for _, text, _ in single)
  with pytest.raises(ValueError, match="strings of 3 to 2 words"):
    invented_speech.strings(1, 0, 3, 2)


def test_told_apart_but_not_by_a_mean():
  """Nearest neighbour among other voices: of the course, of the mean."""
  found = invented_speech.clips(240, 1)
  words = np.array([word for _, word, _ in found])
  voices = np.array([voice for *_, voice in found])
  course, mean = [], []
  for samples, _, _ in found:
    # Loudness of eight bands in ten parts of the word, by periodograms.
    parts = np.array_split(samples, 10)
    rows = [np.abs(np.fft.rfft(part, 1_024)) ** 2 for part in parts]
    edges = [0, 45, 75, 110, 150, 210, 280, 390, 513]
    bands = [
      [row[a:b].mean() for a, b in itertools.pairwise(edges)] for row in rows
    ]
    bands = np.log(np.array(bands) + 1e-2)
    course.append((bands - bands.mean(axis=0)).ravel())
    mean.append(bands.mean(axis=0))
  shares = []
  for values in (np.array(course), np.array(mean)):
    far = ((values[:, None] - values) ** 2).sum(axis=2)
    far[voices[:, None] == voices] = np.inf
    shares.append((words[far.argmin(axis=1)] == words).mean())
  assert shares[0] > 0.9
  assert shares[1] < 0.7
