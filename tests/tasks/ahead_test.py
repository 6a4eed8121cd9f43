"""What is measured at each step ahead, against loops and closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.tasks import ahead

LEVELS = 0.05, 0.25, 0.5, 0.75, 0.95


def draw(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_guesses_of_who_has_no_model():
  past = draw(2, 9, 3)
  found = ahead.guesses(past, horizon=5, season=3)
  for step in range(5):
    np.testing.assert_array_equal(found["naive"][:, step], past[:, 8])
    again = past[:, 6 + step % 3]
    np.testing.assert_array_equal(found["seasonal_naive"][:, step], again)
  np.testing.assert_array_equal(found["climate"], np.zeros((2, 5, 3)))


@pytest.mark.parametrize("levels", [(), LEVELS])
def test_measures_of_batches(levels):
  """Two batches, one row of which is absent, are one pass over three rows."""
  found = np.sort(draw(4, 5, 3, *([len(levels)] if levels else [])), axis=-1)
  found = found if levels else draw(4, 5, 3)
  true, weights = draw(4, 5, 3, seed=1), np.array([1, 1, 1, 0], np.float32)
  batches = [
    (
      ahead.totals(
        ahead.measured(jnp.asarray(found[s]), jnp.asarray(true[s]), levels),
        weights[s],
      ),
      weights[s].sum(),
    )
    for s in (slice(2), slice(2, 4))
  ]
  means = ahead.means(batches)
  found, true = found[:3], true[:3]
  point = found[..., 2] if levels else found
  errors = np.abs(point - true).mean(axis=0)
  np.testing.assert_allclose(means["mae"], errors, rtol=1e-5)
  squares = np.square(point - true).mean(axis=0)
  np.testing.assert_allclose(means["mse"], squares, rtol=1e-5)
  if not levels:
    assert set(means) == {"mae", "mse"}
    return
  for name, low, high in ("90", 0, 4), ("50", 1, 3):
    inside = (found[..., low] <= true) & (true <= found[..., high])
    width = (found[..., high] - found[..., low]).mean(axis=0)
    np.testing.assert_allclose(means[f"coverage_{name}"], inside.mean(axis=0))
    np.testing.assert_allclose(means[f"width_{name}"], width, rtol=1e-5)
  assert {"pinball", "mae", "mse"} < set(means)


def test_a_table_of_quantiles():
  found = draw(5, 2, 3)
  names, values = ahead.columns(["a", "b"], found, (0.025, 0.5, 0.975))
  expected = ["a", "b", "a_q2.5", "b_q2.5", "a_q50", "b_q50"]
  assert names == [*expected, "a_q97.5", "b_q97.5"]
  np.testing.assert_array_equal(values[:, 0], found[:, 0, 1])
  np.testing.assert_array_equal(values[:, 3], found[:, 1, 0])
  np.testing.assert_array_equal(values[:, 7], found[:, 1, 2])
  names, values = ahead.columns(["a", "b"], found[..., 0], ())
  assert names == ["a", "b"]
  np.testing.assert_array_equal(values, found[..., 0])


def test_mase():
  """1 is the last season again in training; none where that never errs."""
  values = np.array([[0, 1], [5, 2], [2, 1], [4, 2], [6, 1]], np.float32)
  found = ahead.scaled(np.array([[3.5, 1.0]]), values, season=2)
  assert found[0, 0] == pytest.approx(3.5 / ((2 + 1 + 4) / 3))
  assert np.isnan(found[0, 1])


def test_true_quantiles_cover_their_share():
  noise = draw(40_000, 2, 1).astype(np.float64)
  found = ahead.true_coverage(noise, LEVELS)
  for name, share in ("90", 0.9), ("50", 0.5):
    np.testing.assert_allclose(
      found[f"true_coverage_{name}"], np.full((2, 1), share), atol=0.01
    )
  assert ahead.true_coverage(noise, ()) == {}
