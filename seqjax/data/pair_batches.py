"""Pairs of texts as padded batches, see `batching.Loader`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.data import batching
from seqjax.data.pairs import within


class Batch(NamedTuple):
  """Padded pairs, both sides with the stop; an absent row has weight 0."""

  source: Any  # int32 [batch, source]
  source_lengths: Any  # int32 [batch]
  target: Any  # int32 [batch, time]
  target_lengths: Any  # int32 [batch]
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the pair's place in its split


def loader(
  pairs: Sequence[tuple[str, str]],
  encoder: Any,
  batch_size: int,
  num_buckets: int = 1,
) -> batching.Loader:
  """All pairs as they are.

  Args:
    pairs: source and target; a target may be empty.
    encoder: has `encode_source` and `encode_target`, see `formats`.
    batch_size: rows of a batch.
    num_buckets: by length.
  """
  arrays = [_encode(encoder, pair) for pair in pairs]
  return batching.Loader(
    _lengths(arrays),
    lambda members, rows, padded: _collate(
      [arrays[i] for i in members], members, rows, padded
    ),
    batch_size,
    num_buckets=num_buckets,
  )


def training_loader(
  pairs: Sequence[tuple[str, str]],
  encoder: Any,
  batch_size: int,
  *,
  max_length: int,
  vary: bool,
  seed: int,
  **options: Any,
) -> batching.Loader:
  """The pairs that are not too long, in buckets.

  Args:
    pairs: source and target.
    encoder: see `loader`.
    batch_size: rows of a batch, on average.
    max_length: see `pairs.within`.
    vary: whether texts are cut into tokens anew in every batch, by a seed:
      subword dropout. They are padded to half as much again, and stay as they
      are where that is too little.
    seed: of the shuffles.
    **options: of `batching.Loader`.
  """
  arrays = [_encode(encoder, pair) for pair in pairs]
  sources = [source for source, _ in pairs]
  kept = np.flatnonzero(within(_lengths(arrays), max_length, sources)).tolist()
  pairs, arrays = [pairs[i] for i in kept], [arrays[i] for i in kept]

  def collate(members, rows, padded):
    return _collate([arrays[i] for i in members], members, rows, padded)

  def cut_anew(members, rows, padded, step):
    room = tuple(length + length // 2 for length in padded)
    seeds = np.random.SeedSequence((seed, step)).generate_state(len(members))
    chosen = []
    for member, own in zip(members, seeds, strict=True):
      cut = _encode(encoder, pairs[member], int(own) // 2)
      fits = all(len(c) <= r for c, r in zip(cut, room, strict=True))
      chosen.append(cut if fits else arrays[member])
    return _collate(chosen, members, rows, room)

  return batching.Loader(
    _lengths(arrays),
    collate,
    batch_size,
    seed=seed,
    vary=cut_anew if vary else None,
    **options,
  )


def _encode(
  encoder: Any, pair: tuple[str, str], seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
  source, target = pair
  return (
    encoder.encode_source(source, seed),
    encoder.encode_target(target, seed),
  )


def _lengths(arrays: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
  return np.array([[len(a), len(b)] for a, b in arrays]).reshape(-1, 2)


def _collate(chosen, members, rows: int, padded: tuple[int, int]) -> Batch:
  sides: list[Any] = []
  for side, length in zip(zip(*chosen, strict=True), padded, strict=True):
    sides.append(batching.pad(side, rows, length))
    sides.append(batching.fill([len(one) for one in side], rows, np.int32))
  source, source_lengths, target, target_lengths = sides
  return Batch(
    source,
    source_lengths,
    target,
    target_lengths,
    batching.fill(np.ones(len(members)), rows, np.float32),
    batching.fill(members, rows, np.int32),
  )
