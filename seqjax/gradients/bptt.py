"""The gradient of BPTT as a sum over the steps at which a weight was used."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base
from seqjax.gradients.norms import StepLoss


def bptt_terms[Params](
  cell: base.Cell[Params, Any],
  params: Params,
  inputs: jax.Array,
  step_loss: StepLoss,
  at: int = -1,
) -> Params:
  """The terms of dL_t/dtheta, one for each step k at which theta was used.

    dL_t/dtheta = sum over k <= t of
                  dL_t/dy_t  dy_t/dh_t  (dh_t/dh_k)  d+h_k/dtheta

  d+ is the immediate derivative, h_(k-1) held constant (Werbos 1990; Pascanu,
  Mikolov, Bengio 2013, equations 3 to 5). Term k is the gradient with respect
  to a copy of the parameters that step k alone uses, so all come from one
  backward pass; their sum is what `jax.grad` gives. Takes memory for one copy
  of the parameters a step: a tool to look at small networks.

  Args:
    cell: what to run.
    params: its parameters.
    inputs: one sequence, `[time, features]`.
    step_loss: losses `[time]` from outputs `[time, output_size]`.
    at: the step t of the loss; -1 is the last.

  Returns:
    A tree like `params`, leaves `[time, *shape]`; zero for k > t.
  """
  time = inputs.shape[0]
  copies = jax.tree.map(lambda p: jnp.broadcast_to(p, (time, *p.shape)), params)

  def loss(copies):
    def body(carry, step):
      params, x = step
      return cell.step(params, carry, x)

    carry = lax.stop_gradient(cell.initial_carry(params))
    _, outputs = lax.scan(body, carry, (copies, inputs))
    return step_loss(outputs)[at]

  return jax.grad(loss)(copies)
