"""Sounds with a label each: a word that is said, or who says it.

config.data.path           FILE, FOLDER or ARCHIVE of WAV files whose names tell
                           the label, see `sound_files`; without one `examples`
                           of invented words, see `invented_speech`
config.data.rate           samples a second of all; others are resampled
config.data.features       what is made of them, see `spectrogram`
config.data.level          decibels that each sound is brought to first, so that
                           the floor of the features lies as far below it for
                           all; 0 leaves them as they are
config.data.pattern, .held_out, .test_clips, .validation_clips
                           see `sound_files`
config.data.num_folds      as many as there are speakers: the test part is the
config.data.fold           speaker at this place by name; without speakers, any
config.data.validation     shares, by label, of what nothing else sets aside
config.data.test
config.data.speed, .shift, .noise, .time_masks, .frequency_masks, ...
                           what is done to training, see `sound_augmentation`
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.data import invented_speech, sound_augmentation, sound_files
from seqjax.data.examples import Example, Splits, parts, path_of, stratified
from seqjax.data.sound_features import features_of
from seqjax.data.sound_files import Clip
from seqjax.data.spectrogram import Features
from seqjax.data.wav import Sound
from seqjax.errors import InputError

_QUIETEST = -90.0  # decibels; below is silence


class Spoken(NamedTuple):
  """A sound as it is read.

  Attributes:
    samples: float32 `[n]`.
    rate: samples a second.
    features: the frames that it is cut into.
    change: of these in training, from `[frames, size]` to the same.
  """

  samples: np.ndarray
  rate: int
  features: Features
  change: Callable[[np.ndarray], np.ndarray] | None = None


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`.

  Raises:
    InputError: a file cannot be read, or there are no such speakers or clips.
  """
  sound_files.check_rate(data)
  features = Features.from_config(data, data.rate)
  path = path_of(data)
  if path is None:
    clips = _invented(data, seed)
  else:
    found = sound_files.read_all(path, data.rate)
    clips = sound_files.labelled(found, data.pattern, path)
  if data.num_folds:
    return _fold(clips, features, data, seed)
  first = sound_files.split(clips, data)
  train, validation, test = (_examples(part, features) for part in first)
  # What was not set aside by speaker or number is by share.
  left = stratified(
    train,
    0.0 if validation else data.validation,
    0.0 if test else data.test,
    seed,
  )
  return Splits(left.train, validation or left.validation, test or left.test)


def _fold(
  clips: Sequence[Clip], features: Features, data: Config, seed: int
) -> Splits:
  """A speaker is the test part, the others train."""
  speakers = sorted({clip.speaker for clip in clips} - {""})
  if not speakers:
    return parts(_examples(clips, features), data, seed)
  if data.num_folds != len(speakers) or not 0 <= data.fold < len(speakers):
    raise InputError(
      f"config.data.fold is {data.fold} of config.data.num_folds ="
      f" {data.num_folds}, expected one of {len(speakers)}, as many as there"
      " are speakers"
    )
  chosen = speakers[data.fold]
  test = [clip for clip in clips if clip.speaker == chosen]
  train = [clip for clip in clips if clip.speaker != chosen]
  return Splits(_examples(train, features), [], _examples(test, features))


def _examples(clips: Sequence[Clip], features: Features) -> list[Example]:
  return [
    Example(Spoken(*clip.sound[:2], features), clip.label) for clip in clips
  ]


def _invented(data: Config, seed: int) -> list[Clip]:
  """Words; their voices are the speakers, numbered as they come."""
  made = invented_speech.clips(data.examples, seed)
  return [
    Clip(
      sound_files.at_rate(Sound(samples, invented_speech.RATE), data.rate),
      word,
      voice,
      number,
    )
    for number, (samples, word, voice) in enumerate(made)
  ]


