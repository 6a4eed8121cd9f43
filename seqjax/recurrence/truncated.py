"""Truncated back-propagation through time, BPTT(k1, k2)."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base
from seqjax.recurrence import arguments, rows
from seqjax.recurrence.unroll import check_method, resolve_method, run


@dataclasses.dataclass(frozen=True)
class Truncated:
  """BPTT(k1, k2) as a value; `unroll` runs it, see `truncated_unroll`.

  Attributes:
    k1: steps of a block, at least 1.
    k2: how far a gradient goes back from a block's end, a multiple of k1.

  Raises:
    ValueError: k1 or k2 is not positive, or k1 does not divide k2.
  """

  k1: int
  k2: int

  def __post_init__(self):
    base.check_size("k1", self.k1)
    base.check_size("k2", self.k2)
    if self.k2 % self.k1:
      raise ValueError(f"k2 is {self.k2}, expected a multiple of k1, {self.k1}")

  def unroll[Params, Carry](
    self,
    cell: base.Cell[Params, Carry],
    params: Params,
    inputs: jax.Array,
    **kwargs: Any,
  ) -> tuple[Carry, jax.Array]:
    """`truncated_unroll` with these k1 and k2."""
    return truncated_unroll(
      cell, params, inputs, k1=self.k1, k2=self.k2, **kwargs
    )


def truncated_unroll[Params, Carry](
  cell: base.Cell[Params, Carry],
  params: Params,
  inputs: jax.Array,
  *,
  k1: int,
  k2: int,
  lengths: jax.Array | None = None,
  resets: jax.Array | None = None,
  initial_carry: Carry | None = None,
  key: jax.Array | None = None,
  time_major: bool = False,
  method: Any = "auto",
) -> tuple[Carry, jax.Array]:
  """`unroll` whose gradient goes back k2 steps, every k1 steps.

  The numbers are those of `unroll`. The gradient of a loss on the outputs is
  that of BPTT(k1, k2) (Williams and Peng 1990, "An efficient gradient-based
  algorithm for on-line training of recurrent network trajectories"): outputs
  come in blocks of k1 steps, and the losses of a block are propagated from its
  end over the last k2 steps, not further:

    dL/dtheta = sum over blocks ending at j of
                dL_(j-k1+1 .. j)/dtheta with carry_(j-k2) held constant.

  `k1 = k2` cuts the sequence into windows, k1 = k2 >= T is full BPTT, and so is
  any k1 with k2 >= T. Parameters are not changed between blocks; for that, hand
  the carry on from one call of `unroll` to the next.

  All windows run side by side after one forward pass without gradient: about
  1 + k2 / k1 times the work and k2 / k1 times the memory of `unroll`, in k2
  steps instead of T.

  Args:
    cell: what to run; it and all that is not listed here as for `unroll`.
    k1: steps of a block, as in `Truncated`.
    k2: how far a gradient goes back.

  Returns:
    `(carry, outputs)` as `unroll`.

  Raises:
    ValueError: as `unroll` and `Truncated`.
  """
  Truncated(k1, k2)  # checks them
  sequence = arguments.check(
    cell, params, inputs, lengths, resets, initial_carry, key, time_major
  )
  method = resolve_method(method)
  check_method(method, cell)
  carry, outputs = _jitted(cell, method, k1, k2, params, sequence)
  return carry, outputs if time_major else jnp.moveaxis(outputs, 0, -2)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _jitted(cell, method, k1, k2, params, sequence):
  evaluate = functools.partial(_truncated, cell, method, k1, k2)
  return rows.left_to_compiler(evaluate, params, sequence)


def _truncated(cell, method, k1, k2, params, sequence):
  params, carry, fresh, steps = arguments.prepare(cell, params, sequence)
  evaluate = functools.partial(run, cell, method, reverse=False)
  time, *batch = steps.inputs.shape[:-1]
  blocks = max(-(-time // k1), 1)
  reach = min(k2 // k1, blocks)  # blocks in a window
  if reach == blocks == 1:
    return evaluate(params=params, carry=carry, fresh_carry=fresh, steps=steps)

  # Cut into blocks, steps that are not valid behind the last one.
  valid = steps.valid
  if valid is None:
    valid = jnp.ones((time, *batch), bool)
  steps = steps._replace(valid=valid)
  index = jnp.minimum(jnp.arange(blocks * k1), time - 1)
  steps = jax.tree.map(lambda x: x[index], steps)
  beyond = jnp.arange(blocks * k1) >= time
  steps = _valid_where(steps, ~beyond.reshape((-1,) + (1,) * len(batch)))
  cut = lambda x: x.reshape(blocks, k1, *x.shape[1:])
  steps = jax.tree.map(cut, steps)

  # The carry at the start of every block, without gradient.
  constant = lax.stop_gradient((params, carry, fresh, steps))

  def body(state, block):
    new_state, _ = evaluate(
      params=constant[0], carry=state, fresh_carry=constant[2], steps=block
    )
    return new_state, state

  _, starts = lax.scan(body, constant[1], constant[3])

  # Window b covers the blocks b - reach + 1 to b. Blocks before the first are
  # not valid: such a window begins with the initial carry, gradient and all.
  members = jnp.arange(blocks)[:, None] + jnp.arange(1 - reach, 1)[None, :]
  windows = jax.tree.map(lambda x: x[jnp.maximum(members, 0)], steps)
  exists = members.reshape(blocks, reach, *(1,) * (len(batch) + 1)) >= 0
  windows = _valid_where(windows, exists)
  windows = jax.tree.map(
    lambda x: x.reshape(blocks, reach * k1, *x.shape[3:]), windows
  )
  from_start = members[:, 0] <= 0
  begin = jax.tree.map(
    lambda cut, first: jnp.where(
      from_start.reshape((-1,) + (1,) * first.ndim),
      first[None],
      cut[jnp.maximum(members[:, 0], 0)],
    ),
    starts,
    carry,
  )
  carries, outputs = jax.vmap(
    lambda carry, steps: evaluate(
      params=params, carry=carry, fresh_carry=fresh, steps=steps
    )
  )(begin, windows)
  outputs = outputs[:, -k1:].reshape(blocks * k1, *outputs.shape[2:])[:time]
  return jax.tree.map(lambda x: x[-1], carries), outputs


def _valid_where(steps, mask):
  """`steps` of which only those in `mask` are valid; no others reset."""
  valid = steps.valid & mask
  reset = None if steps.reset is None else steps.reset & valid
  return steps._replace(valid=valid, reset=reset)
