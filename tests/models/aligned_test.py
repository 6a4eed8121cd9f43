"""The tagger: what it reads."""

import jax
import numpy as np
import pytest

from seqjax import LSTM, nn
from seqjax.models.tagger import Tagger
from tests.nn.building import layers_of


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
