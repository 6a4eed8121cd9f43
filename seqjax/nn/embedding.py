"""Tokens as inputs of a recurrent layer."""

import jax
import jax.numpy as jnp

from seqjax.cells import base


def look_up(cell: base.Cell, params, embedding: jax.Array, tokens: jax.Array):
  """What a layer reads for tokens, and the parameters to read it with.

    x_t W_x = (onehot(token_t) E) W_x = onehot(token_t) (E W_x)

  A vocabulary of V words that is not larger than the embedding, characters for
  one, is projected once instead of every step of every row: the inputs are then
  one-hot and `input_kernel` is E W_x. That saves most of the layer's products
  with its inputs, gradients too; the result is the same up to rounding.

  Args:
    cell: the layer.
    params: its parameters.
    embedding: E, `[V, input_size]`.
    tokens: int `[batch, time]`.

  Returns:
    `(params, inputs)` for `unroll`.
  """
  plain = cell.factored and hasattr(params, "input_kernel")
  if plain and len(embedding) <= embedding.shape[1]:
    dtype = getattr(cell, "compute_dtype", None)
    kernel = base.matmul(embedding, params.input_kernel, dtype)
    one_hot = jax.nn.one_hot(tokens, len(embedding), dtype=embedding.dtype)
    return params._replace(input_kernel=kernel), one_hot
  return params, jnp.take(embedding, tokens, axis=0)
