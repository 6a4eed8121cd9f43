"""Sounds with a label: files, parts, features, changes and what is shown."""

import io
import json
import tarfile

import numpy as np
import pytest

from seqjax.data import formats, sounds, wav
from seqjax.data.sounds import Spoken
from seqjax.data.spectrogram import Features
from seqjax.data.wav import Sound
from seqjax.errors import InputError
from tests.experiments import load


def config(**fields):
  data = load("digits").data
  data.update(validation=0.0, test=0.0, examples=40)
  data.update(fields)
  return data


def noise(seed, count):
  samples = np.random.default_rng(seed).uniform(-0.5, 0.5, count)
  return samples.astype(np.float32)


@pytest.fixture
def digits(tmp_path):
  """Two digits by three speakers, four times each."""
  place = tmp_path / "digits"
  place.mkdir()
  for digit in "03":
    for seed, speaker in enumerate(("ann", "bob", "cat")):
      for clip in range(4):
        samples = noise((seed, clip), 900 + 50 * clip)
        wav.write(place / f"{digit}_{speaker}_{clip}.wav", samples, 8_000)
  return place


def test_it_is_a_format():
  assert formats.find("sounds") is sounds


def test_parts_by_number(digits):
  data = config(path=str(digits), test_clips="0", validation_clips="3")
  parts = sounds.load(data, 0)
  assert [len(part) for part in parts] == [12, 6, 6]
  assert {e.label for e in parts.train} == {"0", "3"}
  assert {len(e.inputs.samples) for e in parts.train} == {950, 1_000}
  assert {len(e.inputs.samples) for e in parts.test} == {900}
  # Without numbers of its own the validation is a share of what trains.
  data = config(path=str(digits), test_clips="0", validation=1 / 3)
  assert [len(part) for part in sounds.load(data, 0)] == [12, 6, 6]


def heard(part):
  return {example.inputs.samples.tobytes() for example in part}


def test_a_speaker_held_out_and_folds_are_alike(digits):
  parts = sounds.load(config(path=str(digits), held_out="bob"), 0)
  assert [len(part) for part in parts] == [16, 0, 8]
  tests = []
  for fold in range(3):
    data = config(path=str(digits), num_folds=3, fold=fold)
    found = sounds.load(data, 0)
    assert [len(part) for part in found] == [16, 0, 8]
    assert not heard(found.train) & heard(found.test)
    tests.append(heard(found.test))
  assert tests[1] == heard(parts.test)
  assert not tests[0] & tests[2]


def test_shares_by_label(digits):
  parts = sounds.load(config(path=str(digits), validation=0.25, test=0.25), 0)
  assert [len(part) for part in parts] == [12, 6, 6]
  for part in parts:
    labels = [example.label for example in part]
    assert labels.count("0") == labels.count("3")


def test_an_archive_and_who_speaks(digits, tmp_path):
  with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
    archive.add(digits, "recordings")
  data = config(
    path=str(tmp_path / "a.tar.gz"), pattern=r"\d_(?P<label>\w+)_\d+"
  )
  found = sounds.load(data, 0).train
  assert sorted({e.label for e in found}) == ["ann", "bob", "cat"]


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"num_folds": 2}, "of config.data.num_folds = 2, expected one of 3"),
    ({"num_folds": 3, "fold": 3}, "config.data.fold is 3"),
    ({"held_out": "dan"}, "expected one of ann, bob, cat"),
    ({"rate": 0}, "config.data.rate is 0, expected 1,000"),
    ({"path": "nowhere"}, "config.data.path is nowhere, which does not exist"),
  ],
)
def test_mistakes(digits, fields, message):
  with pytest.raises(InputError, match=message):
    sounds.load(config(**{"path": str(digits)} | fields), 0)


def test_invented_words_are_drawn_from_the_seed():
  first, again, other = (
    sounds.load(config(test=0.25), seed) for seed in (0, 0, 1)
  )
  assert [len(part) for part in first] == [30, 0, 10]
  for one, two in zip(first.train, again.train, strict=True):
    np.testing.assert_array_equal(one.inputs.samples, two.inputs.samples)
  assert heard(first.train) != heard(other.train)
  assert len({example.label for example in first.train}) == 10


def test_encoded_together_as_alone():
  data = config(features={"normalise": "utterance", "deltas": 1})
  encoder = sounds.Encoder.fit([], data, 0)
  again = sounds.Encoder(**json.loads(json.dumps(encoder.state)))
  assert (again.input_size, again.rate) == (80, 8_000)
  features = Features(rate=8_000, deltas=1)
  inputs = [
    Spoken(noise(n, n), 8_000, features)
    for n in (0, 1, 199, 200, 1_999, 2_000, 2_001, 2_999, 41)
  ]
  found = again.encode_all(inputs)
  for one, array in zip(inputs, found, strict=True):
    alone = features.of(one.samples)
    assert array.shape == (features.count(len(one.samples)), 80)
    np.testing.assert_allclose(array, alone, atol=1e-5)
    np.testing.assert_allclose(array, encoder.encode(one), atol=1e-5)
  assert encoder.encode_all([]) == []


def test_another_rate_is_resampled():
  encoder = sounds.Encoder.fit([], config(), 0)
  time = np.arange(8_000) / 16_000
  wide = np.sin(2 * np.pi * 440 * time).astype(np.float32)
  narrow = wide[::2]  # 440 Hz is far below what either rate can hold
  found = encoder.encode(Sound(wide, 16_000))
  expected = encoder.encode(Sound(narrow, 8_000))
  assert found.shape == expected.shape
  loud = encoder.features.mels // 5  # where the tone is not
  np.testing.assert_allclose(found[5:-5, :loud].mean(), 0, atol=0.3)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_samples_that_are_no_sound(value):
  encoder = sounds.Encoder.fit([], config(), 0)
  with pytest.raises(InputError, match="no finite numbers, or beyond"):
    encoder.encode(Sound(np.full(500, value, np.float32), 8_000))