class Encoder:
  """Sounds as features, float32 `[frames, size]`; see `formats`.

  Attributes:
    features: what is made of samples.
    rate: of these; sounds of another rate are resampled.
  """

  vocab_size = 0
  unknown = None

  def __init__(self, features: dict[str, Any], level: float = 0.0):
    if not -60 <= level <= 0:
      raise InputError(f"config.data.level is {level}, expected -60 to 0")
    self.state = {"features": features, "level": level}
    self.features, self._level = Features(**features), level
    self.rate, self.input_size = self.features.rate, self.features.size

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """What `data` asks for; nothing is learned of the examples."""
    del examples, seed
    features = Features.from_config(data, data.rate)
    return cls(dataclasses.asdict(features), data.level)

  def encode(self, inputs: Spoken | Sound) -> np.ndarray:
    return self.encode_all([inputs])[0]

  def encode_all(self, inputs: Sequence[Spoken | Sound]) -> list[np.ndarray]:
    """The features of each, computed of several at once."""
    sounds = [
      sound_files.at_rate(Sound(one.samples, one.rate), self.rate).samples
      for one in inputs
    ]
    if self._level:
      sounds = [_levelled(samples, self._level) for samples in sounds]
    changes = [getattr(one, "change", None) for one in inputs]
    return [
      change(array) if change else array
      for array, change in zip(
        features_of(self.features, sounds), changes, strict=True
      )
    ]

  def read(self, path: str) -> list[Spoken]:
    """WAV files, see `sound_files.read_named`."""
    return [
      Spoken(sound.samples, sound.rate, self.features)
      for _, sound in sound_files.read_named(path, self.rate)
    ]


def augmentation(
  data: Config,
) -> Callable[[Sequence[Spoken], np.random.Generator], list[Spoken]] | None:
  """What `config.data` does to sounds of training, see `formats`."""
  vary = sound_augmentation.augmentation(data)
  masks = data.time_masks or data.frequency_masks
  if vary is None and not masks:
    return None

  def augment(inputs, rng):
    samples = [one.samples for one in inputs]
    if vary is not None:
      samples = vary(samples, inputs[0].rate, rng)
    changes: list[Any] = [None] * len(inputs)
    if masks:
      changes = [
        functools.partial(
          sound_augmentation.masked, data=data, rng=np.random.default_rng(seed)
        )
        for seed in rng.integers(2**63, size=len(inputs))
      ]
    return [
      one._replace(samples=changed, change=change)
      for one, changed, change in zip(inputs, samples, changes, strict=True)
    ]

  return augment


def room(lengths: Sequence[int], data: Config) -> list[int]:
  """See `sound_augmentation.room`."""
  features = Features.from_config(data, data.rate)
  return sound_augmentation.room(lengths, features, data)


def show(inputs: Spoken | Sound) -> str:
  """Its length, and how loud it is; 0 dB is the loudest there can be."""
  seconds = len(inputs.samples) / inputs.rate
  return f"{seconds:.2f} s at {_decibels(inputs.samples[None])[0]:.0f} dB"


def steps(inputs: Spoken) -> np.ndarray:
  """How loud each frame is, in decibels, `[frames, 1]`."""
  features, samples = inputs.features, inputs.samples
  count = features.count(len(samples))
  starts = features.step * np.arange(count)
  if features.centre:
    starts -= features.frame // 2
  at = starts[:, None] + np.arange(features.frame)
  inside = (at >= 0) & (at < len(samples))
  # Of no samples at all there are no frames.
  taken = samples[np.clip(at, 0, max(len(samples) - 1, 0))] if count else at
  return _decibels(np.where(inside, taken, 0.0))[:, None]


def _levelled(samples: np.ndarray, level: float) -> np.ndarray:
  """The sound at a level, if it is no silence."""
  known = _decibels(samples[None])[0]
  if not _QUIETEST < known < np.inf:
    return samples
  return samples * np.float32(10 ** ((level - known) / 20))


def _decibels(frames: np.ndarray) -> np.ndarray:
  """Of frames `[n, samples]`, `[n]`."""
  energy = np.square(frames, dtype=np.float64).sum(axis=1)
  power = energy / max(frames.shape[1], 1)
  return 10 * np.log10(np.maximum(power, 10 ** (_QUIETEST / 10)))
