"""Utterances: of all kinds, in parts, as features and ids."""

import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import invented_speech, utterances, wav
from seqjax.data.sound_files import Clip
from seqjax.data.utterances import Encoder, Utterance
from seqjax.data.wav import Sound
from seqjax.errors import InputError

FIELDS = {
  "kind": "invented",
  "path": None,
  "rate": 8_000,
  "features": {"mels": 20},
  "tokenizer": "words",
  "lower": False,
  "words": "",
  "transcripts": "",
  "examples": 12,
  "validation": 0.25,
  "test": 0.25,
  "validation_examples": 20,
  "test_examples": 30,
  "pattern": r"(?P<label>\d)_(?P<speaker>\w+)_(?P<clip>\d+)",
  "held_out": "",
  "test_clips": "0-1",
  "validation_clips": "2",
}


def config(**fields):
  return config_dict.ConfigDict(FIELDS | fields)


def code(speaker, clip, digit):
  """Loudness that tells a clip from all others, exact in 16 bits."""
  return (1 + speaker * 100 + clip * 10 + digit) / 1_024


SPEAKERS = "ann", "bob", "cat"


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
  """Clips of 30 ms that say by their loudness who speaks what, and which."""
  place = tmp_path_factory.mktemp("digits")
  for speaker, name in enumerate(SPEAKERS):
    for clip in range(6):
      for digit in range(4):
        samples = np.full(240, code(speaker, clip, digit), np.float32)
        wav.write(place / f"{digit}_{name}_{clip}.wav", samples, 8_000)
  return place


