"""Roll-outs: what holds whatever the weights are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import GRU, nn
from seqjax.models.roll_out import RollOut
from tests.nn.building import layers_of


def draw(*shape, seed=0):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.normal(size=shape), jnp.float32)


@pytest.mark.usefixtures("nnx_mode")
def test_a_roll_out_without_learning_flies_straight_on():
  params, apply = nn.functionalize(
    RollOut(
      layers_of(GRU(8)),
      2,
      embed_size=8,
      compute_dtype="float32",
      key=jax.random.key(0),
    )
  )
  params["head"] = jax.tree.map(jnp.zeros_like, params["head"])
  start, move = draw(3, 1, 2), draw(3, 1, 2, seed=1)
  path = start + move * jnp.arange(9.0).reshape(1, 9, 1)
  found = apply(params, path[:, :4], 5, path[:, :4])
  np.testing.assert_allclose(found, path[:, 4:], atol=1e-5)


def test_a_roll_out_goes_on_with_its_own_positions():
  """Ten steps are the first four, and six more from there."""
  params, apply = nn.functionalize(
    RollOut(
      layers_of(GRU(8)),
      2,
      embed_size=8,
      compute_dtype="float32",
      key=jax.random.key(0),
    )
  )
  past = draw(3, 4, 2)
  long, short = (apply(params, past, steps, past) for steps in (10, 4))
  np.testing.assert_allclose(long[:, :4], short, rtol=1e-5)
