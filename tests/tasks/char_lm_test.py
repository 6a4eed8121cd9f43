"""The character model as a task: loss, evaluation, generation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data import batching
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.tasks import base
from seqjax.train import loop
from tests.train.loop_test import tiny


@pytest.fixture(scope="module")
def path(tmp_path_factory):
  path = tmp_path_factory.mktemp("text") / "text.txt"
  words = ["to", "be", "or", "not", "that", "is", "the", "question"]
  drawn = np.random.default_rng(0).choice(words, 700)
  path.write_text(" ".join(drawn) + " Zebra")  # rare symbols come at the end
  return str(path)


@pytest.fixture(scope="module")
def made(path):
  task = base.create(tiny(data={"path": path}), None)
  return task, task.init(jax.random.key(0))


def evaluate(task, params, split="validation"):
  return loop.evaluate(task, params, split, jax.jit(task.evaluate))


def test_vocabulary_is_of_the_training_part_alone(made):
  task, _ = made
  assert "Z" not in task.vocabulary.symbols
  assert task.vocabulary.symbols == sorted(set(" abehinoqrstu"))


def test_evaluation_is_the_mean_over_all_characters(made):
  """One stream: the plain definition, character by character."""
  task, params = made
  with task._config.unlocked():
    task._config.eval_batch_size = 1
  tokens = task.vocabulary.encode(task._parts["validation"])
  carry = task._apply(params, 1, method="initial_carry")
  _, logits = task._apply(params, jnp.array(tokens[None, :-1]), carry)
  log_probs = jax.nn.log_softmax(logits[0])
  expected = -log_probs[np.arange(len(tokens) - 1), tokens[1:]].mean()
  for window in (7, 50, 10_000):
    with task._config.unlocked():
      task._config.eval_window = window
    loss = evaluate(task, params)["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
  with task._config.unlocked():
    task._config.eval_batch_size = 4


def test_unknown_characters_count(made):
  task, params = made
  assert "Z" in task._parts["test"]
  assert np.isfinite(evaluate(task, params, "test")["loss"])


def test_an_empty_split_gives_nothing(path):
  config = tiny(data={"path": path, "test": 0.0})
  task = base.create(config, None)
  assert evaluate(task, task.init(jax.random.key(0)), "test") == {}


def test_training_loss_is_the_mean_and_hands_the_carry_on(made):
  task, params = made
  batches = task.train_batches()
  first, second = next(batches), next(batches)
  carry = task.initial_carry(params)
  key = jax.random.key(0)
  loss_1, metrics, carry = task.loss(params, first, carry, key)
  loss_2, _, _ = task.loss(params, second, carry, key)
  total, count = metrics["loss"]
  assert count == first.inputs.size
  np.testing.assert_allclose(loss_1, total / count)
  joined = batching.Batch(
    *(
      np.concatenate(p, axis=1) for p in zip(first[:3], second[:3], strict=True)
    )
  )
  whole, _, _ = task.loss(params, joined, task.initial_carry(params), key)
  np.testing.assert_allclose((loss_1 + loss_2) / 2, whole, rtol=1e-5)


def test_generation(made):
  task, params = made
  text = task.generate(params, prompt="to be", num_chars=40, seed=3)
  assert text.startswith("to be")
  assert len(text) == 45
  assert "\ufffd" not in text
  assert text == task.generate(params, prompt="to be", num_chars=40, seed=3)
  assert text != task.generate(params, prompt="to be", num_chars=40, seed=4)
  greedy = [
    task.generate(params, prompt="to", num_chars=9, temperature=0, seed=seed)
    for seed in (0, 1)
  ]
  assert greedy[0] == greedy[1]


def test_greedy_generation_is_the_likeliest_character_each_time(made):
  task, params = made
  text = "that is"
  for _ in range(12):
    _, logits = task._apply(params, task.vocabulary.encode(text)[None])
    text += task.vocabulary.symbols[int(jnp.argmax(logits[0, -1, 1:]))]
  written = task.generate(params, prompt="that is", num_chars=12, temperature=0)
  assert written == text


def test_the_unknown_symbol_is_never_written(made):
  """Even where the model would favour it."""
  task, params = made
  bias = params["head"]["bias"].at[0].set(100.0)
  params = {**params, "head": {**params["head"], "bias": bias}}
  for temperature in (0, 1.0):
    text = task.generate(params, num_chars=50, temperature=temperature)
    assert "\ufffd" not in text


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"prompt": "Zeus"}, "--prompt holds 'Z', which the training text does"),
    ({"num_chars": 0}, "--num_chars is 0"),
    ({"num_samples": 0}, "--num_samples is 0"),
    ({"top_k": -2}, "--top_k is -2"),
  ],
)
def test_bad_generation_options(made, options, message):
  task, params = made
  with pytest.raises(InputError, match=message):
    task.generate(params, **options)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"window": 0}, "config.window is 0"),
    ({"model": {"dropout": 1.0}}, "config.model.dropout is 1.0"),
    ({"model": {"embed_size": -1}}, "config.model.embed_size is -1"),
    ({"model": {"num_layers": 0}}, "config.model.num_layers is 0"),
    ({"model": {"compute_dtype": "int8"}}, "compute_dtype is 'int8'"),
    (
      {"model": {"cell": "lstm(recurrent_init='x')"}},
      "config.model.cell is .*: recurrent_init is 'x'",
    ),
    ({"model": {"layer": "rrn"}}, "config.model.layer is 'rrn', expected one"),
  ],
)
def test_bad_config(changes, message):
  with pytest.raises(InputError, match=message):
    base.create(tiny(**changes), None)


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])
def test_every_cell_learns(path, cell):
  """Ten steps on one batch: the loss falls well below where it began."""
  config = tiny(
    data={"path": path},
    model={"cell": cell, "hidden_size": 16},
    optimizer={"learning_rate": 0.05, "warmup_steps": 0},
  )
  task = base.create(config, None)
  from seqjax.train import state as state_lib

  shardings = state_lib.make_shardings(config.batch_size)
  state = state_lib.init_state(task, config)
  state = jax.device_put(state, shardings.of_state(state))
  step = state_lib.make_train_step(task, config, state, shardings)
  batch = jax.device_put(next(task.train_batches()), shardings.batch)
  losses = []
  for _ in range(10):
    state, metrics = step(state, batch)
    losses.append(float(metrics["loss"][0] / metrics["loss"][1]))
  assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("cell", layers.CELLS)
def test_every_cell_by_name(path, cell):
  config = tiny(data={"path": path})
  with config.unlocked():
    config.model.cell = cell
    config.model.compute_dtype = "bfloat16"
  task = base.create(config, None)
  params = task.init(jax.random.key(0))
  batch = next(task.train_batches())
  loss = lambda p: task.loss(p, batch, task.initial_carry(p), None)[0]
  value, grads = jax.jit(jax.value_and_grad(loss))(params)
  np.testing.assert_allclose(value, np.log(len(task.vocabulary)), rtol=0.3)
  assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"method": "fusde"}, "config.model.method is 'fusde', expected one of"),
    (
      {"method": "associative"},
      "config.model: method 'associative' needs a recurrence that is linear",
    ),
    (
      {"tie_embeddings": True},
      "config.model: embed_size is 4, expected 8, the last",
    ),
  ],
)
def test_bad_model_options(path, change, message):
  config = tiny(data={"path": path})
  with config.unlocked():
    config.model.update(change)
  with pytest.raises(InputError, match=message):
    base.create(config, None).init(jax.random.key(0))


@pytest.mark.slow
def test_default_experiment_beats_the_bigrams(tmp_path):
  """Real text: the default config, shortened, against counted bigrams."""
  config = tiny(
    steps=300, batch_size=32, window=64, eval_every=300, checkpoint_every=300
  )
  with config.unlocked():
    config.model.hidden_size = 128
    config.model.embed_size = 64
  loop.train(config, tmp_path)
  task = base.create(config, tmp_path)
  params, _ = loop.load_params(config, tmp_path, task)
  train, validation = (
    task.vocabulary.encode(task._parts[name])
    for name in ("train", "validation")
  )
  size = len(task.vocabulary)
  counts = np.full((size, size), 0.1)
  np.add.at(counts, (train[:-1], train[1:]), 1)
  probs = counts / counts.sum(axis=1, keepdims=True)
  bigram = -np.log(probs[validation[:-1], validation[1:]]).mean()
  assert evaluate(task, params)["loss"] < bigram - 0.2