def heard(one):
  """Which clips a string is of, and the samples of each gap: by loudness."""
  loud = one.samples > 0.5 / 1_024 * 1.9
  clips, gaps, place = [], [], 0
  while place < len(one.samples):
    value = one.samples[place]
    same = one.samples[place : place + 240]
    if loud[place] and len(same) == 240 and (same == value).all():
      rest, digit = divmod(round(float(value) * 1_024) - 1, 10)
      clips.append((SPEAKERS[rest // 10], rest % 10, digit))
      gaps.append([])
      place += 240
    else:
      gaps[-1].append(float(one.samples[place]))
      place += 1
  return clips, gaps


def test_strings_are_of_their_parts_clips_alone(digits):
  parts = utterances.load(
    config(kind="strings", path=str(digits), examples=40), 0
  )
  assert [len(part) for part in parts] == [40, 20, 30]
  allowed = {3, 4, 5}, {2}, {0, 1}
  lengths = set()
  for part, numbers in zip(parts, allowed, strict=True):
    for one in part:
      clips, gaps = heard(one)
      assert {number for _, number, _ in clips} <= numbers
      assert {name for name, _, _ in clips} == {one.speaker}
      assert one.text == " ".join(str(digit) for _, _, digit in clips)
      lengths.add(len(clips))
      *between, behind = gaps
      assert behind == []
      assert all(400 <= len(gap) <= 1_600 for gap in between)  # 50 to 200 ms
      quiet = np.concatenate(between)
      assert 0 < quiet.std() < 0.002
  assert lengths == {3, 4, 5, 6, 7}


def test_a_speaker_held_out(digits):
  data = config(kind="strings", path=str(digits), held_out="bob")
  parts = utterances.load(data, 0)
  assert {one.speaker for one in parts.test} == {"bob"}
  assert {one.speaker for one in [*parts.train, *parts.validation]} == {
    "ann",
    "cat",
  }


def test_strings_are_drawn_from_the_seed(digits):
  data = config(kind="strings", path=str(digits))
  first, again, other = (utterances.load(data, seed) for seed in (3, 3, 4))
  texts = [[one.text for one in parts.test] for parts in (first, again, other)]
  assert texts[0] == texts[1] != texts[2]
  for one, two in zip(first.train, again.train, strict=True):
    np.testing.assert_array_equal(one.samples, two.samples)
  # The test strings do not depend on how many there are of training.
  data.examples = 5
  fewer = utterances.load(data, 3)
  assert [one.text for one in fewer.test] == texts[0]


def test_joined_draws_alike():
  """However many clips there are of one: a rare digit is as frequent."""
  sound = Sound(np.full(10, 0.5, np.float32), 8_000)
  clips = [Clip(sound, "0", "ann")] * 50 + [Clip(sound, "1", "ann")]
  made = utterances.joined(
    clips, 400, np.random.default_rng(0), 8_000, {"1": "one"}
  )
  words = " ".join(one.text for one in made).split()
  share = words.count("one") / len(words)
  assert abs(share - 0.5) < 3 * 0.5 / np.sqrt(len(words))
  assert set(words) == {"0", "one"}


def test_strings_without_clips_set_aside(digits):
  data = config(
    kind="strings", path=str(digits), test_clips="", validation_clips=""
  )
  with pytest.raises(InputError, match="expected config.data.test_clips or"):
    utterances.load(data, 0)
  data.test_examples = 0
  assert [len(part) for part in utterances.load(data, 0)] == [12, 0, 0]


@pytest.fixture
def yes_no(tmp_path):
  for number in range(12):
    name = "_".join(f"{number:04b}")
    samples = np.full(400, 0.1, np.float32)
    wav.write(tmp_path / f"{name}.wav", samples, 8_000)
  return tmp_path


def test_names(yes_no):
  data = config(
    kind="names", path=str(yes_no), words="1=yes 0=no", validation=0.0, test=5.0
  )
  parts = utterances.load(data, 0)
  assert [len(part) for part in parts] == [7, 0, 5]
  assert parts.train[0].text == "no no no no"
  assert parts.test[-1].text == "yes no yes yes"
  # By name, the last ones; a share is the same.
  data.test = 5 / 12
  data.validation = 2
  again = utterances.load(data, 1)
  assert [one.name for one in again.test] == [one.name for one in parts.test]
  assert [one.name for one in again.validation] == [
    "0_1_0_1.wav",
    "0_1_1_0.wav",
  ]


KALDI = "<s> Ten  of clubs  </s> (001)\n<s> five </s> (more/002)\n\n"
TSV = "001.wav\tTen of clubs\nmore/002\tfive\n003\tnobody\n"


@pytest.mark.parametrize(
  "content", [KALDI, TSV, TSV.replace("/002", "/002.wav")]
)
def test_a_folder(tmp_path, content, capsys):
  place = tmp_path / "cards"
  (place / "more").mkdir(parents=True)
  for name in "001", "more/002", "004":
    wav.write(place / f"{name}.wav", np.zeros(400, np.float32), 8_000)
  tsv = "\t" in content
  said = content.replace("more/002)", "002)")
  name = "what.tsv" if tsv else "cards.transcription"
  (place / name).write_text(said)
  data = config(kind="folder", path=str(place), validation=0, test=1)
  parts = utterances.load(data, 0)
  assert [len(part) for part in parts] == [1, 0, 1]
  found = {one.name: one.text for part in parts for one in part}
  assert found == {"001.wav": "Ten of clubs", "more/002.wav": "five"}
  err = capsys.readouterr().err
  assert "1 sound(s) without a transcript, such as 004.wav" in err
  assert ("1 transcript(s) without a sound, such as 003" in err) == tsv
  data.update(lower=True, transcripts=str(place / name), test=0)
  found = {one.text for one in utterances.load(data, 0).train}
  assert found == {"ten of clubs", "five"}


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("001 ten\n", ":1: '001 ten', expected NAME<TAB>text or <s> text"),
    ("1\tten\n1\ttwo\n", ":2: '1' stands there twice"),
    ("", "the file is empty"),
    (b"\xff\xfe", "is not valid UTF-8"),
  ],
)
def test_bad_transcripts(write, content, message):
  with pytest.raises(InputError, match=message):
    utterances.read_transcripts(write(content, "a.tsv"))


def test_folders_that_do_not_fit(tmp_path):
  wav.write(tmp_path / "a.wav", np.zeros(400, np.float32), 8_000)
  data = config(kind="folder", path=str(tmp_path), validation=0, test=0)
  with pytest.raises(InputError, match=r"holds 0 that could be it"):
    utterances.load(data, 0)
  (tmp_path / "a.tsv").write_text("b\ttext\n")
  with pytest.raises(InputError, match="such as 'a'; the transcripts name 'b'"):
    utterances.load(data, 0)
  (tmp_path / "b.tsv").write_text("a\ttext\n")
  with pytest.raises(InputError, match=r"holds 2 that could be it"):
    utterances.load(data, 0)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"kind": "songs"}, "config.data.kind is 'songs', expected one of inv"),
    ({"kind": "names"}, "config.data.path is empty, expected WAV files"),
    ({"rate": 8_000.5}, "config.data.rate is 8000.5"),
    ({"examples": 0}, "config.data.examples is 0, expected 1 or more"),
    ({"test": 1.5}, "config.data.test is 1.5, expected a share below 1, or a"),
    ({"test": 12}, "which leave none of 12 utterances to train on"),
    ({"validation": -1}, "config.data.validation is -1"),
  ],
)
def test_mistakes(fields, message):
  with pytest.raises(InputError, match=message):
    utterances.load(config(**fields), 0)


