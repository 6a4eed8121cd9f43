"""Roll-outs of simulated balls and of the user's own trajectories."""

import numpy as np
import pytest

from seqjax.data import physics
from seqjax.errors import InputError
from seqjax.train import loop
from tests.experiments import small


def test_roll_out_goes_on(trained, tmp_path):
  task, params = trained("ball")
  rows = task.roll_out_mode(params).split("\n")
  assert rows[0] == "trajectory,step,x,y"
  assert len(rows) == 1 + 5 * 5
  path = tmp_path / "short.csv"
  path.write_text("trajectory,x,y\na,0.1,0.1\n")
  with pytest.raises(InputError, match="trajectory 1 has 1 rows, expected at"):
    task.roll_out_mode(params, input=str(path))


def test_own_trajectories(tmp_path):
  """A file in its own units, through training and back."""
  paths = 100 * physics.simulate(np.random.default_rng(0), 30, 11) - 20
  rows = [f"{i},{x},{y}" for i, path in enumerate(paths) for x, y in path]
  file = tmp_path / "balls.csv"
  file.write_text("\n".join(["trajectory,x,y", *rows]) + "\n")
  config = small("ball", **{"data.path": str(file)})
  assert loop.train(config, tmp_path / "run") == 0
  task, params, _ = loop.load(tmp_path / "run")
  corner, size = map(np.array, task.box)
  assert (corner < 0).all()
  assert (size > 50).all()
  lines = task.roll_out_mode(params, input=str(file)).split("\n")
  assert len(lines) == 1 + 30 * 5
  # A ball in the unit box has no place in a box of the user's own.
  with pytest.raises(InputError, match="--input is missing, expected a CSV"):
    task.roll_out_mode(params)


def test_the_baseline_flies_straight_on(trained):
  task, params = trained("ball")
  found, _ = task.evaluate_split(params, "validation")
  (batch,) = task.evaluation_batches("validation")
  straight = physics.constant_velocity(batch.past, batch.future.shape[1])
  expected = np.linalg.norm(straight - batch.future, axis=-1).mean()
  assert found["constant_velocity"] == pytest.approx(expected, rel=1e-5)
