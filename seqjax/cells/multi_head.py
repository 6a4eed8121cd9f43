"""Multi-head attention as a kind of attention."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import attention, base, checks
from seqjax.cells.attention_kinds import Kind, glorot


class MultiHeadParams(NamedTuple):
  query_kernel: jax.Array  # [Q, A]
  query_bias: jax.Array  # [A]
  key_kernel: jax.Array  # [M, A]
  key_bias: jax.Array  # [A]
  value_kernel: jax.Array  # [M, A]
  value_bias: jax.Array  # [A]
  output_kernel: jax.Array  # [A, A]
  output_bias: jax.Array  # [A]


@dataclasses.dataclass(frozen=True)
class MultiHead(Kind[MultiHeadParams]):
  """Several attentions side by side, each in a subspace of its own.

    q' = q W_q + b_q;  k_j = m_j W_k + b_k;  v_j = m_j W_v + b_v
    context = [head_1, ..., head_n] W_o + b_o        see `attention.multi_head`

  Vaswani et al. 2017, section 3.2.2; `torch.nn.MultiheadAttention` with
  kernels `[in, out]`. The weights returned are the mean over the heads.

  Initialisation: kernels Glorot uniform, biases zero.

  Attributes:
    size: A, of the context.
    heads: n, a divisor of the size.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive, or the heads do not divide it.
  """

  size: int
  heads: int = 4
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("size", self.size)
    base.check_size("heads", self.heads)
    checks.check_compute_dtype(self.compute_dtype)
    if self.size % self.heads:
      raise ValueError(
        f"heads is {self.heads}, expected a divisor of size, {self.size}"
      )

  def context_size(self, memory_size):
    del memory_size
    return self.size

  def init(self, key, query_size, memory_size, dtype=jnp.float32):
    keys = jax.random.split(key, 4)
    sizes = query_size, memory_size, memory_size, self.size
    params = []
    for own_key, size in zip(keys, sizes, strict=True):
      kernel = glorot(own_key, size, self.size, dtype)
      params += [kernel, jnp.zeros((self.size,), dtype)]
    return MultiHeadParams(*params)

  def keys(self, params, memory):
    return base.affine(
      memory, params.key_kernel, params.key_bias, self.compute_dtype
    )

  def remember(self, params, memory, mask):
    remembered = super().remember(params, memory, mask)
    values = base.affine(
      remembered.values,
      params.value_kernel,
      params.value_bias,
      self.compute_dtype,
    )
    return remembered._replace(values=values)

  def __call__(self, params, query, memory, past):
    del past
    query = base.affine(
      query, params.query_kernel, params.query_bias, self.compute_dtype
    )
    context, weights = attention.multi_head(
      query, memory.keys, memory.values, memory.mask, self.heads
    )
    context = base.affine(
      context, params.output_kernel, params.output_bias, self.compute_dtype
    )
    # A row without memory reads nothing, no bias either.
    there = memory.mask.max(axis=-1, keepdims=True, initial=0) > 0
    return jnp.where(there, context, 0), weights.mean(axis=-2)
