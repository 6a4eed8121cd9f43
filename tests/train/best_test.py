"""The best checkpoint and patience, in this process."""

import json
import math
import shutil
import zlib

import jax
import numpy as np
import pytest

from seqjax.errors import InputError
from seqjax.train import best, checkpoint, loop
from tests.experiments import small

NAN, INF = math.nan, math.inf


@pytest.fixture(scope="module")
def text(tmp_path_factory):
  """A short one: nothing here is about the data."""
  path = tmp_path_factory.mktemp("text") / "text.txt"
  path.write_text("the quick brown fox jumps over the lazy dog\n" * 60)
  return str(path)


def config(text, **changes):
  """As training lowers it, the first evaluation has the highest perplexity."""
  found = small(
    "char_lm",
    steps=10,
    eval_every=2,
    checkpoint_every=3,
    best_metric="perplexity",
    best_mode="max",
  )
  found.data.update(path=text, validation=0.1)
  found.optimizer.learning_rate = 0.05
  found.update_from_flattened_dict(changes)
  return found


@pytest.mark.parametrize(
  ("mode", "values", "expected"),
  [
    ("min", [], (0, 0)),
    ("min", [3.0, 2.0, 4.0], (2, 1)),
    ("max", [3.0, 2.0, 4.0], (3, 0)),
    ("min", [2.0, 2.0, 2.0], (1, 2)),  # as good is not better
    ("max", [NAN, 1.0, NAN, INF], (2, 2)),
    ("min", [-INF, NAN], (0, 2)),
  ],
)
def test_the_best_of_some_evaluations(mode, values, expected):
  record = best.Best()
  for step, value in enumerate(values, 1):
    record = record.after(step, value, mode)
  assert (record.step, record.since) == expected
  assert not record.waited(0)
  assert record.waited(2) == (record.since >= 2)


@pytest.fixture(scope="module")
def runs(text, tmp_path_factory):
  """A run with patience 3 that stops at step 8, and itself after each save."""
  root, snapshots = tmp_path_factory.mktemp("best"), {}
  save = checkpoint.Writer.save

  def save_and_copy(self, state, extra, best=0):
    save(self, state, extra, best)
    self.wait()
    step = int(state.step)
    snapshots[step] = shutil.copytree(root / "run", root / f"after_{step}")

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(checkpoint.Writer, "save", save_and_copy)
    assert loop.train(config(text, patience=3), root / "run") == 0
  return {**snapshots, "run": root / "run"}


def steps(directory):
  return checkpoint.saved_steps(directory / "checkpoints")


def arrays(directory, step):
  """All of a checkpoint but the time spent."""
  path = directory / "checkpoints" / str(step)
  record = checkpoint._metadata(path)
  del record["extra"]["seconds"]
  return record  # the CRC of every field among it


def test_it_is_kept_beside_the_last(runs):
  assert sorted(map(str, runs)) == ["2", "3", "6", "8", "run"]
  assert steps(runs[3]) == [3, 2]
  assert steps(runs["run"]) == [8, 6, 2]  # 2 is no multiple of 3


def test_either_is_loaded(runs):
  _, of_best, first = loop.load(runs["run"])
  _, of_last, second = loop.load(runs["run"], checkpoint="last")
  assert (first, second) == (2, 8)
  task, of_two, _ = loop.load(runs[2], checkpoint="last")
  jax.tree.map(np.testing.assert_array_equal, of_best, of_two)
  losses = [
    task.evaluate_split(params, "validation")[0]["loss"]
    for params in (of_best, of_last)
  ]
  assert losses[0] > losses[1]
  with pytest.raises(InputError, match="--checkpoint is 'first', expected"):
    loop.load(runs["run"], checkpoint="first")


@pytest.mark.parametrize("after", [3, "run"])
def test_killed_after_any_save_it_ends_alike(
  text, runs, tmp_path, capsys, after
):
  shutil.copytree(runs[after], tmp_path / "run")
  assert loop.train(config(text, patience=3), tmp_path / "run") == 0
  assert steps(tmp_path / "run") == [8, 6, 2]
  for step in (8, 6, 2):
    again = arrays(tmp_path / "run", step)
    assert again == arrays(runs["run"], step)
  said = capsys.readouterr().out
  assert said.count("stopped: 3 evaluations without a better one than") == 1
  assert "step 2, perplexity" in said
  assert "the showcase is of the best, step 2" in said
  assert "step 10/" not in said


def test_more_patience_goes_on(text, runs, tmp_path, capsys):
  shutil.copytree(runs["run"], tmp_path / "run")
  assert loop.train(config(text, patience=5), tmp_path / "run") == 0
  assert steps(tmp_path / "run") == [10, 9, 2]
  said = capsys.readouterr().out
  assert "from step 8 to step 10" in said
  assert "stopped" not in said


# A read that fails leaves a coroutine of Orbax's behind.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("harm", ["flipped", "record", "gone"])
def test_without_it_the_last_is_taken(runs, tmp_path, capsys, harm):
  shutil.copytree(runs["run"], tmp_path / "run")
  folder = tmp_path / "run" / "checkpoints" / "2"
  if harm == "gone":
    shutil.rmtree(folder)
  else:
    path = folder / "_CHECKPOINT_METADATA"
    if harm == "flipped":
      path = max(folder.rglob("*"), key=lambda p: p.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
  _, _, step = loop.load(tmp_path / "run")
  assert step == 8
  said = capsys.readouterr().err
  assert "warning: checkpoint of step 2" in said
  assert said.count("\n") == 1


def test_damage_outside_of_the_parameters(text, runs, tmp_path, capsys):
  """Whoever only looks does not read it; training notices."""
  shutil.copytree(runs["run"], tmp_path / "run")
  path = tmp_path / "run" / "checkpoints" / "8" / "_CHECKPOINT_METADATA"
  content = json.loads(path.read_text())
  record = json.loads(content["custom_metadata"]["record"])
  record["crc32"]["opt_state"] ^= 1
  told = json.dumps(record)
  content["custom_metadata"] = {
    "record": told,
    "crc32": zlib.crc32(told.encode()),
  }
  path.write_text(json.dumps(content))
  assert loop.load(tmp_path / "run", "last")[2] == 8
  assert "warning" not in capsys.readouterr().err
  assert loop.train(config(text, patience=3), tmp_path / "run") == 0
  said = capsys.readouterr()
  assert "checkpoint of step 8 is damaged" in said.err
  assert "CRC-32 of opt_state" in said.err
  assert "from step 6" in said.out
  assert arrays(tmp_path / "run", 8) == arrays(runs["run"], 8)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    (
      {"best_metric": "acuracy"},
      r"config.best_metric is 'acuracy', expected one of loss, bits_per_char,"
      r" perplexity$",
    ),
    ({"best_mode": "most"}, "config.best_mode is 'most', expected one of min"),
    ({"patience": -1}, "config.patience is -1, expected a whole number >= 0"),
    (
      {"patience": 2, "data.validation": 0.0},
      "config.patience is 2, expected 0: there is no validation part",
    ),
  ],
)
def test_mistakes_are_found_before_training(text, tmp_path, changes, message):
  with pytest.raises(InputError, match=message):
    loop.train(config(text, **changes), tmp_path / "run")
  assert not (tmp_path / "run" / "config.json").exists()


def test_without_a_validation_part_it_is_the_last(text, tmp_path, capsys):
  changed = config(text, steps=4, **{"data.validation": 0.0})
  assert loop.train(changed, tmp_path) == 0
  assert capsys.readouterr().out.count("the last checkpoint counts as the") == 1
  assert loop.load(tmp_path)[2] == 4
