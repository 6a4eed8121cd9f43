"""Long short-term memory (Hochreiter and Schmidhuber 1997)."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, initializers

# Order of the gates in every packed kernel and bias: input, forget, cell
# candidate, output. The same as in PyTorch and cuDNN.
GATE_ORDER = ("i", "f", "g", "o")


class LSTMParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, 4 * hidden_size]
  recurrent_kernel: jax.Array  # [hidden_size, 4 * hidden_size]
  bias: jax.Array  # [4 * hidden_size]


class LSTMCarry(NamedTuple):
  h: jax.Array  # [*batch, hidden_size]
  c: jax.Array  # [*batch, hidden_size]


@dataclasses.dataclass(frozen=True)
class LSTM(base.FactoredCell):
  """LSTM with forget gate (Gers, Schmidhuber, Cummins 2000), no peepholes.

    i_t = sigmoid(x_t W_xi + h_(t-1) W_hi + b_i)
    f_t = sigmoid(x_t W_xf + h_(t-1) W_hf + b_f)
    g_t = tanh(x_t W_xg + h_(t-1) W_hg + b_g)
    o_t = sigmoid(x_t W_xo + h_(t-1) W_ho + b_o)
    c_t = f_t * c_(t-1) + i_t * g_t
    h_t = o_t * tanh(c_t)

  The output is h_t. Initialisation: W_x Glorot uniform and W_h orthogonal, gate
  by gate; b zero except b_f = `forget_bias`, 1 by default (Jozefowicz, Zaremba,
  Sutskever 2015, "An empirical exploration of recurrent network architectures",
  section 4), so that the cell remembers before it has learnt to.

  Differs from PyTorch's `nn.LSTM`: one bias instead of two that are only ever
  added, the forget bias, kernels `[in, out]`; the carry is named, `(h, c)`.

  Attributes:
    hidden_size: H.
    forget_bias: initial value of b_f.
    input_init: initialiser of each W_x gate, a name of `initializers.NAMES`.
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
    base.check_choice("input_init", self.input_init, initializers.NAMES)
    base.check_choice("recurrent_init", self.recurrent_init, initializers.NAMES)

  @property
  def output_size(self) -> int:
    return self.hidden_size

  def init(self, key: jax.Array, input_size: int) -> LSTMParams:
    base.check_size("input_size", input_size)
    key_x, key_h = jax.random.split(key)
    h = self.hidden_size
    bias = jnp.zeros((len(GATE_ORDER), h))
    bias = bias.at[GATE_ORDER.index("f")].set(self.forget_bias)
    return LSTMParams(
      initializers.packed_kernel(self.input_init, key_x, input_size, h, 4),
      initializers.packed_kernel(self.recurrent_init, key_h, h, h, 4),
      bias.reshape(-1),
    )

  def initial_carry(self, params: LSTMParams, batch_shape=()) -> LSTMCarry:
    shape = (*batch_shape, self.hidden_size)
    dtype = params.bias.dtype
    # Two arrays, not one twice: a donated carry must not share its buffers.
    return LSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

  def project(self, params: LSTMParams, inputs: jax.Array) -> jax.Array:
    return base.affine(
      inputs, params.input_kernel, params.bias, self.compute_dtype
    )

  def recur(self, params: LSTMParams, carry: LSTMCarry) -> jax.Array:
    return base.matmul(carry.h, params.recurrent_kernel, self.compute_dtype)

  def update(self, params, carry, projected, recurred):
    del params
    i, f, g, o = jnp.split(projected + recurred, 4, axis=-1)
    c = jax.nn.sigmoid(f) * carry.c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return LSTMCarry(h, c), h
