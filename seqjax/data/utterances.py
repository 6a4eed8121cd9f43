"""Sounds and what is said in them: several words, written down in order.

config.data.kind  one of
  invented   strings of invented words, see `invented_speech`
  strings    strings of digits, or of what else is said in clips: 3 to 7 of one
             speaker's, with 50 to 200 ms of low noise between them. Strings of
             a part are of its clips alone, see `sound_files`; `path` is theirs
  names      WAV files named after what is said in them, as of yes and no: the
             parts of the name between "_" are the words
  folder     WAV files and a file of what is said in them, `NAME<TAB>text` or
             `<s> text </s> (NAME)` a line

config.data.path           FILE, FOLDER or ARCHIVE of WAV files
config.data.rate           samples a second of all; others are resampled
config.data.features       what is made of them, see `spectrogram`
config.data.tokenizer      words or characters, see `tokens`
config.data.lower          whether texts are in lower case
config.data.words          what is written for a label, "1=yes 0=no"; others are
                           written as they are
config.data.transcripts    of `folder`; default the one such file in it
config.data.examples       invented strings, or training strings of clips
config.data.validation     shares of what brings no such part, or, from 1 on,
config.data.test           how many; of `names` the last by name. Of clips:
config.data.validation_examples, config.data.test_examples
                           strings of these parts
config.data.pattern, .held_out, .test_clips, .validation_clips
                           of clips, see `sound_files`
"""

import dataclasses
import pathlib
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.data import invented_speech, sound_files, text
from seqjax.data.examples import Splits, path_of
from seqjax.data.sound_features import features_of
from seqjax.data.sound_files import Clip
from seqjax.data.spectrogram import Features
from seqjax.data.tokens import Tokenizer, Tokens
from seqjax.data.wav import Sound
from seqjax.errors import InputError

KINDS = "invented", "strings", "names", "folder"
FEWEST, MOST = 3, 7  # clips of a string
_GAP = 0.05, 0.2  # seconds between two of them, at least and at most
_NOISE = 1e-3  # standard deviation of what is heard there; 1 is the loudest
_TRANSCRIPTS = {".tsv", ".transcription", ".trans", ""}
_KALDI = re.compile(r"(?:<s>)?(.*?)(?:</s>)?\s*\(([^()]+)\)")


class Utterance(NamedTuple):
  """A sound and what is said in it."""

  samples: np.ndarray  # float32 [n], at `config.data.rate`
  text: str = ""
  speaker: str = ""
  name: str = ""


def load(data: Config, seed: int) -> Splits:
  """Lists of `Utterance`, as `config.data` asks for.

  Raises:
    InputError: a file is not there or damaged, or no utterance is left to train
      on.
  """
  if data.kind not in KINDS:
    raise InputError(
      f"config.data.kind is {data.kind!r}, expected one of {', '.join(KINDS)}"
    )
  _check(data)
  if data.kind == "invented":
    parts = _invented(data, seed)
  else:
    path = path_of(data)
    if path is None:
      raise InputError(
        f"config.data.path is empty, expected WAV files for config.data.kind ="
        f" {data.kind}"
      )
    read = {"strings": _strings, "names": _names, "folder": _folder}
    parts = read[data.kind](path, data, seed)
  if not parts.train:
    raise InputError("config.data leaves no utterances to train on")
  return Splits(*([_written(one, data) for one in part] for part in parts))


def _invented(data: Config, seed: int) -> Splits:
  made = invented_speech.strings(data.examples, seed)
  rate = invented_speech.RATE
  found = []
  for samples, said, voice in made:
    sound = sound_files.at_rate(Sound(samples, rate), data.rate)
    found.append(Utterance(sound.samples, said, voice))
  return _last(found, data)


def _check(data: Config) -> None:
  sound_files.check_rate(data)
  for field in "examples", "validation_examples", "test_examples":
    least = int(field == "examples")
    if data[field] < least:
      raise InputError(
        f"config.data.{field} is {data[field]}, expected {least} or more"
      )


def _written(one: Utterance, data: Config) -> Utterance:
  """With its text as it is to be written: one blank between words."""
  said = " ".join(one.text.split())
  return one._replace(text=said.lower() if data.lower else said)


