"""LSTM and GRU with layer normalisation (Ba, Kiros, Hinton 2016)."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base, checks, initializers
from seqjax.cells.gru import GRUCarry
from seqjax.cells.lstm import LSTMCarry

EPSILON = 1e-5


def normalize(x: jax.Array, gain: jax.Array) -> jax.Array:
  """Zero mean and unit variance over the last axis, times `gain` `[..., H]`.

    gain * (x - mean(x)) / sqrt(var(x) + 1e-5)

  The small constant keeps the gradient finite where all entries are equal, as
  in a row of padding.
  """
  x = x - x.mean(axis=-1, keepdims=True)
  variance = (x * x).mean(axis=-1, keepdims=True)
  return x * lax.rsqrt(variance + EPSILON) * base.align(gain, x)


def _normalize_gates(x: jax.Array, gain: jax.Array, gates: int) -> jax.Array:
  """`normalize` of each gate on its own; `x` `[..., gates * H]`."""
  parts = x.reshape(*x.shape[:-1], gates, -1)
  return normalize(parts, gain.reshape(gates, -1)).reshape(x.shape)


class LayerNormLSTMParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, 4 * hidden_size]
  recurrent_kernel: jax.Array  # [hidden_size, 4 * hidden_size]
  bias: jax.Array  # [4 * hidden_size]
  input_gain: jax.Array  # [4 * hidden_size]
  recurrent_gain: jax.Array  # [4 * hidden_size]
  cell_gain: jax.Array  # [hidden_size]
  cell_bias: jax.Array  # [hidden_size]


@dataclasses.dataclass(frozen=True)
class LayerNormLSTM(base.FactoredCell[LayerNormLSTMParams, LSTMCarry]):
  """LSTM with layer normalisation; the output is h_t.

    a_t = LN(x_t W_x; gain_x) + LN(h_(t-1) W_h; gain_h) + b
    i_t, f_t, o_t = sigmoid of their parts of a_t, g_t = tanh of its part
    c_t = f_t * c_(t-1) + i_t * g_t
    h_t = o_t * tanh(LN(c_t; gain_c) + b_c)

  Ba, Kiros, Hinton 2016, "Layer normalization", appendix, except that LN is
  taken over each gate on its own, not over the four together, so that one gate
  with large values does not shrink the others.

  Initialisation: kernels as `LSTM`; gains 1; biases 0 except b_f =
  `forget_bias`. PyTorch has no counterpart.

  Attributes:
    hidden_size: H.
    forget_bias: initial value of b_f.
    input_init: initialiser of each W_x gate, see `initializers`.
    recurrent_init: initialiser of each W_h gate.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  forget_bias: float = 1.0
  input_init: str = "glorot_uniform"
  recurrent_init: str = "orthogonal"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    initializers.check("input_init", self.input_init)
    initializers.check("recurrent_init", self.recurrent_init)

  @property
  def output_size(self) -> int:
    return self.hidden_size

  @property
  def pointwise(self) -> bool:
    return False

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> LayerNormLSTMParams:
    base.check_size("input_size", input_size)
    key_x, key_h = jax.random.split(key)
    h = self.hidden_size
    return LayerNormLSTMParams(
      initializers.packed_kernel(
        self.input_init, key_x, input_size, h, 4, dtype
      ),
      initializers.packed_kernel(self.recurrent_init, key_h, h, h, 4, dtype),
      jnp.zeros((4 * h,), dtype).at[h : 2 * h].set(self.forget_bias),
      jnp.ones((4 * h,), dtype),
      jnp.ones((4 * h,), dtype),
      jnp.ones((h,), dtype),
      jnp.zeros((h,), dtype),
    )

  def initial_carry(self, params, batch_shape=()) -> LSTMCarry:
    shape, dtype = (*batch_shape, self.hidden_size), params.bias.dtype
    return LSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

  def project(self, params, inputs: jax.Array) -> jax.Array:
    product = base.matmul(inputs, params.input_kernel, self.compute_dtype)
    normed = _normalize_gates(product, params.input_gain, 4)
    return base.add_bias(normed, params.bias)

  def recur(self, params, carry: LSTMCarry) -> jax.Array:
    return base.matmul(carry.h, params.recurrent_kernel, self.compute_dtype)

  def activate(self, params, carry, pre):
    projected, recurred = jnp.split(pre, 2, axis=-1)
    recurred = _normalize_gates(recurred, params.recurrent_gain, 4)
    i, f, g, o = jnp.split(projected + recurred, 4, axis=-1)
    c = jax.nn.sigmoid(f) * carry.c.astype(f.dtype) + jax.nn.sigmoid(
      i
    ) * jnp.tanh(g)
    normed = base.add_bias(normalize(c, params.cell_gain), params.cell_bias)
    h = jax.nn.sigmoid(o) * jnp.tanh(normed)
    return LSTMCarry(h, c), h


class LayerNormGRUParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, 3 * hidden_size]
  recurrent_kernel: jax.Array  # [hidden_size, 3 * hidden_size]
  bias: jax.Array  # [3 * hidden_size]
  candidate_bias: jax.Array  # [hidden_size], inside the reset gate's reach
  input_gain: jax.Array  # [3 * hidden_size]
  recurrent_gain: jax.Array  # [3 * hidden_size]


@dataclasses.dataclass(frozen=True)
class LayerNormGRU(base.FactoredCell[LayerNormGRUParams, GRUCarry]):
  """GRU (`reset_after=True`) with layer normalisation; the output is h_t.

    r_t = sigmoid(LN(x_t W_xr; gain_xr) + LN(h_(t-1) W_hr; gain_hr) + b_r)
    z_t = sigmoid(LN(x_t W_xz; gain_xz) + LN(h_(t-1) W_hz; gain_hz) + b_z)
    n_t = tanh(LN(x_t W_xn; gain_xn) + b_n
               + r_t * (LN(h_(t-1) W_hn; gain_hn) + c_n))
    h_t = (1 - z_t) * n_t + z_t * h_(t-1)

  Ba, Kiros, Hinton 2016, "Layer normalization", appendix, with LN over each
  gate on its own and z_t the share of the *old* state, as in `GRU`.

  Initialisation: kernels and biases as `GRU`, gains 1. PyTorch has no
  counterpart.

  Attributes:
    hidden_size: H.
    input_init: initialiser of each W_x gate, see `initializers`.
    recurrent_init: initialiser of each W_h gate.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  input_init: str = "glorot_uniform"
  recurrent_init: str = "orthogonal"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    initializers.check("input_init", self.input_init)
    initializers.check("recurrent_init", self.recurrent_init)

  @property
  def output_size(self) -> int:
    return self.hidden_size

  @property
  def pointwise(self) -> bool:
    return False

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> LayerNormGRUParams:
    base.check_size("input_size", input_size)
    key_x, key_h = jax.random.split(key)
    h = self.hidden_size
    return LayerNormGRUParams(
      initializers.packed_kernel(
        self.input_init, key_x, input_size, h, 3, dtype
      ),
      initializers.packed_kernel(self.recurrent_init, key_h, h, h, 3, dtype),
      jnp.zeros((3 * h,), dtype),
      jnp.zeros((h,), dtype),
      jnp.ones((3 * h,), dtype),
      jnp.ones((3 * h,), dtype),
    )

  def initial_carry(self, params, batch_shape=()) -> GRUCarry:
    shape = (*batch_shape, self.hidden_size)
    return GRUCarry(jnp.zeros(shape, params.bias.dtype))

  def project(self, params, inputs: jax.Array) -> jax.Array:
    product = base.matmul(inputs, params.input_kernel, self.compute_dtype)
    normed = _normalize_gates(product, params.input_gain, 3)
    return base.add_bias(normed, params.bias)

  def recur(self, params, carry: GRUCarry) -> jax.Array:
    return base.matmul(carry.h, params.recurrent_kernel, self.compute_dtype)

  def activate(self, params, carry, pre):
    projected, recurred = jnp.split(pre, 2, axis=-1)
    recurred = _normalize_gates(recurred, params.recurrent_gain, 3)
    x_r, x_z, x_n = jnp.split(projected, 3, axis=-1)
    h_r, h_z, h_n = jnp.split(recurred, 3, axis=-1)
    r = jax.nn.sigmoid(x_r + h_r)
    z = jax.nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + r * base.add_bias(h_n, params.candidate_bias))
    h = (1 - z) * n + z * carry.h.astype(z.dtype)
    return GRUCarry(h), h
