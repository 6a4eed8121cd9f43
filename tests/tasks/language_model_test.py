"""The language model as a task: loss, evaluation, generation."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data import batching
from seqjax.errors import InputError
from seqjax.models.layers import CELLS
from seqjax.tasks import base
from seqjax.train import evaluation, loop
from seqjax.train.shardings import make_shardings
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
  task = base.create(tiny(data={"path": path}))
  return task, task.init(jax.random.key(0))


def evaluate(task, params, split="validation"):
  return task.evaluate_split(params, split)[0]


def test_vocabulary_is_of_the_training_part_alone(made):
  task, _ = made
  assert "Z" not in task.tokens.vocabulary.symbols
  assert task.tokens.vocabulary.symbols == sorted(set(" abehinoqrstu"))


def test_evaluation_is_the_mean_over_all_characters(made):
  """One stream: the plain definition, character by character."""
  task, params = made
  with task.config.unlocked():
    task.config.eval_batch_size = 1
  tokens = task.tokens.encode(task.parts.validation)
  carry = task.apply(params, 1, method="initial_carry")
  _, logits = task.apply(params, jnp.array(tokens[None, :-1]), carry)
  log_probs = jax.nn.log_softmax(logits[0])
  expected = -log_probs[np.arange(len(tokens) - 1), tokens[1:]].mean()
  for window in (7, 50, 10_000):
    with task.config.unlocked():
      task.config.eval_window = window
    loss = evaluate(task, params)["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
  with task.config.unlocked():
    task.config.eval_batch_size = 4


def test_unknown_characters_count(made):
  task, params = made
  assert "Z" in task.parts.test
  assert np.isfinite(evaluate(task, params, "test")["loss"])


def test_an_empty_split_gives_nothing(path):
  config = tiny(data={"path": path, "test": 0.0})
  task = base.create(config)
  assert evaluate(task, task.init(jax.random.key(0)), "test") == {}


def test_training_loss_is_the_mean_and_hands_the_carry_on(made):
  task, params = made
  batches = task.train_batches()
  first, second = next(batches), next(batches)
  carry = task.initial_carry(params)
  key = jax.random.key(0)
  (total_1, count_1), _, carry = task.loss(params, first, carry, key)
  (total_2, count_2), _, _ = task.loss(params, second, carry, key)
  assert count_1 == first.inputs.size
  joined = batching.Batch(
    *(
      np.concatenate(p, axis=1) for p in zip(first[:3], second[:3], strict=True)
    )
  )
  (total, count), _, _ = task.loss(
    params, joined, task.initial_carry(params), key
  )
  assert count == count_1 + count_2
  np.testing.assert_allclose(total_1 + total_2, total, rtol=1e-5)


@pytest.mark.parametrize(
  ("layer", "window", "context", "rows"),
  [
    ("rnn", 8, 4, 3),
    ("rnn", 7, 6, 4),
    ("rnn", 5, 1, 2),
    ("transformer(heads=2)", 8, 4, 3),
  ],
)
def test_evaluation_slides(path, layer, window, context, rows):
  """The plain definition: each target after exactly what its window holds."""
  task = base.create(
    tiny(
      data={"path": path},
      model={"layer": layer},
      eval_window=window,
      eval_context=context,
      eval_batch_size=rows,
    )
  )
  params = task.init(jax.random.key(0))
  tokens = task.tokens.encode(task.parts.validation)
  apply = jax.jit(lambda inputs: task.apply(params, inputs[None])[1][0, -1])
  nats = []
  for at in range(1, len(tokens)):
    first = 0
    while first + window < at:
      first += window - context
    assert at - first > context or not first
    nats.append(-jax.nn.log_softmax(apply(tokens[first:at]))[tokens[at]])
  loss = evaluate(task, params)["loss"]
  np.testing.assert_allclose(loss, np.mean(nats), rtol=1e-5)
  assert task.evaluation_carry(params) == ()
  assert (
    len({b.inputs.shape for b in task.evaluation_batches("validation")}) == 1
  )


def test_windows_that_start_empty(path, made):
  """No carry is kept; each window is a sequence of its own."""
  task, params = made
  empty = base.create(tiny(data={"path": path}, carry_over=False))
  batches = empty.train_batches()
  next(batches)
  batch = next(batches)
  assert empty.initial_carry(params) == ()
  (total, count), _, carry = empty.loss(params, batch, (), None)
  assert carry == ()
  assert count == batch.inputs.size
  sums = 0.0
  for inputs, targets in zip(batch.inputs, batch.targets, strict=True):
    _, logits = empty.apply(params, inputs[None])
    log_probs = jax.nn.log_softmax(logits[0])
    sums -= log_probs[np.arange(len(targets)), targets].sum()
  np.testing.assert_allclose(total, sums, rtol=1e-5)
  # Handed on it is another loss.
  _, _, after = task.loss(params, batch, task.initial_carry(params), None)
  (other, _), _, _ = task.loss(params, batch, after, None)
  assert abs(other - total) > 1e-4 * total
  # The first window of an epoch starts empty either way.
  first = next(task.train_batches())
  (one, _), _, _ = task.loss(params, first, after, None)
  (two, _), _, _ = empty.loss(params, first, (), None)
  np.testing.assert_allclose(one, two, rtol=1e-5)


def test_what_the_carry_does_follows_the_layer():
  """One word exchanges the family; what is set stays."""
  fields = "carry_over", "eval_window", "eval_context"

  def read(**changes):
    config = base.resolve(tiny(**changes))
    return tuple(json.loads(config.to_json())[field] for field in fields)

  assert read() == (True, 256, 0)
  assert read(window=16, eval_window=9) == (True, 9, 0)
  assert read(carry_over=False, eval_context=2) == (False, 256, 2)
  attention = {"layer": "transformer"}
  assert read(model=attention) == (False, 8, 4)
  options = {"layer": "transformer(heads=2)"}
  assert read(window=11, model=options) == (False, 11, 5)
  assert read(model=attention, eval_window=20) == (False, 20, 10)
  assert read(model=attention, eval_context=0) == (False, 8, 0)
  assert read(model=attention, carry_over=True) == (True, 8, 4)
  config = tiny(model=attention)
  with config.unlocked():
    config.model.layer = "rnn"
  assert base.resolve(config).carry_over


@pytest.mark.parametrize(
  ("changes", "said"),
  [
    (
      {},
      "the carry crosses training windows, the carry crosses evaluation"
      " windows",
    ),
    (
      {"carry_over": False, "eval_window": 8, "eval_context": 4},
      "training windows start empty, evaluation after 4 chars or more",
    ),
  ],
)
def test_the_context_stands_beside_the_figures(
  path, tmp_path, capsys, changes, said
):
  config = tiny(
    data={"path": path},
    steps=4,
    eval_every=2,
    checkpoint_every=2,
    probes={"gradients_every": 2},
    **changes,
  )
  loop.train(config, tmp_path)
  lines = capsys.readouterr().out.splitlines()
  told = [line for line in lines if "validation loss" in line]
  assert len(told) == 2
  assert all(line.endswith(f"({said})") for line in told)
  evaluation.evaluate(*loop.load(tmp_path), tmp_path)
  lines = capsys.readouterr().out.splitlines()
  for split in ("validation", "test"):
    assert f"{split}: {said}" in lines


def test_generation(made):
  task, params = made
  (text,) = task.generate(params, prompt="to be", num_tokens=40, seed=3)
  assert text.startswith("to be")
  assert len(text) == 45
  assert "\ufffd" not in text
  again = task.generate(params, prompt="to be", num_tokens=40, seed=3)
  assert again == [text]
  other = task.generate(params, prompt="to be", num_tokens=40, seed=4)
  assert other != [text]
  greedy = [
    task.generate(params, prompt="to", num_tokens=9, temperature=0, seed=seed)
    for seed in (0, 1)
  ]
  assert greedy[0] == greedy[1]


@pytest.mark.parametrize("prompt", ["t", "that is", "to be or not to be that"])
def test_greedy_generation_is_the_likeliest_character_each_time(made, prompt):
  """Whatever a prompt is padded to."""
  task, params = made
  text = prompt
  for _ in range(12):
    _, logits = task.apply(params, task.tokens.encode(text)[None])
    text += task.tokens.vocabulary.symbols[int(jnp.argmax(logits[0, -1, 1:]))]
  written = task.generate(params, prompt=prompt, num_tokens=12, temperature=0)
  assert written == [text]


def test_the_unknown_symbol_is_never_written(made):
  """Even where the model would favour it."""
  task, params = made
  bias = params["head"]["bias"].at[0].set(100.0)
  params = {**params, "head": {**params["head"], "bias": bias}}
  for temperature in (0, 1.0):
    (text,) = task.generate(params, num_tokens=50, temperature=temperature)
    assert "\ufffd" not in text


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"prompt": "Zeus"}, "--prompt holds 'Z', which the training text does"),
    ({"num_tokens": 0}, "--num_tokens is 0"),
    ({"num_samples": 0}, "--num_samples is 0"),
    ({"top_k": -2}, "--top_k is -2"),
  ],
)
def test_bad_generation_options(made, options, message):
  task, params = made
  with pytest.raises(InputError, match=message):
    task.generate(params, **options)


def test_learned_positions_are_not_written_past(path):
  layer = "transformer(heads=2, positions='learned', max_length=12)"
  change = {"data": {"path": path}, "model": {"layer": layer}}
  for field in ("window", "eval_window"):
    windows = {"window": 12, "eval_window": 12, "eval_context": 6, field: 13}
    with pytest.raises(InputError, match=f"config.{field} is 13, expected at"):
      base.create(tiny(**change, **windows))
  task = base.create(tiny(**change, window=12, eval_window=12, eval_context=6))
  params = task.init(jax.random.key(0))
  message = "prompt and --num_tokens is 13, expected at most 12, the max_length"
  with pytest.raises(InputError, match=message):
    task.generate(params, prompt="to ", num_tokens=10)
  with pytest.raises(InputError, match=message):
    task.complete(params, prompt="to ", num_tokens=10)
  (text,) = task.generate(params, prompt="to ", num_tokens=9)
  assert len(text) == 12


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"window": 0}, "config.window is 0"),
    ({"eval_context": -1}, "config.eval_context is -1, expected a whole"),
    (
      {"eval_context": 9, "eval_window": 9},
      "config.eval_context is 9, expected less than config.eval_window = 9",
    ),
    ({"model": {"dropout": 1.0}}, "config.model.dropout is 1.0"),
    ({"model": {"embed_size": -1}}, "config.model.embed_size is -1"),
    ({"model": {"num_layers": 0}}, "config.model.num_layers is 0"),
    ({"model": {"compute_dtype": "int8"}}, "compute_dtype is 'int8'"),
    ({"model": {"cell": "lstm(recurrent_init='x')"}}, "recurrent_init is 'x'"),
  ],
)
def test_bad_config(changes, message):
  with pytest.raises(InputError, match=message):
    base.create(tiny(**changes))


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])
def test_every_cell_learns(path, cell):
  """Ten steps on one batch: the loss falls well below where it began."""
  config = tiny(
    data={"path": path},
    model={"cell": cell, "hidden_size": 16},
    optimizer={"learning_rate": 0.05, "warmup_steps": 0},
  )
  task = base.create(config)
  from seqjax.train import train_state

  shardings = make_shardings(config.batch_size)
  state = train_state.init_state(task, config)
  state = jax.device_put(state, shardings.of_state(state))
  step = train_state.make_train_step(task, config, state, shardings)
  batch = jax.device_put(next(task.train_batches()), shardings.batch)
  losses = []
  for _ in range(10):
    state, metrics = step(state, batch)
    total, count = metrics["loss"]
    losses.append(float(total / count))
  assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_by_name(path, cell):
  config = tiny(data={"path": path})
  with config.unlocked():
    config.model.cell = cell
    config.model.compute_dtype = "bfloat16"
  task = base.create(config)
  params = task.init(jax.random.key(0))
  batch = next(task.train_batches())
  loss = lambda p: jnp.divide(
    *task.loss(p, batch, task.initial_carry(p), None)[0]
  )
  value, grads = jax.jit(jax.value_and_grad(loss))(params)
  np.testing.assert_allclose(value, np.log(len(task.tokens)), rtol=0.3)
  assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"method": "fusde"}, "config.model.method is 'fusde', expected one of"),
    (
      {"method": "associative"},
      "config.model: method 'associative' needs a recurrence that is linear",
    ),
    ({"tie_embeddings": True}, "config.model: embed_size is 4, expected 8"),
  ],
)
def test_bad_model_options(path, change, message):
  config = tiny(data={"path": path})
  with config.unlocked():
    config.model.update(change)
  with pytest.raises(InputError, match=message):
    base.create(config).init(jax.random.key(0))


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
  task, params, _ = loop.load(tmp_path)
  train, validation = (
    task.tokens.encode(part)
    for part in (task.parts.train, task.parts.validation)
  )
  size = len(task.tokens)
  counts = np.full((size, size), 0.1)
  np.add.at(counts, (train[:-1], train[1:]), 1)
  probs = counts / counts.sum(axis=1, keepdims=True)
  bigram = -np.log(probs[validation[:-1], validation[1:]]).mean()
  assert evaluate(task, params)["loss"] < bigram - 0.2


def test_words_and_characters_are_one_task(trained):
  """Both modes for both: a config word makes the difference."""
  for name, prompt in (("next_word", "the value of"), ("char_lm", "the v")):
    task, params = trained(name)
    (text,) = task.generate(params, prompt=prompt, num_tokens=7, seed=1)
    assert text.startswith(prompt)
    ranked = task.complete(params, prompt=prompt, top_k=3, num_tokens=2)
    assert len(ranked) == 3
    shares = [share for _, share in ranked]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share < 1 for share in shares)


def test_complete_ranks_words(trained):
  task, params = trained("next_word")
  lines = task.complete_mode(params, prompt="the value of the ___ is", top_k=4)
  first, *ranked = lines.split("\n")
  assert first == "the value of the ___"
  shares = [float(line.split("%")[0]) for line in ranked]
  assert len(shares) == 4
  assert shares == sorted(shares, reverse=True)
  said = task.complete_mode(params, prompt="qwzx")
  assert "not in the vocabulary: qwzx" in said
  with pytest.raises(InputError, match="--prompt is empty"):
    task.complete(params, prompt="___")


def test_a_completion_goes_on_with_the_likeliest(made):
  """Against the plain definition, symbol by symbol."""
  task, params = made
  for said, share in task.complete(
    params, prompt="that i", top_k=3, num_tokens=4
  ):
    ids = task.tokens.encode("that i" + said)
    _, logits = task.apply(params, ids[None])
    probabilities = jax.nn.softmax(logits[0])
    assert share == pytest.approx(float(probabilities[5, ids[6]]), rel=1e-4)
    for t in range(7, 10):
      assert ids[t] == 1 + int(jnp.argmax(logits[0, t - 1, 1:]))


def test_a_prompt_of_blanks_alone(trained):
  """Of characters it is a prompt, of words it is none."""
  task, params = trained("next_word")
  (text,) = task.generate(params, prompt=" ", num_tokens=5)
  assert text == task.generate(params, num_tokens=5)[0]
  task, params = trained("char_lm")
  assert task.generate(params, prompt=" ", num_tokens=5)[0][0] == " "
