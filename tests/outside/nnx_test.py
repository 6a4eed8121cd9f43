"""Layers and models in an ordinary Flax NNX training loop."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx as flax_nnx

import seqjax
from seqjax import nn
from seqjax.models.aligned import Aligned
from seqjax.nn import crf as fields
from tests.nn.building import layers_of
from tests.nn.parameters_test import Unsorted

D, TAGS, STEPS = 3, 4, 5
LENGTHS = jnp.array([6, 2])
X = jax.random.normal(jax.random.key(5), (2, 6, D))
TOKENS = jax.random.randint(jax.random.key(6), (2, 6), 0, TAGS)
LETTERS = jnp.broadcast_to(TOKENS[..., None], (2, 6, 2))


def tagger(rngs):
  cell = seqjax.Elman(2)
  return Aligned(
    layers_of(cell, bidirectional=True),
    TAGS,
    embed=(TAGS, 2),
    shape_embed=(TAGS, 2),
    char_embed=(TAGS, 2),
    char_make=layers_of(cell),
    char_size=2,
    neighbours=1,
    filters=3,
    rngs=rngs,
  )


def rnn(cell):
  return lambda rngs: nn.RNN(cell, D, rngs=rngs)


MODELS = {
  "LSTM": rnn(seqjax.LSTM(4)),
  "stack": rnn(seqjax.Stack((seqjax.MinGRU(4), seqjax.Elman(3)))),
  "wrappers": rnn(
    seqjax.LearnedCarry(seqjax.RecurrentDropout(seqjax.Elman(4), 0.2))
  ),
  "out of order": rnn(Unsorted()),
  "both ways": lambda rngs: nn.Bidirectional(
    seqjax.Elman(4), seqjax.Elman(2), D, rngs=rngs
  ),
  "sequence": lambda rngs: nn.Sequential(
    [nn.RNN(seqjax.Elman(4), D, rngs=rngs), nn.FeedForward(4, 2, rngs=rngs)], D
  ),
  "tagger": tagger,
}


def loss_of(model):
  """Of a model, or of what `functionalize` made of it."""
  if isinstance(model, Aligned):
    return likelihood
  return squares


def squares(run):
  _, outputs = run(X, lengths=LENGTHS)
  return ((outputs - 0.3) ** 2).mean()


def likelihood(run):
  counts = jnp.full((2, 6), 2)
  crf, emissions = run(TOKENS, TOKENS, LETTERS, counts, lengths=LENGTHS)
  return -fields.log_likelihood(crf, emissions, TOKENS, LENGTHS).mean()


@functools.cache
def pure_loop(name):
  """Losses and last parameters by optax on a plain dict."""
  model = MODELS[name](flax_nnx.Rngs(0))
  loss = loss_of(model)
  params, apply = nn.functionalize(model)
  adam = optax.adam(0.02)
  state, losses = adam.init(params), []
  gradient = jax.jit(
    jax.value_and_grad(lambda p: loss(functools.partial(apply, p)))
  )
  for _ in range(STEPS):
    value, grads = gradient(params)
    updates, state = adam.update(grads, state)
    params = optax.apply_updates(params, updates)
    losses.append(float(value))
  return losses, params


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("name", MODELS)
def test_a_loop_of_flax_is_the_loop_of_optax(name):
  model = MODELS[name](flax_nnx.Rngs(0))
  loss = loss_of(model)
  optimizer = flax_nnx.Optimizer(model, optax.adam(0.02), wrt=flax_nnx.Param)

  @flax_nnx.jit
  def step(model, optimizer):
    value, grads = flax_nnx.value_and_grad(loss)(model)
    optimizer.update(model, grads)
    return value

  losses = [float(step(model, optimizer)) for _ in range(STEPS)]
  expected, params = pure_loop(name)
  assert losses[-1] < 0.95 * losses[0]
  np.testing.assert_allclose(losses, expected, rtol=1e-5)
  graph, state = flax_nnx.split(model)
  chex.assert_trees_all_close(
    flax_nnx.to_pure_dict(state), params, rtol=1e-4, atol=1e-6
  )
  # Split, merged and taken up by a fresh model, it goes on from there.
  fresh = MODELS[name](flax_nnx.Rngs(1))
  flax_nnx.update(fresh, state)
  merged = flax_nnx.merge(graph, state)
  assert step(fresh, optimizer) == step(merged, optimizer) < losses[-1]


@pytest.mark.usefixtures("nnx_mode")
def test_an_ensemble():
  """Made by vmap and called by vmap: each member as if it were alone."""
  make = MODELS["out of order"]
  keys = jax.random.split(jax.random.key(0), 3)
  members = flax_nnx.vmap(lambda key: make(flax_nnx.Rngs(key)))(keys)
  run = flax_nnx.vmap(lambda model, x: model(x), in_axes=(0, None))
  carries, outputs = run(members, X)
  assert outputs.shape[:3] == (3, *X.shape[:2])
  for index, key in enumerate(keys):
    carry, alone = make(flax_nnx.Rngs(key))(X)
    pick = lambda leaf, i=index: leaf[i]
    chex.assert_trees_all_close(
      (jax.tree.map(pick, carries), outputs[index]), (carry, alone), atol=1e-6
    )
