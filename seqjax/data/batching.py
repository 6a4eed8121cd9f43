"""Batches: windows of one long sequence, and examples of different lengths.

One long sequence: training reads `batch_size` parallel streams in order, window
after window (`StreamWindows`), so that the carry can be handed on: truncated
back-propagation through time (Williams and Peng 1990). In evaluation every
token is a target once (`evaluation_windows`), in windows that go on or overlap.

Examples: a `Loader` sorts them by length into buckets. What a batch holds is
said by the task, in a function that puts the chosen examples together with
`pad` and `fill`; outputs go back into the order of the examples by `in_order`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.errors import InputError, extra

if TYPE_CHECKING:
  import grain


class Batch(NamedTuple):
  """Rows of tokens and what comes next.

  Exactly one of `resets` and `lengths` is in use: training windows are full,
  the last window of an evaluation is not.
  """

  inputs: Any  # int32 [batch, time]
  targets: Any  # int32 [batch, time], the token after each input
  resets: Any = None  # bool [batch, time]
  lengths: Any = None  # int32 [batch]
  context: Any = None  # int32 [batch], the first targets, which do not count


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

  def iterator(self) -> "grain.DatasetIterator":
    """See `endless`."""
    return endless(self.__getitem__)


# Rows of a batch by tokens are a multiple: of as many devices as share it.
ROWS = 8


class _Steps:
  """What Grain asks of a random-access source, without an end."""

  def __init__(self, batch: Callable[[int], Any]):
    self._batch = batch

  def __len__(self) -> int:
    return 2**62

  def __getitem__(self, step) -> Any:
    return self._batch(int(step))


def endless(batch: Callable[[int], Any]) -> "grain.DatasetIterator":
  """An iterator over `batch(0), batch(1), ...` whose position can be saved.

  Args:
    batch: from a step to its batch; a pure function, so that a run that was
      stopped goes on with the batches it would have had.

  Returns:
    An iterator with `get_state` and `set_state`.
  """
  with extra():  # a second, and no use but to training
    import grain
  source: Any = _Steps(batch)
  dataset = grain.MapDataset.source(source).to_iter_dataset(
    # In memory and microseconds a batch: threads would only add cost.
    grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
  )
  return iter(dataset)


def evaluation_windows(
  tokens: np.ndarray, batch_size: int, window: int, context: int = 0
) -> Iterator[Batch]:
  """Batches in which every token but the first is a target that counts once.

  Without `context` the tokens are cut into `batch_size` contiguous streams, and
  the carry is handed on between batches. With it every row is a window of its
  own, `window - context` tokens after the one before: its first `context`
  targets were counted there. The first window counts all.

  Args:
    tokens: int32 `[n]`.
    batch_size: rows.
    window: time steps of a batch.
    context: tokens read before what counts, less than `window`.

  Yields:
    Batches with `lengths`, and `context` where there is one; a short row is
    padded with zeros.
  """
  total = max(len(tokens) - 1, 0)
  if context:
    last = max(total - context, 1) if total else 0
    starts = np.arange(0, last, window - context)
    for begin in range(0, len(starts), batch_size):
      first = starts[begin : begin + batch_size]
      lengths = fill(np.minimum(total - first, window), batch_size, np.int32)
      again = fill(np.where(first > 0, context, 0), batch_size, np.int32)
      first = fill(first, batch_size)
      yield _cut(tokens, first, lengths, window)._replace(context=again)
    return
  stream = -(-total // batch_size)
  starts = np.minimum(np.arange(batch_size) * stream, total)
  ends = np.minimum(starts + stream, total)
  for begin in range(0, stream, window):
    first = np.minimum(starts + begin, ends)
    lengths = np.minimum(ends - first, window).astype(np.int32)
    yield _cut(tokens, first, lengths, window)


def _cut(
  tokens: np.ndarray, first: np.ndarray, lengths: np.ndarray, window: int
) -> Batch:
  """A batch of the windows that begin at `first`, `lengths` inputs each."""
  index = np.minimum(first[:, None] + np.arange(window), len(tokens) - 2)
  valid = np.arange(window) < lengths[:, None]
  return Batch(
    np.where(valid, tokens[index], 0),
    np.where(valid, tokens[index + 1], 0),
    lengths=lengths,
  )


def said(config: Config, unit: str) -> str:
  """What the windows of a run start from, to stand beside its figures.

  Args:
    config: `carry_over` and `eval_context`.
    unit: what a token is called in the plural.
  """
  trains = "the carry crosses training windows"
  if not config.carry_over:
    trains = "training windows start empty"
  tells = "the carry crosses evaluation windows"
  if config.eval_context:
    tells = f"evaluation after {config.eval_context} {unit} or more"
  return f"{trains}, {tells}"


class Loader:
  """Examples of different lengths as padded batches of few shapes.

  Examples are sorted into buckets by length; a batch comes from one bucket and
  is padded to the longest length there, so that a program is compiled once a
  bucket. The last batch of a bucket may have fewer examples than rows: the rows
  left over are absent, and have weight 0 in `weights` float32 `[rows]`.

    def collate(members, rows, padded):
      chosen = [arrays[i] for i in members]
      return Batch(
        inputs=pad(chosen, rows, padded),
        lengths=fill([len(array) for array in chosen], rows, np.int32),
        weights=fill(np.ones(len(members)), rows, np.float32),
        indices=fill(members, rows, np.int32),
      )

  Attributes:
    lengths: of all examples, `[n]` or `[n, k]`.
    steps_per_epoch: training batches until every example has been seen.
  """

  def __init__(
    self,
    lengths: Sequence[Any] | np.ndarray,
    collate: Callable[[np.ndarray, int, Any], Any],
    batch_size: int,
    *,
    num_buckets: int = 1,
    seed: int = 0,
    by_tokens: bool = False,
    vary: Callable[[np.ndarray, int, Any, int], Any] | None = None,
  ):
    """Sorts the examples.

    Args:
      lengths: of all examples, `[n]`; `[n, k]` where an example is k sequences
        (a sentence and its translation): the longest of them decides on the
        bucket, and each of the k is padded to its own longest there.
      collate: `(members, rows, padded)` to a batch: the indices `[m]` of the
        examples that are present, m <= rows; the rows of the batch; the length
        to pad to, at least 1, an int for `[n]` and a tuple of k for `[n, k]`.
      batch_size: rows of a training batch.
      num_buckets: at most so many; each holds about as many examples.
      seed: of the shuffles.
      by_tokens: whether training batches are of about as many tokens each, not
        of as many examples: rows in inverse proportion to the longest length
        of the bucket, a multiple of `ROWS`, `batch_size` on average.
      vary: in place of `collate` in training, with the step as a last
        argument: for examples that are never twice the same. A pure function.
    """
    self.lengths = lengths = np.asarray(lengths)
    if batch_size < 1 or num_buckets < 1:
      raise ValueError(
        f"batch_size is {batch_size} and num_buckets is {num_buckets}, expected"
        " at least 1 each"
      )
    self._collate, self._batch_size, self._seed = collate, batch_size, seed
    self._vary = vary or (lambda *arguments: collate(*arguments[:-1]))
    longest = lengths.max(axis=1) if lengths.ndim == 2 else lengths
    shares = np.arange(1, num_buckets + 1) / num_buckets
    edges = longest
    if len(longest):
      edges = np.unique(np.quantile(longest, shares, method="higher"))
    bucket = np.searchsorted(edges, longest)
    order = np.argsort(longest, kind="stable")
    self._members = [order[bucket[order] == b] for b in range(len(edges))]
    self._padded = [_longest(lengths[members]) for members in self._members]
    self._rows = [batch_size] * len(self._members)
    if by_tokens:
      tokens = batch_size * longest.mean() if len(longest) else 0
      self._rows = [
        max(1, round(tokens / max(longest[m].max(), 1) / ROWS)) * ROWS
        for m in self._members
      ]
    self._batches = self._cut(self._rows)
    self.steps_per_epoch = len(self._batches)
    self._epoch = -1, self._members, self._batches

  def _cut(self, rows: Sequence[int]) -> list[tuple[int, int]]:
    """(bucket, first member) of all batches of an epoch, rows by bucket."""
    return [
      (bucket, first)
      for bucket, members in enumerate(self._members)
      for first in range(0, len(members), rows[bucket])
    ]

  def __getitem__(self, step: int) -> Any:
    """The training batch of a step: a function of (seed, step).

    From epoch to epoch buckets are shuffled within, and the order of all
    batches.
    """
    epoch, position = divmod(int(step), self.steps_per_epoch)
    if self._epoch[0] != epoch:
      rng = np.random.default_rng((self._seed, epoch))
      members = [rng.permutation(m) for m in self._members]
      order = rng.permutation(self.steps_per_epoch)
      self._epoch = epoch, members, [self._batches[i] for i in order]
    _, members, batches = self._epoch
    bucket, first = batches[position]
    rows = self._rows[bucket]
    taken = members[bucket][first : first + rows]
    return self._vary(taken, rows, self._padded[bucket], int(step))

  def train(self) -> "grain.DatasetIterator":
    """An iterator without end over the training batches; see `endless`.

    Raises:
      InputError: there are no examples.
    """
    if not self.steps_per_epoch:
      raise InputError("there are no examples to train on")
    return endless(self.__getitem__)

  def once(self, batch_size: int | None = None) -> Iterator[Any]:
    """Every example once, in order of length; nothing if there are none.

    Args:
      batch_size: rows of a batch; default that of training.
    """
    rows = self._batch_size if batch_size is None else batch_size
    for bucket, first in self._cut([rows] * len(self._members)):
      members = self._members[bucket][first : first + rows]
      yield self._collate(members, rows, self._padded[bucket])

  def few_shapes(self, most: int) -> Iterator[Any]:
    """Every example once: rows and lengths of `size`, for what comes as it is.

    Args:
      most: rows of a batch, at most.
    """
    if not self._members:
      return
    # In order of length, over all buckets.
    members = np.concatenate(self._members)
    rows = min(size(len(members), 8), most)
    for first in range(0, len(members), rows):
      taken = members[first : first + rows]
      padded = _longest(self.lengths[taken], round_to=lambda n: size(n, 16))
      yield self._collate(taken, rows, padded)


def _longest(lengths: np.ndarray, round_to: Callable[[int], int] = int) -> Any:
  """At least 1, so that every axis of a batch has entries."""
  longest = np.maximum(lengths.max(axis=0), 1)
  if longest.ndim:
    return tuple(round_to(int(length)) for length in longest)
  return round_to(int(longest))


def size(count: int, least: int = 1) -> int:
  """`least`, twice, four times, ... that: the first that `count` fits into.

  What comes as it comes, prompts or texts to be classified, is padded to these
  sizes: a program is compiled once for each.
  """
  return least << max(0, -(-count // least) - 1).bit_length()


def pad(
  arrays: Sequence[np.ndarray], rows: int, length: int, like: Any = None
) -> np.ndarray:
  """`[rows, length, ...]`: the arrays `[time, ...]` one below the other.

  Zeros behind the end of each, and in rows for which there is none.

  Args:
    arrays: at most `rows`, none longer than `length`.
    rows: of the result.
    length: of the result.
    like: an array `[time, ...]` whose type and trailing shape the result has;
      default the first one's. Needed where there may be no arrays.
  """
  like = arrays[0] if like is None else like
  padded = np.zeros((rows, length, *like.shape[1:]), like.dtype)
  for row, array in enumerate(arrays):
    padded[row, : len(array)] = array
  return padded


def fill(values: Any, rows: int, dtype: Any = None) -> np.ndarray:
  """`[rows, ...]`: the values `[n, ...]`, and zeros in the rows behind them."""
  values = np.asarray(values, dtype)
  filled = np.zeros((rows, *values.shape[1:]), values.dtype)
  filled[: len(values)] = values
  return filled


def cut_in_order(outputs: Iterable[tuple[Any, ...]]) -> list[Any]:
  """What was put out for each example, `[time]`, in their order.

  Args:
    outputs: for each batch `(values [rows, time], lengths, indices, weights)`.
  """
  values, lengths, indices, weights = zip(*outputs, strict=True)
  rows = [
    [row[:length] for row, length in zip(*batch, strict=True)]
    for batch in zip(values, lengths, strict=True)
  ]
  return in_order(rows, indices, weights)


def in_order(
  values: Iterable[Any], indices: Iterable[Any], weights: Iterable[Any]
) -> list:
  """Outputs of batches, a row each, in the order of the examples.

  Args:
    values: for each batch its rows: an array `[rows, ...]`, or a list.
    indices: for each batch the example in each row, int `[rows]`.
    weights: for each batch `[rows]`; rows of weight 0 are absent, left out.
  """
  found = [
    (int(index), row)
    for batch in zip(values, indices, weights, strict=True)
    for row, index, weight in zip(*batch, strict=True)
    if weight
  ]
  return [row for _, row in sorted(found, key=lambda pair: pair[0])]
