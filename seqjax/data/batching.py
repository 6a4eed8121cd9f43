"""From one long sequence of tokens to batches.

Training reads `batch_size` parallel streams in order, window after window, so
that the carry can be handed on: truncated back-propagation through time
(Williams and Peng 1990). Evaluation reads every token once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import grain
import numpy as np

from seqjax.errors import InputError


class Batch(NamedTuple):
  """Rows of tokens and what comes next.

  Exactly one of `resets` and `lengths` is in use: training windows are full,
  the last window of an evaluation is not.
  """

  inputs: Any  # int32 [batch, time]
  targets: Any  # int32 [batch, time], the token after each input
  resets: Any = None  # bool [batch, time]
  lengths: Any = None  # int32 [batch]


class StreamWindows:
  """Random access to training windows: a batch is a function of (seed, step).

  The tokens are cut into `batch_size` contiguous streams. Window w of an epoch
  continues window w - 1 of the same epoch in every row; the first window of
  an epoch carries a reset. From epoch to epoch the streams start at another
  offset, drawn from the seed, so that the windows' edges, where the gradient
  is cut, do not always fall on the same tokens. The offset costs at most one
  window and the remainder costs at most another; no token is seen twice in an
  epoch.

  Attributes:
    steps_per_epoch: windows until the streams restart.
  """

  def __init__(
    self, tokens: np.ndarray, batch_size: int, window: int, seed: int
  ):
    self._tokens, self._window, self._seed = tokens, window, seed
    self._stream = (len(tokens) - 1) // batch_size
    self.steps_per_epoch = self._stream // window
    if self.steps_per_epoch < 1:
      raise InputError(
        f"the training text has {len(tokens)} tokens, expected more than"
        f" batch_size x window = {batch_size} x {window} ="
        f" {batch_size * window}; use a longer text, or lower"
        " --config.batch_size or --config.window"
      )
    self._starts = np.arange(batch_size) * self._stream

  def __getitem__(self, step: int) -> Batch:
    epoch, index = divmod(int(step), self.steps_per_epoch)
    spare = self._stream - self.steps_per_epoch * self._window
    # Only what the remainder leaves free, so no row runs into the next.
    offset = np.random.default_rng((self._seed, epoch)).integers(0, spare + 1)
    first = self._starts + offset + index * self._window
    span = self._tokens[first[:, None] + np.arange(self._window + 1)]
    resets = np.zeros((len(first), self._window), bool)
    resets[:, 0] = index == 0
    return Batch(span[:, :-1], span[:, 1:], resets=resets)

  def iterator(self) -> grain.DatasetIterator:
    """See `endless`."""
    return endless(self.__getitem__)


class _Steps:
  """What Grain asks of a random-access source, without an end."""

  def __init__(self, batch: Callable[[int], Any]):
    self._batch = batch

  def __len__(self) -> int:
    return 2**62

  def __getitem__(self, step) -> Any:
    return self._batch(int(step))


def endless(batch: Callable[[int], Any]) -> grain.DatasetIterator:
  """An iterator over `batch(0), batch(1), ...` whose position can be saved.

  Args:
    batch: from a step to its batch; a pure function, so that a run that was
      stopped goes on with the batches it would have had.

  Returns:
    An iterator with `get_state` and `set_state`.
  """
  source: Any = _Steps(batch)
  dataset = grain.MapDataset.source(source).to_iter_dataset(
    # In memory and microseconds a batch: threads would only add cost.
    grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
  )
  return iter(dataset)


def evaluation_windows(
  tokens: np.ndarray, batch_size: int, window: int
) -> Iterator[Batch]:
  """Batches in which every token but the first is a target exactly once.

  Args:
    tokens: int32 `[n]`.
    batch_size: rows; the tokens are cut into as many contiguous streams.
    window: time steps of a batch; the carry is handed on between batches.

  Yields:
    Batches with `lengths`; a short row is padded with zeros.
  """
  total = max(len(tokens) - 1, 0)
  stream = -(-total // batch_size)
  starts = np.minimum(np.arange(batch_size) * stream, total)
  ends = np.minimum(starts + stream, total)
  for begin in range(0, stream, window):
    first = np.minimum(starts + begin, ends)
    lengths = np.minimum(ends - first, window).astype(np.int32)
    index = np.minimum(first[:, None] + np.arange(window), total - 1)
    valid = np.arange(window) < lengths[:, None]
    yield Batch(
      np.where(valid, tokens[index], 0),
      np.where(valid, tokens[index + 1], 0),
      lengths=lengths,
    )


def split(tokens, validation: float, test: float) -> tuple[Any, Any, Any]:
  """Contiguous parts by position: (train, validation, test).

  Args:
    tokens: anything that can be sliced, text too.
    validation: share of the whole, in [0, 1).
    test: share of the whole, in [0, 1), taken from the end.

  Raises:
    InputError: the shares are out of range.
  """
  if not (validation >= 0 and test >= 0 and validation + test < 1):
    raise InputError(
      f"config.data.validation is {validation} and config.data.test is {test},"
      " expected shares >= 0 that leave some text for training"
    )
  n = len(tokens)
  train_end = int(n * (1 - validation - test) + 1e-9)
  validation_end = int(n * (1 - test) + 1e-9)
  return (
    tokens[:train_end],
    tokens[train_end:validation_end],
    tokens[validation_end:],
  )


class Buckets:
  """Examples of different lengths as padded batches of few shapes.

  Examples are sorted into buckets by length; a batch comes from one bucket and
  is padded to the longest length there, so that a program is compiled once a
  bucket. In an epoch every example is in exactly one batch; the last batch of a
  bucket has gaps, index -1. A batch is a function of (seed, step): buckets are
  shuffled within, and the order of all batches, from epoch to epoch.

  Attributes:
    steps_per_epoch: batches until every example has been seen.
  """

  def __init__(
    self,
    lengths: Sequence[int] | np.ndarray,
    batch_size: int,
    *,
    num_buckets: int = 4,
    seed: int | None = None,
  ):
    """Sorts the examples.

    Args:
      lengths: of all examples.
      batch_size: rows of a batch.
      num_buckets: at most so many; each holds about as many examples.
      seed: of the shuffles; None keeps examples in order of length.
    """
    lengths = np.asarray(lengths)
    if not len(lengths):
      raise InputError("there are no examples to train on")
    self._batch_size, self._seed = batch_size, seed
    shares = np.arange(1, num_buckets + 1) / num_buckets
    edges = np.unique(np.quantile(lengths, shares, method="higher"))
    bucket = np.searchsorted(edges, lengths)
    order = np.argsort(lengths, kind="stable")
    self._members = [order[bucket[order] == b] for b in range(len(edges))]
    self._edges = [max(int(edge), 1) for edge in edges]
    counts = [-(-len(members) // batch_size) for members in self._members]
    # (bucket, batch within it) of all batches of an epoch.
    self._batches = [(b, i) for b, n in enumerate(counts) for i in range(n)]
    self.steps_per_epoch = len(self._batches)
    self._epoch = -1, self._members, self._batches

  def __getitem__(self, step: int) -> tuple[np.ndarray, int]:
    """`(indices, padded length)`: indices `[batch_size]`, -1 for none."""
    epoch, position = divmod(int(step), self.steps_per_epoch)
    if self._seed is not None and self._epoch[0] != epoch:
      rng = np.random.default_rng((self._seed, epoch))
      members = [rng.permutation(m) for m in self._members]
      order = rng.permutation(self.steps_per_epoch)
      self._epoch = epoch, members, [self._batches[i] for i in order]
    _, members, batches = self._epoch
    bucket, index = batches[position]
    taken = members[bucket][index * self._batch_size :][: self._batch_size]
    gaps = np.full(self._batch_size - len(taken), -1)
    return np.concatenate([taken, gaps]), self._edges[bucket]

  def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
    """All batches of one epoch."""
    return (self[step] for step in range(self.steps_per_epoch))


def pad(arrays: Sequence[np.ndarray], rows: int, length: int) -> np.ndarray:
  """`[rows, length, ...]`: the arrays `[time, ...]` one below the other.

  Zeros behind the end of each, and in rows for which there is none.
  """
  shape = arrays[0].shape[1:]
  padded = np.zeros((rows, length, *shape), arrays[0].dtype)
  for row, array in zip(padded, arrays, strict=False):
    row[: len(array)] = array
  return padded
