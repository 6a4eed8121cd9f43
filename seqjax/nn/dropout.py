"""Dropout of features and of whole tokens."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.cells import base


def dropout(
  inputs: jax.Array,
  rate: float,
  key: jax.Array | None,
  same_over: int | None = None,
) -> jax.Array:
  """Zeroes entries with probability `rate`, scales the rest by 1/(1 - rate).

  Srivastava et al. 2014. Without a key, or at rate 0, the identity.

  Args:
    inputs: any shape.
    rate: in [0, 1).
    key: a `jax.random` key, or None.
    same_over: an axis along which the mask is the same: time, for one mask a
      sequence (Gal and Ghahramani 2016, "A theoretically grounded application
      of dropout in recurrent neural networks").
  """
  if key is None or rate == 0.0:
    return inputs
  shape = list(inputs.shape)
  if same_over is not None:
    shape[same_over] = 1
  return inputs * base.dropout_mask(key, rate, shape, str(inputs.dtype))


def drop_tokens(
  key: jax.Array | None, tokens: jax.Array, rate: float, unknown: Any
) -> jax.Array:
  """Tokens that are read as `unknown` with probability `rate`.

  Word dropout: the model learns what to make of a word that it does not know
  (Iyyer et al. 2015, "Deep unordered composition rivals syntactic methods for
  text classification", section 3). Without a key, or at rate 0, the identity.

  Args:
    key: a `jax.random` key, or None.
    tokens: int, any shape; or vectors, `[..., features]`.
    rate: in [0, 1).
    unknown: the id of the unknown symbol; or its vector, `[features]`.
  """
  if key is None or rate == 0.0:
    return tokens
  features = np.ndim(unknown)  # 0 or 1
  places = tokens.shape[: tokens.ndim - features]
  keep = jax.random.bernoulli(key, 1 - rate, places)
  shape = (1,) * len(places) + np.shape(unknown)
  keep = keep.reshape(places + (1,) * features)
  return jnp.where(keep, tokens, jnp.reshape(unknown, shape))
