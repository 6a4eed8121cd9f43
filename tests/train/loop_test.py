"""The loop in this process: records, guards, optimizer, pictures."""

import json
import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax import files
from seqjax.errors import InputError, TrainingDiverged
from seqjax.tasks import base
from seqjax.train import (
  checkpoint,
  loop,
  metrics,
  optimizer,
  train_state,
  workdir,
)
from seqjax.train.shardings import make_shardings
from tests.experiments import load


def tiny(**changes):
  config = load("char_lm")
  config.update(
    steps=12,
    batch_size=4,
    window=8,
    log_every=4,
    eval_every=6,
    checkpoint_every=6,
    eval_batch_size=4,
  )
  config.model.update(hidden_size=8, embed_size=4)
  config.showcase.num_tokens = 20
  config.update(changes)
  return config.lock()


@pytest.fixture
def text_file(tmp_path):
  path = tmp_path / "text.txt"
  path.write_text("the quick brown fox jumps over the lazy dog\n" * 60)
  return str(path)


def test_a_run_leaves_everything(tmp_path, text_file, capsys):
  config = tiny(data={"path": text_file})
  assert loop.train(config, tmp_path / "run") == 0
  left = {p.name for p in (tmp_path / "run").iterdir()}
  assert left >= {
    "config.json",
    "metrics.jsonl",
    "tensorboard",
    "checkpoints",
    "showcase",
    "task.json",
  }
  showcase = tmp_path / "run" / "showcase"
  assert (showcase / "training.png").read_bytes().startswith(b"\x89PNG")
  assert len((showcase / "sample.txt").read_text()) == 20 + 1
  assert list((tmp_path / "run" / "tensorboard").glob("events*"))
  saved = json.loads((tmp_path / "run" / "config.json").read_text())
  assert saved.pop("format") == workdir.FORMAT
  assert saved == json.loads(base.resolve(config).to_json())
  # Nothing is left to a default of the library.
  assert "forget_bias=1.0" in saved["model"]["cell"]

  found = files.read_records(tmp_path / "run")
  train = [r for r in found if r["kind"] == "train"]
  validation = [r for r in found if r["kind"] == "validation"]
  assert [r["step"] for r in train] == [4, 6, 8, 12]
  assert [r["step"] for r in validation] == [6, 12]
  assert set(train[0]) == {
    "kind",
    "step",
    "loss",
    "bits_per_char",
    "perplexity",
    "grad_norm",
    "grad_norm/embed",
    "grad_norm/head",
    "grad_norm/rnn",
    "clipped_share",
    "learning_rate",
    "chars_per_second",
  }
  for record in found:
    assert record["bits_per_char"] == pytest.approx(
      record["loss"] / np.log(2), rel=1e-6
    )
    assert record["perplexity"] == pytest.approx(np.exp(record["loss"]))
  assert train[-1]["loss"] < train[0]["loss"]
  printed = capsys.readouterr().out
  assert "showcase/sample.txt" in printed
  assert "showcase/training.png" in printed
  assert "chars/s" in printed

  # The same command once more has nothing to train and says so.
  loop.train(config, tmp_path / "run")
  assert "step 12 done" in capsys.readouterr().out
  assert files.read_records(tmp_path / "run") == found


def test_more_steps_go_on(tmp_path, text_file, capsys):
  config = tiny(data={"path": text_file})
  loop.train(config, tmp_path)
  longer = tiny(data={"path": text_file}, steps=16)
  with pytest.raises(InputError, match="decay_steps was 12 and is 16") as error:
    loop.train(longer, tmp_path)
  # The remedy that it names is one that it takes.
  remedy = "--config.optimizer.decay_steps=12"
  assert remedy in str(error.value)
  field, _, value = remedy.removeprefix("--config.").partition("=")
  longer.update_from_flattened_dict({field: int(value)})
  assert longer.steps == 16
  loop.train(longer, tmp_path)
  assert "from step 12 to step 16" in capsys.readouterr().out


def test_another_config_is_refused(tmp_path, text_file):
  loop.train(tiny(data={"path": text_file}), tmp_path)
  with pytest.raises(InputError, match="seed was 0 and is 1; use a new"):
    loop.train(tiny(data={"path": text_file}, seed=1), tmp_path)


