"""Gradient norms over time of layers on top of each other."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.cells import Stack
from seqjax.gradients.norms import (
  StepLoss,
  hidden_gradient_norms,
  together,
  vector_norm,
)
from seqjax.nn.layers import RNN, Layer


def gradient_norms(
  layers: Sequence[Layer[Any]],
  inputs: jax.Array,
  step_loss: StepLoss,
  *,
  carry: Any = None,
  lengths: jax.Array | None = None,
) -> dict[str, jax.Array]:
  """`{"layer 0": ...}` of recurrent layers; else those of the top layer.

  Of residual layers, |dL/dx_t|, x_t what such a layer reads at step t: of the
  lowest all that a step has to say, of the highest almost all of it to itself.

  Args:
    layers: from the bottom up, one at least.
    inputs: as for `Layer.gradient_norms`, and so are the rest.
  """
  if any(layer.residual for layer in layers):
    return _of_the_stream(layers, inputs, step_loss, carry, lengths)
  recurrent = [layer for layer in layers if isinstance(layer, RNN)]
  if len(recurrent) == len(layers):
    norms = hidden_gradient_norms(
      Stack(tuple(layer.cell for layer in recurrent)),
      tuple(layer.params.get_value() for layer in recurrent),
      inputs,
      step_loss,
      lengths=lengths,
      initial_carry=carry,
    )
    return {f"layer {i}": together(layer) for i, layer in enumerate(norms)}
  *below, top = layers
  starts = (None,) * len(layers) if carry is None else carry
  for layer, start in zip(below, starts, strict=False):
    _, inputs = layer(inputs, start, lengths=lengths)
  return top.gradient_norms(
    inputs, step_loss, carry=starts[-1], lengths=lengths
  )


def _of_the_stream(layers, inputs, step_loss, carry, lengths):
  starts = (None,) * len(layers) if carry is None else carry
  batch, time, _ = inputs.shape
  ends = jnp.full((batch,), time) if lengths is None else lengths
  at_end = jnp.arange(time)[:, None] == ends[None] - 1

  def loss(taps):
    x, left = inputs, list(taps)
    for layer, start in zip(layers, starts, strict=True):
      if layer.residual:
        x = x + left.pop(0)
      _, x = layer(x, start, lengths=lengths)
    losses = step_loss(jnp.moveaxis(x, 1, 0))
    return jnp.where(at_end, losses, 0.0).sum()

  zeros = [
    jnp.zeros((batch, time, layer.output_size), inputs.dtype)
    for layer in layers
    if layer.residual
  ]
  grads = jax.grad(loss)(zeros)
  return {f"layer {i}": vector_norm(grad) for i, grad in enumerate(grads)}
