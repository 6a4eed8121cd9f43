"""Layers on top of each other, which are a layer again."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import Stack, base
from seqjax.gradients.norms import (
  hidden_gradient_norms,
  together,
  vector_norm,
)
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.layers import RNN, Layer, valid_only


class Sequential(Layer[tuple[Any, ...]]):
  """Layers on top of each other, with dropout between them.

  Dropout acts on the outputs of all layers but the last (Zaremba, Sutskever,
  Vinyals 2014, "Recurrent neural network regularization"), never on a carry,
  with a fresh mask at every step. The carry is a tuple with one entry a layer;
  without layers the inputs are the outputs.

  Attributes:
    layers: from the bottom up.
    dropout: rate between layers, in [0, 1).

  Raises:
    ValueError: the rate is out of range.
  """

  def __init__(
    self, layers: Sequence[Layer[Any]], input_size: int, dropout: float = 0.0
  ):
    base.check_rate("dropout", dropout)
    self.layers = nnx.List(layers)
    self.dropout = dropout
    self.output_size = layers[-1].output_size if layers else input_size
    self.causal = all(layer.causal for layer in layers)
    self.reads_tokens = bool(layers) and layers[0].reads_tokens

  def initial_carry(self, batch_shape):
    return tuple(layer.initial_carry(batch_shape) for layer in self.layers)

  def __call__(
    self,
    inputs: jax.Array,
    carry: tuple[Any, ...] | None = None,
    *,
    lengths: jax.Array | None = None,
    resets: jax.Array | None = None,
    key: jax.Array | None = None,
    embedding: jax.Array | None = None,
  ) -> tuple[tuple[Any, ...], jax.Array]:
    """Runs layer after layer; the first one gets the `embedding`."""
    if not self.layers:
      return (), valid_only(inputs, lengths)
    last_carry: list[Any] = []
    for index, layer in enumerate(self.layers):
      own_key = drop_key = None
      if key is not None:
        own_key, drop_key = jax.random.split(jax.random.fold_in(key, index))
      options = {"lengths": lengths, "resets": resets, "key": own_key}
      if index > 0:
        inputs = drop(inputs, self.dropout, drop_key)
      elif embedding is not None:
        options["embedding"] = embedding
      start = None if carry is None else carry[index]
      layer_carry, inputs = layer(inputs, start, **options)
      last_carry.append(layer_carry)
    return tuple(last_carry), inputs

  def step(self, carry, inputs):
    new_carry: list[Any] = []
    for layer, layer_carry in zip(self.layers, carry, strict=True):
      layer_carry, inputs = layer.step(layer_carry, inputs)
      new_carry.append(layer_carry)
    return tuple(new_carry), inputs

  def remember(self, memory, lengths=None):
    return tuple(layer.remember(memory, lengths) for layer in self.layers)

  def attend(self, remembered):
    layers = [
      layer.attend(own)
      for layer, own in zip(self.layers, remembered, strict=True)
    ]
    return Sequential(layers, self.output_size, self.dropout)

  def last(self, outputs, lengths=None):
    if not self.layers:
      return super().last(outputs, lengths)
    return self.layers[-1].last(outputs, lengths)

  def gradient_norms(self, inputs, step_loss, *, carry=None, lengths=None):
    """`{"layer 0": ...}` of recurrent layers; else those of the top layer.

    Of residual layers, |dL/dx_t|, x_t what such a layer reads at step t: of the
    lowest all that a step has to say, of the highest almost all of it to
    itself.
    """
    if not self.layers:
      return super().gradient_norms(inputs, step_loss)
    if any(layer.residual for layer in self.layers):
      return self._stream_norms(inputs, step_loss, carry, lengths)
    layers = [layer for layer in self.layers if isinstance(layer, RNN)]
    if len(layers) == len(self.layers):
      norms = hidden_gradient_norms(
        Stack(tuple(layer.cell for layer in layers)),
        tuple(layer.params.get_value() for layer in layers),
        inputs,
        step_loss,
        lengths=lengths,
        initial_carry=carry,
      )
      return {f"layer {i}": together(layer) for i, layer in enumerate(norms)}
    *below, top = self.layers
    starts = (None,) * len(self.layers) if carry is None else carry
    for layer, start in zip(below, starts, strict=False):
      _, inputs = layer(inputs, start, lengths=lengths)
    return top.gradient_norms(
      inputs, step_loss, carry=starts[-1], lengths=lengths
    )

  def _stream_norms(self, inputs, step_loss, carry, lengths):
    starts = (None,) * len(self.layers) if carry is None else carry
    batch, time, _ = inputs.shape
    ends = jnp.full((batch,), time) if lengths is None else lengths
    at_end = jnp.arange(time)[:, None] == ends[None] - 1

    def loss(taps):
      x, left = inputs, list(taps)
      for layer, start in zip(self.layers, starts, strict=True):
        if layer.residual:
          x = x + left.pop(0)
        _, x = layer(x, start, lengths=lengths)
      losses = step_loss(jnp.moveaxis(x, 1, 0))
      return jnp.where(at_end, losses, 0.0).sum()

    residual = [layer for layer in self.layers if layer.residual]
    zeros = [
      jnp.zeros((batch, time, layer.output_size), inputs.dtype)
      for layer in residual
    ]
    grads = jax.grad(loss)(zeros)
    return {f"layer {i}": vector_norm(grad) for i, grad in enumerate(grads)}
