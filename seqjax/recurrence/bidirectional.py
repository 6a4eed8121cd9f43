"""Two cells over one sequence, one in each direction."""

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks
from seqjax.recurrence.unroll import unroll

MERGES = {
  "concat": lambda a, b: jnp.concatenate([a, b], axis=-1),
  "sum": jnp.add,
  "average": lambda a, b: (a + b) / 2,
}


def bidirectional(
  forward: base.Cell,
  backward: base.Cell,
  params: tuple,
  inputs: jax.Array,
  *,
  initial_carry: tuple | None = None,
  key: jax.Array | None = None,
  merge: str = "concat",
  **kwargs,
):
  """Bidirectional recurrence (Schuster and Paliwal 1997).

    output_t = merge(forward output at t, backward output at t)

  Not a cell, for it has no causal step. The backward pass starts at each row's
  own last valid step and outputs stay aligned with the inputs.

  Args:
    forward: runs from the first step to the last.
    backward: runs from the last valid step to the first.
    params: `(forward params, backward params)`.
    inputs: `[*batch, time, features]`, or as `time_major` says.
    initial_carry: `(forward carry, backward carry)`; default the cells' own.
    key: randomness; the directions draw from fold_in(key, 0) and (key, 1).
    merge: "concat", "sum" or "average" over the last axis.
    **kwargs: `lengths`, `resets`, `time_major`, `method` as for `unroll`.

  Returns:
    `((forward carry, backward carry), outputs)`.

  Raises:
    ValueError: as `unroll`; `merge` is unknown.
  """
  base.check_choice("merge", merge, MERGES)
  checks.check_key(key)
  carries, outputs = [], []
  for index, (cell, reverse) in enumerate(((forward, False), (backward, True))):
    carry, output = unroll(
      cell,
      params[index],
      inputs,
      initial_carry=None if initial_carry is None else initial_carry[index],
      key=None if key is None else jax.random.fold_in(key, index),
      reverse=reverse,
      **kwargs,
    )
    carries.append(carry)
    outputs.append(output)
  return tuple(carries), MERGES[merge](*outputs)
