"""Scaled dot-product attention of many queries at once.

`attention.py` has the functions for one query a row; here all steps of a
sequence look at all others, under a mask that says who may see whom.
"""

import jax
import jax.numpy as jnp

from seqjax.cells import base


def heads_of(x: jax.Array, heads: int) -> jax.Array:
  """`[..., A]` as `[..., heads, A / heads]`."""
  return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


def dot_product_attention(
  query: jax.Array,
  keys: jax.Array,
  values: jax.Array,
  mask: jax.Array,
  *,
  rate: float = 0.0,
  key: jax.Array | None = None,
) -> jax.Array:
  """What every query reads, head by head.

    w_(i, j) = m_(i, j) exp(q_i . k_j / sqrt(d)) / sum over j of the same
    context_i = sum over j of w_(i, j) v_j

  Vaswani et al. 2017, equation 1. A query that may see nothing reads zeros, and
  nothing has a gradient of it. `jax.nn.dot_product_attention` would give it the
  mean of all values, has no dropout of weights, computes float64 in float32,
  and under strict promotion of dtypes takes no bfloat16; elsewhere both agree
  (tests/nn/transformer_test.py). Dropped weights are scaled, so that their sum
  stays 1 on average.

  Heads stand before time: so both products are of plain matrices, which XLA's
  CPU compiler does faster.

  Args:
    query: `[*batch, heads, time, d]`.
    keys: `[*batch, heads, source, d]`.
    values: alike; finite where the mask hides them, too.
    mask: bool, `[*batch, 1, time, source]`, or 1 for any of its axes but the
      last; True is seen.
    rate: of dropout of the weights.
    key: randomness; None turns it off.

  Returns:
    `[*batch, heads, time, d]` in the dtype of `values`.
  """
  seen = mask.any(axis=-1, keepdims=True)
  weights = _weights(query, keys, mask, seen)
  if key is not None and rate > 0:
    dropped = base.dropout_mask(key, rate, weights.shape, weights.dtype)
    weights = weights * dropped
  context = jnp.einsum(
    "...ts,...sd->...td", weights.astype(values.dtype), values
  )
  return jnp.where(seen, context, 0)


def attention_weights(
  query: jax.Array, keys: jax.Array, mask: jax.Array
) -> jax.Array:
  """Weights of `dot_product_attention`, `[*batch, heads, time, source]`."""
  seen = mask.any(axis=-1, keepdims=True)
  return jnp.where(seen, _weights(query, keys, mask, seen), 0)


def _weights(query, keys, mask, seen):
  """Those of a query that sees nothing are of no use, but no NaN."""
  dtype = base.wide(query.dtype)
  query = query / query.shape[-1] ** 0.5
  scores = jnp.einsum(
    "...td,...sd->...ts", query, keys, preferred_element_type=dtype
  )
  return jax.nn.softmax(jnp.where(mask | ~seen, scores, -jnp.inf))


def visible(
  query: jax.Array, source: jax.Array, window: int | None = None
) -> jax.Array:
  """Whether a query at position i sees position j: `[..., time, source]`.

    j <= i, and with a window i - j < window

  Args:
    query: int `[..., time]`.
    source: int `[..., source]`; below 0 there is nothing.
    window: how far back, the present included.
  """
  distance = query[..., :, None] - source[..., None, :]
  mask = (distance >= 0) & (source[..., None, :] >= 0)
  return mask if window is None else mask & (distance < window)
