"""One step: parts of a batch, devices, the average, norms of modules."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

import seqjax
from seqjax import config as settings
from seqjax.errors import InputError
from seqjax.tasks import base
from seqjax.train import accumulation, optimizer, train_state
from seqjax.train.shardings import make_shardings

ROWS, TIME, SIZE = 16, 12, 3
CELL = seqjax.GRU(8)


class Sums(base.Task):
  """Running sums of rows of different lengths; the carry is handed on."""

  def init(self, key):
    head = jax.random.normal(key, (8, 1)) / 3
    return {"head": head, "rnn": CELL.init(key, SIZE)}

  def initial_carry(self, params):
    return CELL.initial_carry(params["rnn"], (self.config.batch_size,))

  def loss(self, params, batch, carry, key):
    inputs, targets, lengths = batch
    carry, outputs = seqjax.unroll(
      CELL, params["rnn"], inputs, lengths=lengths, initial_carry=carry
    )
    valid = seqjax.recurrence.length_mask(lengths, inputs.shape[1])
    errors = ((outputs @ params["head"])[..., 0] - targets) ** 2
    metrics = {"longest": (lengths.max(), 1)}
    if key is not None:
      metrics["draw"] = jax.random.uniform(key), 1
    pair = jnp.where(valid, errors, 0).sum(), lengths.sum()
    return pair, metrics, carry

  def build(self, key): ...
  def evaluate(self, params, batch, carry): ...
  def evaluation_batches(self, split): ...
  def train_batches(self): ...


def draw(rows=ROWS, time=TIME):
  rng = np.random.default_rng(0)
  inputs = rng.normal(size=(rows, time, SIZE)).astype(np.float32)
  lengths = rng.integers(0, time + 1, rows).astype(np.int32)
  return inputs, inputs[..., 0].cumsum(axis=1), lengths


class Line(Sums):
  """No recurrence: for tests of what is around it."""

  def init(self, key):
    return {"head": jax.random.normal(key, (SIZE, 1)), "bias": jnp.zeros(1)}

  def initial_carry(self, params):
    return jnp.zeros((self.config.batch_size, 1))

  def loss(self, params, batch, carry, key):
    inputs, targets, _ = batch
    errors = (inputs @ params["head"])[..., 0] + params["bias"][0] - targets
    return ((errors**2).sum(), errors.size), {}, carry + 1


def make(devices=1, rows=ROWS, task=Sums, **changes):
  """`(task, config, shardings, state)`, the carry not zero."""
  rule = settings.optimizer(10, learning_rate=0.01, warmup_steps=0)
  config = ConfigDict({"seed": 0, "batch_size": rows, "optimizer": rule})
  config.update(accumulation_steps=1)
  config.update_from_flattened_dict(changes)
  task = task(config)
  shardings = make_shardings(rows, jax.devices()[:devices])
  state = train_state.init_state(task, config)
  noise = lambda c: jax.random.normal(jax.random.key(1), c.shape, c.dtype)
  state = state._replace(carry=jax.tree.map(noise, state.carry))
  state = jax.device_put(state, shardings.of_state(state))
  return task, config, shardings, state


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("parts", [2, 8])
def test_parts_are_the_whole_batch(devices, parts):
  """To 1e-6 of each array's largest entry, and rows in their order."""
  task, _, shardings, state = make(devices)
  with jax.set_mesh(shardings.mesh):
    batch = shardings.place(draw())
    args = state.params, batch, state.carry, state.key
    in_parts = functools.partial(accumulation.gradient, task, parts=parts)
    some = jax.jit(in_parts)(*args)
    whole = jax.jit(functools.partial(train_state.gradient, task))(*args)
  for _, metrics, _ in (whole, some):
    del metrics["longest"], metrics["draw"]
  assert whole[1]["loss"][1] == draw()[2].sum()
  for a, b in zip(*map(jax.tree.leaves, (some, whole)), strict=True):
    a, b = np.asarray(a), np.asarray(b)
    assert np.abs(a - b).max() <= 1e-6 * np.abs(b).max()


