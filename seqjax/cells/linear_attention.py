"""Attention without a softmax: a recurrence over a matrix for each head."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, initializers
from seqjax.cells.linear_cell import LinearCell

FEATURE_MAPS = {
  # elu(x) + 1, written so that it keeps its digits where x is far below 0.
  "elu": lambda x: jnp.where(x > 0, x + 1, jnp.exp(jnp.where(x > 0, 0, x))),
  "relu": jax.nn.relu,
}


class LinearAttentionParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, 3 * hidden_size]: q, k, v
  bias: jax.Array  # [3 * hidden_size]


class LinearAttentionCarry(NamedTuple):
  s: jax.Array  # [*batch, heads, d, d], d = hidden_size / heads
  z: jax.Array  # [*batch, heads, d]


@dataclasses.dataclass(frozen=True)
class LinearAttention(LinearCell[LinearAttentionParams, LinearAttentionCarry]):
  """Causal attention whose weights are products of features of q and k.

    q_t = phi(x_t W_q + b_q);  k_t = phi(x_t W_k + b_k);  v_t = x_t W_v + b_v
    S_t = S_(t-1) + k_t v_t^T
    z_t = z_(t-1) + k_t
    y_t = q_t S_t / (q_t . z_t)
        = sum over j <= t of (q_t . k_j) v_j / sum over j <= t of (q_t . k_j)

  for each head; the output is the y_t of all heads side by side.
  Katharopoulos, Vyas, Pappas, Fleuret 2020, "Transformers are RNNs",
  equations 9 to 12 and 18 to 20. The first form of y_t has a carry of one size
  however long the sequence, the second is masked attention: method "scan"
  evaluates the one, "quadratic" the other. There is no product behind the
  heads: the layer on top mixes them.

  Where the weights sum to less than 1e-19 (features that have underflowed or
  that a ReLU cut off) y_t is q_t S_t itself, nearly 0. A step is computed in
  float32 at least, but the carry has the dtype of the params: in 16 bits a sum
  over several hundred steps, taken one by one, loses the late ones.

  Initialisation: kernels Glorot uniform, each on its own; biases zero. PyTorch
  has no counterpart.

  Attributes:
    hidden_size: H, of queries, keys, values and output, all heads together.
    heads: how many; a divisor of H.
    feature_map: phi, "elu" (elu(x) + 1, the paper's) or "relu".
    normalize: whether weights are divided by their sum; if not, y_t = q_t S_t.
    compute_dtype: dtype of the products with W; None is the parameters'.

  Raises:
    ValueError: a size is not positive, a name is unknown, or the heads do not
      divide hidden_size.
  """

  hidden_size: int
  heads: int = 4
  feature_map: str = "elu"
  normalize: bool = True
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    base.check_size("heads", self.heads)
    if self.hidden_size % self.heads:
      raise ValueError(
        f"heads is {self.heads}, expected a divisor of hidden_size,"
        f" {self.hidden_size}"
      )
    base.check_choice("feature_map", self.feature_map, FEATURE_MAPS)
    checks.check_flag("normalize", self.normalize)
    checks.check_compute_dtype(self.compute_dtype)

  @property
  def output_size(self) -> int:
    return self.hidden_size

  @property
  def contracting(self) -> bool:
    return True

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> LinearAttentionParams:
    base.check_size("input_size", input_size)
    h = self.hidden_size
    return LinearAttentionParams(
      initializers.packed_kernel(
        "glorot_uniform", key, input_size, h, 3, dtype
      ),
      jnp.zeros((3 * h,), dtype),
    )

  def initial_carry(
    self, params: LinearAttentionParams, batch_shape=()
  ) -> LinearAttentionCarry:
    d, dtype = self.hidden_size // self.heads, params.bias.dtype
    return LinearAttentionCarry(
      jnp.zeros((*batch_shape, self.heads, d, d), dtype),
      jnp.zeros((*batch_shape, self.heads, d), dtype),
    )

  def queries(
    self, params: LinearAttentionParams, inputs: jax.Array
  ) -> jax.Array:
    """q, `[..., heads, d]`, for inputs `[..., D]`."""
    h = self.hidden_size
    return FEATURE_MAPS[self.feature_map](
      self._heads(params, inputs, slice(0, h), 1)[0]
    )

  def memories(
    self, params: LinearAttentionParams, inputs: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """K and v, both `[..., heads, d]`, for inputs `[..., D]`."""
    h = self.hidden_size
    keys, values = self._heads(params, inputs, slice(h, 3 * h), 2)
    return FEATURE_MAPS[self.feature_map](keys), values

  def output(
    self, params: LinearAttentionParams, sums: jax.Array, totals: jax.Array
  ) -> jax.Array:
    """Y `[..., H]` from q S `[..., heads, d]` and q . z `[..., heads]`."""
    if self.normalize:
      # Below that the square in the derivative would underflow.
      least = float(jnp.finfo(totals.dtype).tiny) ** 0.5
      sums = sums / jnp.where(totals > least, totals, 1)[..., None]
    return sums.reshape(*sums.shape[:-2], -1).astype(params.bias.dtype)

  def coefficients(self, params: LinearAttentionParams, inputs: jax.Array):
    keys, values = self.memories(params, inputs)
    b = self.to_state(
      LinearAttentionCarry(keys[..., :, None] * values[..., None, :], keys)
    )
    return jnp.ones_like(b), b

  def readout(self, params: LinearAttentionParams, state, inputs) -> jax.Array:
    queries, (s, z) = self.queries(params, inputs), self.to_carry(state)
    sums = jnp.einsum("...d,...dv->...v", queries, s)
    return self.output(params, sums, (queries * z).sum(axis=-1))

  def to_state(self, carry: LinearAttentionCarry) -> jax.Array:
    s, z = carry
    batch = z.shape[:-2]
    parts = s.reshape(*batch, -1), z.reshape(*batch, -1)
    return _wide(jnp.concatenate(parts, axis=-1))

  def to_carry(self, state: jax.Array) -> LinearAttentionCarry:
    d, batch = self.hidden_size // self.heads, state.shape[:-1]
    s, z = jnp.split(state, [self.hidden_size * d], axis=-1)
    return LinearAttentionCarry(
      s.reshape(*batch, self.heads, d, d), z.reshape(*batch, self.heads, d)
    )

  def _heads(self, params, inputs, columns, parts):
    """The given columns of the projection: `parts` of `[..., heads, d]`."""
    projected = base.affine(
      inputs,
      params.input_kernel[:, columns],
      params.bias[columns],
      self.compute_dtype,
    )
    return [
      part.reshape(*part.shape[:-1], self.heads, -1)
      for part in jnp.split(_wide(projected), parts, axis=-1)
    ]


def _wide(x: jax.Array) -> jax.Array:
  return x.astype(base.wide(x.dtype))
