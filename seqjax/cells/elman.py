"""The simple recurrent network (Elman 1990, "Finding structure in time")."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, initializers


class ElmanParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, hidden_size]
  recurrent_kernel: jax.Array  # [hidden_size, hidden_size]
  bias: jax.Array  # [hidden_size]


class ElmanCarry(NamedTuple):
  h: jax.Array  # [*batch, hidden_size]


@dataclasses.dataclass(frozen=True)
class Elman(base.FactoredCell[ElmanParams, ElmanCarry]):
  """Simple RNN; the output is the new state.

    h_t = activation(x_t W_x + h_(t-1) W_h + b)

  Initialisation: W_x Glorot uniform, W_h orthogonal, b zero. With
  `activation="relu"` and `recurrent_init="identity"` it is the IRNN of Le,
  Jaitly and Hinton (2015).

  Differs from PyTorch's `nn.RNN`: one bias instead of two that are only ever
  added; kernels are `[in, out]`, the transpose of PyTorch's; sigmoid exists.

  Attributes:
    hidden_size: H.
    activation: "tanh", "relu" or "sigmoid".
    input_init: initialiser of W_x, see `initializers`.
    recurrent_init: initialiser of W_h.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  activation: str = "tanh"
  input_init: str = "glorot_uniform"
  recurrent_init: str = "orthogonal"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    base.check_choice("activation", self.activation, base.ACTIVATIONS)
    initializers.check("input_init", self.input_init)
    initializers.check("recurrent_init", self.recurrent_init)

  @property
  def output_size(self) -> int:
    return self.hidden_size

  @property
  def activate_has_params(self) -> bool:
    return False

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> ElmanParams:
    base.check_size("input_size", input_size)
    key_x, key_h = jax.random.split(key)
    h = self.hidden_size
    return ElmanParams(
      initializers.packed_kernel(
        self.input_init, key_x, input_size, h, 1, dtype
      ),
      initializers.packed_kernel(self.recurrent_init, key_h, h, h, 1, dtype),
      jnp.zeros((h,), dtype),
    )

  def initial_carry(self, params: ElmanParams, batch_shape=()) -> ElmanCarry:
    shape = (*batch_shape, self.hidden_size)
    return ElmanCarry(jnp.zeros(shape, params.bias.dtype))

  def project(self, params: ElmanParams, inputs: jax.Array) -> jax.Array:
    return base.affine(
      inputs, params.input_kernel, params.bias, self.compute_dtype
    )

  def recur(self, params: ElmanParams, carry: ElmanCarry) -> jax.Array:
    return base.matmul(carry.h, params.recurrent_kernel, self.compute_dtype)

  def combine(self, projected, recurred):
    return projected + recurred

  def activate(self, params, carry, pre):
    del params, carry
    h = base.ACTIVATIONS[self.activation](pre)
    return ElmanCarry(h), h
