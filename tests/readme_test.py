"""What the README says is so."""

import os
import pathlib
import re
import subprocess
import sys

from tests import reading_path, table

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_snippet_runs():
  snippet, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
  names = {}
  exec(snippet, names)
  outputs, lengths = names["outputs"], names["lengths"]
  assert outputs.shape == (8, 100, 64)
  assert (outputs[2] == 0).all()
  assert all((outputs[i, n:] == 0).all() for i, n in enumerate(lengths))


def test_the_snippet_of_the_gradients_page_runs():
  page = (ROOT / "docs" / "gradients.md").read_text("utf-8")
  (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
  names = {}
  exec(snippet, names)
  assert names["over_lag"].shape == (8, 100)
  assert names["products"].shape == (101, 64, 64)


def test_the_reading_path_is_what_a_step_enters():
  """Mended by `python -m tests.reading_path --write`.

  In a process of its own: it trains on one device. The counts are a guide to
  the reader, a few lines more are no error.
  """
  done = subprocess.run(
    [sys.executable, "-m", "tests.reading_path"],
    cwd=ROOT,
    env={k: v for k, v in os.environ.items() if k != "JAX_NUM_CPU_DEVICES"},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  actual = dict(line.split() for line in done.stdout.splitlines())
  said = dict(re.findall(reading_path.ROW, README, re.MULTILINE))
  assert list(said) == list(actual)
  for path, lines in actual.items():
    assert abs(int(said[path]) - int(lines)) <= 20, path
    assert int(lines) <= 400, path
  assert sum(map(int, actual.values())) <= reading_path.MOST_LINES


def test_the_commands_and_files_exist():
  makefile = (ROOT / "Makefile").read_text("utf-8")
  for one, other in re.findall(
    r"^make (\w+)|`make (\w+)`", README, re.MULTILINE
  ):
    target = one or other
    assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
  for path in re.findall(r"\]\(([\w/.]+)\)", README):
    assert (ROOT / path).exists(), path
  for path in re.findall(r"`(experiments/\w+\.py)", README):
    assert (ROOT / path).exists(), path


def test_the_table_of_cells_and_methods_is_the_tested_one():
  """Mended by `python -m tests.table`."""
  assert table.markdown() in README
