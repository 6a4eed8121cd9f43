"""Matching against all permutations; a loss of sets."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.data.boxes import Centred, Corners, corners_of_centred
from seqjax.models import set_prediction
from seqjax.models.set_prediction import Guesses, Objects, set_loss
from seqjax.nn.boxes import generalized_iou

QUERIES, CLASSES, MOST, BATCH = 6, 3, 4, 3


def drawn_guesses(seed=0, batch=BATCH):
  rng = np.random.default_rng(seed)
  sides = rng.uniform(0.1, 0.9, (4, batch, QUERIES)).astype(np.float32)
  logits = rng.normal(size=(batch, QUERIES, CLASSES + 1)).astype(np.float32)
  return Guesses(jnp.asarray(logits), Centred(*map(jnp.asarray, sides)))


def drawn_objects(counts=(MOST, 2, 0), seed=1):
  rng = np.random.default_rng(seed)
  shape = len(counts), MOST
  sides = rng.uniform(0.1, 0.9, (4, *shape)).astype(np.float32)
  labels = rng.integers(0, CLASSES, shape).astype(np.int32)
  return Objects(labels, Centred(*sides), np.array(counts, np.int32))


ONES = jnp.ones(BATCH, jnp.float32)
LOSS = jax.jit(set_loss)
SLOPES = jax.jit(jax.value_and_grad(lambda *args: set_loss(*args)[0]))


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (4, 6), (5, 5)])
def test_a_match_costs_least_of_all(shape):
  objects, queries = shape
  rng = np.random.default_rng(queries)
  match = jax.jit(jax.vmap(set_prediction.match))
  costs = rng.normal(size=(8, *shape)).astype(np.float32)
  costs[0] = 0  # all alike
  costs[1] = costs[1].round()  # ties
  for cost, found in zip(costs, np.asarray(match(costs)), strict=True):
    assert len(set(found.tolist())) == objects
    best = min(
      sum(cost[row, column] for row, column in enumerate(chosen))
      for chosen in itertools.permutations(range(queries), objects)
    )
    total = cost[np.arange(objects), found].sum()
    assert total == pytest.approx(best, abs=1e-5)


def test_the_cost_is_that_of_the_paper():
  guesses = jax.tree.map(lambda x: x[0], drawn_guesses())
  objects = jax.tree.map(lambda x: x[1], drawn_objects())
  found = set_prediction.costs(guesses, objects)
  shares = jax.nn.softmax(guesses.logits)
  for j, q in itertools.product(range(MOST), range(QUERIES)):
    true = Centred(*(side[j] for side in objects.boxes))
    said = Centred(*(side[q] for side in guesses.boxes))
    away = sum(abs(a - b) for a, b in zip(true, said, strict=True))
    overlap = generalized_iou(
      Corners(*map(jnp.float32, corners_of_centred(true))),
      corners_of_centred(said),
    )
    expected = 5 * away - shares[q, objects.labels[j]] - 2 * overlap
    expected = float(expected) if j < objects.counts else 0
    assert float(found[j, q]) == pytest.approx(expected, abs=1e-5)


def test_a_loss_by_hand():
  """One object, matched by the last query, all others say nothing."""
  near = Centred(
    *(jnp.array([[0.9, 0.9, 0.5]]),) * 2, *(jnp.full((1, 3), 0.2),) * 2
  )
  logits = jnp.array([[[0.0, 2.0, 1.0]] * 3])
  objects = Objects(
    np.array([[1]]),
    Centred(*np.array([[[0.5]], [[0.5]], [[0.2]], [[0.4]]])),
    [1],
  )
  objects = jax.tree.map(lambda x: jnp.asarray(x, _kind(x)), objects)
  objects = objects._replace(counts=jnp.array([1]))
  total, count = set_loss(Guesses(logits, near), objects, jnp.ones(1))
  nats = -jax.nn.log_softmax(logits[0, 0])
  # The box is half as high: an L1 distance of .2, an overlap of .5.
  expected = nats[1] + 0.1 * 2 * nats[2] + 5 * 0.2 + 2 * 0.5
  assert float(total) == pytest.approx(float(expected), rel=1e-5)
  assert float(count) == pytest.approx(1.2)


def _kind(x):
  return jnp.int32 if np.asarray(x).dtype.kind == "i" else jnp.float32


def test_parts_of_a_batch_add_up():
  guesses, objects = drawn_guesses(), drawn_objects()
  whole = LOSS(guesses, objects, ONES)
  rows = [slice(i, i + 1) for i in range(BATCH)]
  pick = lambda tree, row: jax.tree.map(lambda x: x[row], tree)
  parts = [LOSS(*pick((guesses, objects, ONES), row)) for row in rows]
  np.testing.assert_allclose(whole, np.sum(parts, axis=0), rtol=1e-5)
  # A row of weight 0 counts nothing.
  first = LOSS(guesses, objects, ONES.at[1:].set(0))
  np.testing.assert_allclose(first, parts[0], rtol=1e-5)
  assert float(whole[1]) == pytest.approx(6 + 0.1 * (3 * QUERIES - 6))


def test_the_order_of_objects_changes_nothing():
  guesses, objects = drawn_guesses(), drawn_objects(counts=(MOST,) * BATCH)
  value, slope = SLOPES(guesses, objects, ONES)
  order = np.random.default_rng(3).permutation(MOST)
  moved = jax.tree.map(lambda x: x[:, order] if x.ndim == 2 else x, objects)
  other, bent = SLOPES(guesses, moved, ONES)
  assert float(other) == pytest.approx(float(value), rel=1e-5)
  for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(bent), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_order_of_queries_changes_nothing():
  guesses, objects = drawn_guesses(), drawn_objects()
  moved = jax.tree.map(lambda x: x[:, ::-1], guesses)
  expected = LOSS(guesses, objects, ONES)
  np.testing.assert_allclose(LOSS(moved, objects, ONES), expected, rtol=1e-5)


def test_what_stands_behind_the_last_object_changes_nothing():
  guesses, objects = drawn_guesses(), drawn_objects()
  value, slope = SLOPES(guesses, objects, ONES)
  absent = np.arange(MOST) >= np.array(objects.counts)[:, None]
  spoilt = Objects(
    np.where(absent, 99, objects.labels),
    Centred(*(np.where(absent, np.float32("nan"), s) for s in objects.boxes)),
    objects.counts,
  )
  other, bent = SLOPES(guesses, spoilt, ONES)
  assert float(other) == pytest.approx(float(value), rel=1e-6)
  for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(bent), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_without_objects_every_query_learns_to_say_nothing():
  guesses, objects = drawn_guesses(), drawn_objects(counts=(0,) * BATCH)
  value, slope = SLOPES(guesses, objects, ONES)
  nothing = jnp.full((BATCH, QUERIES), CLASSES)
  nats = optax.softmax_cross_entropy_with_integer_labels(
    guesses.logits, nothing
  )
  assert float(value) == pytest.approx(0.1 * float(nats.sum()), rel=1e-5)
  assert (np.asarray(slope.logits[..., -1]) < 0).all()
  assert all((np.asarray(side) == 0).all() for side in slope.boxes)


def test_boxes_without_area_have_a_finite_loss_and_gradient():
  guesses, objects = drawn_guesses(), drawn_objects()
  flat = jnp.zeros((BATCH, QUERIES))
  none = guesses._replace(boxes=guesses.boxes._replace(width=flat, height=flat))
  value, slope = SLOPES(none, objects, ONES)
  assert np.isfinite(value)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_a_guess_that_is_not_finite_ends_in_a_loss_that_is_not():
  """Not in a search without an end."""
  guesses = drawn_guesses()
  broken = guesses._replace(logits=guesses.logits.at[0, 0, 0].set(jnp.nan))
  total, _ = LOSS(broken, drawn_objects(), ONES)
  assert not np.isfinite(total)


def test_more_objects_than_queries_are_refused():
  guesses = jax.tree.map(lambda x: x[:, : MOST - 1], drawn_guesses())
  with pytest.raises(ValueError, match=r"4 in an image, expected no more .* 3"):
    set_loss(guesses, drawn_objects(), ONES)
