"""The package as it is installed: nothing of the checkout is on the path.

The sdist is made of the files that are needed for it, the wheel of the sdist.
What others have written comes from the environment of the tests.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pytest

pytestmark = pytest.mark.slow

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
SMALL = [
  "--config.steps=2",
  "--config.batch_size=4",
  "--config.window=8",
  "--config.model.hidden_size=8",
  "--config.eval_batch_size=4",
  "--config.showcase.num_tokens=10",
]
# Every module, from its file's name.
IMPORT_ALL = """
import importlib, pathlib, sys
import seqjax
for name in sys.argv[1:]:
  module = importlib.import_module(name)
  place = module.__file__ or next(iter(module.__path__))
  assert pathlib.Path(place).is_relative_to(sys.prefix), place
"""


def run(*command, cwd, **environment):
  kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
  kept.pop("JAX_NUM_CPU_DEVICES", None)
  return subprocess.run(
    [*map(str, command)],
    cwd=cwd,
    env={**kept, **environment},
    capture_output=True,
    text=True,
    timeout=600,
  )


def done(*command, cwd):
  result = run(*command, cwd=cwd)
  assert result.returncode == 0, result.stderr
  return result.stdout


def environment(folder: pathlib.Path) -> pathlib.Path:
  """A new one with the packages of this one, but for seqjax; its `bin`."""
  done(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
  (packages,) = folder.glob("lib/python3.*/site-packages")
  # A line names a folder; the links of editable installs in it are not read.
  others = sysconfig.get_paths()["purelib"]
  (packages / "others.pth").write_text(f"{others}\n")
  return folder / "bin"


def install(bin: pathlib.Path, *arguments, cwd):
  pip = [sys.executable, "-m", "pip", "--python", bin / "python"]
  return run(*pip, "install", "--quiet", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  """A copy of the checkout's part in a package, links as links."""
  folder = tmp_path_factory.mktemp("source") / "seqjax-source"
  folder.mkdir()
  for name in ("pyproject.toml", "README.md", "LICENSE"):
    shutil.copy(ROOT / name, folder / name)
  ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
  for name in ("seqjax", "experiments"):
    shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore)
  return folder


@pytest.fixture(scope="module")
def builder(tmp_path_factory, source):
  """An environment that can build, and has the checkout as editable."""
  folder = tmp_path_factory.mktemp("builder")
  bin = environment(folder / "environment")
  had = install(bin, "setuptools>=77", cwd=folder)
  if had.returncode:
    pytest.skip("setuptools cannot be had")
  given = ["--no-deps", "--no-build-isolation", "--editable", source]
  assert install(bin, *given, cwd=folder).returncode == 0
  return bin


@pytest.fixture(scope="module")
def built(builder, source, tmp_path_factory):
  """The wheel of the sdist."""
  folder = tmp_path_factory.mktemp("dist")
  build = "import sys; from setuptools import build_meta as b; "
  script = build + "b.build_sdist(sys.argv[1])"
  done(builder / "python", "-c", script, folder, cwd=source)
  (sdist,) = folder.glob("*.tar.gz")
  shutil.unpack_archive(sdist, folder, filter="data")
  (unpacked,) = folder.glob("seqjax-*/")
  script = build + "b.build_wheel(sys.argv[1])"
  done(builder / "python", "-c", script, folder, cwd=unpacked)
  (wheel,) = folder.glob("*.whl")
  return wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
  """The `bin` of an environment that the wheel alone was installed into."""
  folder = tmp_path_factory.mktemp("installed")
  bin = environment(folder / "environment")
  had = install(bin, "--no-deps", "--no-index", built, cwd=folder)
  assert had.returncode == 0, had.stderr
  return bin


@pytest.fixture(scope="module")
def trained(installed, tmp_path_factory):
  """A folder of the user's with a run that the command made."""
  folder = tmp_path_factory.mktemp("work")
  command = ["--config=char_lm", *SMALL, "--workdir=run"]
  done(installed / "seqjax", *command, cwd=folder)
  return folder


def files(folder: pathlib.Path) -> set[str]:
  """What is in a package, behind links, too."""
  return {
    str(pathlib.Path(where, name).relative_to(folder))
    for where, _, names in os.walk(folder, followlinks=True)
    for name in names
    if name.endswith((".py", ".typed"))
  }


def test_the_wheel_has_every_file(installed):
  (package,) = installed.parent.glob("lib/python3.*/site-packages/seqjax")
  assert files(package) == files(ROOT / "seqjax")
  assert {"py.typed", "experiments/char_lm.py"} <= files(package)
  assert not (package / "experiments").is_symlink()


@pytest.mark.parametrize("which", ["installed", "builder"])
def test_every_module_is_imported(which, request, source, tmp_path):
  bin = request.getfixturevalue(which)
  names = [
    f"seqjax.{path.removesuffix('.py').removesuffix('/__init__')}"
    for path in files(ROOT / "seqjax") - {"__init__.py", "py.typed"}
  ]
  modules = [name.replace("/", ".") for name in names]
  # Editable: it is where the source is.
  place = "sys.prefix" if which == "installed" else repr(str(source))
  script = IMPORT_ALL.replace("sys.prefix", place)
  done(bin / "python", "-c", script, *modules, cwd=tmp_path)


@pytest.mark.parametrize("which", ["installed", "builder"])
def test_help_lists_the_experiments(which, request, tmp_path):
  bin = request.getfixturevalue(which)
  said = done(bin / "seqjax", "--help", cwd=tmp_path)
  for path in (ROOT / "experiments").glob("*.py"):
    assert f"\n  {path.stem}: " in said


def test_a_run_by_command_and_by_module(installed, trained):
  options = ["--mode=generate", "--workdir=run", "--num_tokens=20"]
  one = done(installed / "seqjax", *options, cwd=trained)
  module = [installed / "python", "-m", "seqjax.launch"]
  assert len(one) == 21
  assert one == done(*module, *options, cwd=trained)


def test_a_task_of_ones_own(installed, tmp_path):
  """In the working directory; in a run directory it is not looked for."""
  folder = tmp_path / "own"
  shutil.copytree(HERE / "own_task", folder)
  command = ["--config=parity.py", f"--workdir={tmp_path}/run"]
  done(installed / "seqjax", *command, cwd=folder)
  mode = ["--mode=evaluate", f"--workdir={tmp_path}/run"]
  assert "validation" in done(installed / "seqjax", *mode, cwd=folder)
  shutil.copytree(folder / "mine", tmp_path / "run" / "mine")
  refused = run(installed / "seqjax", *mode, cwd=HERE)
  assert refused.returncode == 2
  assert "config.task is 'mine.parity', which is not on" in refused.stderr


def test_a_users_script(installed, trained):
  script = HERE / "user_script.py"
  if not script.exists():
    pytest.skip("there is none")
  done(installed / "python", script, "run", cwd=trained)
