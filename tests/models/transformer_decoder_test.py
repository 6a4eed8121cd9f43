"""A Transformer on both sides: what a decoder's cache changes, and what not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decode import beam, greedy
from seqjax.models.text_decoder import for_steps, looked_at
from tests.models.encoder_decoder_test import (
  INPUTS,
  KEY,
  LENGTHS,
  MODELS,
  SOURCE,
  SOURCE_V,
  SOURCES,
  B,
  S,
  T,
  by_steps,
  close,
  loss_of,
  make,
  run,
  valid,
)

STOP = 1


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
  """Other Transformers than that of the table."""
  for name, options in (
    ("wide", "feed_forward=6, window=20"),
    ("post", "norm='post', activation='relu', positions='sinusoidal'"),
    ("learned", "positions='learned', max_length=9, scale_inputs=True"),
  ):
    made = f"transformer(heads=2, {options})", "additive"
    monkeypatch.setitem(MODELS, name, made)


def build(name="transformer", num_layers=2, **options):
  fields = {
    "layer": "transformer_encoder(heads=2, positions='sinusoidal')",
    "bridge": "none",
    "deep_output": False,
  }
  return make(name, num_layers, **{**fields, **options})


@pytest.mark.parametrize("name", ["transformer", "wide", "post", "learned"])
def test_log_probabilities_are_those_of_teacher_forcing(name):
  """Of rows of different lengths, the cache as wide as it must be, or wider."""
  params, apply = build(name, tie_embeddings=True, embed_size=4)
  carry, logits = run(apply, params)
  _, expected, _ = by_steps(apply, params, INPUTS)
  log_probs = jax.nn.log_softmax
  close(log_probs(logits)[valid()], log_probs(expected)[valid()])
  encoded = apply(params, SOURCE, SOURCES, method="encode")
  short = for_steps(encoded.carry, T)
  step = jax.jit(functools.partial(apply, method="step"))
  widths = {block.keys.shape[-2] for block in short[1:] if block}
  window = {"transformer": 3, "wide": 20}.get(name, 256)
  assert widths == {min(window, T)}
  for t in range(T):
    short, here = step(params, encoded.memory, short, INPUTS[:, t])
    close(here, expected[:, t])
  assert looked_at(carry).shape == (B, S)


def searched(params, apply, how, carry_of=lambda carry: carry, **options):
  size = 8

  def search(source):
    encoded = apply(params, source, SOURCES, method="encode")
    step = functools.partial(apply, params, method="step")
    return how(
      step,
      encoded.memory,
      carry_of(encoded.carry),
      start=0,
      stop=STOP,
      max_lengths=jnp.full(B, size),
      never=(0,),
      record=looked_at,
      size=size,
      **options,
    )

  return jax.device_get(jax.jit(search)(SOURCE))


@pytest.mark.parametrize("name", ["transformer", "wide"])
def test_greedy_is_a_beam_of_one(name):
  params, apply = build(name)
  # Sharp, and seldom the end: rows differ, and are not all short.
  params = {**params, "head": jax.tree.map(lambda x: 3 * x, params["head"])}
  params["head"]["bias"] = params["head"]["bias"].at[STOP].add(-2.0)
  found = searched(params, apply, greedy.search)
  one = searched(params, apply, beam.search, beam=1, alpha=0.0)
  np.testing.assert_array_equal(found.tokens, one.tokens)
  np.testing.assert_array_equal(found.lengths, one.lengths)
  close(found.log_probs, one.log_probs)
  close(found.records, one.records)
  assert len({tuple(row) for row in found.tokens[:, 0].tolist()}) > 1
  assert found.lengths.max() > 5
  # As wide as the search is long, or wider: the same.
  cut = functools.partial(for_steps, steps=8)
  for options in ({"beam": 1}, {"beam": 3, "n_best": 2}):
    whole, cut_found = (
      searched(params, apply, beam.search, of, alpha=0.6, **options)
      for of in (lambda carry: carry, cut)
    )
    np.testing.assert_array_equal(whole.tokens, cut_found.tokens)
    close(whole.scores, cut_found.scores)


def test_what_stands_in_the_padding_changes_nothing():
  params, apply = build()
  apply = jax.jit(apply)
  there = valid(SOURCES, S)
  rng = np.random.default_rng(0)
  junk = np.where(there, SOURCE, rng.integers(0, SOURCE_V, SOURCE.shape))
  assert (junk != SOURCE).any()
  arguments = [(x, SOURCES, INPUTS, LENGTHS) for x in (SOURCE, junk)]
  (_, logits), (_, same) = (apply(params, *each) for each in arguments)
  np.testing.assert_array_equal(logits, same)
  grads = [jax.grad(loss_of(apply, *each))(params) for each in arguments]
  jax.tree.map(np.testing.assert_array_equal, *grads)
  # It does see what is there.
  _, other = apply(params, (SOURCE + 1) % SOURCE_V, SOURCES, INPUTS, LENGTHS)
  told = (np.asarray(logits != other) & valid()[..., None]).any(axis=(1, 2))
  np.testing.assert_array_equal(told, (SOURCES > 0) & (LENGTHS > 0))


def test_sources_of_nothing_are_finite():
  params, apply = build()
  apply = jax.jit(apply)
  nothing = jnp.zeros(B, jnp.int32)
  arguments = SOURCE, nothing, INPUTS, LENGTHS
  carry, logits = apply(params, *arguments)
  grads = jax.grad(loss_of(apply, *arguments))(params)
  for leaf in jax.tree.leaves([logits, grads]):
    assert np.isfinite(leaf).all()
  assert (np.asarray(looked_at(carry)) == 0).all()
  assert max(jnp.abs(x).max() for x in jax.tree.leaves(grads["decoder"])) > 0
  for x in jax.tree.leaves([grads["encoder"], grads["source_embed"]]):
    assert (np.asarray(x) == 0).all()


def test_every_layer_says_where_it_looked():
  """Of its own last step, the mean over the heads."""
  params, apply = build("wide", 3)
  carry, _ = run(apply, params)
  found = [np.asarray(looked_at(carry, layer)) for layer in range(3)]
  np.testing.assert_array_equal(found[-1], looked_at(carry))
  for weights in found:
    total = np.where((SOURCES > 0) & (LENGTHS > 0), 1, 0)
    np.testing.assert_allclose(weights.sum(axis=-1), total, rtol=1e-5)
    assert (weights[~valid(SOURCES, S)] == 0).all()
  for a, b in ((0, 1), (1, 2)):
    assert np.abs(found[a] - found[b]).max() > 1e-3


def test_always_sampled_is_what_the_model_itself_writes():
  params, apply = build("wide")
  _, logits, written = by_steps(apply, params, INPUTS, own=True)
  assert (written[:, 1:] != INPUTS[:, 1:]).any()
  options = {"key": KEY, "sampling": 0.999999}
  _, sampled = run(apply, params, lengths=jnp.full(B, T), **options)
  close(sampled, logits)


def test_a_recurrent_encoder_below_a_transformer():
  params, apply = build(layer="bidirectional", cell="elman")
  grads = jax.grad(loss_of(apply))(params)
  for leaf in jax.tree.leaves([grads["encoder"], grads["source_embed"]]):
    assert jnp.abs(leaf).max() > 0
