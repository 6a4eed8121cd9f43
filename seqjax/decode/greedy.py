"""Greedy search: the likeliest token each time, one compiled loop."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.decode import hypotheses


def search(
  step: Callable,
  memory,
  carry,
  *,
  start: int,
  stop: int,
  max_lengths: Any,
  min_lengths: Any = 0,
  never: Sequence[int] = (),
  record: Callable | None = None,
  size: int,
) -> hypotheses.Hypotheses:
  """One hypothesis a row, the likeliest token each time; use under `jax.jit`.

  What `beam.search` gives with a beam of 1 and alpha 0, for little more than
  the model's steps. The loop ends with the last row.

  Args:
    step: see `beam.search`, as for all that follows.
    memory: what a row's hypotheses have in common.
    carry: to begin with.
    start: the symbol before the first token.
    stop: the symbol that ends.
    max_lengths: int `[rows]`.
    min_lengths: int, or `[rows]`.
    never: symbols that are not taken.
    record: of the carry, what to keep of each step.
    size: columns of the result.

  Returns:
    `Hypotheses` with n_best = 1; scores are the log-probabilities.

  Raises:
    ValueError: as `beam.search`.
  """
  limits = hypotheses.limits(min_lengths, max_lengths, size)
  rows = len(limits.most)
  hypotheses.check(memory, carry, rows, stop, never)

  def going(state):
    return (state[0] < size) & state[-1].any()

  def body(state):
    index, carry, tokens, written, records, log_probs, alive = state
    carry, logits = step(memory, carry, tokens)
    going, tokens, ending = hypotheses.continuations(logits, 1, stop, never)
    may, must = limits.at(index)
    ends = (may & (ending >= going[:, 0])) | must
    tokens = jnp.where(ends | ~alive, stop, tokens[:, 0])
    taken = jnp.where(ends, ending, going[:, 0])
    log_probs = jnp.where(alive, log_probs + taken, log_probs)
    written = written.at[index].set(tokens)
    if record is not None:
      records = records.at[index].set(record(carry)[:, None])
    return index + 1, carry, tokens, written, records, log_probs, alive & ~ends

  records = None
  if record is not None:
    kept = jax.eval_shape(record, carry)
    records = jnp.zeros((size, rows, 1, *kept.shape[1:]), kept.dtype)
  state = (
    jnp.int32(0),
    carry,
    jnp.full(rows, start, jnp.int32),
    jnp.full((size, rows), stop, jnp.int32),
    records,
    jnp.zeros(rows, jnp.float32),
    limits.most > 0,
  )
  _, _, _, written, records, log_probs, _ = lax.while_loop(going, body, state)
  tokens, log_probs = written.T[:, None], log_probs[:, None]
  lengths = (tokens != stop).sum(axis=-1, dtype=jnp.int32) + 1
  lengths = jnp.minimum(lengths, limits.most[:, None])
  records = hypotheses.read_records(records, lengths)
  return hypotheses.Hypotheses(tokens, lengths, log_probs, log_probs, records)