def test_a_changed_text_is_refused(tmp_path, text_file):
  config = tiny(data={"path": text_file})
  loop.train(config, tmp_path / "run")
  pathlib.Path(text_file).write_text("another text " * 300)
  with pytest.raises(InputError, match="the text has changed since"):
    loop.train(config, tmp_path / "run")


def test_a_mistake_leaves_no_run_behind(tmp_path, text_file):
  with pytest.raises(InputError, match="batch_size x window"):
    loop.train(tiny(data={"path": text_file}, window=5000), tmp_path / "run")
  loop.train(tiny(data={"path": text_file}), tmp_path / "run")


def test_divergence_stops_and_keeps_the_last_good_checkpoint(
  tmp_path, text_file, monkeypatch
):
  """From step 9 on the loss is NaN; the checkpoint of step 6 stays."""
  create = base.create

  def poisoned(config, directory):
    task = create(config, directory)
    loss = task.loss

    def bad_loss(params, batch, carry, key):
      (value, count), _, carry = loss(params, batch, carry, key)
      # The loop's key of step n is fold_in(key, n): recognisable.
      ninth = jax.random.fold_in(run_key, 8)
      poison = (jax.random.key_data(key) == jax.random.key_data(ninth)).all()
      value = jnp.where(poison, jnp.nan, value)
      return (value, count), {}, carry

    task.loss = bad_loss
    return task

  monkeypatch.setattr(base, "create", poisoned)
  config = tiny(data={"path": text_file})
  run_key = jax.random.split(jax.random.key(config.seed))[1]
  with pytest.raises(
    TrainingDiverged,
    match=r"step 9: loss is nan, gradient norm .*finite loss was \d\.\d{4}",
  ) as error:
    loop.train(config, tmp_path / "run")
  assert "\n" not in str(error.value)
  assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["6"]


def test_saved_arrays_are_not_those_being_trained(tmp_path, text_file):
  """A checkpoint must hold its own step though the state is donated."""
  config = tiny(data={"path": text_file})
  task = base.create(config)
  shardings = make_shardings(config.batch_size)
  state = train_state.init_state(task, config)
  layout = shardings.of_state(state)
  state = jax.device_put(state, layout)
  step = train_state.make_train_step(task, config, state, shardings)
  batches = task.train_batches()
  target = checkpoint.abstract(state, layout)
  folder = tmp_path / "checkpoints"
  with checkpoint.Writer(folder, keep=20) as checkpoints:
    expected = {}
    for number in range(1, 9):
      state, _ = step(state, jax.device_put(next(batches), shardings.batch))
      expected[number] = jax.device_get(state._replace(key=0))
      checkpoints.save(state, {"number": number})
    checkpoints.wait()
  for number in range(8, 0, -1):
    loaded, extra = checkpoint.restore_latest(folder, target, warn=pytest.fail)
    assert extra == {"number": number}
    assert type(loaded) is train_state.TrainState
    jax.tree.map(
      np.testing.assert_array_equal,
      jax.device_get(loaded._replace(key=0)),
      expected[number],
    )
    shutil.rmtree(folder / str(number))
  assert checkpoint.restore_latest(folder, target, warn=pytest.fail) is None


def optimizer_config(**changes):
  config = load("char_lm").optimizer.copy_and_resolve_references()
  config.update(changes)
  return config


def test_the_norm_is_measured_before_clipping():
  transform = optimizer.create(
    optimizer_config(name="sgd", momentum=0.0, clip_norm=0.5, warmup_steps=0)
  )
  params = {"w": jnp.zeros((2, 2))}
  grads = {"w": jnp.array([[3.0, 0.0], [0.0, 4.0]])}
  updates, state = transform.update(grads, transform.init(params), params)
  assert optax.tree.get(state, "grad_norm") == 5.0
  rate = optimizer.learning_rate(optimizer_config(warmup_steps=0))(0)
  np.testing.assert_allclose(updates["w"], -rate * grads["w"] / 10, rtol=1e-6)


