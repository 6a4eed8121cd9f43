"""Training as people expect it: the best is kept, runs start from others."""

import json
import shutil

import jax
import numpy as np
import pytest

from seqjax.errors import InputError
from seqjax.nn.trees import leaf_name
from seqjax.train import loop
from tests.experiments import small
from tests.launcher import Launcher

TEXT = "the quick brown fox jumps over the lazy dog\n" * 30
# Steps this small leave the parameters as they are.
STILL = {"steps": 1, "optimizer.learning_rate": 1e-30}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
  """Texts and a donor: a run whose best is not its last."""
  root = tmp_path_factory.mktemp("training")
  (root / "one.txt").write_text(TEXT)
  (root / "same_size.txt").write_text(TEXT.replace("q", "é"))
  for name, labels in (("one", ("bad", "good")), ("two", ("no", "yes"))):
    words = ["fun", "fine", "dull", "slow"]
    rows = (f"{word} film\t{labels[i % 4 < 2]}" for i, word in enumerate(words))
    (root / f"{name}.tsv").write_text("\n".join(rows) + "\n")
  donor = language_model(
    root / "one.txt", steps=4, eval_every=1, best_metric="perplexity"
  )
  donor.best_mode = "max"
  assert loop.train(donor, root / "donor") == 0
  return root


def language_model(text, **changes):
  changes = {"data.path": str(text), "data.validation": 0.1, **changes}
  return small("char_lm", **{"optimizer.learning_rate": 0.05, **changes})


def classifier(path, **changes):
  parts = {"data.validation": 0.0, "data.test": 0.0}
  model = {"model.layer": "rnn", "model.cell": "elman", "model.pool": "last"}
  changes = {"data.path": str(path), **parts, **model, **changes}
  return small("sentiment", steps=1, **changes)


def parameters(directory, checkpoint="best"):
  _, params, _ = loop.load(directory, checkpoint)
  return {
    leaf_name(path): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }


def test_modes_take_the_best_or_the_last(files):
  run = f"--workdir={files}/donor"
  evaluation = files / "donor" / "evaluation.json"
  with Launcher() as launch:
    for flag, step, which in (((), 1, "best"), (("last",), 4, "last")):
      flags = [f"--checkpoint={name}" for name in flag]
      done = launch("--mode=evaluate", run, *flags)
      assert done.returncode == 0, done.stderr
      assert f"checkpoint of step {step}, the {which}" in done.stdout
      found = json.loads(evaluation.read_text())
      assert (found["step"], found["checkpoint"]) == (step, which)
    assert launch("--mode=generate", run, "--checkpoint=last").returncode == 0
    for arguments, message in (
      (("--mode=evaluate", "--checkpoint=first"), "one of <best|last>"),
      (
        ("--config=experiments/char_lm.py", "--checkpoint=best"),
        "--checkpoint is no option of --mode=train",
      ),
    ):
      failed = launch(run, *arguments)
      assert failed.returncode == 2
      assert message in failed.stderr
      assert failed.stderr.count("\n") == 1


def test_another_vocabulary_is_taken_by_name(files, tmp_path, capsys):
  """As many symbols in another order: all would fit by their place."""
  text, donor = files / "same_size.txt", files / "donor"
  config = language_model(text, init_from=str(donor), **STILL)
  assert loop.train(config, tmp_path) == 0
  said = capsys.readouterr().out
  assert f"from {donor}, step 1, 6 of its 6 arrays:" in said
  assert "  embed: 1 taken by name (28 known, 1 new)\n" in said
  assert "  head: 2 taken by name (28 known, 1 new)\n" in said
  assert "  rnn: 3 taken\n" in said
  ours, theirs = parameters(tmp_path), parameters(donor)
  own, others = (
    {symbol: i for i, symbol in enumerate(task.vocabularies()["embed"])}
    for task, _, _ in map(loop.load, (tmp_path, donor))
  )
  assert list(own) != list(others)
  for name, array in ours.items():
    if name.startswith("rnn"):
      np.testing.assert_array_equal(array, theirs[name])
      continue
    axis = 0 if name.startswith("embed") else -1
    for symbol, i in own.items():
      found = np.take(array, i, axis)
      # What is new is drawn, not where "q" was.
      there = np.take(theirs[name], others.get(symbol, others["q"]), axis)
      assert (found == there).all() == (symbol != "é"), (name, symbol)


def test_a_run_that_is_begun_does_not_read_the_other(files, tmp_path, capsys):
  donor = shutil.copytree(files / "donor", tmp_path / "donor")
  config = language_model(files / "one.txt", init_from=str(donor), **STILL)
  assert loop.train(config, tmp_path / "run") == 0
  said = capsys.readouterr().out
  assert "  embed: 1 taken\n  head: 2 taken\n  rnn: 3 taken\n" in said
  saved = json.loads((tmp_path / "run" / "config.json").read_text())
  assert saved["init_from"] == str(donor)
  # Killed before its first step was saved: the beginning is.
  steps = sorted((tmp_path / "run" / "checkpoints").iterdir())
  assert [path.name for path in steps] == ["0", "1"]
  theirs = parameters(donor)
  shutil.rmtree(steps[1])
  shutil.rmtree(donor)
  assert loop.train(config, tmp_path / "run") == 0
  assert "taken" not in capsys.readouterr().out
  ours = parameters(tmp_path / "run")
  assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_a_head_of_other_labels_is_not_taken(files, tmp_path, capsys):
  """As many of them, so that the shapes agree."""
  assert loop.train(classifier(files / "one.tsv"), tmp_path / "one") == 0
  config = classifier(files / "two.tsv", init_from=str(tmp_path / "one"))
  assert loop.train(config, tmp_path / "two") == 0
  said = capsys.readouterr().out
  assert "  embed: 1 taken\n  head: 2 of another vocabulary\n" in said
  assert "  rnn: 3 taken\n" in said


@pytest.mark.parametrize("what", ["missing", "format", "nothing"])
def test_no_such_run_is_one_line(files, tmp_path, what):
  config = language_model(files / "one.txt", init_from=str(tmp_path / "other"))
  message = "config.init_from: .*other holds no config.json"
  if what != "missing":
    shutil.copytree(files / "donor", tmp_path / "other")
    path = tmp_path / "other" / "config.json"
    content = json.loads(path.read_text())
    message = "config.init_from: .*other is of format 1, this version"
    if what == "format":
      del content["format"]
      path.write_text(json.dumps(content))
    else:
      config = small("forecast", init_from=str(tmp_path / "other"))
      message = "config.init_from is '.*other', of which nothing fits: "
  with pytest.raises(InputError, match=message) as error:
    loop.train(config, tmp_path / "run")
  assert "\n" not in str(error.value)
  assert not (tmp_path / "run" / "config.json").exists()
