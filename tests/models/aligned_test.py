"""A label for every step: what the model reads."""

import jax
import numpy as np
import pytest
from ml_collections import config_dict

from seqjax import LSTM, nn
from seqjax.models import layers
from seqjax.models.aligned import Aligned, around
from seqjax.nn import crf as fields
from tests.nn.building import layers_of


@pytest.mark.usefixtures("nnx_mode")
def test_a_tagger_reads_words_shapes_and_letters():
  params, apply = nn.functionalize(
    Aligned(
      layers_of(LSTM(6), bidirectional=True),
      5,
      embed=(10, 3),
      shape_embed=(4, 2),
      char_embed=(8, 3),
      char_make=layers_of(LSTM(4), bidirectional=True),
      char_size=8,
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


def windows(neighbours, read_out="softmax"):
  """A network that sees a window, no layers: `(params, apply)`."""
  make = layers.create(
    config_dict.ConfigDict(
      {
        "layer": "feed_forward",
        "num_layers": 0,
        "hidden_size": 1,
        "dropout": 0.0,
        "compute_dtype": "float32",
      }
    )
  )
  return nn.functionalize(
    Aligned(
      make,
      3,
      input_size=4,
      neighbours=neighbours,
      filters=6,
      read_out=read_out,
      key=jax.random.key(1),
    )
  )


@pytest.mark.parametrize("neighbours", [1, 2])
def test_a_window_is_the_sum_over_neighbours(neighbours, nnx_mode):
  """Against loops, for rows of different length."""
  del nnx_mode
  params, apply = windows(neighbours)
  rng = np.random.default_rng(0)
  x = rng.normal(size=(3, 6, 4)).astype(np.float32)
  lengths = np.array([6, 3, 0])
  _, emissions = apply(params, x, lengths=lengths)
  kernel = np.asarray(params["window"]["kernel"])
  kernel = kernel.reshape(2 * neighbours + 1, 4, 6)
  head = params["head"]
  for row, length in enumerate(lengths):
    for t in range(length):
      total = np.array(params["window"]["bias"])
      for shift in range(-neighbours, neighbours + 1):
        if 0 <= t + shift < length:
          total = total + x[row, t + shift] @ kernel[shift + neighbours]
      expected = np.maximum(total, 0) @ head["kernel"] + head["bias"]
      np.testing.assert_allclose(
        emissions[row, t], expected, rtol=1e-4, atol=1e-5
      )


def test_around_shifts():
  x = np.arange(1.0, 4.0, dtype=np.float32)[None, :, None]
  expected = [[0, 1, 2], [1, 2, 3], [2, 3, 0]]
  np.testing.assert_array_equal(around(x, 1)[0], expected)


def test_a_softmax_is_a_crf_without_scores_of_its_own():
  params, apply = windows(1)
  assert "crf" not in params
  x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
  lengths, tags = np.array([5, 2]), np.array([[0, 1, 2, 1, 0], [2, 1, 0, 0, 0]])
  field, emissions = apply(params, x, lengths=lengths)
  found = fields.log_likelihood(field, emissions, tags, lengths)
  nats = np.log(np.asarray(jax.nn.softmax(emissions)))
  expected = [
    sum(nats[row, t, tags[row, t]] for t in range(length))
    for row, length in enumerate(lengths)
  ]
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert "crf" in windows(1, "crf")[0]
  with pytest.raises(ValueError, match="read_out is 'sum', expected one of"):
    windows(1, "sum")
