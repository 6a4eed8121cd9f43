"""The independently recurrent network (Li et al. 2018)."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, initializers


class IndRNNParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, hidden_size]
  recurrent_weight: jax.Array  # [hidden_size]
  bias: jax.Array  # [hidden_size]


class IndRNNCarry(NamedTuple):
  h: jax.Array  # [*batch, hidden_size]


@dataclasses.dataclass(frozen=True)
class IndRNN(base.FactoredCell[IndRNNParams, IndRNNCarry]):
  """Every unit sees its own past only; the output is the new state.

    h_t = activation(x_t W_x + u * h_(t-1) + b)

  Li, Li, Cook, Zhu, Gao 2018, "Independently recurrent neural network (IndRNN):
  building a longer and deeper RNN", equation 2. Units meet in the layer above.
  The gradient over k steps is u^k times the slopes met on the way, unit by
  unit, so it is controlled by keeping |u| near or below 1.

  Initialisation: W_x Glorot uniform, u uniform in [0, 1] (section 4.1, ReLU),
  b zero. PyTorch has no counterpart.

  Attributes:
    hidden_size: H.
    activation: "relu", "tanh" or "sigmoid".
    input_init: initialiser of W_x, see `initializers`.
    compute_dtype: dtype of the matrix product; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  activation: str = "relu"
  input_init: str = "glorot_uniform"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    base.check_choice("activation", self.activation, base.ACTIVATIONS)
    initializers.check("input_init", self.input_init)

  @property
  def output_size(self) -> int:
    return self.hidden_size

  @property
  def activate_has_params(self) -> bool:
    return False

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> IndRNNParams:
    base.check_size("input_size", input_size)
    key_x, key_u = jax.random.split(key)
    h = self.hidden_size
    return IndRNNParams(
      initializers.packed_kernel(
        self.input_init, key_x, input_size, h, 1, dtype
      ),
      jax.random.uniform(key_u, (h,), dtype),
      jnp.zeros((h,), dtype),
    )

  def initial_carry(self, params: IndRNNParams, batch_shape=()) -> IndRNNCarry:
    shape = (*batch_shape, self.hidden_size)
    return IndRNNCarry(jnp.zeros(shape, params.bias.dtype))

  def project(self, params: IndRNNParams, inputs: jax.Array) -> jax.Array:
    return base.affine(
      inputs, params.input_kernel, params.bias, self.compute_dtype
    )

  def recur(self, params: IndRNNParams, carry: IndRNNCarry) -> jax.Array:
    weight = base.align(params.recurrent_weight, carry.h)
    return carry.h.astype(weight.dtype) * weight

  def combine(self, projected, recurred):
    return projected + recurred

  def activate(self, params, carry, pre):
    del params, carry
    h = base.ACTIVATIONS[self.activation](pre)
    return IndRNNCarry(h), h
