"""Each notebook runs, is paired with its source, and asserts what it says."""

import os
import pathlib
import re
import subprocess
import sys
import zipfile

import matplotlib.pyplot as plt
import nbformat
import pytest

from tests import notebooks, notebooks_install

ROOT = notebooks.ROOT
every = pytest.mark.parametrize(
  "path", notebooks.sources(), ids=lambda path: path.stem
)
# As for a user: nothing of what the tests set.
SET_HERE = ("JAX_NUM_CPU_DEVICES", "JAX_DISABLE_MOST_OPTIMIZATIONS")


@every
def test_it_runs_and_leaves_nothing(path, tmp_path):
  kept = {k: v for k, v in os.environ.items() if k not in SET_HERE}
  command = [sys.executable, "-W", "error", "-m", "tests.notebooks", "--run"]
  done = subprocess.run(
    [*command, path],
    cwd=tmp_path,
    env=kept | {"PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  assert not list(tmp_path.iterdir())


@every
def test_it_is_paired(path):
  """Mended by `python -m tests.notebooks --write`."""
  assert path.read_text("utf-8") == notebooks.stamped(path)
  pair = path.with_suffix(".ipynb").read_text("utf-8")
  assert pair == notebooks.paired(path)
  nbformat.validate(nbformat.reads(pair, as_version=4))
  assert '"outputs": []' in pair
  assert '"output_type"' not in pair


@every
def test_every_section_asserts(path):
  sections = re.split(r"(?m)^# ## (?=\w)", path.read_text("utf-8"))[1:]
  assert len(sections) >= 2
  for section in sections:
    code = re.sub(r"(?m)^#.*\n", "", section.partition('tags=["exercise"]')[0])
    assert re.search(r"\bassert", code), section.partition("\n")[0]


@every
def test_cells_are_short_and_exercises_whole(path):
  cells = notebooks.notebook(path).cells
  tags = [tag for cell in cells for tag in cell.metadata.get("tags", [])]
  assert tags == ["exercise", "check"] * (len(tags) // 2)
  assert len(tags) >= 4
  for above, cell in zip(cells[2:], cells[3:], strict=False):
    if "exercise" in cell.metadata.get("tags", []):
      notebooks.exercise(above.source, cell)
  for cell in cells[2:]:
    if cell.cell_type == "code":
      assert cell.source.count("\n") < 30, cell.source


def test_the_table_is_in_the_readme():
  """Mended by `python -m tests.notebooks --write`."""
  readme = notebooks.README.read_text("utf-8")
  rows = re.findall(notebooks.ROW, readme, re.MULTILINE)
  assert "".join(rows) == notebooks.table()
  assert notebooks.table() in readme


def test_a_badge_leads_to_the_notebook(monkeypatch):
  path = pathlib.Path("notebooks/01_recurrence.py")
  assert notebooks.badge(path).endswith("](01_recurrence.ipynb)")
  monkeypatch.setattr(notebooks, "REPOSITORY", "https://github.com/some/one")
  assert notebooks.badge(path).endswith(
    "](https://colab.research.google.com/github/some/one/blob/main/"
    "notebooks/01_recurrence.ipynb)"
  )
  assert (
    'SOURCE = "git+https://github.com/some/one"' in notebooks.install_cell()
  )


class TestAnExercise:
  SOURCE = """# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# answer = 3
# ```
#
# </details>

# %% tags=["exercise"]
answer = None

# %% tags=["check"]
if answer is not None:
  assert answer == 3
"""

  @pytest.mark.parametrize(
    ("one", "other", "said"),
    [
      ("= 3\n# ```", "= 4\n# ```", "AssertionError"),
      ("assert answer == 3", "print(answer)", "takes any answer"),
      ("# answer = 3", "# another = 3", "answer is not in the solution"),
      ("# </summary>", "", None),
      ("Solution", "Hint", "without solution"),
      ("None\n", "0\n", "without solution or answer"),
      ('tags=["exercise"]', "", "a check of no exercise"),
    ],
  )
  def test_is_refused(self, one, other, said, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", None)  # set back afterwards
    monkeypatch.setattr(plt, "show", lambda: None)
    path = tmp_path / "01_one.py"
    path.write_text(self.SOURCE.replace(one, other))
    if said is None:
      notebooks.run(path)
      return
    with pytest.raises((AssertionError, ValueError)) as caught:
      notebooks.run(path)
    assert said in caught.exconly()


class TestInstall:
  """Beside the versions that are there, or not at all."""

  VERSIONS = {"jax": "0.10.2", "jaxlib": "0.10.2", "numpy": "2.0.0"}

  def test_arguments(self):
    given = notebooks_install.pip_arguments("git+https://a/b", self.VERSIONS)
    assert given[-4:] == [
      "seqjax[train,text] @ git+https://a/b",
      "jax==0.10.2",
      "jaxlib==0.10.2",
      "numpy==2.0.0",
    ]

  def test_refusal(self):
    said = "WARNING: x\nERROR: Cannot install a and b.\nERROR: ask for help"
    assert notebooks_install.refusal(self.VERSIONS, said) == (
      "seqjax cannot be installed beside jax 0.10.2, jaxlib 0.10.2, numpy"
      " 2.0.0: ERROR: Cannot install a and b."
    )
    assert "\n" not in notebooks_install.refusal({}, "")

  @pytest.mark.parametrize(
    ("needed", "code", "said"),
    [("jax", 0, ""), ("jax<0.4", 1, "seqjax cannot be installed beside jax ")],
  )
  def test_with_pip(self, needed, code, said, tmp_path):
    """The cell itself, where seqjax is missing; pip installs nothing."""
    wheel = tmp_path / "seqjax-0.1.0-py3-none-any.whl"
    info = "seqjax-0.1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
      file.writestr(
        f"{info}/METADATA",
        "Metadata-Version: 2.1\nName: seqjax\nVersion: 0.1.0\n"
        f"Provides-Extra: train\nRequires-Dist: {needed}\n",
      )
      file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
      file.writestr(f"{info}/RECORD", "")
    cell = notebooks.install_cell().replace(
      'SOURCE = ""', f'SOURCE = "{wheel.as_uri()}"'
    )
    missing = (
      "import importlib.util as u\nfound = u.find_spec\n"
      "u.find_spec = lambda name: None if name == 'seqjax' else found(name)\n"
    )
    done = subprocess.run(
      [sys.executable, "-c", missing + cell],
      cwd=tmp_path,
      env=os.environ
      | {
        "PIP_NO_INDEX": "1",
        "PIP_DRY_RUN": "1",
        "PIP_CONFIG_FILE": os.devnull,
      },
      capture_output=True,
      text=True,
      timeout=100,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == (1 if said else 0)

  def test_without_an_address(self):
    cell = notebooks.install_cell()
    missing = "import importlib.util as u\nu.find_spec = lambda name: None\n"
    done = subprocess.run(
      [sys.executable, "-c", missing + cell], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
