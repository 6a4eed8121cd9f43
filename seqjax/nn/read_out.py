"""Read-outs: a linear layer, or the weights of the embedding again."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from seqjax.cells import base


def affine(
  linear: nnx.Linear, inputs: jax.Array, compute_dtype: str | None = None
) -> jax.Array:
  """X W + b, the product in `compute_dtype`, the sum in float32.

  `linear(inputs)` would in bfloat16 also add the bias in bfloat16.

  Args:
    linear: holds W and b.
    inputs: `[..., input_size]`.
    compute_dtype: dtype of the matrix product; None is the kernel's.
  """
  assert linear.bias is not None
  return base.affine(
    inputs, linear.kernel.get_value(), linear.bias.get_value(), compute_dtype
  )


def tied_logits(
  outputs: jax.Array,
  embedding: jax.Array,
  bias: jax.Array,
  compute_dtype: str | None = None,
) -> jax.Array:
  """Scores of all symbols by the embedding itself: y E^T + b.

  Press and Wolf 2017, "Using the output embedding to improve language models";
  Inan, Khosravi, Socher 2017, "Tying word vectors and word classifiers". One
  matrix of V * E numbers instead of two.

  Args:
    outputs: `[..., embed_size]`.
    embedding: `[vocab_size, embed_size]`.
    bias: `[vocab_size]`.
    compute_dtype: dtype of the matrix product; None is the embedding's.

  Returns:
    logits `[..., vocab_size]`.

  Raises:
    ValueError: the outputs are not as wide as the embedding.
  """
  if outputs.shape[-1] != embedding.shape[-1]:
    raise ValueError(
      f"outputs has {outputs.shape[-1]} features, expected"
      f" {embedding.shape[-1]}, the embedding's (add a layer of that size, or"
      " a projection)"
    )
  return base.affine(outputs, embedding.T, bias, compute_dtype)


@jax.custom_vjp
def many_logits(
  outputs: jax.Array, table: jax.Array, bias: jax.Array
) -> jax.Array:
  """Y E^T + b for many symbols, as `tied_logits`, in float32.

  With the bias as one more column of E, and a gradient of its own: no pass over
  all logits but the products, none of which needs them transposed: with 10,000
  symbols a fifth faster on a CPU (`benchmarks/many_symbols.py`). Reverse mode
  only.

  Args:
    outputs: y, `[*batch, features]`.
    table: E, `[symbols, features]`.
    bias: b, `[symbols]`.

  Returns:
    logits `[*batch, symbols]`.
  """
  return _many_logits(outputs, table, bias)[0]


def _many_logits(outputs, table, bias):
  one = jnp.ones((*outputs.shape[:-1], 1), outputs.dtype)
  outputs = jnp.concatenate([outputs, one], axis=-1)
  wide = jnp.concatenate([table, bias[:, None]], axis=-1)
  return base.matmul(outputs, wide.T), (outputs, table)


def _many_logits_back(saved, gradient):
  outputs, table = saved
  axes = tuple(range(outputs.ndim - 1))
  both = lax.dot_general(outputs, gradient, ((axes, axes), ((), ())))
  both = lax.optimization_barrier(both)  # not computed as its transpose
  return base.matmul(gradient, table), both[:-1].T, both[-1]


many_logits.defvjp(_many_logits, _many_logits_back)
