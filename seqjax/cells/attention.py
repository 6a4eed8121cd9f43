"""Attention as pure functions: a memory that is read by its content.

A query is compared with every position of a memory, the scores become weights,
and the weighted sum of the values is what is read:

  s_j = score(q, k_j)
  w_j = m_j exp(s_j) / sum over i of m_i exp(s_i)      m_j: 1 or 0, the mask
  context = sum over j of w_j v_j

All functions take one query a row, `[*batch, features]`, and a memory
`[*batch, source, features]`; `jax.vmap` gives queries a time axis. What they
are compared with may be projected once for the whole sequence: the parameters
of that, and when, are in `attention_kinds.py`.

Axis letters beside those of `base`:
  S  source, positions of the memory      M  features of the memory
  Q  features of the query                A  features that are compared
"""

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base


def source_mask(lengths: jax.Array, source: int, dtype) -> jax.Array:
  """1 where a position is valid, 0 behind it: `[*batch, source]`.

  Args:
    lengths: int `[*batch]`.
    source: S.
    dtype: of the mask; floating, as all that `base.Rows` hold.
  """
  places = base.align(jnp.arange(source), lengths[..., None])
  return (places < lengths[..., None]).astype(dtype)


def normalize(scores: jax.Array, mask: jax.Array) -> jax.Array:
  """Softmax over the valid positions.

    w_j = m_j exp(s_j) / sum over i of m_i exp(s_i)

  Exactly 0 where the mask is, whatever the score there, NaN too; all 0, with
  no gradient, where no position is valid. (`jax.nn.dot_product_attention` would
  put the mean over all positions there.)

  Args:
    scores: `[*batch, source]`.
    mask: alike; 1 or 0.

  Returns:
    `[*batch, source]`.
  """
  valid = mask > 0
  scores = jnp.where(valid, scores, -jnp.inf)
  largest = scores.max(axis=-1, keepdims=True, initial=-jnp.inf)
  largest = lax.stop_gradient(largest)
  largest = jnp.where(jnp.isfinite(largest), largest, 0)
  # Twice `where`: the exponential of a score that is not there has no gradient.
  raised = jnp.exp(jnp.where(valid, scores - largest, 0))
  weights = jnp.where(valid, raised, 0)
  total = weights.sum(axis=-1, keepdims=True)
  return weights / jnp.where(total > 0, total, 1)


def read(weights: jax.Array, values: jax.Array) -> jax.Array:
  """The context `[*batch, M]`: sum over j of w_j v_j.

  Args:
    weights: `[*batch, source]`.
    values: `[*batch, source, M]`, finite where the weight is 0, too.
  """
  return jnp.einsum("...s,...sm->...m", weights, values)


def dot(query: jax.Array, keys: jax.Array) -> jax.Array:
  """s_j = q . k_j (Luong, Pham, Manning 2015, equation 8, "dot").

  Args:
    query: `[*batch, A]`.
    keys: `[*batch, source, A]`.

  Returns:
    scores `[*batch, source]`.
  """
  return jnp.einsum("...a,...sa->...s", query, keys)


def scaled_dot(query: jax.Array, keys: jax.Array) -> jax.Array:
  """s_j = q . k_j / sqrt(A) (Vaswani et al. 2017, equation 1); see `dot`."""
  return dot(query, keys) / keys.shape[-1] ** 0.5


def general(query: jax.Array, keys: jax.Array, kernel: jax.Array) -> jax.Array:
  """s_j = (q W) . k_j (Luong, Pham, Manning 2015, equation 8, "general").

  Args:
    query: `[*batch, Q]`.
    keys: `[*batch, source, M]`.
    kernel: W, `[Q, M]`.

  Returns:
    scores `[*batch, source]`.
  """
  return dot(base.matmul(query, kernel), keys)


def additive(query: jax.Array, keys: jax.Array, vector: jax.Array) -> jax.Array:
  """s_j = v . tanh(q + k_j).

  With q = s_(i-1) W and k_j = h_j U it is that of Bahdanau, Cho, Bengio 2015,
  "Neural machine translation by jointly learning to align and translate",
  equations 5 and 6 and appendix A.1.2, which projects the k_j once.

  Args:
    query: `[*batch, A]`, projected.
    keys: `[*batch, source, A]`, projected.
    vector: v, `[A]`.

  Returns:
    scores `[*batch, source]`.
  """
  return _additive(query, keys, vector)


# For the gradient the tanh is computed again: kept, it would be an array of the
# size of the keys for every step.
@jax.checkpoint
def _additive(query, keys, vector):
  compared = jnp.tanh(query[..., None, :] + keys)
  return base.matmul(compared, vector[:, None])[..., 0]


def locations(weights: jax.Array, filters: jax.Array) -> jax.Array:
  """f_j = sum over i of w_(j + i - n) F_i: where was looked, around j.

  Chorowski et al. 2015, "Attention-based models for speech recognition",
  equation 8; zeros stand for what is outside of the memory.

  Args:
    weights: of the step before, `[*batch, source]`.
    filters: F, `[2 n + 1, k]`.

  Returns:
    `[*batch, source, k]`.
  """
  width, source = len(filters), weights.shape[-1]
  edge = [(0, 0)] * (weights.ndim - 1)
  wide = jnp.pad(weights, [*edge, (width // 2, width // 2)])
  around = [wide[..., i : i + source] for i in range(width)]
  return base.matmul(jnp.stack(around, axis=-1), filters)


def location_aware(
  query: jax.Array, keys: jax.Array, located: jax.Array, vector: jax.Array
) -> jax.Array:
  """s_j = v . tanh(q + k_j + l_j) (Chorowski et al. 2015, equation 9).

  Args:
    query: `[*batch, A]`, projected.
    keys: `[*batch, source, A]`, projected.
    located: l_j, `locations` projected: `[*batch, source, A]`.
    vector: v, `[A]`.

  Returns:
    scores `[*batch, source]`.
  """
  return additive(query, keys + located, vector)


def multi_head(
  query: jax.Array,
  keys: jax.Array,
  values: jax.Array,
  mask: jax.Array,
  heads: int,
) -> tuple[jax.Array, jax.Array]:
  """Scaled dot-product attention in parallel subspaces.

    context = [head_1, ..., head_n]
    head_i = attention with scores q_i . k_(j, i) / sqrt(A / n)

  Vaswani et al. 2017, "Attention is all you need", section 3.2.2, between the
  projections of what goes in and of what comes out.

  Args:
    query: `[*batch, A]`, projected; features of a head lie side by side.
    keys: `[*batch, source, A]`, projected.
    values: `[*batch, source, A]`, projected.
    mask: `[*batch, source]`.
    heads: n, a divisor of A.

  Returns:
    `(context [*batch, A], weights [*batch, heads, source])`.
  """
  split = lambda x: x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)
  scale = (keys.shape[-1] // heads) ** 0.5
  query, keys, values = split(query), split(keys), split(values)
  scores = jnp.einsum("...na,...sna->...ns", query, keys) / scale
  weights = normalize(scores, mask[..., None, :] + jnp.zeros_like(scores))
  context = jnp.einsum("...ns,...sna->...na", weights, values)
  return context.reshape(*context.shape[:-2], -1), weights
