"""Beam search, one compiled loop.

Every step takes the `beam` best continuations of all hypotheses of a row that
go on, and beside them those whose end is among the row's `beam` best: what has
ended takes no place from what goes on. What was chosen is written down with
where it came from; the sequences are read back at the end.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.decode import hypotheses


class _Ended(NamedTuple):
  """The best that have ended `[rows, n_best]`, by falling score."""

  scores: jax.Array
  log_probs: jax.Array
  lengths: jax.Array
  slots: jax.Array  # of the hypothesis before its stop symbol


class _State(NamedTuple):
  index: jax.Array
  carry: Any  # leaves [rows * beam, ...]
  tokens: jax.Array  # [rows, beam], the last ones
  alive: jax.Array  # log-probabilities [rows, beam], falling; -inf: none
  ended: _Ended
  written: jax.Array  # tokens [size, rows, beam]
  parents: jax.Array  # the slot that each continues [size, rows, beam]
  records: jax.Array | None  # [size, rows, beam, ...], by the parents' slots


def search(
  step: Callable,
  memory,
  carry,
  *,
  start: int,
  stop: int,
  max_lengths: Any,
  min_lengths: Any = 0,
  beam: int,
  alpha: Any,
  n_best: int = 1,
  never: Sequence[int] = (),
  record: Callable | None = None,
  size: int,
) -> hypotheses.Hypotheses:
  """The `n_best` hypotheses of each row by beam search; use under `jax.jit`.

    score = log p(tokens, stop) / length^alpha

  A row is done when none of its hypotheses that go on can win any more: with
  its log-probability and the row's largest length its score would be at most
  that of the last of the n best. This bound is exact for alpha >= 0, so that
  ending early changes nothing.

  Args:
    step: `(memory, carry, tokens [rows]) -> (carry, logits [rows, V])`, with
      any number of rows.
    memory: a pytree with leaves `[rows, ...]`: what a row's hypotheses have in
      common (an encoder's outputs). Repeated once, before the loop.
    carry: a pytree with leaves `[rows, ...]`, integers too, to begin with.
    start: the symbol before the first token; not part of a hypothesis.
    stop: the symbol that ends; part of it, counted once.
    max_lengths: int `[rows]`, `size` at most, the stop symbol counted. A row's
      last token is the stop symbol. 0: an empty hypothesis.
    min_lengths: int, or `[rows]`: before it the stop symbol is not taken.
    beam: how many hypotheses of a row go on.
    alpha: exponent of the length, at least 0; may be traced.
    n_best: how many are returned, at most `beam`.
    never: symbols that are not taken (padding, start). What is left is not
      normalised again: the log-probabilities stay those of teacher forcing.
    record: of the carry after a step, an array `[rows, ...]` to keep
      (attention weights): of each token, that with which it was chosen.
    size: columns of the result, known when it is compiled.

  Returns:
    `Hypotheses`.

  Raises:
    ValueError: an option is out of range (`check_options`), a leaf has not the
      rows of `max_lengths`, or the stop symbol is among `never`.
  """
  check_options(beam, alpha if isinstance(alpha, int | float) else 0, n_best)
  bounds = hypotheses.limits(min_lengths, max_lengths, size)
  rows = len(bounds.most)
  hypotheses.check(memory, carry, rows, stop, never)
  memory = jax.tree.map(lambda x: jnp.repeat(x, beam, axis=0), memory)
  longest = jnp.maximum(bounds.most, 1).astype(jnp.float32) ** alpha
  slots = jnp.broadcast_to(jnp.arange(beam, dtype=jnp.int32), (rows, beam))

  def body(state: _State) -> _State:
    index = state.index
    carry, logits = step(memory, state.carry, state.tokens.reshape(-1))
    k = min(beam, logits.shape[-1])
    going, tokens, ending = hypotheses.continuations(logits, k, stop, never)
    may, must = bounds.at(index)
    going = state.alive[..., None] + going.reshape(rows, beam, k)
    going = jnp.where(must[:, None, None], -jnp.inf, going)
    ending = state.alive + ending.reshape(rows, beam)
    ending = jnp.where(may[:, None], ending, -jnp.inf)

    alive, choice = lax.top_k(going.reshape(rows, beam * k), beam)
    parents = choice // k
    tokens = _take(tokens.reshape(rows, beam * k), choice)

    both = jnp.concatenate([alive, ending], axis=1)
    least = lax.top_k(both, beam)[0][:, -1:]
    ending = jnp.where(ending >= least, ending, -jnp.inf)
    length = index + 1
    ended = _best(
      state.ended,
      _Ended(
        ending / length.astype(jnp.float32) ** alpha,
        ending,
        jnp.full_like(slots, length),
        slots,
      ),
    )
    can_win = alive[:, 0] / longest > ended.scores[:, -1]
    origin = (jnp.arange(rows)[:, None] * beam + parents).reshape(-1)
    records = state.records
    if record is not None and records is not None:
      kept = record(carry)
      records = records.at[index].set(kept.reshape(rows, beam, *kept.shape[1:]))
    return _State(
      length,
      jax.tree.map(lambda x: x[origin], carry),
      tokens,
      jnp.where(can_win[:, None], alive, -jnp.inf),
      ended,
      state.written.at[index].set(tokens),
      state.parents.at[index].set(parents),
      records,
    )

  def going(state: _State):
    return (state.index < size) & (state.alive[:, 0] > -jnp.inf).any()

  first = jnp.arange(beam) == 0  # the others would be the same hypothesis
  records = None
  if record is not None:
    kept = jax.eval_shape(record, carry)
    records = jnp.zeros((size, rows, beam, *kept.shape[1:]), kept.dtype)
  none = jnp.full((rows, n_best), -jnp.inf, jnp.float32)
  empty = (bounds.most == 0)[:, None] & (jnp.arange(n_best) == 0)[None]
  none = jnp.where(empty, 0.0, none)
  zeros = jnp.zeros((rows, n_best), jnp.int32)
  state = _State(
    jnp.int32(0),
    jax.tree.map(lambda x: jnp.repeat(x, beam, axis=0), carry),
    jnp.full((rows, beam), start, jnp.int32),
    jnp.where(first[None] & (bounds.most > 0)[:, None], 0.0, -jnp.inf).astype(
      jnp.float32
    ),
    _Ended(none, none, zeros, zeros),
    jnp.zeros((size, rows, beam), jnp.int32),
    jnp.zeros((size, rows, beam), jnp.int32),
    records,
  )
  return _read_back(lax.while_loop(going, body, state), stop)


def _best(old: _Ended, new: _Ended) -> _Ended:
  """Of equal scores the older ones stay."""
  both = [jnp.concatenate(pair, axis=1) for pair in zip(old, new, strict=True)]
  scores, order = lax.top_k(both[0], old.scores.shape[1])
  return _Ended(scores, *(_take(x, order) for x in both[1:]))


def _take(x, index):
  return jnp.take_along_axis(x, index, axis=1)


def _read_back(state: _State, stop: int) -> hypotheses.Hypotheses:
  """From the ends to the beginnings."""
  ended = state.ended
  ended = ended._replace(
    lengths=jnp.where(ended.scores > -jnp.inf, ended.lengths, 0)
  )

  def before(slots, now):
    index, written, parents = now
    inside = index < ended.lengths - 1
    tokens = jnp.where(inside, _take(written, slots), stop)
    slots = jnp.where(inside, _take(parents, slots), ended.slots)
    return slots, (tokens, slots)

  size = len(state.written)
  steps = (jnp.arange(size), state.written, state.parents)
  _, (tokens, slots) = lax.scan(before, ended.slots, steps, reverse=True)
  records = state.records
  if records is not None:
    index = slots.reshape(*slots.shape, *[1] * (records.ndim - 3))
    records = jnp.take_along_axis(records, index, axis=2)
  return hypotheses.Hypotheses(
    jnp.moveaxis(tokens, 0, -1),
    ended.lengths,
    ended.scores,
    ended.log_probs,
    hypotheses.read_records(records, ended.lengths),
  )


def check_options(beam: int, alpha: float, n_best: int) -> None:
  """Raises ValueError for options of beam search that are out of range."""
  if beam < 1:
    raise ValueError(f"beam is {beam}, expected at least 1")
  if not 0 <= alpha < float("inf"):
    raise ValueError(
      f"alpha is {alpha}, expected 0 (no regard to length) or a positive number"
    )
  if not 1 <= n_best <= beam:
    raise ValueError(
      f"n_best is {n_best}, expected 1 to {beam}, the width of the beam"
    )
