"""Self-attention over sequences, shown by the tasks that read them."""

import jax
import numpy as np
import pytest

from seqjax.tasks import base
from tests.experiments import small

LAYER = {"model.layer": "transformer_encoder(heads=2, feed_forward=8)"}


@pytest.fixture(scope="module")
def dna():
  """Not trained: what it says is of no matter here."""
  config = small("dna", **LAYER, **{"model.dropout": 0.0})
  task = base.create(base.resolve(config))
  return task, jax.jit(task.init)(jax.random.key(0))


def test_a_classifier_shows_which_step_looks_at_which(dna, tmp_path):
  """A picture for each of two classes, beside the page of the pooling."""
  task, params = dna
  told = task.showcase(params, tmp_path)
  for name in "self_attention_1.png", "self_attention_2.png":
    assert (tmp_path / name).stat().st_size > 0
    assert name in told
  page = (tmp_path / "attention.html").read_text()
  letters = task.splits.test[0].inputs
  assert all(f">{letter}</mark>" in page for letter in letters)


def test_longer_sequences_beside_change_nothing(dna):
  task, params = dna
  sequences = ["ACGTACGTAC", "TATAAT", "G" * 60]
  together = task.predict(params, sequences)
  alone = [task.predict(params, [sequence])[0] for sequence in sequences]
  np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("pool", ["class_token", "mean"])
@pytest.mark.parametrize("name", ["pixels", "pixels:rows", "signals"])
def test_what_has_no_symbols_is_shown_too(tmp_path, name, pool):
  """Patches on the image, rows and values by their number."""
  name, _, order = name.partition(":")
  changes = {"data.order": order or "patches"} if name == "pixels" else {}
  config = small(name, **LAYER, **changes, **{"model.pool": pool})
  task = base.create(base.resolve(config))
  params = jax.jit(task.init)(jax.random.key(0))
  told = task.showcase(params, tmp_path)
  for picture in "self_attention_1.png", "self_attention_2.png":
    assert (tmp_path / picture).stat().st_size > 0
    assert picture in told


def test_a_tagger_shows_which_step_looks_at_which(tmp_path):
  config = small("protein", **LAYER)
  task = base.create(base.resolve(config))
  params = jax.jit(task.init)(jax.random.key(0))
  told = task.showcase(params, tmp_path)
  assert (tmp_path / "self_attention.png").stat().st_size > 0
  assert "self_attention.png" in told
