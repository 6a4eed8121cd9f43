"""Zero-valued taps on the carry: one backward pass for all dL/dcarry_t."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base, wrappers
from seqjax.cells.linear_cell import LinearCell
from seqjax.recurrence import arguments, masks, rows


def tapped_unroll(cell: base.Cell, params, sequence, taps):
  """`unroll` with `taps` added to the carry after every step.

    carry_t = step(carry_(t-1), x_t) + tap_t

  With taps of zero the numbers are those of `unroll`, and dL/dtap_t is the
  total derivative dL/dcarry_t: through the future, and through the output of
  step t where that is read from the carry: its own h, the read-out of a linear
  cell. All layers of a stack advance
  together, so that a tap on a lower layer is felt by the layer above at the
  same step.

  Args:
    cell: what to run.
    params: its parameters.
    sequence: from `arguments.check`.
    taps: like the carry, leaves `[time, *batch, ...]`.

  Returns:
    `(carry, outputs)`, outputs `[time, *batch, output_size]`.
  """
  evaluate = functools.partial(_run, cell)
  return rows.left_to_compiler(evaluate, (params, taps), sequence)


def _run(cell, params_and_taps, sequence):
  params, taps = params_and_taps
  params, carry, fresh, steps = arguments.prepare(cell, params, sequence)

  def body(carry, step):
    step, taps = step
    if step.reset is not None:
      carry = masks.select(step.reset, fresh, carry)
    if step.valid is not None:
      taps = masks.select(step.valid, taps, jax.tree.map(jnp.zeros_like, taps))
    new_carry, output = _step(cell, params, carry, step.inputs, step.key, taps)
    if step.valid is not None:
      new_carry = masks.select(step.valid, new_carry, carry)
      output = masks.select(step.valid, output, jnp.zeros_like(output))
    return new_carry, output

  return lax.scan(body, carry, (steps, taps))


def zero_taps(cell: base.Cell, params, batch_shape, time: int):
  """Zeros like the carry, leaves `[time, *batch, ...]`."""
  carry = jax.eval_shape(lambda p: cell.initial_carry(p, batch_shape), params)
  return jax.tree.map(lambda c: jnp.zeros((time, *c.shape), c.dtype), carry)


def _step(cell, params, carry, inputs, key, taps):
  match cell:
    case wrappers.Stack():
      new_carry = []
      for index, layer in enumerate(cell.layers):
        layer_carry, inputs = _step(
          layer,
          params[index],
          carry[index],
          inputs,
          base.subkey(key, index),
          taps[index],
        )
        new_carry.append(layer_carry)
      return tuple(new_carry), inputs
    case wrappers.Outer():
      fed = cell.before(params, inputs, base.subkey(key, 1))
      carry, outputs = _step(
        cell.cell, cell.inner(params), carry, fed, base.subkey(key, 0), taps
      )
      return carry, cell.after(params, inputs, outputs, base.subkey(key, 2))
    case LinearCell():
      a, b = cell.coefficients(params, inputs)
      state = a * cell.to_state(carry).astype(b.dtype) + b
      tapped = jax.tree.map(
        lambda new, tap: new.astype(tap.dtype) + tap, cell.to_carry(state), taps
      )
      return tapped, cell.readout(params, cell.to_state(tapped), inputs)
    case _:
      new_carry, output = cell.step(params, carry, inputs, key=key)
      tapped = jax.tree.map(jnp.add, new_carry, taps)
      # An output that is a leaf of the carry is that leaf, tap and all.
      pairs = zip(
        jax.tree.leaves(new_carry), jax.tree.leaves(tapped), strict=True
      )
      for leaf, with_tap in pairs:
        if output is leaf:
          output = with_tap
      return tapped, output
