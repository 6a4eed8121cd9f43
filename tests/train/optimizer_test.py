"""Rules by name are optax's own; the moving average is its equation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax import config as settings
from seqjax.errors import InputError
from seqjax.train import optimizer

RATE, DECAY, CLIP, STEPS = 0.03, 0.5, 2.0, 30
MATRIX = optax.contrib.MuonDimensionNumbers()

# What each is by hand: `make(rate)` of optax, and the weight decay that optax
# leaves to us.
RULES = {
  "adafactor": (
    lambda rate: optax.adafactor(rate, multiply_by_parameter_scale=False),
    DECAY,
  ),
  "adam": (lambda rate: optax.adam(rate, b1=0.8, b2=0.95), 0),
  "adamw": (
    lambda rate: optax.adamw(
      rate, b1=0.8, b2=0.95, weight_decay=DECAY, mask=matrices(shapes())
    ),
    0,
  ),
  "lion": (
    lambda rate: optax.lion(
      rate, b1=0.8, b2=0.95, weight_decay=DECAY, mask=matrices(shapes())
    ),
    0,
  ),
  "muon": (
    lambda rate: optax.contrib.muon(
      rate,
      beta=0.7,
      adam_b1=0.8,
      adam_b2=0.95,
      consistent_rms=0.2,
      muon_weight_dimension_numbers={
        "embed": {"embedding": None},
        "head": {"bias": None, "kernel": None},
        "rnn": {"bias": None, "kernel": MATRIX, "states": None},
      },
    ),
    DECAY,
  ),
  "rmsprop": (lambda rate: optax.rmsprop(rate, decay=0.95, momentum=0.7), 0),
  "sgd": (lambda rate: optax.sgd(rate, momentum=0.7), 0),
}


def shapes():
  return {
    "embed": {"embedding": (5, 3)},
    "head": {"bias": (2,), "kernel": (4, 2)},
    # Adafactor keeps rows and columns from 128 on.
    "rnn": {"bias": (128,), "kernel": (128, 130), "states": (2, 3, 4)},
  }


def matrices(tree):
  is_leaf = lambda x: isinstance(x, tuple)
  return jax.tree.map(lambda shape: len(shape) > 1, tree, is_leaf=is_leaf)


def draw(seed):
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda shape: jnp.asarray(rng.normal(size=shape), jnp.float32),
    shapes(),
    is_leaf=lambda x: isinstance(x, tuple),
  )


def config(**changes):
  made = settings.optimizer(
    STEPS,
    learning_rate=RATE,
    warmup_steps=2,
    weight_decay=DECAY,
    clip_norm=CLIP,
  )
  made.update(b1=0.8, b2=0.95, momentum=0.7, **changes)
  return made


def loss(params):
  """Curved by 1 to 10; its minimum is not at zero."""
  total = lambda p: (p - 1) ** 2 * jnp.linspace(1, 10, p.size).reshape(p.shape)
  return sum(total(p).sum() for p in jax.tree.leaves(params)) / 2


def test_every_rule_has_its_row():
  assert set(RULES) == set(optimizer.RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_the_one_of_optax_and_learns(name):
  made = config(name=name)
  transform, schedule = optimizer.create(made), optimizer.learning_rate(made)
  make, decay = RULES[name]

  @jax.jit
  def ours(params, state):
    updates, state = transform.update(jax.grad(loss)(params), state, params)
    return optax.apply_updates(params, updates), state

  @jax.jit
  def by_hand(params, state, rate):
    grads = jax.grad(loss)(params)
    norm = jnp.sqrt(sum((g**2).sum() for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g * jnp.minimum(1, CLIP / norm), grads)
    updates, state = make(rate).update(grads, state, params)
    step = lambda p, u, m: p + u - rate * decay * m * p
    return jax.tree.map(step, params, updates, matrices(shapes())), state

  params = expected = first = draw(0)
  state, other = transform.init(params), make(RATE).init(params)
  rates = [RATE / 3, RATE * 2 / 3, RATE]  # of the warm-up
  for step in range(STEPS):
    before = params
    params, state = ours(params, state)
    if step < 3:
      np.testing.assert_allclose(schedule(step), rates[step], rtol=1e-6)
      expected, other = by_hand(expected, other, rates[step])
      for a, b, c in zip(
        *map(jax.tree.leaves, (params, expected, before)), strict=True
      ):
        # Of a step, not of the parameters.
        np.testing.assert_allclose(a - c, b - c, atol=1e-6 + 1e-3 * RATE)
        assert np.abs(a - c).max() > 1e-5
  assert loss(params) < 0.97 * loss(first)


@pytest.mark.parametrize("name", RULES)
def test_weight_decay_is_of_matrices_alone(name):
  """Without a gradient only decay moves a parameter, by rate times decay."""
  made = config(name=name, decay="constant")
  with made.unlocked():
    made.warmup_steps = 0
  transform, params = optimizer.create(made), draw(0)
  zeros = jax.tree.map(jnp.zeros_like, params)
  updates, _ = transform.update(zeros, transform.init(params), params)
  decays = RULES[name][1] > 0 or name in ("adamw", "lion")
  for p, u, m in zip(
    *map(jax.tree.leaves, (params, updates, matrices(shapes()))), strict=True
  ):
    np.testing.assert_allclose(u, -RATE * DECAY * decays * m * p, atol=1e-6)


def test_an_unknown_rule_lists_them_all():
  with pytest.raises(InputError) as error:
    optimizer.create(config(name="adma"))
  assert str(error.value) == (
    "config.optimizer.name is 'adma', expected one of adafactor, adam, adamw,"
    " lion, muon, rmsprop, sgd"
  )


@pytest.mark.parametrize("decay", [0.5, 0.9999])
def test_the_average_is_its_equation(decay):
  """Weights d^(t - s), made to add up to one: right from the first step."""
  values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
  average = jnp.full(3, 1e3)  # what it begins from is gone after one step
  for step in range(1, 6):
    average = optimizer.average(
      values[step - 1], average, decay, jnp.int32(step)
    )
    weights = decay ** np.arange(step)[::-1]
    expected = weights @ values[:step] / weights.sum()
    np.testing.assert_allclose(average, expected, rtol=1e-5, atol=1e-4)
