"""A sweep of three seeds and two cells, compared by one command."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from seqjax.train import loop, workdir
from tests import experiments

# One process trains for all of these tests.
pytestmark = pytest.mark.xdist_group("compare")

ROOT = pathlib.Path(__file__).parents[2]
SWEEP = [(cell, seed) for cell in ("lstm", "gru") for seed in range(3)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
  """Directories of runs, and one of something else."""
  root = tmp_path_factory.mktemp("runs")
  for cell, seed in SWEEP:
    name = "long_memory:adding"
    changes = {"seed": seed, "model.cell": cell, "eval_every": 1}
    config = experiments.small(name, **changes)
    loop.train(config, root / f"{cell}-{seed}")
  (root / "notes").mkdir()
  return root


def command(*arguments, cwd, **environment):
  return subprocess.run(
    [sys.executable, "-m", "seqjax.compare", *map(str, arguments)],
    cwd=cwd,
    env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    capture_output=True,
    text=True,
    timeout=120,
  )


def test_three_seeds_of_two_cells(runs, tmp_path):
  done = command(*sorted(runs.iterdir()), cwd=tmp_path)
  assert done.returncode == 0, done.stderr
  assert done.stderr == f"skipped: {runs}/notes is no run directory\n"
  for cell in ("lstm", "gru"):
    row = rf"[12] +model.cell={cell} +3 +2 +\d\S* ± \d\S* "
    assert len(re.findall(row, done.stdout)) == 1
  assert "validation loss" in done.stdout
  assert "Validation loss over steps: comparison.png" in done.stdout
  assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_no_device_is_asked_for_and_no_picture_drawn_in_vain(runs, tmp_path):
  """An unknown platform would be an error as soon as JAX looks for devices."""
  done = command(
    *runs.glob("gru*"), "--output=", cwd=tmp_path, JAX_PLATFORMS="none"
  )
  assert done.returncode == 0, done.stderr
  assert not list(tmp_path.iterdir())
  script = (
    "import sys\n"
    "from seqjax import compare\n"
    f"groups = compare.compare({[str(run) for run in runs.glob('gru*')]})\n"
    "heavy = {'matplotlib', 'orbax', 'sklearn', 'grain', 'tensorboardX'}\n"
    "print(groups[0].validation.count, sorted(heavy & set(sys.modules)))\n"
  )
  done = subprocess.run(
    [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
  )
  assert done.stdout == "3 []\n", done.stderr


def test_without_matplotlib_the_table_is_there(runs, tmp_path):
  """A folder of that name that cannot be imported stands in its way."""
  (tmp_path / "matplotlib.py").write_text(
    "raise ModuleNotFoundError('no', name='matplotlib')\n"
  )
  done = command(
    *runs.glob("*-0"), cwd=tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}"
  )
  assert done.returncode == 0, done.stderr
  assert "model.cell=gru" in done.stdout
  assert "no picture: matplotlib is not installed" in done.stdout
  assert not (tmp_path / "comparison.png").exists()


def test_the_best_is_the_one_of_the_records(runs):
  """What the loop wrote and what is compared are the same numbers."""
  from seqjax import compare, files

  (group,) = compare.compare(runs.glob("lstm*"))
  for run in group.runs:
    losses = {
      record["step"]: record["loss"]
      for record in files.read_records(run.directory)
      if record["kind"] == "validation"
    }
    assert run.evaluations == losses
    assert run.best[1] == min(losses.values())
    fields = workdir.load_config(run.directory)
    assert run.config["model.cell"] == fields.model.cell