def test_bad_words(digits):
  data = config(kind="strings", path=str(digits), words="1=one two")
  with pytest.raises(InputError, match=r"config.data.words holds 'two', exp"):
    utterances.load(data, 0)


def test_invented_strings():
  parts = utterances.load(config(), 0)
  assert [len(part) for part in parts] == [6, 3, 3]
  words = {word for part in parts for one in part for word in one.text.split()}
  assert words <= set(invented_speech.words())
  again = utterances.load(config(), 0)
  np.testing.assert_array_equal(parts.test[0].samples, again.test[0].samples)
  # Another rate: as long in seconds.
  slow = utterances.load(config(rate=4_000), 0)
  assert len(slow.test[0].samples) == -(-len(parts.test[0].samples) // 2)


def spoken(*texts):
  return [Utterance(np.zeros(0, np.float32), text) for text in texts]


def fitted(**fields):
  return Encoder.fit(spoken("yes no", "no no"), config(**fields), 0)


def test_ids_leave_the_blank_free():
  encoder = fitted()
  assert len(encoder.tokens) == 3  # with what is unknown
  ids = encoder.encode_text("no yes no")
  assert ids.dtype == np.int32
  assert ids.tolist() == [2, 3, 2]
  assert encoder.encode_text("no maybe").tolist() == [2, 1]
  assert encoder.encode_text("").tolist() == []
  assert encoder.decode([0, 2, 0, 0, 3, 2, 0]) == "no yes no"
  assert encoder.decode([]) == ""


def test_characters():
  encoder = fitted(tokenizer="characters")
  ids = encoder.encode_text("yes no")
  assert len(ids) == 6
  assert ids.min() >= 1
  assert encoder.decode(ids) == "yes no"


def test_an_encoder_is_the_same_again():
  encoder = fitted(features={"mels": 12, "hop": 0.02, "window": 0.03})
  again = Encoder(**json.loads(json.dumps(encoder.state)))
  assert again.features == encoder.features
  assert (again.features.mels, again.rate) == (12, 8_000)
  samples = np.random.default_rng(0).normal(0, 0.1, 3_000).astype(np.float32)
  np.testing.assert_array_equal(again.encode(samples), encoder.encode(samples))
  assert (
    again.encode_text("yes").tolist() == encoder.encode_text("yes").tolist()
  )


def test_features_do_not_depend_on_what_is_beside():
  encoder = fitted()
  rng = np.random.default_rng(0)
  sounds = [
    rng.normal(0, 0.1, count).astype(np.float32)
    for count in (2_500, 100, 4_000)
  ]
  for samples, found in zip(sounds, encoder.encode_all(sounds), strict=True):
    assert found.shape == (encoder.features.count(len(samples)), 20)
    np.testing.assert_allclose(found, encoder.features.of(samples), atol=1e-5)


def test_read(yes_no, capsys):
  encoder = fitted(rate=4_000)
  found = encoder.read(str(yes_no))
  assert [(one.name, one.text) for one in found][:2] == [
    ("0_0_0_0.wav", ""),
    ("0_0_0_1.wav", ""),
  ]
  assert {len(one.samples) for one in found} == {200}
  assert "resampled to 4,000" in capsys.readouterr().err


def test_an_unknown_tokenizer():
  with pytest.raises(InputError, match="tokenizer is 'blanks', expected one o"):
    fitted(tokenizer="blanks")
