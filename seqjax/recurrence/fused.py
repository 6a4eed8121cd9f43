"""Hand-written back-propagation through time for cells that factor.

`jax.grad` of a scan adds up the gradient of the recurrent kernel at every step:
a kernel-sized read and write each time, and with the batch shared among devices
a sum over all of them each time. Here the backward scan only hands on the
gradient of the carry and emits the gradient of each step's pre-activations; all
weight gradients are taken afterwards, over all time steps at once, so that of
the recurrent kernel is one matrix product.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base
from seqjax.recurrence import masks
from seqjax.recurrence.scan import Steps


@dataclasses.dataclass(frozen=True)
class Fused:
  """One custom VJP over the whole sequence, O(T) time and memory.

  For factored cells. Saved for the backward pass: the carry before each step
  and its pre-activations; everything pointwise is computed again. Reverse mode
  only: `jax.jvp` and second derivatives need "scan".

  The method for a batch that is shared among devices, CPU devices above all:
  XLA's CPU compiler runs the pointwise part of a loop on one core, so as many
  devices as cores share the work (docs/performance.md).

  Agreement with "scan": relative error below 1e-5 in float32, in value and
  gradient (tests/recurrence/unroll_test.py).

  Attributes:
    project_first: whether the inputs of all steps are projected in one matrix
      product before the loop, rather than each in its step. Default: except on
      CPU, where fetching the result costs more than it gains.
  """

  project_first: bool | None = None

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
    first = self.project_first
    if first is None:
      first = jax.default_backend() != "cpu"
    flags = steps.valid, steps.reset
    # Rows that are split among devices must not be merged with time, unless
    # this program is that of one device; never if something belongs to them.
    manual = jax.sharding.get_abstract_mesh().manual_axes
    flat = bool(manual) or jax.device_count() == 1
    flat = flat and not base.has_rows(params)
    return _run(
      cell,
      first,
      reverse,
      flat,
      params,
      carry,
      fresh_carry,
      steps.inputs,
      flags,
    )


def _pointwise(cell, params, carry, pre, valid):
  """All of a step but the products."""
  new_carry, output = cell.activate(params, carry, pre)
  new_carry = jax.tree.map(
    lambda new, old: new.astype(old.dtype), new_carry, carry
  )
  if valid is not None:
    new_carry = masks.select(valid, new_carry, carry)
    output = masks.select(valid, output, jnp.zeros_like(output))
  return new_carry, output


def _kept_apart(pre: jax.Array) -> jax.Array:
  """`pre`, computed before anything that uses it.

  Left alone, XLA's CPU compiler may fuse the sum of both products into each of
  the gates, which makes the pointwise part up to three times as slow
  (docs/performance.md). Elsewhere that fusion is wanted.
  """
  if jax.default_backend() == "cpu":
    return lax.optimization_barrier(pre)
  return pre


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def _run(cell, first, reverse, flat, params, carry, fresh_carry, inputs, flags):
  result, _ = _forward(
    cell, first, reverse, flat, params, carry, fresh_carry, inputs, flags
  )
  return result


def _forward(
  cell, first, reverse, flat, params, carry, fresh_carry, inputs, flags
):
  del flat

  def body(carry, step):
    x, (valid, reset) = step
    if reset is not None:
      carry = masks.select(reset, fresh_carry, carry)
    projected = x if first else cell.project(params, x)
    pre = _kept_apart(cell.combine(projected, cell.recur(params, carry)))
    new_carry, output = _pointwise(cell, params, carry, pre, valid)
    return new_carry, (output, (carry, pre))

  xs = cell.project(params, inputs) if first else inputs
  last, (outputs, saved) = lax.scan(body, carry, (xs, flags), reverse=reverse)
  return (last, outputs), (params, fresh_carry, inputs, flags, *saved)


def _backward(cell, first, reverse, flat, saved, cotangents):
  del first
  params, fresh_carry, inputs, flags, carries, pres = saved
  d_last, d_outputs = cotangents
  zeros = jax.tree.map(jnp.zeros_like, fresh_carry)
  update_learns = cell.activate_has_params
  # Transposed once, in memory, for the products of the backward loop.
  turned = base.map_params(
    params,
    weights=lambda p: lax.optimization_barrier(p.T).T if p.ndim == 2 else p,
  )

  def recurred(carry):
    product = cell.recur(turned, carry)
    return cell.combine(jnp.zeros_like(product), product)

  def body(state, step):
    d_new_carry, d_fresh = state
    d_output, carry, pre, (valid, reset) = step
    _, pull = jax.vjp(
      lambda carry, pre: _pointwise(cell, params, carry, pre, valid), carry, pre
    )
    d_carry, d_pre = pull((d_new_carry, d_output))
    (through_kernel,) = jax.vjp(recurred, carry)[1](d_pre)
    d_carry = jax.tree.map(jnp.add, d_carry, through_kernel)
    if reset is not None:
      d_fresh = jax.tree.map(
        jnp.add, d_fresh, masks.select(reset, d_carry, zeros)
      )
      d_carry = masks.select(reset, zeros, d_carry)
    return (d_carry, d_fresh), (d_pre, d_new_carry if update_learns else None)

  (d_carry, d_fresh), (d_pres, d_new_carries) = lax.scan(
    body,
    (d_last, zeros),
    (d_outputs, carries, pres, flags),
    reverse=not reverse,
  )

  # Weight gradients, all time steps at once: one product over time and batch,
  # which the CPU compiler does well only if they are one axis.
  lead = inputs.ndim - 1  # time and batch
  merge = lambda x: x.reshape(-1, *x.shape[lead:]) if flat else x
  _, pull = jax.vjp(
    lambda params, inputs: cell.combine(
      cell.project(params, inputs),
      cell.recur(params, jax.tree.map(merge, carries)),
    ),
    params,
    merge(inputs),
  )
  d_params, d_inputs = pull(merge(d_pres))
  if update_learns:
    _, pull = jax.vjp(
      lambda params: _pointwise(cell, params, carries, pres, flags[0]), params
    )
    (d_more,) = pull((d_new_carries, d_outputs))
    d_params = jax.tree.map(jnp.add, d_params, d_more)
  return (
    d_params,
    d_carry,
    d_fresh,
    d_inputs.reshape(inputs.shape),
    (None, None),
  )


_run.defvjp(_forward, _backward)
