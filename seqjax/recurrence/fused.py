"""Hand-written back-propagation through time for cells that factor.

`jax.grad` of a scan adds up the gradient of the recurrent kernel at every step:
a kernel-sized read and write each time. Here the backward scan only hands on
the gradient of the carry and emits the gradient of each step's pre-activations;
all weight gradients are taken afterwards, over all time steps at once, so the
recurrent kernel's is one matrix product. The input projection, which does not
see the carry, is one product over all time steps too.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base
from seqjax.recurrence import lengths
from seqjax.recurrence.scan import Steps


@dataclasses.dataclass(frozen=True)
class Fused:
  """One custom VJP over the whole sequence, O(T) time and memory.

  For factored cells, `update(carry, project(inputs), recur(carry))`. Saved for
  the backward pass: inputs, the carry before each step and the product
  `recur(carry)`; everything pointwise is computed again. Reverse mode only:
  `jax.jvp` and second derivatives need "scan".

  Agreement with "scan": relative error below 1e-5 in float32, in value and
  gradient (tests/recurrence/unroll_test.py).
  """

  def check(self, cell: base.Cell) -> None:
    """Raises ValueError if the cell does not factor."""
    if not cell.factored:
      raise ValueError(
        f"method 'fused' needs a cell with project, recur and update, which"
        f" {cell} does not have; use method 'scan'"
      )

  def run(
    self,
    cell: base.FactoredCell,
    params,
    carry,
    fresh_carry,
    steps: Steps,
    reverse,
  ):
    """See `Scan.run`."""
    projected = cell.project(params, steps.inputs)
    flags = steps.valid, steps.reset
    return _run(cell, reverse, params, carry, fresh_carry, projected, flags)


def _pointwise(cell, params, carry, projected, recurred, valid):
  """All of a step but the product with the carry."""
  new_carry, output = cell.update(params, carry, projected, recurred)
  new_carry = jax.tree.map(
    lambda new, old: new.astype(old.dtype), new_carry, carry
  )
  if valid is not None:
    new_carry = lengths.select(valid, new_carry, carry)
    output = lengths.select(valid, output, jnp.zeros_like(output))
  return new_carry, output


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _run(cell, reverse, params, carry, fresh_carry, projected, flags):
  result, _ = _forward(
    cell, reverse, params, carry, fresh_carry, projected, flags
  )
  return result


def _forward(cell, reverse, params, carry, fresh_carry, projected, flags):
  def body(carry, step):
    projected, (valid, reset) = step
    if reset is not None:
      carry = lengths.select(reset, fresh_carry, carry)
    recurred = cell.recur(params, carry)
    new_carry, output = _pointwise(
      cell, params, carry, projected, recurred, valid
    )
    return new_carry, (output, carry, recurred)

  last, (outputs, carries, recurred) = lax.scan(
    body, carry, (projected, flags), reverse=reverse
  )
  saved = params, fresh_carry, projected, flags, carries, recurred
  return (last, outputs), saved


def _backward(cell, reverse, saved, cotangents):
  params, fresh_carry, projected, flags, carries, recurred = saved
  d_last, d_outputs = cotangents
  zeros = jax.tree.map(jnp.zeros_like, fresh_carry)

  def body(state, step):
    d_new_carry, d_fresh = state
    d_output, projected, carry, recurred, (valid, reset) = step
    _, pull = jax.vjp(
      lambda carry, projected, recurred: _pointwise(
        cell, params, carry, projected, recurred, valid
      ),
      carry,
      projected,
      recurred,
    )
    d_carry, d_projected, d_recurred = pull((d_new_carry, d_output))
    _, pull_recur = jax.vjp(lambda carry: cell.recur(params, carry), carry)
    (through_kernel,) = pull_recur(d_recurred)
    d_carry = jax.tree.map(jnp.add, d_carry, through_kernel)
    if reset is not None:
      d_fresh = jax.tree.map(
        jnp.add, d_fresh, lengths.select(reset, d_carry, zeros)
      )
      d_carry = lengths.select(reset, zeros, d_carry)
    return (d_carry, d_fresh), (d_projected, d_recurred, d_new_carry)

  (d_carry, d_fresh), (d_projected, d_recurred, d_new_carries) = lax.scan(
    body,
    (d_last, zeros),
    (d_outputs, projected, carries, recurred, flags),
    reverse=not reverse,
  )

  # Weight gradients, all time steps at once. What `update` does not use of the
  # parameters costs nothing: its gradient is a constant zero.
  def all_steps(params):
    return (
      cell.recur(params, carries),
      _pointwise(cell, params, carries, projected, recurred, flags[0]),
    )

  _, pull = jax.vjp(all_steps, params)
  (d_params,) = pull((d_recurred, (d_new_carries, d_outputs)))
  return d_params, d_carry, d_fresh, d_projected, (None, None)


_run.defvjp(_forward, _backward)