def test_a_level_makes_loudness_no_matter():
  samples = noise(0, 3_000)
  encoder = sounds.Encoder.fit([], config(level=-20.0), 0)
  again = sounds.Encoder(**json.loads(json.dumps(encoder.state)))
  loud, soft = (
    again.encode(Sound(samples * np.float32(gain), 8_000)) for gain in (1, 0.01)
  )
  np.testing.assert_allclose(loud, soft, atol=1e-3)
  # It is the level that is asked for: there nothing changes.
  plain = sounds.Encoder.fit([], config(), 0)
  scaled = samples * np.float32(0.1 / np.sqrt((samples**2).mean()))
  expected = plain.encode(Sound(scaled, 8_000))
  np.testing.assert_allclose(loud, expected, atol=1e-3)
  silent = encoder.encode(Sound(np.zeros(900, np.float32), 8_000))
  assert np.isfinite(silent).all()
  with pytest.raises(
    InputError, match="config.data.level is 5.0, expected -60"
  ):
    sounds.Encoder.fit([], config(level=5.0), 0)


def test_silence_is_no_mistake():
  encoder = sounds.Encoder.fit([], config(), 0)
  silent = Sound(np.zeros(900, np.float32), 8_000)
  assert np.isfinite(encoder.encode(silent)).all()
  assert sounds.show(silent) == "0.11 s at -90 dB"
  assert sounds.show(Sound(silent.samples[:0], 8_000)) == "0.00 s at -90 dB"


def test_read(digits, monkeypatch, capsys):
  encoder = sounds.Encoder.fit([], config(rate=4_000), 0)
  path = digits / "0_ann_0.wav"
  for named in path, digits:
    found = encoder.read(str(named))
    assert {one.rate for one in found} == {4_000}
    assert "resampled to 4,000" in capsys.readouterr().err
  assert len(found) == 24
  monkeypatch.setattr("sys.stdin", io.StringIO(f"{path}\n{path}\n"))
  assert [len(one.samples) for one in encoder.read("-")] == [450, 450]


CHANGES = [
  {"speed": 0.1},
  {"speed": 0.3, "shift": 0.05},
  {"noise": 0.5, "time_masks": 1, "frequency_masks": 1},
]


@pytest.mark.parametrize("fields", CHANGES)
def test_augmentation_is_a_function_of_its_generator(fields):
  data = config(**fields)
  augment = sounds.augmentation(data)
  assert augment is not None
  encoder = sounds.Encoder.fit([], data, 0)
  inputs = [
    Spoken(noise(seed, 900 + 77 * seed), 8_000, encoder.features)
    for seed in range(40)
  ]
  before = [one.samples.copy() for one in inputs]
  first, again, other = (
    encoder.encode_all(augment(inputs, np.random.default_rng(seed)))
    for seed in (0, 0, 1)
  )
  for one, two in zip(first, again, strict=True):
    np.testing.assert_array_equal(one, two)
  assert any(
    one.shape != two.shape or not np.array_equal(one, two)
    for one, two in zip(first, other, strict=True)
  )
  for one, samples in zip(inputs, before, strict=True):
    np.testing.assert_array_equal(one.samples, samples)
  # A batch has room for what became longer.
  plain = [len(array) for array in encoder.encode_all(inputs)]
  room = sounds.room(plain, data)
  for most, *found in zip(room, first, other, strict=True):
    assert max(map(len, found)) <= most
  longer = max(map(len, first)) > max(plain)
  assert longer == bool(data.speed or data.shift)


def test_no_augmentation():
  assert sounds.augmentation(config()) is None


def test_masks_cover_what_is_encoded():
  data = config(frequency_masks=1, frequency_mask=30)
  encoder = sounds.Encoder.fit([], data, 0)
  inputs = [Spoken(noise(0, 2_000), 8_000, encoder.features)] * 20
  plain = encoder.encode(inputs[0])
  augment = sounds.augmentation(data)
  assert augment is not None
  found = encoder.encode_all(augment(inputs, np.random.default_rng(0)))
  covered = set()
  for array in found:
    changed = (np.abs(array - plain) > 1e-3).any(axis=0)
    bands = np.flatnonzero(changed)
    assert len(bands) <= 30
    assert changed[bands.min(initial=40) : bands.max(initial=0) + 1].all()
    covered.add(tuple(bands))
  assert len(covered) > 5  # each in its own place


def test_show():
  tone = np.sin(2 * np.pi * 100 * np.arange(4_000) / 8_000)
  # A sine has half the power of the loudest there can be: 3 dB less.
  assert sounds.show(Sound(tone.astype(np.float32), 8_000)) == "0.50 s at -3 dB"


@pytest.mark.parametrize("centre", [False, True])
def test_steps_stand_beside_the_frames(centre):
  features = Features(rate=8_000, centre=centre)
  samples = np.zeros(1_600, np.float32)
  samples[800:] = 0.1
  one = Spoken(samples, 8_000, features)
  found = sounds.steps(one)
  assert found.shape == (features.count(1_600), 1)
  middle = len(found) // 2
  np.testing.assert_allclose(found[: middle - 2], -90)
  # Nothing is beyond the end, where the last frames reach.
  np.testing.assert_allclose(found[middle + 2 : -3], -20, atol=1e-3)
  empty = sounds.steps(one._replace(samples=samples[:0]))
  assert empty.shape == (0, 1)
