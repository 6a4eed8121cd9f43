"""What greedy and beam search share: what they return, what may follow."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Hypotheses(NamedTuple):
  """The best sequences of each row, the best first.

  A hypothesis begins after the start symbol and ends with the stop symbol,
  which is one of its tokens. Behind its end there are stop symbols, too, and
  zeros in the records. A row that may have no token has one empty hypothesis
  of score 0; a hypothesis that does not exist, since the row has fewer than
  `n_best`, is empty with the score -inf.

  Attributes:
    tokens: int32 `[rows, n_best, size]`.
    lengths: int32 `[rows, n_best]`, the stop symbol counted.
    scores: float32 `[rows, n_best]`, log_prob / length^alpha, falling.
    log_probs: float32 `[rows, n_best]`, of all tokens and the stop symbol,
      as teacher forcing gives it.
    records: `[rows, n_best, size, ...]`, what was recorded when the token was
      chosen; None without a `record`.
  """

  tokens: jax.Array
  lengths: jax.Array
  scores: jax.Array
  log_probs: jax.Array
  records: jax.Array | None


class Limits(NamedTuple):
  """The least and the largest length of each row, int32 `[rows]`."""

  least: jax.Array
  most: jax.Array

  def at(self, index) -> tuple[jax.Array, jax.Array]:
    """Whether token `index` may be the stop symbol, and whether it must be.

    Bool `[rows]` each. The largest length is kept where the two contradict
    each other.
    """
    must = index + 1 >= self.most
    return (index + 1 >= self.least) | must, must


def limits(min_lengths: Any, max_lengths: Any, size: int) -> Limits:
  """Lengths as arrays, in the range of 0 to `size`."""
  most = jnp.asarray(max_lengths, jnp.int32).clip(0, size)
  if most.ndim != 1:
    raise ValueError(f"max_lengths has shape {most.shape}, expected [rows]")
  least = jnp.asarray(min_lengths, jnp.int32)
  return Limits(jnp.broadcast_to(least, most.shape), most)


def check(memory, carry, rows: int, stop: int, never: Sequence[int]) -> None:
  """Raises ValueError for what a search can not begin with."""
  for name, tree in (("memory", memory), ("carry", carry)):
    for leaf in jax.tree.leaves(tree):
      if jnp.shape(leaf)[:1] != (rows,):
        raise ValueError(
          f"{name} has a leaf of shape {jnp.shape(leaf)}, expected [rows, ...]"
          f" with the {rows} rows of max_lengths"
        )
  if stop in never:
    raise ValueError(f"never has the stop symbol {stop}: nothing would end")


def continuations(
  logits: jax.Array, k: int, stop: int, never: Sequence[int]
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """The k likeliest tokens that go on, and what the stop symbol has.

  Args:
    logits: `[n, vocab_size]`.
    k: how many, at most `vocab_size`.
    stop: the symbol that ends.
    never: symbols that are not taken. They keep their probability: what is
      left is not normalised again.

  Returns:
    Log-probabilities `[n, k]`, tokens int32 `[n, k]`, the likeliest first
    (-inf where there are fewer), and the stop symbol's log-probability `[n]`.
  """
  logits = logits.astype(jnp.float32)
  peak = logits.max(axis=-1, keepdims=True)
  log_sum = jnp.log(jnp.exp(logits - peak).sum(axis=-1, keepdims=True))
  closed = np.zeros(logits.shape[-1], bool)
  closed[[stop, *never]] = True
  values, tokens = _largest(logits, jnp.asarray(closed), k)
  ending = logits[:, stop, None] - peak - log_sum
  return values - peak - log_sum, tokens, ending[:, 0]


def _largest(x: jax.Array, closed: jax.Array, k: int, block: int = 64):
  """`lax.top_k` of `x` `[n, size]` where it is not `closed` `[size]`.

  The k largest lie in the k blocks with the largest maxima. To look at these
  alone takes a fifth of the time where there are thousands: maxima are found
  many at a time, the k largest one by one.
  """
  n, size = x.shape
  if size <= 4 * k * block:
    return lax.top_k(jnp.where(closed[None], -jnp.inf, x), k)
  whole = size - size % block
  least = jnp.where(closed[None], -jnp.inf, x)
  tops = least[:, :whole].reshape(n, -1, block).max(axis=-1)
  rest = least[:, whole:].max(axis=-1, keepdims=True, initial=-jnp.inf)
  _, blocks = lax.top_k(jnp.concatenate([tops, rest], axis=1), k)
  # In order, so that of equal ones the first is taken.
  blocks = jnp.sort(blocks, axis=1)
  index = blocks[..., None] * block + jnp.arange(block)[None, None]
  index = index.reshape(n, k * block)
  inside = jnp.minimum(index, size - 1)
  kept = jnp.take_along_axis(x, inside, axis=1)
  kept = jnp.where((index < size) & ~closed[inside], kept, -jnp.inf)
  values, place = lax.top_k(kept, k)
  return values, jnp.take_along_axis(inside, place, axis=1)


def read_records(records, lengths: jax.Array):
  """`[size, rows, n_best, ...]` to `[rows, n_best, size, ...]`, zeros behind.

  None stays None.
  """
  if records is None:
    return None
  records = jnp.moveaxis(records, 0, 2)
  inside = jnp.arange(records.shape[2])[None, None] < lengths[..., None]
  inside = inside.reshape(*inside.shape, *[1] * (records.ndim - 3))
  return jnp.where(inside, records, jnp.zeros_like(records))


def of_row(
  found: Hypotheses, row: Any
) -> Iterator[tuple[np.ndarray, float, np.ndarray | None]]:
  """The hypotheses of a row that exist, the best first.

  Args:
    found: NumPy arrays.
    row: which.

  Yields:
    `(tokens [time], score, records [time, ...])`, records None without any.
  """
  for n in np.flatnonzero(np.isfinite(found.scores[row])):
    size, records = found.lengths[row, n], None
    if found.records is not None:
      records = np.asarray(found.records[row, n, :size])
    tokens = np.asarray(found.tokens[row, n, :size])
    yield tokens, float(found.scores[row, n]), records
