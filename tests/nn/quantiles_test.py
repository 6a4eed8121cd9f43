"""Quantiles: in order, their loss against scikit-learn, what widening does."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from seqjax.nn import quantiles

LEVELS = 0.05, 0.25, 0.5, 0.75, 0.95


def draw(*shape, scale=1.0, seed=0):
  rng = np.random.default_rng(seed)
  return jnp.asarray(scale * rng.normal(size=shape), jnp.float32)


@pytest.mark.parametrize(
  "levels",
  [
    (0.1, 0.9),
    (0.1, 0.5, 0.8),
    (0.9, 0.5, 0.1),
    (0.0, 0.5, 1.0),
    (0.1, 0.1, 0.5, 0.9, 0.9),
    ("a", "b", "c"),
    (),
  ],
)
def test_levels_that_are_none(levels):
  with pytest.raises(ValueError, match=r"quantiles is \(.*expected increasing"):
    quantiles.check(levels)


@pytest.mark.parametrize("levels", [(0.5,), (0.1, 0.5, 0.9), [0.1, 0.5, 0.9]])
def test_levels(levels):
  quantiles.check(levels)
  quantiles.check(LEVELS)
  np.testing.assert_allclose(quantiles.shares(LEVELS), [0.9, 0.5])


@pytest.mark.parametrize("scale", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_they_do_not_cross(count, scale):
  raw = draw(200, count, scale=scale)
  found = quantiles.ordered(raw)
  assert (np.diff(found, axis=-1) >= 0).all()
  middle = count // 2
  np.testing.assert_array_equal(found[:, middle], raw[:, middle])
  slopes = jax.grad(lambda r: quantiles.ordered(r).sum())(raw)
  assert np.isfinite(slopes).all()


def test_any_quantiles_in_order_can_be_said():
  wanted = np.array([[-3.0, -0.5, 0.2, 0.21, 7.0]])
  gaps = np.diff(wanted)
  raw = np.log(np.expm1(gaps))
  raw = np.concatenate([raw[:, :2], wanted[:, 2:3], raw[:, 2:]], axis=1)
  found = quantiles.ordered(jnp.asarray(raw, jnp.float32))
  np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_pinball_loss_is_scikit_learns():
  found, true = draw(40, 5), draw(40, seed=1)
  each = [
    metrics.mean_pinball_loss(true, found[:, i], alpha=level)
    for i, level in enumerate(LEVELS)
  ]
  loss = quantiles.pinball(found, true, LEVELS)
  assert loss.shape == true.shape
  assert float(loss.mean()) == pytest.approx(np.mean(each), rel=1e-5)
  median = quantiles.pinball(found[:, :1], true, (0.5,))
  np.testing.assert_allclose(median, np.abs(true - found[:, 0]) / 2, rtol=1e-5)


def test_it_is_smallest_at_the_quantile():
  """Of a sample: no other constant has a smaller loss than numpy's."""
  sample = draw(1_001)
  best = np.quantile(sample, LEVELS).astype(np.float32)
  loss = lambda q: quantiles.pinball(
    jnp.broadcast_to(q, (len(sample), len(LEVELS))), sample, LEVELS
  ).mean()
  least = loss(best)
  for i in range(len(LEVELS)):
    for step in (-0.1, 0.1):
      assert loss(best + step * np.eye(5, dtype=np.float32)[i]) > least


def test_how_far_outside():
  found = jnp.array([[-2.0, -1.0, 0.0, 1.0, 3.0]])
  for value, expected in [
    (0.0, [-2.0, -1.0]),
    (2.0, [-1.0, 1.0]),
    (5.0, [2.0, 4.0]),
    (-2.0, [0.0, 1.0]),
  ]:
    score = quantiles.outside(found, jnp.array([value]))
    np.testing.assert_allclose(score, [expected])


def test_conformal_is_a_rank():
  """ceil((n + 1) share)-th of each, by a sort and a loop."""
  scores = np.asarray(draw(30, 4, 2))
  found = quantiles.conformal(scores, (0.9, 0.5))
  assert found.shape == (4, 2)
  for place in range(4):
    for i, share in enumerate((0.9, 0.5)):
      rank = math.ceil(round(31 * share, 6))
      assert found[place, i] == sorted(scores[:, place, i])[rank - 1]


@pytest.mark.parametrize(("share", "least"), [(0.8, 4), (0.9, 9), (0.5, 1)])
def test_how_many_scores_there_must_be(share, least):
  assert quantiles.needed(share) == least
  scores = np.arange(least, dtype=float)[:, None]
  # So few: the largest of them.
  np.testing.assert_array_equal(
    quantiles.conformal(scores, (share,)), scores[-1:, 0]
  )
  with pytest.raises(
    ValueError, match=f"{least - 1} scores .* {least} or more"
  ):
    quantiles.conformal(scores[1:], (share,))


def test_what_conformal_promises():
  """A score that is exchangeable with n others is held by share or more."""
  rng = np.random.default_rng(0)
  count, share, places = 23, 0.8, 40_000
  scores = rng.exponential(size=(count, places, 1))
  held = (
    rng.exponential(size=places)
    <= (quantiles.conformal(scores, (share,))[:, 0])
  )
  exact = math.ceil((count + 1) * share) / (count + 1)
  assert held.mean() == pytest.approx(exact, abs=4 * 0.4 / places**0.5)
  assert exact >= share


def test_widened_intervals():
  found = jnp.array([[-2.0, -1.0, 0.0, 1.0, 3.0]])
  for by, expected in [
    ((0.0, 0.0), [-2, -1, 0, 1, 3]),
    ((1.0, 0.5), [-3, -1.5, 0, 1.5, 4]),
    ((-0.5, 0.0), [-1.5, -1, 0, 1, 2.5]),
    # No narrower than the inner one, and none ends beyond the median.
    ((-1.5, 0.0), [-1, -1, 0, 1, 1.5]),
    ((-9.0, -9.0), [0, 0, 0, 0, 0]),
  ]:
    np.testing.assert_allclose(
      quantiles.widen(found, jnp.array([by])), [expected]
    )


def test_widened_by_their_own_scores_they_cover_their_share():
  found = quantiles.ordered(draw(99, 5))
  true = draw(99, scale=3.0, seed=1)
  scores = np.asarray(quantiles.outside(found, true))
  by = quantiles.conformal(scores, quantiles.shares(LEVELS))
  widened = quantiles.widen(found, jnp.asarray(by)[None])
  held = np.asarray(quantiles.outside(widened, true) <= 1e-6).mean(axis=0)
  np.testing.assert_allclose(held, [90 / 99, 50 / 99], atol=0.011)