def test_metrics_add_up_and_each_part_draws_its_own_noise():
  task, _, _, state = make()
  _, metrics, _ = accumulation.gradient(
    task, state.params, draw(), state.carry, state.key, parts=2
  )
  lengths = draw()[2]
  expected = lengths[::2].max() + lengths[1::2].max()
  assert (*metrics["longest"],) == (expected, 2)
  draws = [
    jax.random.uniform(jax.random.fold_in(state.key, part)) for part in (0, 1)
  ]
  np.testing.assert_allclose(metrics["draw"][0], sum(draws), rtol=1e-6)


def compiled(parts, devices, rows=ROWS, time=TIME):
  task, config, shardings, state = make(devices, rows, accumulation_steps=parts)
  with jax.set_mesh(shardings.mesh):
    step = train_state.make_train_step(task, config, state, shardings)
    return step.lower(state, shardings.place(draw(rows, time))).compile()


def test_no_row_moves_to_another_device():
  text = compiled(parts=4, devices=2).as_text()
  assert "all-reduce" in text  # of gradients: it is split
  assert not re.findall("all-to-all|collective-permute|all-gather", text)


def test_memory_falls_with_the_parts():
  whole, parts = (
    compiled(k, 1, 64, 40).memory_analysis().temp_size_in_bytes for k in (1, 4)
  )
  assert parts < 0.5 * whole


@pytest.mark.parametrize(
  ("devices", "rows", "message"),
  [
    (1, 6, "is 4, which does not divide a batch of 6 rows on 1 device"),
    (2, 20, "of 20 rows on 2 .* use a --config.batch_size .* multiple of 8"),
  ],
)
def test_uneven_parts_are_one_line(devices, rows, message):
  with pytest.raises(InputError, match=message) as error:
    compiled(4, devices, rows)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", optimizer.RULES)
def test_every_rule_on_two_devices(name):
  """The state of a rule is whole on each device; only the carry is split."""
  task, config, shardings, state = make(
    2,
    task=Line,
    **{
      "optimizer.name": name,
      "optimizer.ema_decay": 0.9,
      "optimizer.clip_norm": 1e-3,
      "accumulation_steps": 2,
    },
  )
  with jax.set_mesh(shardings.mesh):
    step = train_state.make_train_step(task, config, state, shardings)
    before, batch = jax.device_get(state.params), shardings.place(draw())
    state, metrics = step(state, batch)
  assert all(leaf.sharding.spec for leaf in jax.tree.leaves(state.carry))
  rest = state._replace(carry=())
  for leaf in jax.tree.leaves(rest):
    assert leaf.sharding.is_fully_replicated
  assert state.step == 1
  assert metrics["learning_rate"][1] == 1
  # The first average is what the first step led to.
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-6),
    state.average,
    state.params,
  )
  assert state.evaluated is state.average
  moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), before, state.params)
  assert all(m > 0 for m in jax.tree.leaves(moved))


def test_the_norm_of_each_module_is_that_before_clipping():
  task, config, shardings, state = make(
    task=Line, **{"optimizer.clip_norm": 1e-3}
  )
  grads, _, _ = train_state.gradient(
    task, state.params, draw(), state.carry, state.key
  )
  step = train_state.make_train_step(task, config, state, shardings)
  _, metrics = step(state, draw())
  norms = {n: v for n, v in metrics.items() if n.startswith("grad_norm/")}
  assert set(norms) == {"grad_norm/head", "grad_norm/bias"}
  for name, (norm, count) in norms.items():
    expected = optax.tree.norm(grads[name.removeprefix("grad_norm/")])
    np.testing.assert_allclose(norm, expected, rtol=1e-5)
    assert count == 1
  total = np.sqrt(sum(norm**2 for norm, _ in norms.values()))
  np.testing.assert_allclose(total, metrics["grad_norm"][0], rtol=1e-6)
