"""The applications' models: what holds whatever the weights are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import GRU, LSTM, Stack, nn
from seqjax.models.forecaster import Forecaster
from seqjax.models.many_to_one import ManyToOne
from seqjax.models.roll_out import RollOut
from seqjax.models.tagger import Tagger
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


def test_segments_must_fit():
  with pytest.raises(ValueError, match="segment is 5, expected to divide"):
    forecaster(segment=5)


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


@pytest.mark.usefixtures("nnx_mode")
def test_logistic_regression_is_affine():
  """A sequence of one step without layers."""
  model = ManyToOne(layers_of(), 2, input_size=3, key=jax.random.key(0))
  params, apply = nn.functionalize(model)
  x = draw(5, 3)
  head = params["head"]
  expected = x @ head["kernel"] + head["bias"].reshape(1, 2)
  lengths = jnp.ones(5, int)
  found = apply(params, x[:, None], lengths=lengths)
  np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.usefixtures("nnx_mode")
def test_a_tagger_reads_words_shapes_and_letters():
  params, apply = nn.functionalize(
    Tagger(
      layers_of(LSTM(6), bidirectional=True),
      layers_of(LSTM(4), bidirectional=True),
      5,
      num_words=10,
      num_shapes=4,
      num_chars=8,
      embed_size=3,
      shape_embed_size=2,
      char_embed_size=3,
      char_size=8,
      dropout=0.0,
      compute_dtype="float32",
      key=jax.random.key(0),
    )
  )
  rng = np.random.default_rng(0)
  words, shapes = rng.integers(0, 10, (2, 4)), rng.integers(0, 4, (2, 4))
  letters = rng.integers(0, 8, (2, 4, 6))
  counts, lengths = np.full((2, 4), 5), np.array([4, 2])
  run = lambda *args: apply(params, *args, lengths=lengths)
  crf, emissions = run(words, shapes, letters, counts)
  assert crf.transitions.shape == (5, 5)
  assert emissions.shape == (2, 4, 5)
  for index in range(3):
    args = [words.copy(), shapes.copy(), letters.copy()]
    args[index][0, 1] = (args[index][0, 1] + 1) % 4
    _, changed = run(*args, counts)
    assert (changed[0, 0] != emissions[0, 0]).any()  # seen from both sides
    np.testing.assert_array_equal(changed[1], emissions[1])
  # Past a word's letters and past a row's end nothing is read.
  letters[..., 5] = 0
  words[1, 2:] = 9
  np.testing.assert_allclose(
    run(words, shapes, letters, counts)[1][1, :2], emissions[1, :2], rtol=1e-5
  )
