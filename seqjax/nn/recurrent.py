"""Recurrent layers on top of each other, as a Flax module."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import Stack, base
from seqjax.gradients.norms import hidden_gradient_norms, together
from seqjax.nn.bidirectional import Bidirectional
from seqjax.nn.rnn import RNN


class StackedRNN(nnx.Module):
  """Recurrent layers with dropout between them.

  Dropout acts on the outputs of all layers but the last (Zaremba, Sutskever,
  Vinyals 2014, "Recurrent neural network regularization"), never on a carry,
  with a fresh mask at every step. With `bidirectional` each layer has the cell
  in both directions, outputs side by side; such a stack cannot stream.
  """

  def __init__(
    self,
    cells: Sequence[base.Cell],
    input_size: int,
    *,
    dropout: float = 0.0,
    bidirectional: bool = False,
    key: jax.Array,
  ):
    base.check_rate("dropout", dropout)
    self.dropout = dropout
    self.bidirectional = bidirectional
    layers = []
    for index, cell in enumerate(cells):
      layer_key = jax.random.fold_in(key, index)
      if bidirectional:
        layer = Bidirectional(cell, cell, input_size, key=layer_key)
      else:
        layer = RNN(cell, input_size, key=layer_key)
      layers.append(layer)
      input_size = layer.output_size
    self.layers = nnx.List(layers)
    self.output_size = input_size

  def gradient_norms(self, inputs: jax.Array, step_loss, **kwargs) -> dict:
    """|dL/dcarry_t| of every layer, dropout left out.

    Arguments as for `gradients.hidden_gradient_norms`. Returns `{"layer 0":
    [batch, time], ...}`, all leaves of a layer's carry together.

    Raises:
      ValueError: the layers are bidirectional, which no cell is.
    """
    self._check_causal("for norms of all layers")
    cell = Stack(tuple(layer.cell for layer in self.layers))
    params = tuple(layer.params.get_value() for layer in self.layers)
    layers = hidden_gradient_norms(cell, params, inputs, step_loss, **kwargs)
    return {f"layer {i}": together(norms) for i, norms in enumerate(layers)}

  def _check_causal(self, purpose: str) -> None:
    if self.bidirectional:
      raise ValueError(
        f"bidirectional is True, expected False {purpose}: the backward"
        " direction starts at the end of the sequence"
      )

  def initial_carry(self, batch_shape: Sequence[int]) -> tuple:
    return tuple(layer.initial_carry(batch_shape) for layer in self.layers)

  def __call__(
    self,
    inputs: jax.Array,
    carry=None,
    *,
    embedding: jax.Array | None = None,
    key: jax.Array | None = None,
    **kwargs,
  ):
    """Runs layer after layer.

    Args:
      inputs: `[batch, time, features]`.
      carry: a tuple with one carry a layer; default the cells' own.
      embedding: if the inputs are tokens, int `[batch, time]`, what they are
        looked up in, `[V, input_size]`; not for bidirectional layers.
      key: randomness of dropout and of the cells; None turns both off.
      **kwargs: as for `unroll`.

    Returns:
      `(carry, outputs)`, outputs `[batch, time, output_size]`.
    """
    last_carry = []
    for index, layer in enumerate(self.layers):
      cell_key = drop_key = None
      if key is not None:
        cell_key, drop_key = jax.random.split(jax.random.fold_in(key, index))
      if index > 0:
        inputs = dropout(inputs, self.dropout, drop_key)
      start = None if carry is None else carry[index]
      own = {**kwargs, "key": cell_key}
      if index == 0 and embedding is not None:
        own["embedding"] = embedding
      layer_carry, inputs = layer(inputs, start, **own)
      last_carry.append(layer_carry)
    return tuple(last_carry), inputs

  def step(self, carry, inputs: jax.Array):
    """One step of all layers, without noise: `(carry, output)`.

    Raises:
      ValueError: the layers are bidirectional.
    """
    self._check_causal("to step")
    new_carry = []
    for layer, layer_carry in zip(self.layers, carry, strict=True):
      layer_carry, inputs = layer.step(layer_carry, inputs)
      new_carry.append(layer_carry)
    return tuple(new_carry), inputs


def dropout(inputs: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
  """Zeroes entries with probability `rate`, scales the rest by 1/(1 - rate).

  Srivastava et al. 2014. Without a key, or at rate 0, the identity.

  Args:
    inputs: any shape.
    rate: in [0, 1).
    key: a `jax.random` key, or None.
  """
  if key is None or rate == 0.0:
    return inputs
  keep = jax.random.bernoulli(key, 1.0 - rate, inputs.shape)
  return jnp.where(keep, inputs / (1.0 - rate), 0.0)
