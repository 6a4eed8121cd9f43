"""Long short-term memory (Hochreiter and Schmidhuber 1997)."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, initializers

# Order of the gates in every packed kernel and bias: input, forget, cell
# candidate, output. The same as in PyTorch and cuDNN.
GATE_ORDER = ("i", "f", "g", "o")


class LSTMParams(NamedTuple):
  """P is `projection_size` if there is a projection, `hidden_size` if not."""

  input_kernel: jax.Array  # [input_size, 4 * hidden_size]
  recurrent_kernel: jax.Array  # [P, 4 * hidden_size]
  bias: jax.Array  # [4 * hidden_size]
  peephole: jax.Array | None = None  # [3 * hidden_size]: i, f, o
  projection: jax.Array | None = None  # [hidden_size, P]


class LSTMCarry(NamedTuple):
  h: jax.Array  # [*batch, P]
  c: jax.Array  # [*batch, hidden_size]


@dataclasses.dataclass(frozen=True)
class LSTM(base.FactoredCell[LSTMParams, LSTMCarry]):
  """LSTM with forget gate (Gers, Schmidhuber, Cummins 2000).

    i_t = sigmoid(x_t W_xi + h_(t-1) W_hi + b_i)
    f_t = sigmoid(x_t W_xf + h_(t-1) W_hf + b_f)
    g_t = tanh(x_t W_xg + h_(t-1) W_hg + b_g)
    o_t = sigmoid(x_t W_xo + h_(t-1) W_ho + b_o)
    c_t = f_t * c_(t-1) + i_t * g_t
    h_t = o_t * tanh(c_t)

  The output is h_t. With `peepholes` the gates see the cell (Gers, Schraudolph,
  Schmidhuber 2002, "Learning precise timing with LSTM recurrent networks"):
  + p_i * c_(t-1) inside i_t, + p_f * c_(t-1) inside f_t, + p_o * c_t inside
  o_t. With `projection_size` P > 0 the state is narrower than the cell (Sak,
  Senior, Beaufays 2014, "Long short-term memory recurrent neural network
  architectures for large scale acoustic modeling"):
  h_t = (o_t * tanh(c_t)) W_p.

  Initialisation: W_x and W_p Glorot uniform, W_h orthogonal, gate by gate; p
  and b zero except b_f = `forget_bias`, 1 by default (Jozefowicz, Zaremba,
  Sutskever 2015, "An empirical exploration of recurrent network architectures",
  section 4), so that the cell remembers before it has learnt to.

  Differs from PyTorch's `nn.LSTM`: one bias instead of two that are only ever
  added, the forget bias, kernels `[in, out]`, peepholes exist; the carry is
  named, `(h, c)`.

  Attributes:
    hidden_size: H, the width of the cell.
    forget_bias: initial value of b_f.
    peepholes: whether the gates see the cell.
    projection_size: P, the width of state and output; 0 is no projection.
    chrono: longest dependency T in steps; b_f starts at log(U(1, T - 1)) and
      b_i at its negative, the chrono initialisation (Tallec and Ollivier 2018,
      section 2), in place of `forget_bias`. 0: off.
    input_init: initialiser of each W_x gate, see `initializers`.
    recurrent_init: initialiser of each W_h gate.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  forget_bias: float = 1.0
  peepholes: bool = False
  projection_size: int = 0
  chrono: int = 0
  input_init: str = "glorot_uniform"
  recurrent_init: str = "orthogonal"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    if self.projection_size != 0:
      base.check_size("projection_size", self.projection_size)
    initializers.check("input_init", self.input_init)
    initializers.check("recurrent_init", self.recurrent_init)
    initializers.check_chrono(self.chrono)

  @property
  def output_size(self) -> int:
    return self.projection_size or self.hidden_size

  @property
  def pointwise(self) -> bool:
    return not self.projection_size

  @property
  def activate_has_params(self) -> bool:
    return self.peepholes or bool(self.projection_size)

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> LSTMParams:
    base.check_size("input_size", input_size)
    key_x, key_h = jax.random.split(key)
    h, p = self.hidden_size, self.output_size
    bias = jnp.zeros((len(GATE_ORDER), h), dtype)
    forget = GATE_ORDER.index("f")
    if self.chrono:
      slow = initializers.chrono_bias(
        jax.random.fold_in(key, 2), h, self.chrono, dtype
      )
      bias = bias.at[forget].set(slow).at[GATE_ORDER.index("i")].set(-slow)
    else:
      bias = bias.at[forget].set(self.forget_bias)
    projection = None
    if self.projection_size:
      projection = initializers.packed_kernel(
        "glorot_uniform", jax.random.fold_in(key, 3), h, p, 1, dtype
      )
    return LSTMParams(
      initializers.packed_kernel(
        self.input_init, key_x, input_size, h, 4, dtype
      ),
      initializers.packed_kernel(self.recurrent_init, key_h, p, h, 4, dtype),
      bias.reshape(-1),
      jnp.zeros((3 * h,), dtype) if self.peepholes else None,
      projection,
    )

  def initial_carry(self, params: LSTMParams, batch_shape=()) -> LSTMCarry:
    dtype = params.bias.dtype
    # Two arrays, not one twice: a donated carry must not share its buffers.
    return LSTMCarry(
      jnp.zeros((*batch_shape, self.output_size), dtype),
      jnp.zeros((*batch_shape, self.hidden_size), dtype),
    )

  def project(self, params: LSTMParams, inputs: jax.Array) -> jax.Array:
    return base.affine(
      inputs, params.input_kernel, params.bias, self.compute_dtype
    )

  def recur(self, params: LSTMParams, carry: LSTMCarry) -> jax.Array:
    return base.matmul(carry.h, params.recurrent_kernel, self.compute_dtype)

  def combine(self, projected, recurred):
    return projected + recurred

  def activate(self, params, carry, pre):
    i, f, g, o = jnp.split(pre, 4, axis=-1)
    c = carry.c.astype(pre.dtype)
    if params.peephole is not None:
      p_i, p_f, p_o = (base.align(p, c) for p in jnp.split(params.peephole, 3))
      i, f = i + p_i * c, f + p_f * c
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    if params.peephole is not None:
      o = o + p_o * c
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    if params.projection is not None:
      h = base.matmul(h, params.projection, self.compute_dtype)
    return LSTMCarry(h, c), h
