"""Every application on its default: trains, evaluates, shows, predicts."""

import json
import pathlib
import runpy

import jax
import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sklearn_metrics

from seqjax.data import conll
from seqjax.errors import InputError
from seqjax.tasks import base, classification
from seqjax.train import folds, loop

ROOT = pathlib.Path(__file__).parents[2]


def experiment(name, **changes):
  """The config of `experiments/NAME[:VARIANT].py`, made small."""
  name, _, variant = name.partition(":")
  module = runpy.run_path(str(ROOT / "experiments" / f"{name}.py"))
  config = module["get_config"](*([variant] if variant else []))
  small = {
    "steps": 2,
    "batch_size": 8,
    "log_every": 1,
    "eval_every": 2,
    "checkpoint_every": 2,
    "eval_batch_size": 16,
    "eval_batches": 1,
    "num_buckets": 1,
    "data.examples": 100,
    "model.hidden_size": 8,
    "model.embed_size": 8 if "word" in name else None,
  }
  if name == "forecast":
    small["data.examples"] = 1_200
  if name == "ball":  # fewer pictures to draw
    small |= {"data.observed": 4, "data.horizon": 5}
  if name == "ner":  # three recurrences in every program: small ones
    small["model.cell"] = "elman"
  flat = {**small, **changes}
  known = dict(_leaves(config))
  for field, value in flat.items():
    if field in changes or (field in known and value is not None):
      config.update_from_flattened_dict({field: value})
  return config


def _leaves(config, prefix=""):
  for key, value in config.items():
    if hasattr(value, "items"):
      yield from _leaves(value, f"{prefix}{key}.")
    else:
      yield f"{prefix}{key}", value


DEFAULTS = {
  "pass_fail": ("confusion.png", "classes.txt"),
  "sentiment": ("confusion.png", "classes.txt", "attention.html"),
  "surnames": ("confusion.png", "classes.txt"),
  "dna": ("confusion.png", "classes.txt"),
  "pixels": ("confusion.png", "classes.txt"),
  "ner": ("entities.txt",),
  "forecast": ("forecast.png", "errors.txt"),
  "ball": ("roll_out.gif", "errors.png", "errors.txt"),
  "ball:images": ("roll_out.gif",),
  "next_word": ("complete.txt",),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  """`(directory, config)` of a run of two steps; made once each."""
  runs = {}

  def train(name):
    if name not in runs:
      directory = tmp_path_factory.mktemp(name.replace(":", "_"))
      config = experiment(name)
      assert loop.train(config, directory) == 0
      runs[name] = directory, config
    return runs[name]

  return train


def load(directory, config):
  task = base.create(config, directory)
  return task, loop.load_params(config, directory, task)[0]


@pytest.mark.parametrize("name", DEFAULTS)
def test_it_runs_on_its_default(trained, name):
  directory, _ = trained(name)
  records = [
    json.loads(line)
    for line in (directory / "metrics.jsonl").read_text().splitlines()
  ]
  validation = [r for r in records if r["kind"] == "validation"]
  assert len(validation) == 1
  assert all(np.isfinite(v) for v in validation[0].values() if v is not None
             and not isinstance(v, str))  # fmt: skip
  for file in (*DEFAULTS[name], "training.png"):
    assert (directory / "showcase" / file).stat().st_size > 0


def test_every_experiment_is_here():
  found = {path.stem for path in (ROOT / "experiments").glob("*.py")}
  others = {"char_lm", "gradient_norms", "long_memory", "memory_distance"}
  assert found - others == {name.partition(":")[0] for name in DEFAULTS}


def test_predict_keeps_the_order(trained, tmp_path):
  task, params = load(*trained("sentiment"))
  texts = ["the film was good", "bad", "", "not dull but brilliant", "x y z"]
  together = tmp_path / "all.txt"
  together.write_text("\n".join(texts) + "\n")
  lines = task.predict(params, input=str(together)).split("\n")
  assert len(lines) == len(texts)
  for text, line in zip(texts, lines, strict=True):
    if text:
      alone = tmp_path / "one.txt"
      alone.write_text(text + "\n")
      label, share = task.predict(params, input=str(alone)).split("\t")
      assert line.split("\t")[0] == label
      assert float(line.split("\t")[1]) == pytest.approx(float(share), abs=2e-4)


def test_logistic_regression_stands_beside_tables():
  """The students' rule is one: it gets what can be had, 81 %."""
  config = experiment("pass_fail", **{"data.examples": 4_000})
  task = base.create(config, None)
  found = task.scores(task.init(jax.random.key(0)), "test")
  assert found["logistic_regression"] == pytest.approx(0.81, abs=0.04)


def test_predict_from_standard_input(trained, monkeypatch):
  import io
  import sys

  task, params = load(*trained("surnames"))
  monkeypatch.setattr(sys, "stdin", io.StringIO("Liora\nBrogzak\n"))
  assert len(task.predict(params).split("\n")) == 2
  monkeypatch.setattr(sys, "stdin", io.StringIO(""))
  with pytest.raises(InputError, match="standard input is empty"):
    task.predict(params)


def test_predict_reads_tables_and_images(trained, tmp_path):
  task, params = load(*trained("pass_fail"))
  path = tmp_path / "students.csv"
  path.write_text("sleep;hours;attendance;failures\nenough;9;95;0\n?;1;50;3\n")
  assert len(task.predict(params, input=str(path)).split("\n")) == 2
  path.write_text("sleep;hours;attendance\nenough;9;95\n")
  with pytest.raises(InputError, match=":1: no column 'failures'"):
    task.predict(params, input=str(path))
  path.write_text("sleep;hours;attendance;failures\nenough;many;95;0\n")
  with pytest.raises(InputError, match=":2: hours is 'many', expected a fin"):
    task.predict(params, input=str(path))
  task, params = load(*trained("pixels"))
  path = tmp_path / "images"
  path.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 12]))
  path.write_bytes(path.read_bytes() + bytes(144))
  assert len(task.predict(params, input=str(path)).split("\n")) == 1
  path.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]))
  with pytest.raises(InputError, match=r"images have shape \(1, 1\), expected"):
    task.predict(params, input=str(path))