def words_of(data: Config) -> dict[str, str]:
  """`config.data.words` as a table.

  Raises:
    InputError: it is not of the form "1=yes 0=no".
  """
  table = {}
  for pair in data.words.split():
    label, mark, word = pair.partition("=")
    if not (label and mark and word):
      raise InputError(
        f"config.data.words holds {pair!r}, expected LABEL=WORD, parted by"
        ' blanks: "1=yes 0=no"'
      )
    table[label] = word
  return table


def _last(found: list[Utterance], data: Config) -> Splits:
  """Parts by place: the test at the end, the validation before it."""
  counts = []
  for field in "validation", "test":
    value = data[field]
    if value < 0 or value >= 1 and value != int(value):
      raise InputError(
        f"config.data.{field} is {value}, expected a share below 1, or a"
        " number of utterances"
      )
    # A little more, so that 29/60 of 60 are 29.
    counts.append(int(value if value >= 1 else value * len(found) + 1e-9))
  train = len(found) - sum(counts)
  if train < 1:
    raise InputError(
      f"config.data.validation is {data.validation} and config.data.test is"
      f" {data.test}, which leave none of {len(found)} utterances to train on"
    )
  validation = train + counts[0]
  return Splits(found[:train], found[train:validation], found[validation:])


def _names(path: pathlib.Path, data: Config, seed: int) -> Splits:
  del seed
  table, found = words_of(data), []
  for name, sound in sound_files.read_all(path, data.rate):
    labels = sound_files.stem(name).split("_")
    said = " ".join(table.get(label, label) for label in labels)
    found.append(Utterance(sound.samples, said, name=name))
  return _last(found, data)


def _folder(path: pathlib.Path, data: Config, seed: int) -> Splits:
  """Parts at random: of a sentence that is read twice both may be parted."""
  said = read_transcripts(_transcripts(path, data))
  found, without = [], []
  for name, sound in sound_files.read_all(path, data.rate):
    place = pathlib.PurePosixPath(name)
    keys = name, str(place.with_suffix("")), place.name, place.stem
    key = next((key for key in keys if key in said), None)
    if key is None:
      without.append(name)
    else:
      found.append(Utterance(sound.samples, said.pop(key), name=name))
  if not found:
    raise InputError(
      f"{path}: nothing is written of its WAV files, such as"
      f" {sound_files.stem(without[0])!r}; the transcripts name"
      f" {next(iter(said))!r}"
    )
  for count, what, names in (
    (len(without), "sound(s) without a transcript", without),
    (len(said), "transcript(s) without a sound", list(said)),
  ):
    if count:
      print(f"{path}: {count} {what}, such as {names[0]}", file=sys.stderr)
  order = np.random.default_rng(seed).permutation(len(found))
  return _last([found[i] for i in order], data)


def _transcripts(path: pathlib.Path, data: Config) -> pathlib.Path:
  """The file of transcripts that is asked for, or the only one there is."""
  if data.transcripts:
    return pathlib.Path(data.transcripts)
  folder = path if path.is_dir() else path.parent
  there = [
    file
    for file in sorted(folder.iterdir())
    if file.is_file()
    and file.suffix.lower() in _TRANSCRIPTS
    and ("trans" in file.name.lower() or file.suffix.lower() == ".tsv")
  ]
  if len(there) != 1:
    raise InputError(
      f"config.data.transcripts is empty, expected the file of what is said:"
      f" {folder} holds {len(there)} that could be it"
    )
  return there[0]


def read_transcripts(path: str | pathlib.Path) -> dict[str, str]:
  """What is said, by name: `NAME<TAB>text`, or `<s> text </s> (NAME)` a line.

  Raises:
    InputError: the file cannot be read, a line is of neither kind, or a name is
      there twice.
  """
  found: dict[str, str] = {}
  for number, line in enumerate(text.read_utf8(path).split("\n"), 1):
    if not line.strip():
      continue
    name, tab, said = line.partition("\t")
    match = _KALDI.fullmatch(line.strip())
    if not tab and match:
      said, name = match.groups()
    elif not tab:
      raise InputError(
        f"{path}:{number}: {text.shorten(line, 40)!r}, expected NAME<TAB>text"
        " or <s> text </s> (NAME)"
      )
    name = name.strip()
    if name in found:
      raise InputError(f"{path}:{number}: {name!r} stands there twice")
    found[name] = said.strip()
  return found


