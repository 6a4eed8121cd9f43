"""A task of one's own, outside the package: by command and from Python."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
MOST_LINES = 60


def launch(*arguments, cwd):
  return python("-m", "seqjax.launch", *arguments, cwd=cwd)


def python(*arguments, cwd):
  environment = {**os.environ, "PYTHONPATH": str(ROOT)}
  environment.pop("JAX_NUM_CPU_DEVICES", None)
  return subprocess.run(
    [sys.executable, *arguments],
    cwd=cwd,
    env=environment,
    capture_output=True,
    text=True,
    timeout=120,
  )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
  """A folder of the user's own, with a task and its config."""
  folder = tmp_path_factory.mktemp("project") / "own"
  shutil.copytree(pathlib.Path(__file__).parent / "own_task", folder)
  task = folder / "mine" / "parity.py"
  source = task.read_text()
  assert len(source.splitlines()) <= MOST_LINES
  announced = "import sys\n\nprint('parity is imported', file=sys.stderr)\n"
  task.write_text(announced + source)
  done = launch("--config=parity.py", "--workdir=run", cwd=folder)
  assert done.returncode == 0, done.stderr
  return folder


def test_a_task_of_ones_own_trains_and_shows(project):
  assert (project / "run" / "showcase" / "parity.txt").read_text()
  assert (project / "run" / "showcase" / "training.png").exists()


def test_it_goes_on(project):
  # A copy: the other tests, in any order, find the run as it was.
  shutil.copytree(project / "run", project / "more")
  result = launch(
    "--config=parity.py", "--config.steps=6", "--workdir=more", cwd=project
  )
  assert result.returncode == 0, result.stderr
  assert "from step 4 to step 6" in result.stdout


def test_it_evaluates_and_has_modes(project):
  result = launch("--mode=evaluate", "--workdir=run", cwd=project)
  assert result.returncode == 0, result.stderr
  assert "test accuracy: " in result.stdout
  # Before a saved run imports code, it says whose; the code prints, too.
  said = result.stderr.splitlines()
  assert said[0].endswith("run names the task mine.parity, importing it")
  assert "parity is imported" in said[1:]
  result = launch("--mode=tell", "--workdir=run", "--bits=1011", cwd=project)
  assert result.returncode == 0, result.stderr
  assert result.stdout.strip().splitlines()[-1] in ("odd", "even")
  result = launch("--mode=tell", "--workdir=run", "--bit=1", cwd=project)
  assert result.returncode == 2
  assert "--bit is no option of --mode=tell; did you mean --bits" in (
    result.stderr
  )


def test_it_is_not_looked_for_in_the_run_directory(project, tmp_path):
  result = launch("--mode=evaluate", f"--workdir={project}/run", cwd=tmp_path)
  assert result.returncode == 2
  assert "config.task is 'mine.parity', which is not on the import path" in (
    result.stderr
  )


def test_a_missing_field_is_one_line(project):
  text = (project / "parity.py").read_text()
  (project / "other.py").write_text(text.replace("  config.length = 8\n", ""))
  result = launch("--config=other.py", "--workdir=other", cwd=project)
  assert result.returncode == 2, result.stderr
  _, error = result.stderr.splitlines()  # beside what the task prints
  assert "the config has no field 'length', which " in error
  assert "mine/parity.py:" in error
  assert not (project / "other" / "config.json").exists()


PROGRAM = """
import seqjax

run = seqjax.load("run")
print(run)
odd = run.tell(bits="1011")
assert 0 < odd < 1, odd
assert odd == run.task.tell(run.params, bits="1011")
assert set(run.evaluate()) == {"loss", "accuracy"}
"""


def test_its_functions_are_those_of_the_run(project):
  result = python("-c", PROGRAM, cwd=project)
  assert result.returncode == 0, result.stderr
  assert "mine.parity, step 4" in result.stdout
  assert "apply, evaluate, tell>" in result.stdout
