"""Cells made of cells."""

import dataclasses

import jax

from seqjax.cells import base


@dataclasses.dataclass(frozen=True)
class Stack(base.Cell):
  """Layers on top of each other: the output of one is the input of the next.

    x^(0)_t = x_t
    (carry^(l)_t, x^(l)_t) = layer_l(carry^(l)_(t-1), x^(l-1)_t)

  The output is that of the last layer. Params and carry are tuples with one
  entry a layer. Layer l draws its noise from fold_in(key, l). `unroll` runs a
  stack layer after layer; the numbers are the same as step by step.

  Attributes:
    layers: the cells from the bottom up; widths may differ.

  Raises:
    ValueError: no layers, or something in `layers` is not a cell.
  """

  layers: tuple[base.Cell, ...]

  def __post_init__(self):
    object.__setattr__(self, "layers", tuple(self.layers))
    if not self.layers:
      raise ValueError("layers is empty, expected at least one cell")
    for layer in self.layers:
      if not isinstance(layer, base.Cell):
        raise ValueError(f"layers holds {layer!r}, expected cells only")

  @property
  def output_size(self) -> int:
    return self.layers[-1].output_size

  def init(self, key: jax.Array, input_size: int) -> tuple:
    params = []
    for index, layer in enumerate(self.layers):
      params.append(layer.init(jax.random.fold_in(key, index), input_size))
      input_size = layer.output_size
    return tuple(params)

  def input_size(self, params) -> int:
    return self.layers[0].input_size(params[0])

  def initial_carry(self, params, batch_shape=()) -> tuple:
    return tuple(
      layer.initial_carry(layer_params, batch_shape)
      for layer, layer_params in zip(self.layers, params, strict=True)
    )

  def prepare(self, params, batch_shape=(), *, key=None) -> tuple:
    return tuple(
      layer.prepare(layer_params, batch_shape, key=layer_key(key, index))
      for index, (layer, layer_params) in enumerate(
        zip(self.layers, params, strict=True)
      )
    )

  def step(self, params, carry, inputs, *, key=None):
    new_carry = []
    for index, layer in enumerate(self.layers):
      layer_carry, inputs = layer.step(
        params[index], carry[index], inputs, key=layer_key(key, index)
      )
      new_carry.append(layer_carry)
    return tuple(new_carry), inputs


def layer_key(key: jax.Array | None, index: int) -> jax.Array | None:
  """The key of layer `index` of a stack, None without a key."""
  return None if key is None else jax.random.fold_in(key, index)
