"""The memory problems, trained."""

import json

import numpy as np
import pytest

from seqjax.errors import InputError
from seqjax.tasks import long_memory
from seqjax.train import loop
from tests import experiments


def small(name):
  config = experiments.load(f"long_memory:{name}")
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
    (
      "data.distance",
      1,
      "config.data.distance is 1, expected a whole number >= 2",
    ),
    (
      "eval_batches",
      0,
      "config.eval_batches is 0, expected a whole number >= 1",
    ),
  ],
)
def test_mistakes(field, value, message):
  config = small("adding")
  config.update_from_flattened_dict({field: value})
  with pytest.raises(InputError, match=message):
    long_memory.LongMemory(config)
