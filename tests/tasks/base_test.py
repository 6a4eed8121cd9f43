"""A task outside of the package, and what the contract gives it."""

import os
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import InputError
from seqjax.tasks import base

ROOT = pathlib.Path(__file__).parents[2]
MOST_LINES = 60


def run(*arguments, cwd):
  environment = {**os.environ, "PYTHONPATH": str(ROOT)}
  environment.pop("JAX_NUM_CPU_DEVICES", None)
  return subprocess.run(
    [sys.executable, "-m", "seqjax.launch", *arguments],
    cwd=cwd,
    env=environment,
    capture_output=True,
    text=True,
    timeout=120,
  )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
  """A folder of the user's own, with a task and its config."""
  folder = tmp_path_factory.mktemp("project")
  (folder / "mine").mkdir()
  source = (pathlib.Path(__file__).parent / "toy_task.py").read_text()
  assert len(source.splitlines()) <= MOST_LINES
  announced = "import sys\n\nprint('parity is imported', file=sys.stderr)\n"
  (folder / "mine" / "parity.py").write_text(announced + source)
  (folder / "parity.py").write_text(
    (pathlib.Path(__file__).parent / "toy_config.py").read_text()
  )
  done = run("--config=parity.py", "--workdir=run", cwd=folder)
  assert done.returncode == 0, done.stderr
  return folder


def test_a_task_of_ones_own_trains_and_shows(project):
  assert (project / "run" / "showcase" / "parity.txt").read_text()
  assert (project / "run" / "showcase" / "training.png").exists()


def test_it_goes_on(project):
  result = run(
    "--config=parity.py", "--config.steps=6", "--workdir=run", cwd=project
  )
  assert result.returncode == 0, result.stderr
  assert "from step 4 to step 6" in result.stdout


def test_it_evaluates_and_has_modes(project):
  result = run("--mode=evaluate", "--workdir=run", cwd=project)
  assert result.returncode == 0, result.stderr
  assert "test accuracy: " in result.stdout
  # Before a saved run imports code, it says whose; the code prints, too.
  said = result.stderr.splitlines()
  assert said[0].endswith("run names the task mine.parity, importing it")
  assert "parity is imported" in said[1:]
  result = run("--mode=tell", "--workdir=run", "--bits=1011", cwd=project)
  assert result.returncode == 0, result.stderr
  assert result.stdout.strip().splitlines()[-1] in ("odd", "even")
  result = run("--mode=tell", "--workdir=run", "--bit=1", cwd=project)
  assert result.returncode == 2
  assert "--bit is no option of --mode=tell; did you mean --bits" in (
    result.stderr
  )


def test_it_is_not_looked_for_in_the_run_directory(project, tmp_path):
  result = run("--mode=evaluate", f"--workdir={project}/run", cwd=tmp_path)
  assert result.returncode == 2
  assert "config.task is 'mine.parity', which is not on the import path" in (
    result.stderr
  )


def test_a_missing_field_is_one_line(project):
  text = (project / "parity.py").read_text()
  (project / "other.py").write_text(text.replace("  config.length = 8\n", ""))
  result = run("--config=other.py", "--workdir=other", cwd=project)
  assert result.returncode == 2, result.stderr
  _, error = result.stderr.splitlines()  # beside what the task prints
  assert "the config has no field 'length', which " in error
  assert "mine/parity.py:" in error
  assert not (project / "other" / "config.json").exists()


def test_a_module_must_hold_one_task():
  from tests.experiments import load

  config = load("char_lm")
  config.task = "seqjax.data.text"
  with pytest.raises(InputError, match="a module with 0 subclasses"):
    base.find(config)


def test_means_are_sums_over_counts():
  means = base.Means()
  assert means.add({"loss": (6.0, 2.0)}) == {"loss": 3.0}
  means.add({"loss": (4.0, 8.0)})
  assert means.means() == {"loss": 1.0}


def test_a_count_below_one_is_what_it_is():
  """Fractional weights too give means."""
  means = base.Means()
  metrics = {"loss": (jnp.float32(0.6), jnp.float32(0.2))}
  assert means.add(metrics)["loss"] == pytest.approx(3.0)
  assert means.means()["loss"] == pytest.approx(3.0)
  assert base.Means().add({"loss": (np.float32(0), 0)}) == {"loss": 0.0}
