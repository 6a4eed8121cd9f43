"""Every experiment on its default: trains, evaluates, shows."""

import json
import runpy
import shutil

import chex
import numpy as np
import pytest

from seqjax.config import find_module
from seqjax.data import examples
from seqjax.tasks import base
from seqjax.train import loop, showcase
from tests import experiments

SHOWS = {
  "char_lm": ("sample.txt",),
  "next_word": ("sample.txt", "complete.txt"),
  "pass_fail": ("confusion.png", "classes.txt"),
  "sentiment": ("confusion.png", "classes.txt", "attention.html"),
  "masked_lm": ("masked.txt",),
  "music": ("tune.abc",),
  "chorales": ("chorale.mid", "chorale.wav", "chorale.png"),
  "surnames": ("confusion.png", "classes.txt"),
  "dna": ("confusion.png", "classes.txt", "attention.html"),
  "pixels": ("confusion.png", "classes.txt"),
  "signals": ("confusion.png", "reliability.png", "attention.png"),
  "digits": ("confusion.png", "classes.txt", "attention.png"),
  "speech": ("transcripts.txt", "spectrogram.png"),
  "ner": ("entities.txt",),
  "protein": ("structures.txt",),
  "forecast": ("forecast.png", "errors.txt", "errors.png", "errors.csv"),
  "forecast:quantiles": ("forecast.png", "errors.txt", "errors.png"),
  "ball": ("roll_out.gif", "errors.png", "errors.txt"),
  "ball:images": ("roll_out.gif",),
  "translate": ("translations.txt", "alignment.png"),
  "caption": ("captions.txt", "attention_1.png"),
  "detect": ("boxes.png", "precision.png"),
  "long_memory": ("examples.txt",),
  "long_memory:recall": ("examples.txt",),
}
STUDIES = "gradient_norms", "memory_distance", "sentence_length"


@pytest.mark.parametrize("name", SHOWS)
def test_it_runs_on_its_default(trained, name):
  task, _ = trained(name)
  directory = task.directory
  records = [
    json.loads(line)
    for line in (directory / "metrics.jsonl").read_text().splitlines()
  ]
  validation = [r for r in records if r["kind"] == "validation"]
  assert len(validation) == 1
  values = [v for v in validation[0].values() if not isinstance(v, str)]
  assert np.isfinite(values).all()
  # A showcase that raises is told in one line and costs no run: look for it.
  assert not (directory / "showcase" / "error.txt").exists()
  for file in (*SHOWS[name], "training.png"):
    assert (directory / "showcase" / file).stat().st_size > 0


def test_every_experiment_is_here():
  found = {name.partition(":")[0] for name in SHOWS}
  assert found | set(STUDIES) == set(experiments.names())


@pytest.mark.parametrize("name", experiments.names())
def test_every_variant_of_every_file(name):
  """Each is a config of its own, that its task or study accepts."""
  configs = []
  for variant in experiments.variants(name):
    config = experiments.load(f"{name}:{variant}")
    configs.append(config.to_json())
    if "study" in config:
      find_module("config.study", config.study, "seqjax.studies", ["run"])
    else:
      base.create(base.resolve(config))
  assert len(set(configs)) == len(configs)
  # The first is the default, and the docstring names them all.
  assert experiments.load(name).to_json() == configs[0]
  doc = runpy.run_path(str(experiments.FOLDER / f"{name}.py"))["__doc__"]
  for variant in experiments.variants(name):
    assert variant in doc


@pytest.mark.parametrize(
  "name",
  [
    "sentiment",
    "masked_lm",
    "signals",
    "ner",
    "protein",
    "translate",
    "forecast",
    "forecast:quantiles",
    "detect",
    "chorales",
  ],
)
def test_how_examples_share_batches_changes_nothing(trained, name):
  task, params = trained(name)
  first, _ = task.evaluate_split(params, "validation")
  config = task.config.copy_and_resolve_references()
  config.eval_batch_size = 5
  if "num_buckets" in config:
    config.num_buckets = 2
  other = base.create(config, task.directory)
  second, _ = other.evaluate_split(params, "validation")
  assert set(first) == set(second)
  for metric, value in first.items():
    assert second[metric] == pytest.approx(value, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
  "name", ["sentiment", "ner", "translate", "ball", "next_word"]
)
def test_an_evaluation_is_one_pass(trained, name, monkeypatch):
  """The model sees each batch of a split once, scores included."""
  task, params = trained(name)
  batches, seen = task.evaluation_batches, []

  def counted(split):
    for batch in batches(split):
      seen.append(split)
      yield batch

  monkeypatch.setattr(task, "evaluation_batches", counted)
  expected = len(list(batches("validation")))
  calls = []
  evaluate = task._evaluate
  task.__dict__["_evaluate"] = lambda *a: (calls.append(1), evaluate(*a))[1]
  try:
    task.evaluate_split(params, "validation")
  finally:
    task.__dict__["_evaluate"] = evaluate
  assert seen == ["validation"] * expected
  assert len(calls) == expected


