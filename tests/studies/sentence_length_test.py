"""The study of lengths, on models that are trained for two steps."""

import json
import signal

import pytest

from seqjax.data import bleu
from seqjax.errors import InputError
from seqjax.studies import base, sentence_length
from seqjax.train import loop, restore
from tests import experiments

SMALL = {
  "data": {"examples": 60, "validation": 0.0, "test": 0.4},
  "batch_size": 8,
  "batch_by_tokens": False,
  "eval_batch_size": 32,
  "num_buckets": 1,
  "model": {
    "layer": "rnn",
    "cell": "elman",
    "hidden_size": 4,
    "embed_size": 4,
    "decoder": "bahdanau",
    "method": "scan",
    "dropout": 0.0,
  },
  "decode": {"beam": 2, "max_ratio": 0.0, "max_extra": 3},
  "showcase": {"pairs": 0},
}


def study(**changes):
  config = experiments.load("sentence_length")
  config.resamples = 20
  config.changes = SMALL
  config.models.none.changes.steps = 2
  config.models.additive.changes.steps = 4
  config.models.additive.changes.model.attention = "additive(size=2)"
  config.update_from_flattened_dict(changes)
  return config


@pytest.fixture(scope="module")
def done(tmp_path_factory):
  """A study in its directory, and how often a model was trained for it."""
  directory, trained = tmp_path_factory.mktemp("study"), []
  train = loop.train
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(
      sentence_length.loop,
      "train",
      lambda config, run: (trained.append(run.name), train(config, run))[1],
    )
    assert base.run(study(), directory) == 0
  return directory, trained


def records(directory, kind):
  lines = (directory / "metrics.jsonl").read_text().splitlines()
  return [r for r in map(json.loads, lines) if r["kind"] == kind]


def test_two_models_their_table_and_their_figure(done):
  directory, trained = done
  assert sorted(trained) == ["additive", "none"]
  assert (directory / "sentence_length.png").stat().st_size > 5_000
  assert (directory / "sentence_length.svg").exists()
  header, *rows = (directory / "lengths.tsv").read_text().splitlines()
  assert header.split("\t")[::3] == [
    "words",
    "low",
    "low",
    "low",
  ]
  assert header.split("\t")[2] == "without attention"
  assert header.split("\t")[8] == "additive attention - without attention"
  counts = [int(row.split("\t")[1]) for row in rows]
  assert sum(counts[:-1]) == counts[-1] == 24
  # Each is a run like any other, with its own steps and attention.
  for name, steps, attention in ("none", 2, "none"), ("additive", 4, "add"):
    task, _, step = restore.load(directory / name)
    assert (step, task.config.steps) == (steps, steps)
    assert task.config.model.attention.startswith(attention)
    assert task.config.model.hidden_size == 4


def test_what_is_measured_are_the_translations_of_the_test_part(done):
  directory, _ = done
  models = {r["model"]: r for r in records(directory, "model")}
  bins = [r for r in records(directory, "bin") if r["bin"] == "all"]
  assert list(models) == ["without attention", "additive attention"]
  values = []
  for name, record in zip(("none", "additive"), bins, strict=True):
    task, params, _ = restore.load(directory / name)
    test = task.splits.test
    kept = json.loads((directory / name / "translations.json").read_text())
    texts = [pair["translation"] for pair in kept["pairs"]]
    assert texts == task.translate(params, [pair.source for pair in test])
    expected = bleu.scores(texts, [pair.target for pair in test], "xx")["bleu"]
    assert record["bleu"] == pytest.approx(expected, abs=1e-9)
    assert record["sentences"] == len(test)
    values.append(record["bleu"])
    assert 0 < models[record["model"]]["seconds"] < 300
  assert "gain" not in bins[0]
  assert bins[1]["gain"] == values[1] - values[0]
  assert models["without attention"]["parameters"] > 100


def test_what_is_done_is_not_done_again(done, monkeypatch, capsys):
  """Other bins and labels are a matter of seconds; other models are not."""
  directory, _ = done
  before = (directory / "lengths.tsv").read_text()

  def never(*_, **__):
    raise AssertionError

  monkeypatch.setattr(sentence_length.loop, "train", never)
  monkeypatch.setattr(sentence_length.Translation, "translate", never)
  assert base.run(study(), directory) == 0
  assert (directory / "lengths.tsv").read_text() == before
  said = capsys.readouterr().out
  assert "minutes of training for 4 steps, checkpoint of step 4" in said
  assert bleu.signatures("xx")["bleu"] in said
  changes = {"bins": (1, 9), "models.none.label": "plain"}
  assert base.run(study(**changes), directory) == 0
  header, *rows = (directory / "lengths.tsv").read_text().splitlines()
  assert header.split("\t")[2] == "plain"
  assert [row.split("\t")[0] for row in rows] == ["1 to 8", "9 or more", "all"]
  other = study(**{"models.none.changes.model.attention": "additive(size=3)"})
  with pytest.raises(InputError, match="attention was 'none' and is 'additi"):
    base.run(other, directory)
  with pytest.raises(InputError, match="experiment was 'translate:pairs'"):
    base.run(study(experiment="translate:multi30k"), directory)
  base.run(study(), directory)  # as the other tests found it


