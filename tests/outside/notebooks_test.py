"""The notebooks as a newcomer runs them: a wheel, the oldest jax, a kernel."""

import subprocess
import sys

import pytest

from tests import notebooks
from tests.outside import wheel_test
from tests.outside.wheel_test import builder, built, source  # noqa: F401

pytestmark = pytest.mark.slow

RUN = """
import sys
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
"""


@pytest.fixture(scope="module")
def python(built, tmp_path_factory):  # noqa: F811
  """The interpreter of a new environment, with the oldest set of packages."""
  folder = tmp_path_factory.mktemp("newcomer")
  venv = [sys.executable, "-m", "venv", folder / "environment"]
  subprocess.run(venv, check=True)
  python = folder / "environment" / "bin" / "python"
  oldest = notebooks.ROOT / "constraints-oldest.txt"
  packages = [f"seqjax[train] @ {built.as_uri()}", "ipykernel", "nbclient"]
  pip = [python, "-m", "pip", "install", "--quiet", "--constraint", oldest]
  had = wheel_test.run(*pip, *packages, cwd=folder)
  if had.returncode:
    pytest.skip(f"the packages cannot be had: {had.stderr[-300:]}")
  return python


@pytest.mark.parametrize(
  "path", notebooks.sources(), ids=lambda path: path.stem
)
def test_it_runs(path, python, tmp_path):
  pair = path.with_suffix(".ipynb")
  wheel_test.done(python, "-c", RUN, pair, cwd=tmp_path)
  assert not list(tmp_path.iterdir())
