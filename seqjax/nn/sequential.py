"""Layers on top of each other, which are a layer again."""

from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from seqjax.cells import base
from seqjax.nn import stack_norms
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.layers import Layer, valid_only


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
    """See `stack_norms.gradient_norms`."""
    if not self.layers:
      return super().gradient_norms(inputs, step_loss)
    return stack_norms.gradient_norms(
      self.layers, inputs, step_loss, carry=carry, lengths=lengths
    )