def test_balanced_accuracy_is_scikit_learns(trained):
  task, params = load(*trained("surnames"))
  arrays, labels = task._encoded("validation")
  rows = task._probabilities(params, arrays, labels)
  expected = sklearn_metrics.balanced_accuracy_score(labels, rows.argmax(-1))
  found = task.scores(params, "validation")["balanced_accuracy"]
  assert found == pytest.approx(expected)
  batches = loop.evaluate(task, params, "validation", jax.jit(task.evaluate))
  assert batches["accuracy"] == pytest.approx(
    (rows.argmax(-1) == labels).mean()
  )


@pytest.mark.parametrize("name", ["sentiment", "dna", "ner"])
def test_padding_changes_nothing(trained, name):
  """The evaluation does not depend on how examples share batches."""
  task, params = load(*trained(name))
  step = jax.jit(task.evaluate)
  first = loop.evaluate(task, params, "validation", step)
  with task._config.unlocked():
    task._config.eval_batch_size, task._config.num_buckets = 5, 2
  second = loop.evaluate(task, params, "validation", step)
  with task._config.unlocked():
    task._config.eval_batch_size, task._config.num_buckets = 16, 1
  for metric, value in first.items():
    assert second[metric] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_tag_gives_conll(trained, tmp_path):
  task, params = load(*trained("ner"))
  path = tmp_path / "sentences.txt"
  path.write_text("Jim bought shares .\nWho ?\n")
  written = tmp_path / "tagged.conll"
  written.write_text(task.tag(params, input=str(path)))
  found = conll.read(written)
  assert [s.tokens for s in found] == [
    ["Jim", "bought", "shares", "."],
    ["Who", "?"],
  ]


