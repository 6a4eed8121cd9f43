"""The reference: step after step with `jax.lax.scan`.

Every other way to evaluate a recurrence is measured against this one.
"""

import dataclasses
from typing import NamedTuple

import jax
from jax import lax

from seqjax.cells import base
from seqjax.recurrence import masks


class Steps(NamedTuple):
  """What arrives at each step, time axis first; None where not in use."""

  inputs: jax.Array  # [time, *batch, features]
  valid: jax.Array | None  # bool [time, *batch]
  reset: jax.Array | None  # bool [time, *batch], only where valid
  key: jax.Array | None  # [time] random keys


@dataclasses.dataclass(frozen=True)
class Scan:
  """`jax.lax.scan` over `cell.step`: O(T) time, O(T) memory for the gradient.

  Attributes:
    unroll: steps per iteration of the compiled loop, see `jax.lax.scan`.
  """

  unroll: int = 1

  def check(self, cell: base.Cell) -> None:
    """Any cell will do."""
    del cell

  def run(
    self, cell: base.Cell, params, carry, fresh_carry, steps: Steps, reverse
  ):
    """Runs `cell` over `steps`.

    Args:
      cell: the cell.
      params: prepared parameters.
      carry: the carry before the first step.
      fresh_carry: what a reset puts in its place.
      steps: inputs and flags, time axis first.
      reverse: from the last step to the first, outputs stay in place.

    Returns:
      `(carry, outputs)`, outputs `[time, *batch, output_size]`.
    """

    def body(carry, step: Steps):
      if step.reset is not None:
        carry = masks.select(step.reset, fresh_carry, carry)
      new_carry, output = cell.step(params, carry, step.inputs, key=step.key)
      new_carry = jax.tree.map(
        lambda new, old: new.astype(old.dtype), new_carry, carry
      )
      if step.valid is not None:
        new_carry = masks.select(step.valid, new_carry, carry)
        output = masks.select(step.valid, output, jax.numpy.zeros_like(output))
      return new_carry, output

    return lax.scan(body, carry, steps, reverse=reverse, unroll=self.unroll)
