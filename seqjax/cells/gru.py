"""The gated recurrent unit, in both forms that go by that name."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, initializers

# Order of the gates in every packed kernel and bias: reset, update, candidate.
# The same as in PyTorch and cuDNN.
GATE_ORDER = ("r", "z", "n")


class GRUParams(NamedTuple):
  """Parameters with `reset_after=True`."""

  input_kernel: jax.Array  # [input_size, 3 * hidden_size]
  recurrent_kernel: jax.Array  # [hidden_size, 3 * hidden_size]
  bias: jax.Array  # [3 * hidden_size]
  candidate_bias: jax.Array  # [hidden_size], inside the reset gate's reach


class OriginalGRUParams(NamedTuple):
  """Parameters with `reset_after=False`."""

  input_kernel: jax.Array  # [input_size, 3 * hidden_size]
  recurrent_kernel: jax.Array  # [hidden_size, 3 * hidden_size]
  bias: jax.Array  # [3 * hidden_size]


class GRUCarry(NamedTuple):
  h: jax.Array  # [*batch, hidden_size]


@dataclasses.dataclass(frozen=True)
class GRU(base.FactoredCell[GRUParams | OriginalGRUParams, GRUCarry]):
  """Gated recurrent unit; the output is the new state.

    r_t = sigmoid(x_t W_xr + h_(t-1) W_hr + b_r)
    z_t = sigmoid(x_t W_xz + h_(t-1) W_hz + b_z)
    h_t = (1 - z_t) * n_t + z_t * h_(t-1)

  and the candidate is, with `reset_after=True` (PyTorch's, cuDNN's and Keras's
  form, from the first arXiv version of the paper),

    n_t = tanh(x_t W_xn + b_n + r_t * (h_(t-1) W_hn + c_n))

  or, with `reset_after=False` (Cho et al. 2014, "Learning phrase
  representations using RNN encoder-decoder", equation 8),

    n_t = tanh(x_t W_xn + b_n + (r_t * h_(t-1)) W_hn).

  The second needs a product with the *reset* state, so it does not factor:
  `factored` is False and only `step` may be used.

  Initialisation: W_x Glorot uniform, W_h orthogonal, gate by gate; biases zero.

  Differs from PyTorch's `nn.GRU`: b_r and b_z are one bias instead of two that
  are only ever added, kernels are `[in, out]`. Cho et al. write z_t for the
  share of the *old* state as here; some texts swap z_t and 1 - z_t.

  Attributes:
    hidden_size: H.
    reset_after: which candidate, see above.
    chrono: longest dependency T in steps; b_z starts at log(U(1, T - 1)), the
      chrono initialisation (Tallec and Ollivier 2018, section 2). 0: b_z = 0.
    input_init: initialiser of each W_x gate, see `initializers`.
    recurrent_init: initialiser of each W_h gate.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  reset_after: bool = True
  chrono: int = 0
  input_init: str = "glorot_uniform"
  recurrent_init: str = "orthogonal"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    initializers.check("input_init", self.input_init)
    initializers.check("recurrent_init", self.recurrent_init)
    initializers.check_chrono(self.chrono)

  @property
  def output_size(self) -> int:
    return self.hidden_size

  @property
  def factored(self) -> bool:
    return self.reset_after

  @property
  def activate_has_params(self) -> bool:
    return False

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> GRUParams | OriginalGRUParams:
    base.check_size("input_size", input_size)
    key_x, key_h = jax.random.split(key)
    h = self.hidden_size
    bias = jnp.zeros((3 * h,), dtype)
    if self.chrono:
      slow = initializers.chrono_bias(
        jax.random.fold_in(key, 2), h, self.chrono, dtype
      )
      bias = bias.at[h : 2 * h].set(slow)
    common = OriginalGRUParams(
      initializers.packed_kernel(
        self.input_init, key_x, input_size, h, 3, dtype
      ),
      initializers.packed_kernel(self.recurrent_init, key_h, h, h, 3, dtype),
      bias,
    )
    if self.reset_after:
      return GRUParams(*common, candidate_bias=jnp.zeros((h,), dtype))
    return common

  def initial_carry(self, params, batch_shape=()) -> GRUCarry:
    shape = (*batch_shape, self.hidden_size)
    return GRUCarry(jnp.zeros(shape, params.bias.dtype))

  def project(self, params, inputs: jax.Array) -> jax.Array:
    return base.affine(
      inputs, params.input_kernel, params.bias, self.compute_dtype
    )

  def recur(self, params: GRUParams, carry: GRUCarry) -> jax.Array:
    bias = jnp.pad(params.candidate_bias, (2 * self.hidden_size, 0))
    return base.affine(
      carry.h, params.recurrent_kernel, bias, self.compute_dtype
    )

  def combine(self, projected, recurred):
    """Sums for r and z; the candidate needs its two parts, x_n and h_n."""
    x_gates, x_n = jnp.split(projected, [2 * self.hidden_size], axis=-1)
    h_gates, h_n = jnp.split(recurred, [2 * self.hidden_size], axis=-1)
    return jnp.concatenate([x_gates + h_gates, x_n, h_n], axis=-1)

  def activate(self, params, carry, pre):
    del params
    r, z, x_n, h_n = jnp.split(pre, 4, axis=-1)
    r, z = jax.nn.sigmoid(r), jax.nn.sigmoid(z)
    n = jnp.tanh(x_n + r * h_n)
    h = (1 - z) * n + z * carry.h.astype(z.dtype)
    return GRUCarry(h), h

  def step(
    self,
    params: GRUParams | OriginalGRUParams,
    carry: GRUCarry,
    inputs: jax.Array,
    *,
    key: jax.Array | None = None,
  ) -> tuple[GRUCarry, jax.Array]:
    if self.reset_after:
      return super().step(params, carry, inputs, key=key)
    size = self.hidden_size
    projected = self.project(params, inputs)
    gates = jax.nn.sigmoid(
      projected[..., : 2 * size]
      + base.matmul(
        carry.h, params.recurrent_kernel[:, : 2 * size], self.compute_dtype
      )
    )
    r, z = jnp.split(gates, 2, axis=-1)
    n = jnp.tanh(
      projected[..., 2 * size :]
      + base.matmul(
        r * carry.h.astype(r.dtype),
        params.recurrent_kernel[:, 2 * size :],
        self.compute_dtype,
      )
    )
    h = (1 - z) * n + z * carry.h.astype(z.dtype)
    return GRUCarry(h), h
