"""A cell that factors and has a matrix in its carry."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import ElmanParams, base


class FastWeightsCarry(NamedTuple):
  h: jax.Array  # [*batch, hidden_size]
  a: jax.Array  # [*batch, hidden_size, hidden_size]


@dataclasses.dataclass(frozen=True)
class FastWeights(base.FactoredCell):
  """An Elman network with a Hebbian memory of its own states.

    A_t = decay A_(t-1) + rate h_(t-1) h_(t-1)^T
    h_t = tanh(x_t W_x + h_(t-1) W_h + b + A_t h_(t-1))

  Ba, Hinton, Mnih, Leibo, Ionescu 2016, "Using fast weights to attend to the
  recent past", equations 1 and 2 with one inner step, without normalisation.
  """

  hidden_size: int
  decay: float = 0.9
  rate: float = 0.5

  @property
  def output_size(self) -> int:
    return self.hidden_size

  @property
  def pointwise(self) -> bool:
    return False

  @property
  def activate_has_params(self) -> bool:
    return False

  def init(self, key, input_size, dtype=jnp.float32):
    key_x, key_h = jax.random.split(key)
    size = self.hidden_size
    return ElmanParams(
      jax.random.normal(key_x, (input_size, size), dtype) / input_size**0.5,
      0.5 * jax.random.normal(key_h, (size, size), dtype) / size**0.5,
      jnp.zeros((size,), dtype),
    )

  def initial_carry(self, params, batch_shape=()):
    size, dtype = self.hidden_size, params.bias.dtype
    return FastWeightsCarry(
      jnp.zeros((*batch_shape, size), dtype),
      jnp.zeros((*batch_shape, size, size), dtype),
    )

  def project(self, params, inputs):
    return base.affine(inputs, params.input_kernel, params.bias)

  def recur(self, params, carry):
    return base.matmul(carry.h, params.recurrent_kernel)

  def combine(self, projected, recurred):
    return projected + recurred

  def activate(self, params, carry, pre):
    old = carry.h
    outer = old[..., :, None] * old[..., None, :]
    a = self.decay * carry.a + self.rate * outer
    h = jnp.tanh(pre + jnp.einsum("...ij,...j->...i", a, old))
    return FastWeightsCarry(h, a), h