def test_forecast_writes_a_csv_and_a_plot(trained, tmp_path):
  task, params = load(*trained("forecast"))
  csv, png = task.forecast(params, output=str(tmp_path / "out")).split("\n")
  rows = pathlib.Path(csv).read_text().splitlines()
  assert rows[0] == "date,value"
  assert len(rows) == 1 + 24
  assert rows[1].startswith("2024-02-20 00:00:00,")  # 1,200 hours after
  with Image.open(png) as picture:
    assert picture.size[0] > 500
  path = tmp_path / "short.csv"
  path.write_text("date,value\n2020-01-01,1\n2020-01-02,1\n")
  with pytest.raises(
    InputError, match="2 rows, expected at least the lookback"
  ):
    task.forecast(params, input=str(path))
  path.write_text("date,other\n2020-01-01,1\n")
  with pytest.raises(InputError, match="the columns are other, expected value"):
    task.forecast(params, input=str(path))


def test_forecast_windows(trained):
  """Every window of a part once; scaling of the training part alone."""
  task, _ = load(*trained("forecast"))
  data = task._config.data
  train, validation, _ = task._ends
  values = task._values[:, 0]
  np.testing.assert_allclose(values[:train].mean(), 0, atol=1e-5)
  np.testing.assert_allclose(values[:train].std(), 1, rtol=1e-5)
  futures = [
    row
    for batch in task.evaluation_batches("validation")
    for row, weight in zip(batch.future[..., 0], batch.weights, strict=True)
    if weight
  ]
  count = validation - train - data.horizon + 1
  expected = [values[train + i :][: data.horizon] for i in range(count)]
  np.testing.assert_array_equal(futures, expected)
  batch = next(iter(task.evaluation_batches("validation")))
  naive, seasonal = task._baselines(batch.past)
  np.testing.assert_array_equal(naive[:, 5], batch.past[:, -1])
  np.testing.assert_array_equal(
    seasonal[0, :, 0], values[train - data.season :][: data.horizon]
  )


def test_roll_out_goes_on(trained, tmp_path):
  task, params = load(*trained("ball"))
  rows = task.roll_out(params).split("\n")
  assert rows[0] == "trajectory,step,x,y"
  assert len(rows) == 1 + 5 * 5
  path = tmp_path / "short.csv"
  path.write_text("trajectory,x,y\na,0.1,0.1\n")
  with pytest.raises(InputError, match="trajectory 1 has 1 rows, expected at"):
    task.roll_out(params, input=str(path))


def test_complete_ranks_words(trained):
  task, params = load(*trained("next_word"))
  lines = task.complete(params, prompt="the value of the ___ is", top_k=4)
  first, *ranked = lines.split("\n")
  assert first == "the value of the ___"
  shares = [float(line.split("%")[0]) for line in ranked]
  assert len(shares) == 4
  assert shares == sorted(shares, reverse=True)
  assert "not in the vocabulary: qwzx" in task.complete(params, prompt="qwzx")
  with pytest.raises(InputError, match="--prompt is empty"):
    task.complete(params, prompt="___")


def test_own_trajectories(tmp_path):
  """A file in its own units, through training and back."""
  from seqjax.data import physics

  paths = 100 * physics.simulate(np.random.default_rng(0), 30, 11) - 20
  rows = [f"{i},{x},{y}" for i, path in enumerate(paths) for x, y in path]
  file = tmp_path / "balls.csv"
  file.write_text("\n".join(["trajectory,x,y", *rows]) + "\n")
  config = experiment("ball", **{"data.path": str(file)})
  assert loop.train(config, tmp_path / "run") == 0
  task, params = load(tmp_path / "run", config)
  corner, size = task._box
  assert (corner < 0).all()
  assert (size > 50).all()
  assert len(task.roll_out(params, input=str(file)).split("\n")) == 1 + 30 * 5


@pytest.mark.parametrize("name", ["forecast", "ball"])
def test_two_layers(tmp_path, name):
  config = experiment(name, **{"model.num_layers": 2})
  assert loop.train(config, tmp_path) == 0


