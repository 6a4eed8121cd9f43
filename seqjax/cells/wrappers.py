"""Cells made of cells that leave the recurrence as it is.

`Stack` puts layers on top of each other. An `Outer` wrapper does something to
the inputs, the outputs or the parameters of one cell. Both let `unroll` run the
cells inside by any method. Wrappers that change the recurrence itself are in
`noise.py` (zoneout, recurrent dropout) and `feedback.py`.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base


@dataclasses.dataclass(frozen=True)
class Stack(base.Cell[tuple[Any, ...], tuple[Any, ...]]):
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

  layers: tuple[base.Cell[Any, Any], ...]

  def __post_init__(self):
    object.__setattr__(self, "layers", tuple(self.layers))
    if not self.layers:
      raise ValueError("layers is empty, expected at least one cell")
    for layer in self.layers:
      base.check_cell("layers", layer)

  @property
  def output_size(self) -> int:
    return self.layers[-1].output_size

  @property
  def noisy(self) -> bool:
    return any(layer.noisy for layer in self.layers)

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> tuple[Any, ...]:
    params = []
    for index, layer in enumerate(self.layers):
      layer_key = jax.random.fold_in(key, index)
      params.append(layer.init(layer_key, input_size, dtype))
      input_size = layer.output_size
    return tuple(params)

  def input_size(self, params: Any) -> int:
    return self.layers[0].input_size(params[0])

  def initial_carry(self, params, batch_shape=()) -> tuple[Any, ...]:
    return tuple(
      layer.initial_carry(layer_params, batch_shape)
      for layer, layer_params in zip(self.layers, params, strict=True)
    )

  def prepare(self, params, batch_shape=(), *, key=None) -> tuple[Any, ...]:
    return tuple(
      layer.prepare(layer_params, batch_shape, key=base.subkey(key, index))
      for index, (layer, layer_params) in enumerate(
        zip(self.layers, params, strict=True)
      )
    )

  def step(self, params, carry, inputs, *, key=None):
    new_carry: list[Any] = []
    for index, layer in enumerate(self.layers):
      layer_carry, inputs = layer.step(
        params[index], carry[index], inputs, key=base.subkey(key, index)
      )
      new_carry.append(layer_carry)
    return tuple(new_carry), inputs


class Outer[Params, Carry](base.Cell[Params, Carry]):
  """A wrapper around `cell` that does not touch the recurrence.

  The step of the cell inside gets fold_in(key, 0), `before` and `after` get
  fold_in(key, 1) and (key, 2).
  """

  cell: base.Cell[Any, Carry]

  @property
  def output_size(self) -> int:
    return self.cell.output_size

  @property
  def noisy(self) -> bool:
    return self.cell.noisy

  def inner(self, params: Params) -> Any:
    """The parameters of `cell`. Default: these are all."""
    return params

  def before(
    self, params: Params, inputs: jax.Array, key: jax.Array | None
  ) -> jax.Array:
    """The inputs of `cell`, one step `[*batch, input_size]`."""
    del params, key
    return inputs

  def after(
    self,
    params: Params,
    inputs: jax.Array,
    outputs: jax.Array,
    key: jax.Array | None,
  ) -> jax.Array:
    """The output, from the wrapper's inputs and the outputs of `cell`."""
    del params, inputs, key
    return outputs

  @abc.abstractmethod
  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> Params:
    """See `Cell.init`."""

  def input_size(self, params: Any) -> int:
    return self.cell.input_size(self.inner(params))

  def initial_carry(self, params, batch_shape=()):
    return self.cell.initial_carry(self.inner(params), batch_shape)

  def prepare(
    self,
    params: Params,
    batch_shape: Sequence[int] = (),
    *,
    key: jax.Array | None = None,
  ) -> Params:
    return self.cell.prepare(params, batch_shape, key=key)

  def step(self, params, carry, inputs, *, key=None):
    fed = self.before(params, inputs, base.subkey(key, 1))
    carry, outputs = self.cell.step(
      self.inner(params), carry, fed, key=base.subkey(key, 0)
    )
    return carry, self.after(params, inputs, outputs, base.subkey(key, 2))


@dataclasses.dataclass(frozen=True)
class Residual[Params, Carry](Outer[Params, Carry]):
  """Adds the input to the output: y_t = x_t + cell(x_t).

  He et al. 2016, "Deep residual learning"; between recurrent layers Wu et al.
  2016, "Google's neural machine translation system", section 3.1. The path over
  the layers stays open for the gradient however deep the stack.

  Attributes:
    cell: its `output_size` must be the input's size.

  Raises:
    ValueError: from `init`, if the sizes differ.
  """

  cell: base.Cell[Params, Carry]

  def __post_init__(self):
    base.check_cell("cell", self.cell)

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> Params:
    if input_size != self.cell.output_size:
      raise ValueError(
        f"input_size is {input_size}, expected {self.cell.output_size}, the"
        f" output_size of {self.cell}, for Residual adds the two"
      )
    return self.cell.init(key, input_size, dtype)

  def after(self, params, inputs, outputs, key):
    del params, key
    return inputs + outputs


class LearnedCarryParams[Params, Carry](NamedTuple):
  cell: Params
  carry: Carry  # leaves without batch axes


