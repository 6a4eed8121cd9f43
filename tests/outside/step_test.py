"""Parts, averages, rules and a profile, as a user turns them on."""

import gzip
import json
import re

import jax
import numpy as np
import pytest

from seqjax.train import loop, showcase
from tests.experiments import small

CHANGES = {
  "steps": 4,
  "accumulation_steps": 2,
  "optimizer.decay_steps": 4,
  "optimizer.ema_decay": 0.9,
  "optimizer.name": "muon",
  "model.dropout": 0.3,
}


def records(directory, kind="train"):
  lines = (directory / "metrics.jsonl").read_text().splitlines()
  return [r for r in map(json.loads, lines) if r["kind"] == kind]


@pytest.fixture(scope="module", autouse=True)
def no_showcase():
  """Pictures are drawn elsewhere."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(showcase, "show", lambda *_: None)
    yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
  """A run in one go, one that was resumed and profiled, what it said."""
  root = tmp_path_factory.mktemp("step")
  whole, parts = root / "whole", root / "parts"
  loop.train(small("char_lm", **CHANGES), whole)
  with pytest.MonkeyPatch.context() as patch:
    said = []
    patch.setattr(
      loop.progress.Progress, "say", lambda self, line: said.append(line)
    )
    for steps in (2, 4):
      changes = {**CHANGES, "steps": steps}
      loop.train(small("char_lm", **changes), parts, profile=steps == 4)
  return whole, parts, said


def test_averages_and_rules_resume_bit_by_bit(runs):
  whole, parts, _ = runs
  timed = "chars_per_second"
  for kind in ("train", "validation"):
    for a, b in zip(records(whole, kind), records(parts, kind), strict=True):
      assert {**a, timed: 0} == {**b, timed: 0}
  for a, b in zip(
    *(jax.tree.leaves(loop.load(run)[1]) for run in (whole, parts)), strict=True
  ):
    np.testing.assert_array_equal(a, b)


def test_the_average_is_what_is_evaluated(runs, tmp_path):
  whole, *_ = runs
  task, params, _ = loop.load(whole)
  values, _ = task.evaluate_split(params, "validation")
  told = [r["loss"] for r in records(whole, "validation")]
  assert min(abs(values["loss"] - loss) for loss in told) < 1e-6
  # Without it the same run trains alike and is evaluated differently.
  plain = small("char_lm", **{**CHANGES, "optimizer.ema_decay": 0.0})
  loop.train(plain, tmp_path)
  losses = [[r["loss"] for r in records(run)] for run in (whole, tmp_path)]
  assert losses[0] == losses[1]
  last = records(tmp_path, "validation")[-1]["loss"]
  assert abs(last - told[-1]) > 1e-6


def test_a_table_at_the_start_alone(runs):
  _, _, said = runs
  tables = [line for line in said if line.startswith("module")]
  assert len(tables) == 1
  assert re.search(r"rnn\.layers\.0 .* 32, 8 x 32, 8 x 32 ", tables[0])


def test_norms_of_modules_are_on_record(runs):
  for record in records(runs[0]):
    norms = [record[f"grad_norm/{n}"] for n in ("embed", "head", "rnn")]
    np.testing.assert_allclose(
      np.linalg.norm(norms), record["grad_norm"], rtol=1e-5
    )


def test_a_profile_can_be_opened(runs):
  """Of a resumed run: step 3 compiles, step 4 is what is left."""
  _, parts, said = runs
  (line,) = [line for line in said if line.startswith("profile of ")]
  path = re.search(r"open (\S+) in https://ui.perfetto.dev", line)[1]
  assert path.startswith(str(parts / "profile"))
  with gzip.open(path) as file:
    events = json.load(file)["traceEvents"]
  steps = [e["args"] for e in events if e.get("name") == "train"]
  assert steps == [{"step_num": "4"}]
  # For TensorBoard.
  assert list((parts / "profile").glob("plugins/profile/*/*.xplane.pb"))


def test_a_batch_in_parts_trains_as_one(tmp_path):
  """Names of different lengths, no noise, two devices."""
  rates = "dropout", "input_dropout", "word_dropout"
  losses = []
  for parts in (1, 4):
    changes = {f"model.{rate}": 0.0 for rate in rates}
    config = small("surnames", accumulation_steps=parts, **changes)
    config.model.cell = "elman"
    loop.train(config, tmp_path / str(parts))
    losses.append([r["loss"] for r in records(tmp_path / str(parts))])
  np.testing.assert_allclose(*losses, rtol=1e-5)
