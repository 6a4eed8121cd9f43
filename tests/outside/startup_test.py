"""What a process imports, what it does without, and what it keeps."""

import importlib
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from seqjax import command_line, errors
from seqjax.train import loop, restore, runtime
from tests import experiments

ROOT = pathlib.Path(__file__).parents[2]
SMALL = [
  "--config.batch_size=4",
  "--config.window=8",
  "--config.steps=2",
  "--config.model.hidden_size=8",
  "--config.data.validation=0.0",
  "--config.data.test=0.0",
  "--config.showcase.num_tokens=10",
  "--num_cpu_devices=1",
]


def python(*arguments):
  """A fresh interpreter; its standard output. It must say nothing else."""
  done = run(*arguments)
  assert (done.returncode, done.stderr) == (0, "")
  return done.stdout


def run(*arguments):
  return subprocess.run(
    [sys.executable, *map(str, arguments)],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=300,
  )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
  """A language model, a classifier, and the launcher's cache of the first."""
  root = tmp_path_factory.mktemp("runs")
  launch(root, "--config=char_lm", *SMALL, f"--workdir={root}/char_lm")
  loop.train(experiments.small("sentiment"), root / "sentiment")
  return root


def launch(root, *arguments):
  """The launcher of a user whose cache folder is `root`/cache."""
  environment = {**os.environ, "XDG_CACHE_HOME": f"{root}/cache"}
  del environment["JAX_COMPILATION_CACHE_DIR"]
  command = [sys.executable, "-m", "seqjax.launch", *arguments]
  done = subprocess.run(
    command, cwd=ROOT, env=environment, capture_output=True, text=True
  )
  assert (done.returncode, done.stderr) == (0, "")


def test_the_rooms_come_when_asked_for():
  python(
    "-c",
    """
import sys
import seqjax
assert {"nn", "gradients", "convert", "load", "fit"} <= set(dir(seqjax))
heavy = {"flax", "optax", "orbax", "matplotlib"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
seqjax.nn.RNN, seqjax.gradients.by_lag, seqjax.convert.torch
assert not hasattr(seqjax, "nothing")
""",
  )


def test_the_core_alone(runs):
  """Loads, writes, classifies, measures, converts; opens no training."""
  said = python(
    "-c",
    f"""
import pathlib, sys
from seqjax.errors import EXTRA, TEXT
from tests.outside import without
without.block([*EXTRA, *TEXT])
import jax
import seqjax
from seqjax import launch
runs = pathlib.Path({str(runs)!r})
mode = ["launch", "--mode=generate", "--num_tokens=5", "--prompt=The"]
sys.argv = [*mode, f"--workdir={{runs / 'char_lm'}}"]
assert launch.main(sys.argv) == 0
text, = seqjax.load(runs / "char_lm").generate(prompt="The", num_tokens=5)
assert text.startswith("The") and len(text) == 8
assert seqjax.load(runs / "sentiment").predict([["good"]]).shape == (1, 2)
cell = seqjax.LSTM(4)
params = cell.init(jax.random.key(0), 3)
inputs = jax.random.normal(jax.random.key(1), (2, 5, 3))
loss = lambda outputs: outputs[..., 0]
seqjax.gradients.hidden_gradient_norms(cell, params, inputs, loss)
seqjax.convert.torch.to_torch(cell, params)
for name in ("train.loop", "train.metrics", "show", "studies"):
  assert f"seqjax.{{name}}" not in sys.modules, name
assert "jax.experimental.pallas" not in sys.modules
""",
  )
  assert len(said) == 9


NEEDED = {
  "PIL": ["--config=char_lm", *SMALL],  # which matplotlib needs, too
  "grain": ["--config=char_lm", *SMALL],
  "matplotlib": ["--config=char_lm", *SMALL],
  "mido": ["--config=music"],
  "pooch": ["--config=char_lm:tinyshakespeare", *SMALL],
  "seqeval": ["--config=ner"],
  "sklearn": ["--config=sentiment"],
  "tensorboardX": ["--config=char_lm", *SMALL],
}


