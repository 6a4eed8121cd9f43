import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import nn
from seqjax.cells import GRU, LSTM
from seqjax.models.language_model import LanguageModel
from tests.nn.building import layers_of

V = 7
TOKENS = jax.random.randint(jax.random.key(3), (2, 6), 0, V)


def make(**options):
  options = {
    "embed_size": 3,
    "dropout": 0.0,
    "compute_dtype": "float32",
    "key": jax.random.key(0),
  } | options
  make = layers_of(LSTM(5), GRU(4), dropout=options["dropout"])
  model = LanguageModel(V, make, **options)
  return nn.functionalize(model)


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("embed_size", [0, 3])
def test_streaming_is_the_whole_run(embed_size):
  params, apply = make(embed_size=embed_size)
  assert ("embed" in params) == bool(embed_size)
  whole_carry, whole = apply(params, TOKENS)
  chex.assert_shape(whole, (2, 6, V))
  carry = apply(params, 2, method="initial_carry")
  for t in range(TOKENS.shape[1]):
    carry, logits = apply(params, carry, TOKENS[:, t], method="step")
    np.testing.assert_allclose(logits, whole[:, t], atol=1e-6)
  chex.assert_trees_all_close(carry, whole_carry, atol=1e-6)


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("changed", range(6))
def test_the_future_has_no_influence(changed):
  params, apply = make()
  _, before = apply(params, TOKENS)
  other = TOKENS.at[:, changed].set((TOKENS[:, changed] + 1) % V)
  _, after = apply(params, other)
  np.testing.assert_array_equal(before[:, :changed], after[:, :changed])
  assert (jnp.abs(before - after)[:, changed:].max(axis=-1) > 0).all()


def test_one_hot_is_an_embedding_by_the_identity():
  params, apply = make(embed_size=0)
  params_embed, apply_embed = make(embed_size=V)
  params_embed = {**params, "embed": {"embedding": jnp.eye(V)}}
  chex.assert_trees_all_close(
    apply(params, TOKENS), apply_embed(params_embed, TOKENS), atol=1e-6
  )


def test_bfloat16_products_give_float32_logits_close_by():
  params, apply = make()
  _, apply_half = make(compute_dtype="bfloat16")
  exact, half = apply(params, TOKENS)[1], apply_half(params, TOKENS)[1]
  assert half.dtype == jnp.float32
  np.testing.assert_allclose(half, exact, atol=0.02)
  assert not np.array_equal(half, exact)


@pytest.mark.usefixtures("nnx_mode")
def test_dropout_acts_only_with_a_key():
  params, apply = make(dropout=0.5)
  _, plain = make()
  chex.assert_trees_all_equal(apply(params, TOKENS), plain(params, TOKENS))
  noisy = apply(params, TOKENS, key=jax.random.key(1))[1]
  assert not np.allclose(noisy, plain(params, TOKENS)[1])


@pytest.mark.usefixtures("nnx_mode")
def test_tied_embeddings_share_one_matrix():
  params, apply = make(tie_embeddings=True, embed_size=4)
  assert "head" not in params
  params["bias"] = jnp.arange(V) / 10
  _, logits = apply(params, TOKENS)
  embedding = params["embed"]["embedding"]
  free, apply_free = make(embed_size=4)
  free = {**params, "head": {"kernel": embedding.T, "bias": params["bias"]}}
  del free["bias"]
  np.testing.assert_allclose(logits, apply_free(free, TOKENS)[1], atol=1e-6)
  with pytest.raises(ValueError, match="embed_size is 3, expected 4"):
    make(tie_embeddings=True)


def test_layers_that_see_the_future_are_refused():
  both = layers_of(LSTM(5), bidirectional=True)
  options = {"embed_size": 3, "dropout": 0.0, "compute_dtype": "float32"}
  with pytest.raises(ValueError, match="layers are not causal, expected"):
    LanguageModel(V, both, **options, key=jax.random.key(0))


def test_tied_logits_of_the_wrong_width():
  with pytest.raises(ValueError, match="outputs has 3 features, expected 4"):
    nn.tied_logits(jnp.ones((2, 3)), jnp.ones((V, 4)), jnp.zeros(V))


@pytest.mark.usefixtures("nnx_mode")
def test_gradient_norms_are_those_of_the_last_loss():
  """At the last step: the gradient of the loss with respect to the output."""
  params, apply = make()
  targets = jnp.roll(TOKENS, -1, axis=1)
  carry = apply(params, 2, method="initial_carry")
  norms = apply(params, TOKENS, targets, carry, method="gradient_norms")
  chex.assert_shape(jax.tree.leaves(norms), (2, 6))
  _, logits = apply(params, TOKENS)
  residual = jax.nn.softmax(logits[:, -1]) - jax.nn.one_hot(targets[:, -1], V)
  expected = jnp.linalg.norm(residual @ params["head"]["kernel"].T, axis=-1)
  np.testing.assert_allclose(norms["layer 1"][:, -1], expected, rtol=1e-4)
