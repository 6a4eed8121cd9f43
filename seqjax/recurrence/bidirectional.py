"""Two cells over one sequence, one in each direction."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks
from seqjax.recurrence.unroll import unroll

MERGES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
  "concat": lambda a, b: jnp.concatenate([a, b], axis=-1),
  "sum": jnp.add,
  "average": lambda a, b: (a + b) / 2,
}


def bidirectional[Params, Carry, BackParams, BackCarry](
  forward: base.Cell[Params, Carry],
  backward: base.Cell[BackParams, BackCarry],
  params: tuple[Params, BackParams],
  inputs: jax.Array,
  *,
  initial_carry: tuple[Carry, BackCarry] | None = None,
  key: jax.Array | None = None,
  merge: str = "concat",
  **kwargs: Any,
) -> tuple[tuple[Carry, BackCarry], jax.Array]:
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
  start, back_start = initial_carry or (None, None)
  carry, ahead = unroll(
    forward,
    params[0],
    inputs,
    initial_carry=start,
    key=base.subkey(key, 0),
    **kwargs,
  )
  back_carry, back = unroll(
    backward,
    params[1],
    inputs,
    initial_carry=back_start,
    key=base.subkey(key, 1),
    reverse=True,
    **kwargs,
  )
  return (carry, back_carry), MERGES[merge](ahead, back)