def test_a_signal_ends_the_study(tmp_path, monkeypatch):
  trained = []
  monkeypatch.setattr(
    sentence_length.loop,
    "train",
    lambda config, run: (trained.append(run.name), signal.SIGTERM)[1],
  )
  assert base.run(study(), tmp_path) == signal.SIGTERM
  assert trained == ["none"]
  assert not (tmp_path / "lengths.tsv").exists()


def test_devices_share_the_batches_of_all_models(monkeypatch):
  monkeypatch.setattr(base.runtime, "cpu_devices", lambda rows: rows)
  config = study(**{"changes.batch_size": 48})
  assert base.cpu_devices(config) == 48
  with config.models.none.changes.unlocked():
    config.models.none.changes.batch_size = 32
  assert base.cpu_devices(config) == 16
  # A study without batches has one device, whatever the machine.
  monkeypatch.undo()
  assert base.cpu_devices(experiments.load("gradient_norms")) == 1


def test_the_config_of_a_run_is_the_experiment_but_for_the_changes():
  config = experiments.load("sentence_length:verses")
  config.data.path = "a.tsv"
  expected = experiments.load("translate:verses")
  expected.data.path = "a.tsv"
  expected.steps, expected.model.attention = 6_600, "none"
  expected.eval_every = expected.checkpoint_every = 1_500
  found = sentence_length._configs(config)["none"]
  assert found.to_json() == expected.to_json()
  assert found.optimizer.decay_steps == 6_600


MISTAKES = [
  ({"bins": (2, 9)}, r"config.bins is \(2, 9\), expected growing"),
  ({"bins": (1, 9, 9)}, r"config.bins is \(1, 9, 9\), expected growing"),
  ({"bins": ()}, r"config.bins is \(\), expected growing"),
  ({"bins": (1.0, 3.0)}, r"config.bins is \(1.0, 3.0\), expected growing"),
  ({"resamples": 0}, "config.resamples is 0, expected a whole number >= 1"),
  ({"mark": -1}, "config.mark is -1, expected"),
  ({"metric": "chrf"}, "config.metric is 'chrf', expected one of bleu, bleu_l"),
  ({"baseline": "dot"}, "config.baseline is 'dot', expected one of additive,"),
  ({"experiment": "translat"}, "config.experiment: translat is no experiment"),
  ({"experiment": "char_lm"}, "config.changes.*is no field of config.experi"),
  ({"data.path": "/no/such"}, "config.data.path is /no/such, which does not"),
  ({"changes.data.test": 0.0}, "config.data.test is 0.0, which leaves nothing"),
  (
    {"models.none.changes.model.attention": "nothing"},
    "config.models.none: config.model.attention is 'nothing', expected",
  ),
  ({"models.none.changes.steps": "many"}, "config.models.none.changes: .*int"),
  (
    {"models.none.label": "additive attention"},
    "expected no two alike",
  ),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_mistakes(tmp_path, changes, message):
  """One line, before anything is trained."""
  config = study()
  for field, value in changes.items():
    section, _, name = field.rpartition(".")
    inner = config
    for part in filter(None, section.split(".")):
      inner = inner[part]
    with inner.unlocked(), inner.ignore_type():
      inner[name] = value
  with pytest.raises(InputError, match=message) as error:
    base.run(config, tmp_path)
  assert "\n" not in str(error.value)
  assert not list(tmp_path.glob("*/config.json"))


def test_fields_and_models_that_there_are_not(tmp_path):
  config = study()
  config.models.none.changes.model.attend = "none"
  message = "config.models.none.changes.model.attend is no field of config.exp"
  with pytest.raises(InputError, match=message):
    base.run(config, tmp_path)
  config = study()
  del config.models.none
  with pytest.raises(InputError, match="config.models has 1 entries, expected"):
    base.run(config, tmp_path)
  config = study()
  config.experiment, config.changes = "char_lm", {}
  for entry in config.models.values():
    entry.changes = {}
  with pytest.raises(InputError, match="whose task is 'language_model'; exp"):
    base.run(config, tmp_path)
  config = study()
  config.models.none.changes.seed = 1
  with pytest.raises(InputError, match="models.additive has another test part"):
    base.run(config, tmp_path)
  assert not list(tmp_path.glob("*/config.json"))


def test_the_search_follows_the_checkpoint_and_the_data(done, monkeypatch):
  """Translations on file are of this checkpoint and these sentences alone."""
  directory, _ = done
  path = directory / "none" / "translations.json"
  before = path.read_text()
  searched = []

  def translate(self, params, sentences):
    searched.append(len(sentences))
    return ["x"] * len(sentences)

  monkeypatch.setattr(sentence_length.Translation, "translate", translate)
  content = json.loads(before)
  for change in ({"step": 1}, {"pairs": content["pairs"][1:]}):
    path.write_text(json.dumps({**content, **change}))
    base.run(study(), directory)
  assert searched == [24, 24]
  path.write_text(before)
  base.run(study(), directory)
  assert searched == [24, 24]
