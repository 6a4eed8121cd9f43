"""Linear attention as attention: every step looks at every step before it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base
from seqjax.cells.linear_attention import LinearAttention, LinearAttentionCarry
from seqjax.recurrence import masks
from seqjax.recurrence.scan import Steps


@dataclasses.dataclass(frozen=True)
class Quadratic:
  """The steps of a chunk by masked attention, from chunk to chunk a carry.

    y_t = (q_t S + sum over j of m_tj (q_t . k_j) v_j)
          / (q_t . z + sum over j of m_tj (q_t . k_j))

  S and z are those before the chunk, m_tj is 1 where step t sees step j: in
  the chunk, not later than t, valid, no reset in between; a reset puts the
  fresh carry in the place of S and z. For `LinearAttention`, whose paper has
  both forms (Katharopoulos et al. 2020, section 3.2 and 3.3). Chunks are those
  of Hua, Dai, Liu, Le 2022, "Transformer quality in linear time", section 3.3.

  O(T * chunk) time, O(T * (chunk + d) + T / chunk * d^2) memory for each head
  of d features, all of it matrix products, where "scan" and "associative" write
  d^2 numbers a step. Agreement with "scan": sums are taken in another order,
  relative error below 1e-5 in float32
  (tests/recurrence/linear_attention_test.py).

  Attributes:
    chunk: steps of a chunk; 0 is the whole sequence, O(T^2).

  Raises:
    ValueError: chunk is negative or no integer.
  """

  chunk: int = 64

  def __post_init__(self):
    if not base.is_integer(self.chunk) or self.chunk < 0:
      raise ValueError(
        f"chunk is {self.chunk!r}, expected 0 (the whole sequence) or more"
      )

  def check(self, cell: base.Cell) -> None:
    """Raises ValueError if the cell is no linear attention."""
    if not isinstance(cell, LinearAttention):
      raise ValueError(
        f"method 'quadratic' needs a cell with queries, keys and values,"
        f" LinearAttention, which {cell} is not; use method 'scan'"
      )

  def run(
    self,
    cell: LinearAttention,
    params,
    carry,
    fresh_carry,
    steps: Steps,
    reverse,
  ):
    """See `Scan.run`."""
    time = steps.inputs.shape[0]
    queries = cell.queries(params, steps.inputs)
    keys, values = cell.memories(params, steps.inputs)
    if steps.valid is not None:
      keys = masks.select(steps.valid, keys, jnp.zeros_like(keys))
    wide = lambda c: c.astype(keys.dtype)
    start, fresh = jax.tree.map(wide, (carry, fresh_carry))
    sequence = queries, keys, values, steps.reset

    def body(carry, chunk):
      return _attend(carry, fresh, chunk, reverse)

    whole = not self.chunk or (isinstance(time, int) and time <= self.chunk)
    if whole:
      last, (sums, totals) = body(start, sequence)
    else:
      # Steps behind the last one, without keys, leave the carry as it is.
      count = -(-time // self.chunk)
      chunks = jax.tree.map(
        lambda x: jnp.pad(
          x, [(0, count * self.chunk - time)] + [(0, 0)] * (x.ndim - 1)
        ).reshape(count, self.chunk, *x.shape[1:]),
        sequence,
      )
      last, read = lax.scan(body, start, chunks, reverse=reverse)
      sums, totals = jax.tree.map(
        lambda x: x.reshape(-1, *x.shape[2:])[:time], read
      )
    outputs = cell.output(params, sums, totals)
    if steps.valid is not None:
      outputs = masks.select(steps.valid, outputs, jnp.zeros_like(outputs))
    last = jax.tree.map(lambda new, old: new.astype(old.dtype), last, carry)
    return last, outputs


def _attend(carry, fresh, chunk, reverse):
  """One chunk from the carry before it.

  Args:
    carry: S and z before the chunk.
    fresh: what a reset puts in their place.
    chunk: queries, keys and values `[time, *batch, heads, d]`, and resets
      `[time, *batch]` or None.
    reverse: whether a step sees those behind it.

  Returns:
    `(carry, (sums, totals))`: numerator `[time, *batch, heads, d]` and
    denominator `[time, *batch, heads]` of y.
  """
  queries, keys, values, reset = chunk
  inner = lambda x: jnp.moveaxis(x, 0, -2)  # [*batch, heads, time, d]
  queries, keys, values = inner(queries), inner(keys), inner(values)
  places = jnp.arange(queries.shape[-2])
  before = places[:, None] >= places[None]
  seen: Any = base.align(before.T if reverse else before, queries)
  if reset is not None:
    # How many there have been: [*batch, 1, time].
    resets: Any = lax.cumsum(reset.astype(jnp.int32), reverse=reverse)
    resets = jnp.moveaxis(resets, 0, -1)[..., None, :]
    seen = seen & (resets[..., :, None] == resets[..., None, :])
  weights = jnp.einsum("...td,...jd->...tj", queries, keys)
  weights = jnp.where(seen, weights, 0)

  def read(carry):
    return queries @ carry.s, (queries * carry.z[..., None, :]).sum(axis=-1)

  from_before = read(carry)
  last_keys = keys
  if reset is not None:
    end = resets[..., 0 if reverse else -1]  # [*batch, 1]
    from_before = masks.select(resets.astype(bool), read(fresh), from_before)
    carry = masks.select(end.astype(bool), fresh, carry)
    last_keys = jnp.where((resets == end[..., None])[..., None], keys, 0)
  sums = weights @ values + from_before[0]
  totals = weights.sum(axis=-1) + from_before[1]
  carry = LinearAttentionCarry(
    carry.s + jnp.einsum("...td,...tv->...dv", last_keys, values),
    carry.z + last_keys.sum(axis=-2),
  )
  outer = lambda x, axis: jnp.moveaxis(x, axis, 0)
  return carry, (outer(sums, -2), outer(totals, -1))