# An image in patches behind convolutions, changed at every step, a class token.
PATCHES = {
  "data.order": "patches",
  "data.shift": 1,
  "data.flip": True,
  "model.layer": "transformer_encoder(heads=2, positions='learned')",
  "model.pool": "class_token",
  "model.channels": (4,),
  "model.strides": (4,),
}


@pytest.mark.parametrize(
  ("name", "changes"),
  [
    ("pixels", PATCHES),
    ("masked_lm", {}),
    ("detect", {}),
    ("music", {}),
    ("chorales", {"data.transpose": 5, "optimizer.ema_decay": 0.9}),
    ("speech", {"data.speed": 0.1, "data.noise": 0.1, "data.time_masks": 1}),
  ],
)
def test_a_run_that_goes_on_ends_as_if_it_never_stopped(
  tmp_path, monkeypatch, name, changes
):
  """Bit by bit: what a step draws is a function of the seed and the step."""
  monkeypatch.setattr(showcase, "show", lambda *_: None)
  config = experiments.small(name, **changes, steps=4, eval_every=4)
  assert loop.train(config, tmp_path / "whole") == 0
  shutil.copytree(tmp_path / "whole", tmp_path / "again")
  shutil.rmtree(tmp_path / "again" / "checkpoints" / "4")
  assert loop.train(config, tmp_path / "again") == 0
  ends = [loop.load(tmp_path / run, "last")[1] for run in ("whole", "again")]
  chex.assert_trees_all_equal(*ends)


@pytest.mark.parametrize("name", ["forecast", "ball"])
def test_two_layers(tmp_path, name):
  config = experiments.small(name, **{"model.num_layers": 2})
  assert loop.train(config, tmp_path) == 0


