"""The minimal gated unit (Zhou et al. 2016)."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, initializers

# Order of the gates in every packed kernel and bias: forget, candidate.
GATE_ORDER = ("f", "n")


class MGUParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, 2 * hidden_size]
  recurrent_kernel: jax.Array  # [hidden_size, 2 * hidden_size]
  bias: jax.Array  # [2 * hidden_size]


class MGUCarry(NamedTuple):
  h: jax.Array  # [*batch, hidden_size]


@dataclasses.dataclass(frozen=True)
class MGU(base.Cell[MGUParams, MGUCarry]):
  """A GRU with one gate; the output is the new state.

    f_t = sigmoid(x_t W_xf + h_(t-1) W_hf + b_f)
    n_t = tanh(x_t W_xn + (f_t * h_(t-1)) W_hn + b_n)
    h_t = (1 - f_t) * h_(t-1) + f_t * n_t

  Zhou, Wu, Zhang, Zhou 2016, "Minimal gated unit for recurrent neural
  networks", section 3.2. A *high* f_t replaces the state. The candidate needs a
  product with the gated state, so the cell does not factor.

  Initialisation: W_x Glorot uniform, W_h orthogonal, gate by gate; b zero.
  PyTorch has no counterpart; Flax Linen's `MGUCell` is another: it gates the
  product instead of the state and swaps f_t and 1 - f_t in the last line.

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

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> MGUParams:
    base.check_size("input_size", input_size)
    key_x, key_h = jax.random.split(key)
    h = self.hidden_size
    return MGUParams(
      initializers.packed_kernel(
        self.input_init, key_x, input_size, h, 2, dtype
      ),
      initializers.packed_kernel(self.recurrent_init, key_h, h, h, 2, dtype),
      jnp.zeros((2 * h,), dtype),
    )

  def initial_carry(self, params: MGUParams, batch_shape=()) -> MGUCarry:
    shape = (*batch_shape, self.hidden_size)
    return MGUCarry(jnp.zeros(shape, params.bias.dtype))

  def step(self, params, carry, inputs, *, key=None):
    del key
    x_f, x_n = jnp.split(
      base.affine(inputs, params.input_kernel, params.bias, self.compute_dtype),
      2,
      axis=-1,
    )
    kernel_f, kernel_n = jnp.split(params.recurrent_kernel, 2, axis=-1)
    h = carry.h.astype(x_f.dtype)
    f = jax.nn.sigmoid(x_f + base.matmul(h, kernel_f, self.compute_dtype))
    n = jnp.tanh(x_n + base.matmul(f * h, kernel_n, self.compute_dtype))
    h = (1 - f) * h + f * n
    return MGUCarry(h), h
