"""What the generated problems ask, and what a model without memory gets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data import long_memory

KEY = jax.random.key(3)


@pytest.mark.parametrize("distance", [2, 3, 20])
def test_adding(distance):
  inputs, targets, weights = long_memory.adding(KEY, 500, distance)
  numbers, marked = np.asarray(inputs[..., 0]), np.asarray(inputs[..., 1])
  assert inputs.shape == (500, distance, 2)
  half = distance // 2
  assert (marked[:, :half].sum(1) == 1).all()
  assert (marked[:, half:].sum(1) == 1).all()
  np.testing.assert_allclose(targets, (numbers * marked).sum(1), rtol=1e-6)
  assert (weights == 1).all()


def test_adding_baseline_is_the_error_of_always_one():
  targets = long_memory.adding(KEY, 20_000, 10).targets
  actual = jnp.mean((targets - 1) ** 2)
  assert abs(actual - long_memory.BASELINES["adding"](10)) < 0.005


@pytest.mark.parametrize("distance", [1, 7])
def test_copy(distance):
  inputs, targets, weights = map(
    np.asarray, long_memory.copy(KEY, 30, distance)
  )
  assert inputs.shape == targets.shape == weights.shape == (30, distance + 20)
  np.testing.assert_array_equal(inputs[:, :10], targets[:, -10:])
  assert (inputs[:, :10] < 8).all()
  assert set(np.unique(inputs[:, :10])) == set(range(8))
  # The answer begins one step after the delimiter was read.
  where = np.argmax(inputs == long_memory.DELIMITER, axis=1)
  assert (where == 9 + distance).all()
  assert (inputs[:, 10:] == long_memory.DELIMITER).sum() == 30
  assert (targets[:, :-10] == long_memory.BLANK).all()


def test_copy_baseline_is_blanks_and_then_a_guess():
  targets = np.asarray(long_memory.copy(KEY, 30, 7).targets)
  nats = np.where(targets == long_memory.BLANK, 0.0, np.log(8))
  np.testing.assert_allclose(
    nats.mean(), long_memory.BASELINES["copy"](7), rtol=1e-6
  )


@pytest.mark.parametrize("distance", [4, 9, 10, 50])
def test_recall_keeps_its_distance(distance):
  inputs, targets, weights = map(
    np.asarray, long_memory.recall(KEY, 200, distance)
  )
  assert inputs.shape == (200, distance + 5)
  seen = set()
  for row, answer in zip(inputs, targets[:, -1], strict=True):
    words = [long_memory.WORDS[i] for i in row]
    assert words[:4] == ["I", "grew", "up", "in"]
    assert words[-3:] == ["I", "speak", "fluent"]
    # The country's own step is `distance` before the last, in every row.
    country = words[len(words) - 1 - distance]
    assert long_memory.WORDS[answer] == long_memory.LANGUAGES[country]
    assert sum(word in long_memory.LANGUAGES for word in words) == 1
    seen.add(country)
  assert seen == set(long_memory.LANGUAGES)
  np.testing.assert_array_equal(targets[:, :-1], inputs[:, 1:])
  assert (weights[:, :-1] == 0).all()
  assert (weights[:, -1] == 1).all()
