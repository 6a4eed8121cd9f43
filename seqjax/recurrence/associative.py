"""Linear recurrences by a parallel prefix over time."""

import dataclasses

import jax
import jax.numpy as jnp

from seqjax.cells import base
from seqjax.cells.linear_cell import LinearCell
from seqjax.recurrence import masks
from seqjax.recurrence.linear_scan import linear_scan
from seqjax.recurrence.scan import Steps


@dataclasses.dataclass(frozen=True)
class Associative:
  """All steps of s_t = a_t * s_(t-1) + b_t in O(log T) rounds.

  The maps s -> a s + b compose to maps of the same form, so a parallel
  prefix evaluates all of them (Blelloch 1990). A reset is the map
  s -> a fresh + b, whose factor is zero, and a step past a row's end is the map
  s -> s: both live inside the operator and cost nothing more.

  Good for long sequences and small batches on accelerators; about twice the
  work of "scan", so it loses on a few CPU cores. Memory O(T) for states and
  coefficients. Agreement with "scan": products are taken in another order,
  relative error below 1e-5 in float32 (tests/recurrence/unroll_test.py).
  """

  def check(self, cell: base.Cell) -> None:
    """Raises ValueError if the cell is not linear in its state."""
    if not isinstance(cell, LinearCell):
      raise ValueError(
        f"method 'associative' needs a recurrence that is linear in the state,"
        f" which {cell} is not; use method 'scan' or 'newton'"
      )

  def run(
    self,
    cell: LinearCell,
    params,
    carry,
    fresh_carry,
    steps: Steps,
    reverse,
  ):
    """See `Scan.run`."""
    a, b = cell.coefficients(params, steps.inputs)
    if steps.reset is not None:
      fresh = base.align(cell.to_state(fresh_carry), a)
      b = masks.select(steps.reset, a * fresh + b, b)
      a = masks.select(steps.reset, jnp.zeros_like(a), a)
    forget = steps.reset
    if steps.valid is not None:
      a = masks.select(steps.valid, a, jnp.ones_like(a))
      b = masks.select(steps.valid, b, jnp.zeros_like(b))
      forget = None if forget is None else forget & steps.valid
    start = cell.to_state(carry).astype(b.dtype)
    states = linear_scan(
      a,
      b,
      start,
      reverse=reverse,
      forget=forget,
      guard=not cell.contracting,
    )
    outputs = cell.readout(params, states, steps.inputs)
    if steps.valid is not None:
      outputs = masks.select(steps.valid, outputs, jnp.zeros_like(outputs))
    last = cell.to_carry(states[0 if reverse else -1])
    last = jax.tree.map(lambda new, old: new.astype(old.dtype), last, carry)
    return last, outputs
