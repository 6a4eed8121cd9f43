"""Thin Flax modules over cells and `unroll`."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.recurrence.unroll import unroll


class RNN(nnx.Module):
  """A cell and its parameters, run over time by `unroll`.

  Attributes:
    cell: the cell (static).
    params: `nnx.Param` that holds the cell's whole NamedTuple.
  """

  def __init__(self, cell: base.Cell, input_size: int, *, key: jax.Array):
    self.cell = cell
    self.params = nnx.Param(cell.init(key, input_size))

  def initial_carry(self, batch_shape: Sequence[int]):
    """The cell's own initial carry, arrays `[*batch, size]`."""
    return self.cell.initial_carry(self.params.get_value(), batch_shape)

  def __call__(self, inputs: jax.Array, carry=None, **kwargs):
    """`(carry, outputs)`; `kwargs` are those of `unroll`."""
    return unroll(
      self.cell,
      self.params.get_value(),
      inputs,
      initial_carry=carry,
      **kwargs,
    )

  def step(self, carry, inputs: jax.Array):
    """One step, for streaming: `(carry, output)`."""
    return self.cell.step(self.params.get_value(), carry, inputs)


class StackedRNN(nnx.Module):
  """Recurrent layers with dropout between them.

  Dropout acts on the outputs of all layers but the last (Zaremba, Sutskever,
  Vinyals 2014, "Recurrent neural network regularization"), never on a carry,
  with a fresh mask at every step.
  """

  def __init__(
    self,
    cells: Sequence[base.Cell],
    input_size: int,
    *,
    dropout: float = 0.0,
    key: jax.Array,
  ):
    self.dropout = dropout
    layers = []
    for index, cell in enumerate(cells):
      layers.append(RNN(cell, input_size, key=jax.random.fold_in(key, index)))
      input_size = cell.output_size
    self.layers = nnx.List(layers)

  def initial_carry(self, batch_shape: Sequence[int]) -> tuple:
    return tuple(layer.initial_carry(batch_shape) for layer in self.layers)

  def __call__(
    self,
    inputs: jax.Array,
    carry=None,
    *,
    key: jax.Array | None = None,
    **kwargs,
  ):
    """Runs layer after layer.

    Args:
      inputs: `[batch, time, features]`.
      carry: a tuple with one carry a layer; default the cells' own.
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
      layer_carry, inputs = layer(
        inputs, None if carry is None else carry[index], key=cell_key, **kwargs
      )
      last_carry.append(layer_carry)
    return tuple(last_carry), inputs

  def step(self, carry, inputs: jax.Array):
    """One step of all layers, without noise: `(carry, output)`."""
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
