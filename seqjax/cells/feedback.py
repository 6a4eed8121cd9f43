"""Recurrences that feed back what they put out."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, initializers

OUTPUT_ACTIVATIONS = {"identity": lambda x: x, **base.ACTIVATIONS}


class OutputFeedbackParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, hidden_size]
  recurrent_kernel: jax.Array  # [output_size, hidden_size]
  bias: jax.Array  # [hidden_size]
  output_kernel: jax.Array  # [hidden_size, output_size]
  output_bias: jax.Array  # [output_size]


class OutputFeedbackCarry(NamedTuple):
  output: jax.Array  # [*batch, output_size]


@dataclasses.dataclass(frozen=True)
class OutputFeedback(
  base.FactoredCell[OutputFeedbackParams, OutputFeedbackCarry]
):
  """The Jordan network: the output, not the state, is fed back.

    h_t = activation(x_t W_x + y_(t-1) W_y + b)
    y_t = output_activation(h_t W_o + b_o)

  Jordan 1986, "Serial order: a parallel distributed processing approach", with
  the previous output alone as context (his is a decaying sum of outputs). What
  the output does not show is forgotten: weaker than `Elman`, but each step can
  be trained on its own where targets are known.

  Initialisation: W_x and W_o Glorot uniform, W_y orthogonal, biases zero.
  PyTorch has no counterpart. `Autoregressive` feeds an output back to any cell.

  Attributes:
    hidden_size: H.
    output_size: size of y.
    activation: "tanh", "relu" or "sigmoid".
    output_activation: one of these or "identity".
    input_init: initialiser of W_x, see `initializers`.
    recurrent_init: initialiser of W_y.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  output_size: int
  activation: str = "tanh"
  output_activation: str = "identity"
  input_init: str = "glorot_uniform"
  recurrent_init: str = "orthogonal"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    base.check_size("output_size", self.output_size)
    base.check_choice("activation", self.activation, base.ACTIVATIONS)
    base.check_choice(
      "output_activation", self.output_activation, OUTPUT_ACTIVATIONS
    )
    initializers.check("input_init", self.input_init)
    initializers.check("recurrent_init", self.recurrent_init)

  @property
  def pointwise(self) -> bool:
    return False

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> OutputFeedbackParams:
    base.check_size("input_size", input_size)
    key_x, key_y, key_o = jax.random.split(key, 3)
    h, out = self.hidden_size, self.output_size
    kernel = initializers.packed_kernel
    return OutputFeedbackParams(
      kernel(self.input_init, key_x, input_size, h, 1, dtype),
      kernel(self.recurrent_init, key_y, out, h, 1, dtype),
      jnp.zeros((h,), dtype),
      kernel("glorot_uniform", key_o, h, out, 1, dtype),
      jnp.zeros((out,), dtype),
    )

  def initial_carry(self, params, batch_shape=()) -> OutputFeedbackCarry:
    shape = (*batch_shape, self.output_size)
    return OutputFeedbackCarry(jnp.zeros(shape, params.bias.dtype))

  def project(self, params, inputs: jax.Array) -> jax.Array:
    return base.affine(
      inputs, params.input_kernel, params.bias, self.compute_dtype
    )

  def recur(self, params, carry: OutputFeedbackCarry) -> jax.Array:
    return base.matmul(
      carry.output, params.recurrent_kernel, self.compute_dtype
    )

  def combine(self, projected, recurred):
    return projected + recurred

  def activate(self, params, carry, pre):
    del carry
    h = base.ACTIVATIONS[self.activation](pre)
    output = OUTPUT_ACTIVATIONS[self.output_activation](
      base.affine(
        h, params.output_kernel, params.output_bias, self.compute_dtype
      )
    )
    return OutputFeedbackCarry(output), output


class AutoregressiveParams[Params](NamedTuple):
  cell: Params
  output_kernel: jax.Array  # [cell.output_size, output_size]
  output_bias: jax.Array  # [output_size]


class AutoregressiveCarry[Carry](NamedTuple):
  cell: Carry
  output: jax.Array  # [*batch, output_size]


@dataclasses.dataclass(frozen=True)
class Autoregressive[Params, Carry](
  base.Cell[AutoregressiveParams[Params], AutoregressiveCarry[Carry]]
):
  """Feeds a cell its own last prediction beside the inputs.

    carry_t, o_t = cell.step(carry_(t-1), [x_t, y_(t-1)])
    y_t = o_t W_o + b_o

  y_(-1) = 0. The inputs may have no features, `[*batch, time, 0]`: then their
  time axis only says how long to go on. With teacher forcing the true y_(t-1)
  stand in for the predictions and the recurrence is that of `cell` alone, open
  to every method:

    _, o = unroll(cell.cell, params.cell, concatenate([x, y_shifted], -1))
    y = cell.readout(params, o)

  Initialisation: W_o Glorot uniform, b_o zero.

  Attributes:
    cell: what is fed, also a `Stack`.
    output_size: size of the prediction y.
  """

  cell: base.Cell[Params, Carry]
  output_size: int

  def __post_init__(self):
    base.check_cell("cell", self.cell)
    base.check_size("output_size", self.output_size)

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> AutoregressiveParams[Params]:
    key_cell, key_o = jax.random.split(key)
    kernel, out = initializers.packed_kernel, self.output_size
    return AutoregressiveParams(
      self.cell.init(key_cell, input_size + self.output_size, dtype),
      kernel("glorot_uniform", key_o, self.cell.output_size, out, 1, dtype),
      jnp.zeros((out,), dtype),
    )

  @property
  def noisy(self) -> bool:
    return self.cell.noisy

  def input_size(self, params: Any) -> int:
    return self.cell.input_size(params.cell) - self.output_size

  def initial_carry(self, params, batch_shape=()) -> AutoregressiveCarry[Carry]:
    shape = (*batch_shape, self.output_size)
    return AutoregressiveCarry(
      self.cell.initial_carry(params.cell, batch_shape),
      jnp.zeros(shape, params.output_bias.dtype),
    )

  def prepare(self, params, batch_shape=(), *, key=None):
    cell = self.cell.prepare(params.cell, batch_shape, key=key)
    return params._replace(cell=cell)

  def readout(
    self, params: AutoregressiveParams[Params], outputs: jax.Array
  ) -> jax.Array:
    """Predictions `[..., output_size]` from outputs of `cell`."""
    return base.affine(outputs, params.output_kernel, params.output_bias)

  def step(self, params, carry, inputs, *, key=None):
    fed = jnp.concatenate([inputs, carry.output.astype(inputs.dtype)], axis=-1)
    cell_carry, output = self.cell.step(params.cell, carry.cell, fed, key=key)
    output = self.readout(params, output)
    return AutoregressiveCarry(cell_carry, output), output