def test_pixels_in_a_fixed_random_order(tmp_path):
  config = experiment("pixels", **{"data.order": "permuted"})
  assert loop.train(config, tmp_path) == 0
  task, _ = load(tmp_path, config)
  image = np.arange(144, dtype=np.uint8).reshape(12, 12)
  found = task.encoder.encode(image)
  assert found.shape == (144, 1)
  assert (found[:, 0] != image.reshape(-1) / 255).any()
  np.testing.assert_allclose(np.sort(found[:, 0]), np.arange(144) / 255)
  again = base.create(config, None).encoder
  np.testing.assert_array_equal(again.encode(image), found)


def test_cross_validation(tmp_path, capsys):
  config = experiment("pass_fail", **{"data.num_folds": 3})
  assert folds.cross_validate(config, tmp_path) == 0
  result = json.loads((tmp_path / "cross_validation.json").read_text())
  values = [fold["accuracy"] for fold in result["folds"]]
  assert len(values) == 3
  assert result["mean"]["accuracy"] == pytest.approx(np.mean(values))
  assert "accuracy: " in capsys.readouterr().out
  with pytest.raises(InputError, match="num_folds is 0, expected at least 2"):
    folds.cross_validate(experiment("dna"), tmp_path / "none")


def test_equal_sequences_are_in_one_fold():
  config = experiment("dna", **{"data.num_folds": 3, "data.fold": 1})
  parts = classification.load(config.data, 0)
  train, test = ({e.inputs for e in p} for p in (parts.train, parts.test))
  assert not train & test


@pytest.mark.parametrize(
  ("name", "field", "value", "message"),
  [
    ("sentiment", "data.format", "tvs", "config.data.format is 'tvs', expec"),
    ("sentiment", "model.pool", "max", "config.model.pool is 'max', expected"),
    ("sentiment", "model.dropout", 1.5, "config.model.dropout is 1.5"),
    ("sentiment", "data.path", "/no/such", "/no/such, which does not exist"),
    ("pixels", "data.order", "columns", "config.data.order is 'columns'"),
    ("pass_fail", "num_buckets", 0, "config.num_buckets is 0, expected >= 1"),
    ("ner", "model.char_hidden_size", 0, "char_hidden_size is 0, expected"),
    ("forecast", "model.segment", 7, "config.model.segment is 7, expected a d"),
    ("forecast", "loss", "mean", "config.loss is 'mean', expected one of mse"),
    ("forecast", "data.season", 400, "config.data.season is 400, expected at"),
    ("forecast", "data.test", 5_000.0, "no more than 1200 in all"),
    ("ball", "data.input", "video", "config.data.input is 'video', expected"),
    ("ball", "data.observed", 1, "config.data.observed is 1, expected at lea"),
    ("next_word", "data.tokenizer", "bpe", "config.data.tokenizer is 'bpe'"),
    ("next_word", "data.min_count", 0, "config.data.min_count is 0, expected"),
  ],
)
def test_mistakes(tmp_path, name, field, value, message):
  config = experiment(name, **{field: value})
  with pytest.raises(InputError, match=message):
    loop.train(config, tmp_path)


def test_a_label_unseen_in_training(tmp_path):
  for part, rows in (("train", "a\t0\nb\t1\n"), ("dev", "c\t2\n")):
    (tmp_path / f"{part}.tsv").write_text(rows)
  (tmp_path / "test.tsv").write_text("a\t0\n")
  config = experiment("sentiment", **{"data.path": str(tmp_path)})
  with pytest.raises(InputError, match="validation part holds the label '2'"):
    loop.train(config, tmp_path / "run")


def test_a_tag_unseen_in_training(tmp_path):
  for part, kind in (("train", "x"), ("dev", "y"), ("test", "x")):
    (tmp_path / f"{part}.conll").write_text(f"Jim\tB-{kind}\nran\tO\n")
  config = experiment("ner", **{"data.path": str(tmp_path)})
  with pytest.raises(InputError, match=r"holds the tag 'B-y' \('Jim'\)"):
    loop.train(config, tmp_path / "run")


def test_the_probe_follows_a_classifier(tmp_path):
  config = experiment("sentiment", **{"probes.gradients_every": 2})
  assert loop.train(config, tmp_path) == 0
  assert (tmp_path / "showcase" / "gradients_0000002.png").exists()