MISTAKES = [
  ("next_word", "ngram", 1, "config.ngram is 1, expected one of 0, 2, 3"),
  ("music", "data.tokenizer", "words", "tokenizer is 'words', expected one"),
  ("sentiment", "data.format", "tvs", "config.data.format is 'tvs'.*expec"),
  ("sentiment", "model.pool", "max", "config.model.pool is 'max', expected"),
  ("sentiment", "model.dropout", 1.5, "config.model.dropout is 1.5"),
  ("sentiment", "model.embed_size", -3, "config.model.embed_size is -3"),
  ("sentiment", "model.hidden_size", -3, "hidden_size is -3, expected"),
  ("sentiment", "data.path", "/no/such", "/no/such, which does not exist"),
  ("pixels", "data.order", "columns", "config.data.order is 'columns'"),
  ("signals", "data.missing", "drop", "config.data.missing is 'drop', expect"),
  ("signals", "model.input_noise", -1.0, "input_noise is -1.0, expected >= 0"),
  (
    "pass_fail",
    "num_buckets",
    0,
    "config.num_buckets is 0, expected a whole number >= 1",
  ),
  ("pass_fail", "model.hidden_size", -1, "hidden_size is -1, expected"),
  ("ner", "model.char_hidden_size", 0, "char_hidden_size is 0, expected"),
  ("ner", "data.min_count", 0, "config.data.min_count is 0, expected"),
  ("ner", "model.read_out", "sum", "config.model.read_out is 'sum', expected"),
  ("ner", "model.decode", "best", "config.model.decode is 'best', expected"),
  ("protein", "model.neighbours", -1, "config.model.neighbours is -1, exp"),
  ("protein", "model.neighbours", 2, "config.model.filters is 0, expected"),
  ("protein", "data.alphabet", "greek", "config.data.alphabet is 'greek', ex"),
  ("protein", "data.format", "dna", "config.data.format is 'dna'.*one of conl"),
  ("dna", "data.alphabet", "DNA", "alphabet is 'DNA', expected one of dna, rn"),
  ("forecast", "model.segment", 7, "config.model.segment is 7, expected a d"),
  ("forecast", "loss", "mean", "config.loss is 'mean', expected one of mse"),
  ("forecast", "data.season", 400, "config.data.season is 400, expected at"),
  ("forecast", "model.quantiles", (0.1, 0.5), r"quantiles is \(0.1, 0.5\), ex"),
  ("forecast", "model.quantiles", ("a",), r"quantiles is \('a',\), expected"),
  ("forecast", "data.test", 5_000.0, "no more than 1200 in all"),
  ("ball", "data.input", "video", "config.data.input is 'video', expected"),
  (
    "ball",
    "data.observed",
    1,
    "config.data.observed is 1, expected a whole number >= 2",
  ),
  ("translate", "data.tokenizer", "bpe", "config.data.tokenizer is 'bpe'"),
  ("translate", "model.attention", "adaptive", "attention is 'adaptive', ex"),
  ("translate", "model.attention", "dot", "query_size is 8, expected memory_s"),
  ("translate", "model.decoder", "gru", "config.model.decoder is 'gru', expe"),
  ("translate", "model.bridge", "london", "config.model.bridge is 'london', e"),
  ("translate", "model.bridge", "copy", "bridge is 'copy', expected 'learned'"),
  (
    "translate",
    "model.share_embeddings",
    True,
    "share_embeddings is True, e",
  ),
  (
    "translate",
    "model.embed_dropout",
    1.0,
    "model.embed_dropout is 1.0",
  ),
  ("translate", "label_smoothing", 1.0, "config.label_smoothing is 1.0, expec"),
  (
    "translate",
    "scheduled_sampling",
    -0.1,
    "scheduled_sampling is -0.1, ex",
  ),
  ("translate", "decode.beam", 0, "config.decode.beam is 0, expected"),
  ("translate", "decode.alpha", -1.0, "config.decode.alpha is -1.0, expected"),
  ("translate", "decode.max_ratio", -1.0, "config.decode.max_ratio is -1.0"),
  ("translate", "decode.max_extra", 0, "config.decode.max_extra is 0, expect"),
  (
    "translate",
    "best_metric",
    "blue",
    "config.best_metric is 'blue'",
  ),
  ("translate", "data.max_length", 2, "config.data.max_length is 2, which lea"),
  ("detect", "data.images", "/no/such", "config.data.boxes is empty, expected"),
  ("detect", "data.image_size", 31, "image_size is 31, expected 32 pixels or"),
  ("detect", "model.num_queries", 4, "num_queries is 4, expected at least 5"),
  ("detect", "model.strides", (4,), r"strides is \(4,\), expected one more"),
  ("detect", "model.region_size", 7, "regions have 7 features, expected an ev"),
  ("detect", "model.heads", 3, "heads is 3, expected a divisor of the size, 8"),
  ("next_word", "data.tokenizer", "bpe", "config.data.tokenizer is 'bpe'"),
  ("next_word", "data.min_count", 0, "config.data.min_count is 0, expected"),
  ("char_lm", "window", 0, "config.window is 0"),
  ("char_lm", "model.layer", "rmm", "config.model.layer is 'rmm', expected"),
  ("char_lm", "showcase.top_p", 2.0, "config.showcase.top_p is 2.0"),
  ("char_lm", "showcase.prompt", "\u4e2d", "prompt holds '\u4e2d', which"),
  ("char_lm", "probes.gradients_every", -1, "gradients_every is -1"),
  ("long_memory", "data.distance", 0, "config.data.distance is 0, expected"),
  ("char_lm", "seed", -1, "config.seed is -1, expected a whole number >= 0"),
  ("char_lm", "optimizer.b2", 1.0, "config.optimizer.b2 is 1.0, expected a r"),
  ("char_lm", "keep_checkpoints", 0, "config.keep_checkpoints is 0"),
]


@pytest.mark.parametrize(("name", "field", "value", "message"), MISTAKES)
def test_mistakes(tmp_path, name, field, value, message):
  """One line before step 1, and no run is left behind."""
  config = experiments.small(name, **{field: value})
  with pytest.raises(examples.InputError, match=message) as error:
    loop.train(config, tmp_path)
  assert "\n" not in str(error.value)
  assert not (tmp_path / "config.json").exists()


NO_PROBE = [
  ("protein", "gradients_every is 2, expected 0: .*the task has none"),
  ("ner", "gradients_every is 2, expected 0: .*the task has none"),
  ("translate", "gradients_every is 2, expected 0: .*the task has none"),
  ("forecast", "gradients_every is 2, expected 0: .*the task has none"),
  ("ball", "gradients_every is 2, expected 0: .*the task has none"),
  ("pass_fail", "gradients_every is 2, expected 0: .*FeedForward"),
]


@pytest.mark.parametrize(("name", "message"), NO_PROBE)
def test_a_probe_that_cannot_be_is_refused_before_step_1(
  tmp_path, name, message
):
  config = experiments.small(name, **{"probes.gradients_every": 2})
  with pytest.raises(examples.InputError, match=message):
    loop.train(config, tmp_path)
  assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize("name", ["sentiment", "surnames", "pixels"])
def test_the_probe_follows_a_classifier(tmp_path, name):
  config = experiments.small(name, **{"probes.gradients_every": 2})
  assert loop.train(config, tmp_path) == 0
  assert (tmp_path / "showcase" / "gradients_0000002.png").exists()