def _strings(path: pathlib.Path, data: Config, seed: int) -> Splits:
  found = sound_files.read_all(path, data.rate)
  clips = sound_files.labelled(found, data.pattern, path)
  counts = data.examples, data.validation_examples, data.test_examples
  parts, table = [], words_of(data)
  named = zip(("train", "validation", "test"), counts, strict=True)
  chosen = sound_files.split(clips, data)
  for place, (name, count) in enumerate(named):
    some = getattr(chosen, name)
    # Of fewer clips than they were chosen from there may be none.
    if not some and name == "test" and count:
      raise InputError(
        f"config.data.test_examples is {count}, but no clips are set aside;"
        " expected config.data.test_clips or config.data.held_out"
      )
    count = count if some else 0
    rng = np.random.default_rng((seed, place))
    parts.append(joined(some, count, rng, data.rate, table))
  return Splits(*parts)


def joined(
  clips: Sequence[Clip],
  count: int,
  rng: np.random.Generator,
  rate: int,
  words: dict[str, str] | None = None,
) -> list[Utterance]:
  """Strings of `FEWEST` to `MOST` clips, each of one speaker.

  Speakers, labels and clips are drawn alike, however many there are of each.

  Args:
    clips: to choose from.
    count: of strings.
    rng: of the choice, and of the noise.
    rate: of all clips, samples a second.
    words: what is written for a label, where that is something else.
  """
  by_speaker: dict[str, dict[str, list[Clip]]] = {}
  for clip in clips:
    labels = by_speaker.setdefault(clip.speaker, defaultdict(list))
    labels[clip.label].append(clip)
  speakers, words = sorted(by_speaker), words or {}
  found = []
  for _ in range(count):
    speaker = speakers[rng.integers(len(speakers))]
    labels = by_speaker[speaker]
    names = sorted(labels)
    pieces, said = [], []
    for place in range(int(rng.integers(FEWEST, MOST + 1))):
      if place:
        length = round(rng.uniform(*_GAP) * rate)
        gap = rng.normal(0, _NOISE, length)
        pieces.append(gap.astype(np.float32))
      label = names[rng.integers(len(names))]
      clip = labels[label][rng.integers(len(labels[label]))]
      pieces.append(clip.sound.samples)
      said.append(words.get(label, label))
    found.append(Utterance(np.concatenate(pieces), " ".join(said), speaker))
  return found


class Encoder:
  """From samples to features, from a text to ids and back.

  Ids begin with 1, which is what training lacks: 0 is the blank of a CTC model,
  which has `len(encoder.tokens) + 1` outputs.

  Attributes:
    features: what is made of samples, `spectrogram.Features`.
    rate: samples a second that they are of.
    tokens: of the texts, `tokens.Tokens`; its ids are less by 1.
    state: a dict for JSON, `Encoder(**state)` is the same again.
  """

  def __init__(self, features: dict[str, Any], tokens: dict[str, Any]):
    self.state = {"features": features, "tokens": tokens}
    self.features = Features(**features)
    self.rate = self.features.rate
    self.tokens = Tokens.from_state(tokens)

  @classmethod
  def fit(
    cls, examples: Sequence[Utterance], data: Config, seed: int
  ) -> "Encoder":
    """The symbols of the training part."""
    del seed
    kinds = "words", "characters"
    if data.tokenizer not in kinds:
      raise InputError(
        f"config.data.tokenizer is {data.tokenizer!r}, expected one of"
        f" {', '.join(kinds)}"
      )
    cut = Tokenizer(data.tokenizer)
    symbols = [s for one in examples for s in cut.split(one.text)]
    known = Tokens.fit(symbols, tokenizer=data.tokenizer)
    features = Features.from_config(data, data.rate)
    return cls(dataclasses.asdict(features), known.state)

  def encode(self, samples: np.ndarray) -> np.ndarray:
    """float32 `[frames, size]`."""
    return self.encode_all([samples])[0]

  def encode_all(self, sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The same of several, each as if it were alone."""
    return features_of(self.features, sounds)

  def encode_text(self, text: str) -> np.ndarray:
    """int32 ids `[symbols]`, 1 or more."""
    return self.tokens.encode(text) + np.int32(1)

  def decode(self, ids: Any) -> str:
    """The text of ids; blanks are left out."""
    ids = np.asarray(ids, np.int32)
    return self.tokens.decode(ids[ids > 0] - 1)

  def read(self, path: str) -> list[Utterance]:
    """Utterances without a text, see `sound_files.read_named`."""
    return [
      Utterance(sound.samples, name=name)
      for name, sound in sound_files.read_named(path, self.rate)
    ]
