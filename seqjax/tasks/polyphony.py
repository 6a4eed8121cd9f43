"""Polyphony: which keys sound next, frame by frame; composes in four voices."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from seqjax import config as settings
from seqjax.data import batching, notes, polyphony
from seqjax.data.examples import Splits
from seqjax.data.polyphony import PITCHES
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.polyphony import OUTPUTS, Polyphony
from seqjax.recurrence import length_mask
from seqjax.tasks import base, played

NAME = "chorale"  # of the files that are composed
_MOST = 10_000  # frames of what is composed


class Batch(NamedTuple):
  """Padded pieces or parts of them; rows without one have weight 0."""

  frames: Any  # bool [batch, 1 + time, 88], the first is what came before
  targets: Any  # see `models.polyphony`
  lengths: Any  # int32 [batch], 0 where there is none
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the piece's place in its split


class PolyphonicMusic(base.Task):
  """Pieces, each frame from those before; the first one from silence.

  The loss is -log p(frame) in nats, a mean over all frames of all pieces, as
  Boulanger-Lewandowski et al. 2012 report it. Training reads parts of at most
  `config.max_frames`, each from an empty carry; evaluation whole pieces. Beside
  the loss stands that of pitches that sound as often as in training, each by
  itself.

  "accuracy" is that at the level of frames (Bay, Ehmann, Downie 2009,
  "Evaluation of multiple-F0 estimation and tracking systems"): TP / (TP + FP +
  FN), pitches added up over all frames, of the likelier choices.
  """

  unit = "parts"
  loss_unit = "nats/frame"
  context = "whole pieces, each from silence"
  modes = ("compose",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "max_frames", "eval_batch_size", "num_buckets")
    settings.at_least(config, 1, "data.examples", "model.note_size")
    settings.at_least(config, 1, "model.around_size")
    settings.at_least(config, 0, "data.transpose", "model.around")
    settings.at_least(config, 1.0, "showcase.tempo")
    settings.one_of(config, OUTPUTS, "model.output")
    settings.rate(config, "model.dropout", "model.input_dropout")
    show = config.showcase
    _check_options("config.showcase.", show.num_frames, show.temperature)
    self._step = polyphony.step_of(config.data)
    longest = {"config.max_frames": config.max_frames}
    longest["config.showcase.num_frames"] = show.num_frames
    layers.check_steps(config.model, longest)
    self._make = layers.create(config.model)

  @functools.cached_property
  def splits(self) -> Splits:
    """The pieces of each part, bool `[time, 88]`."""
    splits = polyphony.load(self.config.data, self.config.seed)
    longest = max(len(piece) for part in splits for piece in part)
    layers.check_steps(self.config.model, {"the longest piece": longest})
    return splits

  def state(self):
    parts = self.splits._asdict().items()
    return {
      "pieces": {name: len(part) for name, part in parts},
      "frames": {name: sum(map(len, part)) for name, part in parts},
    }

  def build(self, key):
    model = self.config.model
    return Polyphony(
      self._make,
      PITCHES,
      output=model.output,
      note_size=model.note_size,
      around=model.around,
      around_size=model.around_size,
      dropout=model.dropout,
      input_dropout=model.input_dropout,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  def _loader(self, parts: Sequence[np.ndarray]) -> batching.Loader:
    """Of `polyphony.segments`."""
    most = max((int(part.sum(axis=1).max()) for part in parts), default=0)
    like = np.zeros((0, PITCHES), bool)
    config = self.config

    def put(chosen, members, rows, padded):
      frames = batching.pad(chosen, rows, padded + 1, like)
      targets = frames[:, 1:]
      if config.model.output == "notes":
        targets = polyphony.named(targets, most)
      return Batch(
        frames,
        targets,
        batching.fill([len(part) - 1 for part in chosen], rows, np.int32),
        batching.fill(np.ones(len(members)), rows, np.float32),
        batching.fill(members, rows, np.int32),
      )

    def collate(members, rows, padded):
      return put([parts[i] for i in members], members, rows, padded)

    def vary(members, rows, padded, step):
      rng = np.random.default_rng((config.seed, step, 1))
      chosen = [parts[i] for i in members]
      chosen = polyphony.moved(chosen, config.data.transpose, rng)
      return put(chosen, members, rows, padded)

    return batching.Loader(
      [len(part) - 1 for part in parts],
      collate,
      config.batch_size,
      num_buckets=config.num_buckets,
      seed=config.seed,
      vary=vary,
    )

  def train_batches(self):
    pieces, most = self.splits.train, self.config.max_frames
    return self._loader(polyphony.segments(pieces, most)).train()

  def evaluation_batches(self, split):
    pieces = getattr(self.splits, split)
    longest = max(map(len, pieces), default=1)
    loader = self._loader(polyphony.segments(pieces, longest))
    return loader.once(self.config.eval_batch_size)

  def loss(self, params, batch: Batch, carry, key):
    _, nats = self.apply(
      params,
      batch.frames[:, :-1],
      batch.targets,
      lengths=batch.lengths,
      key=key,
    )
    return _total(nats, batch.lengths), {}, carry

  def evaluate(self, params, batch: Batch, carry):
    _, nats, likeliest = self.apply(
      params,
      batch.frames[:, :-1],
      batch.targets,
      lengths=batch.lengths,
      method="judge",
    )
    true, valid = batch.frames[:, 1:], length_mask(batch.lengths, nats.shape[1])
    each = jnp.where(valid, nats, 0.0).sum(axis=1)
    right = ((true & likeliest) & valid[..., None]).sum()
    either = ((true | likeliest) & valid[..., None]).sum()
    metrics = {
      "loss": _total(nats, batch.lengths),
      "accuracy": (right.astype("float32"), either.astype("float32")),
    }
    return metrics, carry, (each, batch.lengths, batch.weights)

  def gradient_norms(self, params, batch: Batch, carry):
    del carry
    norms = self.apply(
      params,
      batch.frames[:, :-1],
      batch.targets,
      lengths=batch.lengths,
      method="gradient_norms",
    )
    return norms, batch.lengths

  def scores(self, outputs, split):
    """The loss of independent pitches."""
    if not outputs:
      return {}
    pieces = getattr(self.splits, split)
    return {"independent": polyphony.independent(self.splits.train, pieces)}

  def report(self, params, outputs, split):
    """How much pieces differ, and their mean beside that over frames."""
    nats, lengths, weights = (
      np.concatenate(parts) for parts in zip(*outputs, strict=True)
    )
    nats, lengths = nats[weights > 0], lengths[weights > 0]
    each = np.sort(nats / lengths)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    return (
      f"{len(each)} pieces of {lengths.sum():,} frames, {count:,} parameters:"
      f" {nats.sum() / lengths.sum():.3f} nats a frame; a piece"
      f" {each.mean():.3f}, from {each[0]:.3f} to {each[-1]:.3f}"
    )

  def compose(
    self,
    params,
    *,
    prompt: np.ndarray | None = None,
    num_frames: int = 64,
    temperature: float = 1.0,
    seed: int = 0,
  ) -> np.ndarray:
    """Draws frames, each fed back.

    Args:
      params: the model's parameters.
      prompt: frames to go on from, `[time, 88]`; default silence.
      num_frames: how many to add.
      temperature: below 1 is safer, above 1 wilder, 0 always takes the
        likelier.
      seed: the same seed gives the same music; a longer piece begins with the
        shorter one.

    Returns:
      bool `[frames of the prompt + num_frames, 88]`.

    Raises:
      InputError: an option is out of range.
    """
    _check_options("--", num_frames, temperature)
    if not 0 <= seed < 2**32:
      raise InputError(f"--seed is {seed}, expected 0 or more, below 2^32")
    if prompt is None:
      prompt = np.zeros((0, PITCHES), bool)
    total = len(prompt) + num_frames
    if total > _MOST:
      raise InputError(
        f"prompt and --num_frames are {total:,} frames, expected at most"
        f" {_MOST:,}; take a shorter prompt"
      )
    size = {"prompt and --num_frames": total}
    layers.check_steps(self.config.model, size)
    written = self._compose(
      params,
      batching.pad([prompt.astype(bool)], 1, batching.size(total, 64))[0],
      np.int32(len(prompt)),
      np.int32(total),
      np.float32(temperature),
      np.uint32(seed),
    )
    return np.asarray(written)[:total]

  @functools.cached_property
  def _compose(self):
    @jax.jit
    def compose(params, written, begun, total, temperature, seed):
      key = jax.random.key(seed)

      def body(t, state):
        carry, frame, written = state
        carry, heard = self.apply(params, carry, frame, method="step")
        own_key = jax.random.fold_in(key, jnp.maximum(t - begun, 0))
        drawn = self.apply(params, heard, own_key, temperature, method="draw")
        frame = jnp.where(t < begun, written[t][None], drawn)
        return carry, frame, written.at[t].set(frame[0])

      carry = self.apply(params, 1, method="initial_carry")
      silence = jnp.zeros((1, PITCHES), bool)
      return lax.fori_loop(0, total, body, (carry, silence, written))[-1]

    return compose

  def compose_mode(
    self,
    params,
    *,
    output: str = NAME,
    prompt: str = "",
    num_frames: int = 64,
    temperature: float = 1.0,
    seed: int = 0,
  ) -> str:
    """Composes: chorale.mid, chorale.wav and its picture, chorale.png.

    Args:
      params: the model's parameters.
      output: FOLDER of the files; it is made.
      prompt: a MIDI file to go on from, read in frames of config.data.step;
        default silence.
      num_frames: how many to add.
      temperature: below 1 is safer, above 1 wilder, 0 always takes the
        likelier.
      seed: the same seed gives the same music.
    """
    begin, lost = None, {}
    if prompt:
      begin, lost = polyphony.read_midi(prompt, self._step)
    frames = self.compose(
      params,
      prompt=begin,
      num_frames=num_frames,
      temperature=temperature,
      seed=seed,
    )
    with played.folder_of(output) as folder:
      told = self._write(frames, folder, len(frames) - num_frames)
    if lost := polyphony.told(lost):
      told = f"{prompt}: {lost}\n{told}"
    return told

  def showcase(self, params, directory: pathlib.Path) -> str:
    """A piece, heard and seen."""
    show = self.config.showcase
    frames = self.compose(
      params,
      num_frames=show.num_frames,
      temperature=show.temperature,
      seed=self.config.seed,
    )
    return self._write(frames, directory)

  def _write(self, frames, folder: pathlib.Path, begun: int = 0) -> str:
    """Writes a piece that goes on from `begun` frames of a prompt."""
    score = notes.score_of(frames, self._step, self.config.showcase.tempo)
    if not score.notes:
      return f"{len(frames)} frames of silence: nothing to write"
    quarters = float(self._step * begun)
    title = f"the first {quarters:g} quarter notes are the prompt"
    return played.write(score, folder, NAME, title=title if begun else "")


def _check_options(where: str, num_frames: int, temperature: float) -> None:
  """Raises InputError for options of `compose` that are out of range."""
  if type(num_frames) is not int or not 1 <= num_frames <= _MOST:
    raise InputError(
      f"{where}num_frames is {num_frames}, expected 1 to {_MOST:,}"
    )
  if not 0 <= temperature < float("inf"):
    raise InputError(
      f"{where}temperature is {temperature}, expected 0 (the likelier) or a"
      " positive number"
    )


def _total(nats: jax.Array, lengths: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Nats of all frames, and how many there are."""
  valid = length_mask(lengths, nats.shape[1])
  return jnp.where(valid, nats, 0.0).sum(), lengths.sum().astype("float32")