@dataclasses.dataclass(frozen=True)
class LearnedCarry[Params, Carry](
  Outer[LearnedCarryParams[Params, Carry], Carry]
):
  """Makes the initial carry of `cell` a parameter.

    carry_(-1) = theta, the same for every row

  Initialised to the cell's own initial carry. A reset returns to it too, and
  then it gets a gradient from there.

  Attributes:
    cell: any cell.
  """

  cell: base.Cell[Params, Carry]

  def __post_init__(self):
    base.check_cell("cell", self.cell)

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> LearnedCarryParams[Params, Carry]:
    params = self.cell.init(key, input_size, dtype)
    return LearnedCarryParams(params, self.cell.initial_carry(params))

  def inner(self, params: LearnedCarryParams[Params, Carry]) -> Params:
    return params.cell

  def initial_carry(
    self,
    params: LearnedCarryParams[Params, Carry],
    batch_shape: Sequence[int] = (),
  ) -> Carry:
    return jax.tree.map(
      lambda leaf: jnp.broadcast_to(
        leaf.reshape((1,) * len(batch_shape) + leaf.shape),
        (*batch_shape, *leaf.shape),
      ),
      params.carry,
    )

  def prepare(
    self,
    params: LearnedCarryParams[Params, Carry],
    batch_shape: Sequence[int] = (),
    *,
    key: jax.Array | None = None,
  ) -> LearnedCarryParams[Params, Carry]:
    cell = self.cell.prepare(params.cell, batch_shape, key=key)
    return params._replace(cell=cell)


@dataclasses.dataclass(frozen=True)
class WeightDrop[Params, Carry](Outer[Params, Carry]):
  """Drops entries of the recurrent kernel, the same ones at every step.

  DropConnect on the hidden-to-hidden weights (Merity, Keskar, Socher 2018,
  "Regularizing and optimizing LSTM language models", section 2): one mask for
  the batch, drawn by `prepare`, scaled by 1 / (1 - rate). As the recurrence is
  an ordinary one with other weights, every method runs it.

  Attributes:
    cell: a cell whose params have a `recurrent_kernel`.
    rate: probability that an entry is zeroed, in [0, 1).

  Raises:
    ValueError: `rate` out of range; from `init`, no recurrent kernel.
  """

  cell: base.Cell[Params, Carry]
  rate: float

  def __post_init__(self):
    base.check_cell("cell", self.cell)
    base.check_rate("rate", self.rate)

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> Params:
    params = self.cell.init(key, input_size, dtype)
    if not hasattr(params, "recurrent_kernel"):
      raise ValueError(
        f"cell is {self.cell}, expected one with a recurrent_kernel (wrap the"
        " cell itself, inside of other wrappers)"
      )
    return params

  def prepare(
    self,
    params: Params,
    batch_shape: Sequence[int] = (),
    *,
    key: jax.Array | None = None,
  ) -> Params:
    prepared: Any = self.cell.prepare(
      params, batch_shape, key=base.subkey(key, 0)
    )
    if key is None or not self.rate:
      return prepared
    kernel = prepared.recurrent_kernel
    mask = base.dropout_mask(
      base.subkey(key, 1), self.rate, kernel.shape, kernel.dtype
    )
    return prepared._replace(recurrent_kernel=kernel * mask)


class DropoutParams[Params](NamedTuple):
  cell: Params
  # Drawn by `prepare` where one mask serves the whole sequence.
  input_mask: base.Rows | None = None  # [*batch, input_size]
  output_mask: base.Rows | None = None  # [*batch, output_size]


@dataclasses.dataclass(frozen=True)
class Dropout[Params, Carry](Outer[DropoutParams[Params], Carry]):
  """Dropout on the inputs and outputs of a cell.

    y_t = m_y * cell(m_x * x_t)

  Entries of m are 0 with probability `rate`, else 1 / (1 - rate). With
  `variational` one mask serves all steps of a sequence (Gal and Ghahramani
  2016, "A theoretically grounded application of dropout in recurrent neural
  networks"); without, each step draws its own (Zaremba, Sutskever, Vinyals
  2014). The mask of a step depends on the key and the position, not on the
  sequence's length. For the recurrent connection see `RecurrentDropout`.

  Attributes:
    cell: any cell, also a `Stack`.
    inputs: rate of m_x, in [0, 1).
    outputs: rate of m_y.
    variational: one mask a sequence instead of one a step.

  Raises:
    ValueError: a rate is out of range.
  """

  cell: base.Cell[Params, Carry]
  inputs: float = 0.0
  outputs: float = 0.0
  variational: bool = True

  def __post_init__(self):
    base.check_cell("cell", self.cell)
    base.check_rate("inputs", self.inputs)
    base.check_rate("outputs", self.outputs)

  @property
  def noisy(self) -> bool:
    drops = bool(self.inputs or self.outputs)
    return (drops and not self.variational) or self.cell.noisy

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> DropoutParams[Params]:
    return DropoutParams(self.cell.init(key, input_size, dtype))

  def inner(self, params: DropoutParams[Params]) -> Params:
    return params.cell

  def prepare(
    self,
    params: DropoutParams[Params],
    batch_shape: Sequence[int] = (),
    *,
    key: jax.Array | None = None,
  ) -> DropoutParams[Params]:
    cell = self.cell.prepare(params.cell, batch_shape, key=base.subkey(key, 0))
    if key is None or not self.variational:
      return params._replace(cell=cell)

    def draw(index, rate, size):
      if not rate:
        return None
      shape = (*batch_shape, size)
      return base.Rows(base.dropout_mask(base.subkey(key, index), rate, shape))

    return DropoutParams(
      cell,
      draw(1, self.inputs, self.input_size(params)),
      draw(2, self.outputs, self.output_size),
    )

  def before(self, params, inputs, key):
    return self._drop(inputs, self.inputs, params.input_mask, key)

  def after(self, params, inputs, outputs, key):
    return self._drop(outputs, self.outputs, params.output_mask, key)

  def _drop(self, x, rate, mask, key):
    if mask is None and rate and key is not None and not self.variational:
      mask = base.Rows(base.dropout_mask(key, rate, x.shape))
    return x if mask is None else x * mask.value.astype(x.dtype)
