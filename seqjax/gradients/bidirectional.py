"""Gradient norms of two cells, one in each direction."""

from typing import Any

import jax
import jax.numpy as jnp

from seqjax.cells import base
from seqjax.gradients.norms import StepLoss, hidden_gradient_norms, together
from seqjax.recurrence import reverse_rows


def bidirectional_gradient_norms(
  forward: base.Cell[Any, Any],
  backward: base.Cell[Any, Any],
  params: tuple[Any, Any],
  inputs: jax.Array,
  ends: tuple[jax.Array, jax.Array],
  step_loss: StepLoss,
  *,
  lengths: jax.Array | None = None,
  initial_carry: tuple[Any, Any] | None = None,
) -> dict[str, jax.Array]:
  """|dL/dcarry_t| of each direction, the other one held constant.

  L is the loss of what both directions put out last, side by side. The backward
  direction has its last step where the sequence begins.

  Args:
    forward: runs from the first step to the last.
    backward: runs from the last valid step to the first.
    params: `(forward params, backward params)`.
    inputs: `[batch, time, features]`.
    ends: what each direction puts out at its last step, `[batch, size]`.
    step_loss: as for `hidden_gradient_norms`, of both outputs side by side.
    lengths: as for `unroll`.
    initial_carry: `(forward carry, backward carry)`; default the cells' own.

  Returns:
    `{"forward": [batch, time], "backward": [batch, time]}`, all leaves of a
    carry together, each in the order in which the direction is run.
  """
  turned = inputs[:, ::-1]
  if lengths is not None:
    turned = reverse_rows(inputs, lengths)
  norms = {}
  for index, (name, cell, own) in enumerate(
    (("forward", forward, inputs), ("backward", backward, turned))
  ):

    def of_both(outputs, index=index):
      pair = [
        jnp.broadcast_to(end[None], (*outputs.shape[:-1], end.shape[-1]))
        for end in ends
      ]
      pair[index] = outputs
      return step_loss(jnp.concatenate(pair, axis=-1))

    norms[name] = together(
      hidden_gradient_norms(
        cell,
        params[index],
        own,
        of_both,
        lengths=lengths,
        initial_carry=None if initial_carry is None else initial_carry[index],
      )
    )
  return norms
