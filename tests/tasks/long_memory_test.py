"""The memory problems trained, and the sweep over distances."""

import json
import pathlib
import runpy

import numpy as np
import pytest

from seqjax.errors import InputError
from seqjax.tasks import long_memory, memory_distance
from seqjax.train import loop

ROOT = pathlib.Path(__file__).parents[2]


def experiment(name, *args):
  path = ROOT / "experiments" / f"{name}.py"
  return runpy.run_path(str(path))["get_config"](*args)


def small(name):
  config = experiment("long_memory", name)
  config.data.distance = 5
  config.steps = config.eval_every = config.checkpoint_every = 2
  config.batch_size = config.eval_batch_size = 4
  config.eval_batches = 1
  config.model.hidden_size = 4
  config.log_every = 1
  config.probes.gradients_every = 2
  return config


@pytest.mark.parametrize("name", ["adding", "copy", "recall"])
def test_it_trains_and_names_the_baseline(tmp_path, capsys, name):
  assert loop.train(small(name), tmp_path) == 0
  records = [
    json.loads(line)
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
  ]
  validation = [r for r in records if r["kind"] == "validation"]
  baseline = long_memory.LongMemory(small(name)).baseline
  assert [r["baseline"] for r in validation] == [pytest.approx(baseline)]
  assert (tmp_path / "showcase" / "gradients_0000002.png").exists()
  assert "without memory" in capsys.readouterr().out
  assert (tmp_path / "showcase" / "examples.txt").read_text().count("\n") >= 5


def test_batches_differ_and_repeat():
  task = long_memory.LongMemory(small("adding"))
  first, second = (task.train_batches() for _ in range(2))
  one, two = next(first), next(first)
  assert (one.inputs != two.inputs).any()
  np.testing.assert_array_equal(next(second).inputs, one.inputs)
  held_out = next(iter(task.evaluation_batches("validation")))
  assert (held_out.inputs != one.inputs).any()


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("data.name", "ading", "config.data.name is 'ading', expected one of"),
    ("data.distance", 1, "config.data.distance is 1, expected at least 2"),
    ("eval_batches", 0, "config.eval_batches is 0, expected >= 1"),
  ],
)
def test_mistakes(field, value, message):
  config = small("adding")
  config.update_from_flattened_dict({field: value})
  with pytest.raises(InputError, match=message):
    long_memory.LongMemory(config)


def sweep(*cells):
  config = experiment("memory_distance")
  config.num_seeds, config.steps = 2, 150
  config.batch_size, config.eval_batch_size = 16, 16
  config.distances = (4, 64)
  config.model.hidden_size = 16
  config.learning_rate = 1e-2
  with config.unlocked():
    for name in list(config.cells):
      if name not in cells:
        del config.cells[name]
  return config


def test_the_sweep_learns_what_is_near_and_goes_on(tmp_path, capsys):
  config = sweep("elman_tanh")
  memory_distance.run(config, tmp_path)
  lines = (tmp_path / "metrics.jsonl").read_text()
  records = [json.loads(line) for line in lines.splitlines()]
  assert [(r["distance"], r["learned"]) for r in records] == [
    (4, True),
    (64, False),
  ]
  assert (tmp_path / "memory_distance.png").stat().st_size > 5000
  assert (tmp_path / "memory_distance.svg").exists()
  # Again: what is on record is not trained a second time.
  memory_distance.run(config, tmp_path)
  assert (tmp_path / "metrics.jsonl").read_text() == lines
  assert "Elman tanh, Glorot: horizon" in capsys.readouterr().out


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("distances", (8, 4), r"config.distances is \[8, 4\], expected growing"),
    ("distances", (), r"config.distances is \[\], expected growing"),
    ("steps", 0, "config.steps is 0, expected >= 1"),
  ],
)
def test_mistakes_of_the_sweep(tmp_path, field, value, message):
  config = sweep("gru")
  config[field] = value
  with pytest.raises(InputError, match=message):
    memory_distance.run(config, tmp_path)
