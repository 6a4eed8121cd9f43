"""The sweep over distances."""

import json

import pytest

from seqjax.errors import InputError
from seqjax.studies import memory_distance
from tests import experiments


def sweep(*cells):
  config = experiments.load("memory_distance")
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
  rows = memory_distance.run(config, tmp_path)
  assert list(rows) == ["Elman tanh, Glorot"]
  assert rows["Elman tanh, Glorot"][1] == 4
  lines = (tmp_path / "metrics.jsonl").read_text()
  records = [json.loads(line) for line in lines.splitlines()]
  assert [(r["distance"], r["learned"]) for r in records] == [
    (4, True),
    (64, False),
  ]
  # After training, of both seeds: up to the length of the sentence.
  assert [len(r["horizons"]) for r in records] == [2, 2]
  assert all(0 < h <= r["distance"] + 5 for r in records for h in r["horizons"])
  assert (tmp_path / "memory_distance.png").stat().st_size > 5000
  assert (tmp_path / "memory_distance.svg").exists()
  # Again: what is on record is not trained a second time.
  assert memory_distance.run(config, tmp_path) == rows
  assert (tmp_path / "metrics.jsonl").read_text() == lines
  assert "Elman tanh, Glorot: horizon" in capsys.readouterr().out


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("distances", (8, 4), r"config.distances is \[8, 4\], expected growing"),
    ("distances", (), r"config.distances is \[\], expected growing"),
    ("steps", 0, "config.steps is 0, expected a whole number >= 1"),
  ],
)
def test_mistakes_of_the_sweep(tmp_path, field, value, message):
  config = sweep("gru")
  config[field] = value
  with pytest.raises(InputError, match=message):
    memory_distance.run(config, tmp_path)