@pytest.mark.parametrize(
  ("decay", "middle"), [("constant", 1.0), ("linear", 0.55), ("cosine", 0.55)]
)
def test_learning_rate(decay, middle):
  schedule = optimizer.learning_rate(
    optimizer_config(
      learning_rate=2.0,
      warmup_steps=10,
      decay=decay,
      decay_steps=110,
      final_fraction=0.1,
    )
  )
  rates = [float(schedule(step)) for step in (0, 5, 10, 60, 110, 500)]
  end = 2.0 if decay == "constant" else 0.2
  warm = 2.0 / 11 + (2.0 - 2.0 / 11) / 2
  expected = [2.0 / 11, warm, 2.0, 2.0 * middle, end, end]
  np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_weight_decay_spares_biases():
  config = optimizer_config(
    weight_decay=0.5, learning_rate=1.0, warmup_steps=0, decay="constant"
  )
  transform = optimizer.create(config)
  params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
  zeros = jax.tree.map(jnp.zeros_like, params)
  updates, _ = transform.update(zeros, transform.init(params), params)
  np.testing.assert_allclose(updates["kernel"], -0.5)
  np.testing.assert_array_equal(updates["bias"], 0.0)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"name": "adagrad"}, "optimizer.name is 'adagrad', expected one of adaf"),
    ({"decay": "exp"}, "optimizer.decay is 'exp'"),
    ({"learning_rate": 0.0}, "learning_rate is 0.0"),
    ({"clip_norm": -1.0}, "clip_norm is -1.0"),
  ],
)
def test_bad_optimizer(changes, message):
  with pytest.raises(InputError, match=message):
    optimizer.create(optimizer_config(**changes))


