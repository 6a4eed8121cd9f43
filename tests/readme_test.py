"""What the README says is so."""

import pathlib
import re

from tests import table

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_snippet_runs():
  (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
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


def test_the_reading_path_is_short_and_counted():
  """The rule of the house: top to bottom in at most 2,800 lines.

  The counts are a guide to the reader: a few lines more are no error.
  """
  rows = re.findall(
    r"^\| `(seqjax/\S+\.py)` \| (\d+) \|$", README, re.MULTILINE
  )
  assert len(rows) == 9
  actual = {
    path: len((ROOT / path).read_text("utf-8").splitlines()) for path, _ in rows
  }
  assert sum(actual.values()) <= 2800
  for path, count in rows:
    assert abs(int(count) - actual[path]) <= 20, (path, count, actual[path])


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