@pytest.mark.parametrize("module", NEEDED)
def test_what_is_missing_is_one_line(module, tmp_path, monkeypatch):
  monkeypatch.delenv("SEQJAX_DATA_DIR", raising=False)
  command = [*NEEDED[module], f"--workdir={tmp_path}/run"]
  done = run("-m", "tests.outside.without", module, *command)
  name = errors.EXTRA[module]
  assert (done.returncode, done.stdout) == (2, "")
  assert done.stderr == (
    f"error: {name} is not installed; it comes with the extra of training: pip"
    " install 'seqjax[train]'\n"
  )
  assert not (tmp_path / "run" / "config.json").exists()


NEEDED_FOR_TEXT = {
  "jiwer": "word_errors.check_installed()",
  "sacrebleu": "bleu.signatures('de')",
  "sacremoses": "moses.prepare('a', 'en', moses=True)",
  "sentencepiece": "subwords.Subwords.fit(['a b'], 300)",
}


@pytest.mark.parametrize("module", NEEDED_FOR_TEXT)
def test_what_is_missing_for_text_is_one_line(module):
  python(
    "-c",
    f"""
from tests.outside import without
without.block(["{module}"])
from seqjax.data import bleu, moses, pairs, subwords, word_errors
from seqjax.errors import InputError
try:
  {NEEDED_FOR_TEXT[module]}
except InputError as error:
  assert str(error) == (
    "{module} is not installed; it comes with the extra of text: pip install"
    " 'seqjax[text]'"
  )
else:
  raise AssertionError("it works without")
""",
  )


def test_every_package_of_the_extras_has_a_case():
  assert set(NEEDED) == set(errors.EXTRA)
  assert set(NEEDED_FOR_TEXT) == set(errors.TEXT)


def test_what_is_missing_of_a_users_own_is_told_as_it_is():
  with pytest.raises(ModuleNotFoundError, match="of_my"), errors.extra():
    importlib.import_module("of_my_own")


def test_an_experiment_has_a_name_and_a_path():
  assert (ROOT / "seqjax" / "experiments").readlink() == pathlib.Path(
    "../experiments"
  )
  for variant in ("", ":stdlib"):
    named = command_line.load_experiment(f"char_lm{variant}")
    path = f"{experiments.FOLDER}/char_lm.py{variant}"
    assert named == command_line.load_experiment(path)


def kept(root):
  return sorted((root / "cache").glob("seqjax/programs/*/*-cache"))


def test_a_kept_program_gives_the_same_numbers(runs):
  before = kept(runs)
  assert any("train_step" in path.name for path in before)
  launch(runs, "--config=char_lm", *SMALL, f"--workdir={runs}/again")
  assert kept(runs) == before  # every program was there
  one, other = (restore.load(runs / name)[1] for name in ("char_lm", "again"))
  jax.tree.map(np.testing.assert_array_equal, one, other)


def test_a_damaged_program_is_compiled_again(runs):
  for path in kept(runs):
    path.write_bytes(path.read_bytes()[:100])
  launch(runs, "--config=char_lm", *SMALL, f"--workdir={runs}/damaged")
  names = "char_lm", "damaged"
  one, other = (restore.load(runs / name)[1] for name in names)
  jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.fixture
def folders(tmp_path, monkeypatch):
  """What JAX is told to keep programs in."""
  told = []
  monkeypatch.setattr(
    jax.config,
    "update",
    lambda name, value: told.append(value) if name.endswith("dir") else None,
  )
  monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  return told


def test_where_programs_are_kept(folders, tmp_path, monkeypatch):
  runtime.keep_programs()
  (folder,) = map(pathlib.Path, folders)
  assert folder.is_relative_to(tmp_path / "seqjax" / "programs")
  assert jax.__version__ in folder.name
  assert folder.stat().st_mode & 0o777 == 0o700
  folder.chmod(0o777)  # anybody could put code there
  runtime.keep_programs()
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
  runtime.keep_programs()
  assert len(folders) == 1


def test_without_a_folder_nothing_is_kept(folders, tmp_path, monkeypatch):
  (tmp_path / "seqjax").write_text("a file")
  runtime.keep_programs()
  monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # no folder, says XDG
  monkeypatch.setenv("HOME", str(tmp_path / "seqjax"))
  runtime.keep_programs()
  assert not folders
  assert not pathlib.Path("relative").exists()