def test_a_record_cut_short_is_dropped(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_text('{"kind": "train", "step": 1}\n{"kind": "tr')
  assert files.read_records(tmp_path) == [{"kind": "train", "step": 1}]
  with metrics.Writer(tmp_path, first_step=1) as writer:
    writer.write("train", 2, {"loss": 1.0})
  assert [r["step"] for r in files.read_records(tmp_path)] == [1, 2]
  with metrics.Writer(tmp_path, first_step=1):
    pass
  assert [r["step"] for r in files.read_records(tmp_path)] == [1]


def test_flatten():
  assert workdir.flatten({"a": {"b": 1, "c": {}}, "d": 2}) == {"a.b": 1, "d": 2}


def test_the_probe_draws_the_gradient_over_the_lag(tmp_path, text_file, capsys):
  config = tiny(data={"path": text_file})
  with config.unlocked():
    config.model.num_layers = 2
    config.probes.gradients_every = 5
    config.optimizer.clip_norm = 1e-3
  assert loop.train(config, tmp_path) == 0
  pictures = sorted(p.name for p in (tmp_path / "showcase").glob("grad*.png"))
  assert pictures == ["gradients_0000005.png", "gradients_0000010.png"]
  found = files.read_records(tmp_path)
  found = [r for r in found if r["kind"] == "gradients"]
  assert [r["step"] for r in found] == [5, 10]
  for record in found:
    assert record["clipped_share"] == 1.0
    assert 1 <= record["layer 0 horizon"] <= config.window
    assert 0 < record["layer 1 rate"] < 2
  assert "gradient horizon in steps: layer 0" in capsys.readouterr().out


def test_the_probe_changes_no_step(tmp_path, text_file):
  finals = []
  for every in (0, 3):
    config = tiny(data={"path": text_file})
    with config.unlocked():
      config.probes.gradients_every = every
    loop.train(config, tmp_path / str(every))
    finals.append(files.read_records(tmp_path / str(every))[-1]["loss"])
  assert finals[0] == finals[1]


def test_what_changes_no_step_may_change(tmp_path, text_file):
  loop.train(tiny(data={"path": text_file}), tmp_path)
  other = tiny(data={"path": text_file}, steps=14)
  with other.unlocked():
    other.update(
      log_every=1,
      eval_every=7,
      eval_batch_size=2,
      checkpoint_every=7,
      keep_checkpoints=1,
    )
    other.optimizer.decay_steps = 12
    other.showcase.update(num_tokens=5, temperature=0.5)
    other.probes.gradients_every = 14
  assert loop.train(other, tmp_path) == 0
  assert len((tmp_path / "showcase" / "sample.txt").read_text()) == 5 + 1
  # What was changed is what is on record from now on.
  assert workdir.load_config(tmp_path).log_every == 1


def test_another_format_is_not_called_damage(tmp_path, text_file):
  config = tiny(data={"path": text_file})
  loop.train(config, tmp_path)
  path = tmp_path / "config.json"
  content = json.loads(path.read_text())
  for number in (None, workdir.FORMAT + 1):
    content.pop("format", None)
    if number:
      content["format"] = number
    path.write_text(json.dumps(content))
    for act in (
      lambda: loop.load(tmp_path),
      lambda: loop.train(config, tmp_path),
    ):
      with pytest.raises(
        InputError, match=f"is of format {number or 1}, this v"
      ):
        act()


def test_another_structure_is_not_called_damage(tmp_path, text_file):
  """A library that builds other parameters from the same config."""
  config = tiny(data={"path": text_file})
  loop.train(config, tmp_path)
  path = tmp_path / "config.json"
  content = json.loads(path.read_text())
  content["model"]["embed_size"] = 5
  path.write_text(json.dumps(content))
  with pytest.raises(
    InputError, match=r"made by another version of the model: .*embed.* is fl"
  ) as error:
    loop.load(tmp_path)
  assert "damaged" not in str(error.value)
  assert len(list((tmp_path / "checkpoints").iterdir())) == 2


@pytest.mark.parametrize("damage", ["flipped", "gone", "of another run"])
def test_a_damaged_vocabulary_is_noticed(tmp_path, text_file, damage):
  """No run goes on, or writes, with other symbols than it was trained on."""
  config = tiny(data={"path": text_file})
  loop.train(config, tmp_path)
  path = tmp_path / "task.json"
  text = path.read_text()
  if damage == "gone":
    path.unlink()
  elif damage == "flipped":
    path.write_text(text.replace('"q"', '"Q"'))
  else:
    path.write_text(text.replace('"a", ', "", 1))
  for act in (
    lambda: loop.load(tmp_path),
    lambda: loop.train(config, tmp_path),
  ):
    with pytest.raises(InputError, match="task.json is damaged or missing"):
      act()
  path.write_text(text)
  loop.load(tmp_path)


def test_a_showcase_that_raises_costs_no_run(
  tmp_path, text_file, monkeypatch, capsys
):
  from seqjax.tasks.language_model import LanguageModeling

  def broken(self, params, directory):
    raise RuntimeError("no ink\nat all")

  monkeypatch.setattr(LanguageModeling, "showcase", broken)
  assert loop.train(tiny(data={"path": text_file}), tmp_path) == 0
  said = capsys.readouterr().out
  assert "the showcase failed (RuntimeError: no ink); where: " in said
  trace = (tmp_path / "showcase" / "error.txt").read_text()
  assert "RuntimeError: no ink" in trace
  assert "Traceback" in trace
  assert (tmp_path / "showcase" / "training.png").exists()
  loop.load(tmp_path)
  # Once it goes well the trace is gone.
  monkeypatch.undo()
  assert loop.train(tiny(data={"path": text_file}), tmp_path) == 0
  assert not (tmp_path / "showcase" / "error.txt").exists()
  assert (tmp_path / "showcase" / "sample.txt").exists()


def test_parts_of_a_batch_add_up(text_file):
  """Sums and counts: the loop divides once."""
  task = base.create(tiny(data={"path": text_file}))
  params = task.init(jax.random.key(0))
  batch = next(task.train_batches())
  carry = task.initial_carry(params)
  (total, count), _, _ = task.loss(params, batch, carry, None)
  sums = counts = 0.0
  for rows in (slice(0, 1), slice(1, 4)):
    part = jax.tree.map(lambda x, r=rows: x[r], (batch, carry))
    (some, n), _, _ = task.loss(params, *part, None)
    sums, counts = sums + some, counts + n
  assert counts == count
  np.testing.assert_allclose(sums, total, rtol=1e-5)


def test_a_field_that_begins_like_one_that_may_change(tmp_path):
  config = load("char_lm")
  with config.unlocked():
    config.steps_ahead = 3
  workdir.save_config(tmp_path, config)
  config.steps_ahead = 4
  with pytest.raises(InputError, match="steps_ahead was 3 and is 4"):
    workdir.check_config(tmp_path, config)
