"""Utterances as padded batches, checked, and in training never the same."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.data import batching, sound_augmentation
from seqjax.data.spectrogram import Features
from seqjax.data.utterances import Utterance
from seqjax.decode import ctc
from seqjax.errors import InputError
from seqjax.models.recognizer import count


class Batch(NamedTuple):
  """Padded utterances; a row without one has weight 0."""

  frames: Any  # float32 [batch, time, features]
  lengths: Any  # int32 [batch], frames
  labels: Any  # int32 [batch, symbols], 1 and above
  label_lengths: Any  # int32 [batch]
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the utterance's place in its split


def check_room(
  part: str,
  examples: Sequence[Utterance],
  frames: Sequence[np.ndarray],
  labels: Sequence[np.ndarray],
  stack: int,
) -> None:
  """Raises InputError for a text that has no alignment with its frames.

  Its loss would be 100,000 or so with gradients that are finite: nothing would
  tell.

  Args:
    part: its name.
    examples: the utterances.
    frames: of each, `[time, features]`.
    labels: of each, ids.
    stack: frames of a step.
  """
  for place, (one, row, ids) in enumerate(
    zip(examples, frames, labels, strict=True)
  ):
    needed, steps = ctc.frames_needed(ids), count(len(row), stack)
    if needed > steps:
      name = one.name or f"utterance {place + 1}"
      raise InputError(
        f"{name} ({part}): its text has {len(ids)} symbols and needs {needed}"
        f" steps, one between equal ones, but there are {steps}: {len(row)}"
        f" frames by config.model.stack = {stack}; lower config.model.stack or"
        " config.data.features.hop, or leave it out"
      )


def augmentation(
  encoder: Any,
  examples: Sequence[Utterance],
  frames: Sequence[np.ndarray],
  labels: Sequence[np.ndarray],
  config: Config,
) -> Callable[[np.ndarray, int], list[np.ndarray]] | None:
  """Changed frames for a step of training: `(members, step)` to them.

  A pure function of the seed and the step; None where `config.data` asks for
  none.

  Args:
    encoder: of utterances.
    examples: those of training.
    frames: of each, as they are.
    labels: of each.
    config: of the experiment.
  """
  data, stack = config.data, config.model.stack
  change = sound_augmentation.augmentation(data)
  masks = data.time_masks or data.frequency_masks
  if not (change or masks):
    return None

  def changed(members, step):
    rng = np.random.default_rng((config.seed, step))
    found = [frames[i] for i in members]
    if change:
      sounds = [examples[i].samples for i in members]
      made = encoder.encode_all(change(sounds, encoder.rate, rng))
      for place, (i, new) in enumerate(zip(members, made, strict=True)):
        # What is too short for its text now stays as it was.
        if ctc.frames_needed(labels[i]) <= count(len(new), stack):
          found[place] = new
    if masks:
      found = [sound_augmentation.masked(one, data, rng) for one in found]
    return found

  return changed


def loader(
  config: Config,
  features: Features,
  frames: Sequence[np.ndarray],
  labels: Sequence[np.ndarray] | None = None,
  change: Callable[[np.ndarray, int], list[np.ndarray]] | None = None,
) -> batching.Loader:
  """Batches of utterances of about the same length.

  Args:
    config: of the experiment.
    features: of the frames.
    frames: of each utterance.
    labels: of each; default none.
    change: see `augmentation`.
  """
  unsaid = np.zeros(0, np.int32)
  like = np.zeros((0, features.size), np.float32)
  said = [unsaid for _ in frames] if labels is None else labels

  def collate(members, rows, padded, step=None):
    time, symbols = padded
    chosen = [frames[i] for i in members]
    if change and step is not None:
      (time,) = sound_augmentation.room([time], features, config.data)
      chosen = change(members, step)
    texts = [said[i] for i in members]
    return Batch(
      batching.pad(chosen, rows, time, like),
      batching.fill([len(one) for one in chosen], rows, np.int32),
      batching.pad(texts, rows, symbols, unsaid),
      batching.fill([len(one) for one in texts], rows, np.int32),
      batching.fill(np.ones(len(members)), rows, np.float32),
      batching.fill(members, rows, np.int32),
    )

  lengths = [
    (len(row), len(ids)) for row, ids in zip(frames, said, strict=True)
  ]
  return batching.Loader(
    np.array(lengths, int).reshape(-1, 2),
    collate,
    config.batch_size,
    num_buckets=config.num_buckets,
    seed=config.seed,
    vary=collate,
  )
