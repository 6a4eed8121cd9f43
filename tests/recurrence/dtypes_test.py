"""One dtype from the params to the gradient, whatever JAX's default is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from tests import table

B, T, D = 3, 4, 3
KEY = jax.random.key(7)
DTYPES = ["bfloat16", "float32", "float64"]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", table.CELLS)
def test_init(name, dtype):
  """Params and carry are of the dtype asked for; float32 where none is."""
  cell = table.CELLS[name]

  def kinds(*dtype):
    def both(key):
      params = table.complete(cell, cell.init(key, D, *dtype))
      return params, cell.initial_carry(params)

    leaves = jax.tree.leaves(jax.eval_shape(both, KEY))
    return {str(leaf.dtype) for leaf in leaves}

  assert kinds(jnp.dtype(dtype)) == {dtype}
  assert kinds() == {"float32"}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
  ("name", "method"),
  [
    ("LSTM", "fused"),
    ("Zoneout", "checkpointed"),
    ("GRU", "newton"),
    ("LRU", "associative"),
    ("LinearAttention", "associative"),
    ("LinearAttention", "quadratic"),
    ("RecurrentDropout", "fused"),
  ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients(name, method, dtype):
  """As scan's, of the dtype of what they are gradients by."""
  cell = table.CELLS[name]
  params = cell.init(KEY, D, jnp.dtype(dtype))
  inputs = jax.random.normal(KEY, (B, T, D), dtype)

  def gradient(method):
    def loss(params, inputs):
      carry, outputs = seqjax.unroll(
        cell,
        params,
        inputs,
        lengths=jnp.array([4, 0, 3]),
        resets=jnp.ones((B, T), bool).at[:, 1:3].set(False),
        key=KEY,
        method=table.METHODS[method],
      )
      leaves = jax.tree.leaves((carry, outputs))
      return sum((leaf.astype(jnp.float32) ** 2).sum() for leaf in leaves)

    return jax.jit(
      jax.grad(loss, (0, 1)),
      compiler_options={"xla_backend_optimization_level": 0},
    )(params, inputs)

  tolerance = 0.05 if dtype == "bfloat16" else 1e-5
  for actual, expected in zip(
    jax.tree.leaves(gradient(method)),
    jax.tree.leaves(gradient("scan")),
    strict=True,
  ):
    assert actual.dtype == expected.dtype == dtype
    actual, expected = (np.asarray(g, np.float64) for g in (actual, expected))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, atol=tolerance * scale)


def test_numbers_of_16_bits_are_those_of_32_rounded():
  """So that no decay of an LRU is 1, none of its logarithms infinite."""
  for cell in (table.CELLS["LRU"], seqjax.GRU(4, chrono=50)):
    jax.tree.map(
      lambda half, full: np.testing.assert_array_equal(
        half, full.astype(jnp.bfloat16)
      ),
      cell.init(KEY, D, jnp.bfloat16),
      cell.init(KEY, D),
    )


def test_params_of_several_dtypes():
  cell = seqjax.LSTM(4)
  params = cell.init(KEY, D)
  mixed = params._replace(bias=params.bias.astype(jnp.bfloat16))
  with pytest.raises(
    ValueError, match="params are of bfloat16 and float32, ex"
  ):
    seqjax.unroll(cell, mixed, jnp.ones((B, T, D)))
