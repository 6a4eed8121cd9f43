"""Steps that read what the model itself wrote in the step before."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np

from seqjax import nn
from tests.models.encoder_decoder_test import (
  INPUTS,
  KEY,
  SOURCE,
  SOURCES,
  B,
  T,
  V,
  by_steps,
  close,
  make,
  run,
  valid,
)


def test_no_sampling_is_teacher_forcing():
  """Bit for bit. A rate at which nothing is drawn has the same masks, too."""
  params, apply = make(dropout=0.5, embed_dropout=0.3)
  plain = run(apply, params, key=KEY)
  chex.assert_trees_all_equal(run(apply, params, key=KEY, sampling=0.0), plain)
  chex.assert_trees_all_equal(
    run(apply, params, sampling=0.5), run(apply, params)
  )
  _, seldom = run(apply, params, key=KEY, sampling=1e-30)
  close(seldom[valid()], plain[1][valid()])


def test_always_sampled_is_what_the_model_itself_writes():
  """In value, and in gradient that of the symbols as they were chosen."""
  params, apply = make("none")
  _, logits, written = by_steps(apply, params, INPUTS, own=True)
  assert (written[:, 1:] != INPUTS[:, 1:]).any()

  def grad(inputs, **options):
    def loss(params):
      _, logits = run(apply, params, inputs, jnp.full(B, T), **options)
      return nn.cross_entropy(logits, INPUTS).sum(), logits

    return jax.value_and_grad(loss, has_aux=True)(params)

  sampled = grad(INPUTS, key=KEY, sampling=0.999999)
  close(sampled, grad(written))
  close(sampled[0][1], logits)


def test_one_draw_for_every_step_of_every_row():
  """Which symbol was fed is told by the logits that followed it."""
  params, apply = make("none")
  rows, time, rate = 64, 24, 0.3
  source = jnp.tile(SOURCE, (13, 1))[:rows]
  sources = jnp.tile(SOURCES, 13)[:rows]
  inputs = jax.random.randint(KEY, (rows, time), 0, V)
  options = {"key": KEY, "sampling": rate}
  _, logits = apply(
    params, source, sources, inputs, jnp.full(rows, time), **options
  )
  encoded = apply(params, source, sources, method="encode")
  step = jax.jit(functools.partial(apply, method="step"))
  carry, likeliest = encoded.carry, inputs[:, 0]
  own = np.full((rows, time), np.nan)  # where both symbols are alike
  for t in range(time):
    options = [
      step(params, encoded.memory, carry, tokens)
      for tokens in (inputs[:, t], likeliest)
    ]
    errors = jnp.stack([abs(o - logits[:, t]).max(-1) for _, o in options])
    assert (errors.min(axis=0) < 1e-5).all()
    taken = errors.argmin(axis=0)
    told = np.asarray(inputs[:, t] != likeliest)
    own[told, t] = np.asarray(taken)[told]
    tokens = jnp.where(taken == 1, likeliest, inputs[:, t])
    carry, _ = step(params, encoded.memory, carry, tokens)
    likeliest = logits[:, t].argmax(axis=-1).astype(inputs.dtype)
  drawn = own[~np.isnan(own)]
  assert len(drawn) > rows * time / 2
  assert abs(drawn.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / len(drawn))
  for lines in (own[:, 1:].T, own):  # neither a step's nor a row's
    both = [len(np.unique(line[~np.isnan(line)])) == 2 for line in lines]
    assert np.mean(both) > 0.95
