"""The forecaster: what holds whatever the weights are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import GRU, LSTM, Stack, nn
from seqjax.models.forecaster import Forecaster
from tests.nn.building import layers_of


def draw(*shape, seed=0):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.normal(size=shape), jnp.float32)


def forecaster(*cells, **changes):
  options = {
    "lookback": 12,
    "horizon": 6,
    "segment": 3,
    "columns": 2,
    "embed_size": 8,
    "dropout": 0.5,
    "subtract_last": True,
    "compute_dtype": "float32",
    **changes,
  }
  make = layers_of(*(cells or [GRU(8)]))
  return nn.functionalize(Forecaster(make, **options, key=jax.random.key(0)))


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize(
  "cells", [[GRU(8)], [LSTM(8), GRU(6)], [Stack((LSTM(8), GRU(6)))]], ids=str
)
def test_a_forecast_moves_with_the_level(cells):
  params, apply = forecaster(*cells)
  past = draw(3, 12, 2)
  found = apply(params, past)
  assert found.shape == (3, 6, 2)
  level = jnp.array([5.0, -3.0]).reshape(1, 1, 2)
  np.testing.assert_allclose(
    apply(params, past + level), found + level, atol=1e-5
  )


def test_columns_are_forecast_on_their_own():
  params, apply = forecaster()
  past = draw(3, 12, 2)
  other = past.at[:, :, 1].set(draw(3, 12, seed=1))
  found = [np.asarray(apply(params, x)) for x in (past, other)]
  np.testing.assert_allclose(found[0][..., 0], found[1][..., 0], rtol=1e-5)
  assert (found[0][..., 1] != found[1][..., 1]).any()


def test_without_the_last_value_the_level_counts():
  params, apply = forecaster(subtract_last=False)
  past = draw(3, 12, 2)
  moved = apply(params, past + 5.0)
  assert not np.allclose(moved, apply(params, past) + 5.0, atol=0.1)


def test_quantiles_do_not_cross_and_move_with_the_level():
  params, apply = forecaster(quantiles=5)
  params = jax.tree.map(lambda leaf: 5 * leaf, params)
  past = draw(3, 12, 2)
  found = apply(params, past)
  assert found.shape == (3, 6, 2, 5)
  assert (jnp.diff(found, axis=-1) > 0).all()
  np.testing.assert_allclose(apply(params, past + 2), found + 2, atol=1e-4)


def test_segments_must_fit():
  with pytest.raises(ValueError, match="segment is 5, expected to divide"):
    forecaster(segment=5)
