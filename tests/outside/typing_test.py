"""What a strict type checker makes of a user's script and of every cell."""

import json
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pytest

from seqjax.train import loop
from tests import experiments

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = pathlib.Path(__file__).with_name("user_script.py")

# JAX, Flax and optax leave types open that a strict checker reports wherever
# they are used. These names of theirs are all that may be reported: (rule, the
# expression that is pointed at). What comes out of them has a type again by a
# `cast`, so nothing that seqjax defines is excused.
THEIRS = {
  ("reportMissingTypeStubs", "optax"),
  ("reportUnknownMemberType", "jax.grad"),
  ("reportUnknownMemberType", "optimizer.update"),
}
REVEALED = {
  "carry": "LSTMCarry",
  "params": "LSTMParams",
  "grads": "LSTMParams",
  "layer": "RNN[LSTMParams, LSTMCarry]",
  "texts": "list[str]",
  "norms": "LSTMCarry",
  "over_lag": "Array",
  "verdict": "Verdict",
}
# Parameters and carry of each kind of cell.
CELLS = {
  "Elman(2)": ("ElmanParams", "ElmanCarry"),
  "IndRNN(2)": ("IndRNNParams", "IndRNNCarry"),
  "LSTM(2)": ("LSTMParams", "LSTMCarry"),
  "GRU(2)": ("GRUParams | OriginalGRUParams", "GRUCarry"),
  "MGU(2)": ("MGUParams", "MGUCarry"),
  "LayerNormLSTM(2)": ("LayerNormLSTMParams", "LSTMCarry"),
  "LayerNormGRU(2)": ("LayerNormGRUParams", "GRUCarry"),
  "OutputFeedback(2, 2)": ("OutputFeedbackParams", "OutputFeedbackCarry"),
  "LinearRNN(2)": ("LinearRNNParams", "LinearCarry"),
  "MinGRU(2)": ("MinGRUParams", "LinearCarry"),
  "MinLSTM(2)": ("MinLSTMParams", "LinearCarry"),
  "LRU(2, 2)": ("LRUParams", "LRUCarry"),
  "LinearAttention(2, 2)": ("LinearAttentionParams", "LinearAttentionCarry"),
  "Stack((LSTM(2), GRU(2)))": ("tuple[Any, ...]", "tuple[Any, ...]"),
  "Residual(LSTM(2))": ("LSTMParams", "LSTMCarry"),
  "LearnedCarry(LSTM(2))": (
    "LearnedCarryParams[LSTMParams, LSTMCarry]",
    "LSTMCarry",
  ),
  "WeightDrop(LSTM(2), 0.1)": ("LSTMParams", "LSTMCarry"),
  "Dropout(LSTM(2), 0.1)": ("DropoutParams[LSTMParams]", "LSTMCarry"),
  "RecurrentDropout(LSTM(2), 0.1)": (
    "RecurrentDropoutParams[LSTMParams]",
    "LSTMCarry",
  ),
  "Zoneout(LSTM(2), 0.1)": ("LSTMParams", "LSTMCarry"),
  "Autoregressive(LSTM(2), 2)": (
    "AutoregressiveParams[LSTMParams]",
    "AutoregressiveCarry[LSTMCarry]",
  ),
}


def every_cell() -> str:
  """Uses each method of each cell that a user calls."""
  lines = [
    "from typing import reveal_type",
    "import jax",
    "from seqjax import *",
    "key = jax.random.key(0)",
    "x = jax.random.normal(key, (1, 2))",
  ]
  for index, cell in enumerate(CELLS):
    lines += [
      f"cell{index} = {cell}",
      f"params{index} = cell{index}.init(key, 2)",
      f"carry{index} = cell{index}.initial_carry(params{index}, (1,))",
      f"prepared{index} = cell{index}.prepare(params{index}, (1,), key=key)",
      f"step{index} = cell{index}.step(prepared{index}, carry{index}, x)",
      f"reveal_type((params{index}, prepared{index}, carry{index}))",
      f"reveal_type(step{index})",
      f"reveal_type(unroll(cell{index}, params{index}, x[None]))",
    ]
  return "\n".join(lines) + "\n"


def check(folder: pathlib.Path, files: dict[str, str]) -> dict[str, list]:
  """Pyright, strict, on files beside an environment that holds a copy of us.

  Returns:
    For each file its diagnostics: (severity, rule, message, what it points at).
  """
  environment = folder / "environment"
  command = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
  subprocess.run(command, check=True)
  (packages,) = environment.glob("lib/python3.*/site-packages")
  shutil.copytree(ROOT / "seqjax", packages / "seqjax")
  others = sysconfig.get_paths()["purelib"]
  (packages / "others.pth").write_text(f"{others}\n")
  project = folder / "project"
  project.mkdir()
  (project / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
  for name, text in files.items():
    (project / name).write_text(text)
  interpreter = environment / "bin" / "python"
  done = subprocess.run(
    [sys.executable, "-m", "pyright", "--outputjson"]
    + ["--pythonpath", str(interpreter), str(project)],
    cwd=project,
    capture_output=True,
    text=True,
  )
  found = {name: [] for name in files}
  for entry in json.loads(done.stdout)["generalDiagnostics"]:
    name = pathlib.Path(entry["file"]).name
    start, end = entry["range"]["start"], entry["range"]["end"]
    line = files[name].splitlines()[start["line"]]
    pointed = line[start["character"] : end["character"]]
    rule = entry.get("rule", "")
    found[name].append((entry["severity"], rule, entry["message"], pointed))
  return found


@pytest.fixture(scope="module")
def found(tmp_path_factory):
  reveals = "".join(f"reveal_type({name})\n" for name in REVEALED)
  files = {
    "script.py": SCRIPT.read_text() + reveals,
    "cells.py": every_cell(),
  }
  return check(tmp_path_factory.mktemp("typing"), files)


def revealed(diagnostics) -> list[str]:
  told = [d[2] for d in diagnostics if d[0] == "information"]
  return [message.partition(" is ")[2].strip('"') for message in told]


def test_nothing_of_ours_is_reported_in_a_users_script(found):
  reported = [d for d in found["script.py"] if d[0] != "information"]
  ours = [d for d in reported if (d[1], d[3]) not in THEIRS]
  assert not ours, "\n".join(map(str, ours))
  assert revealed(found["script.py"]) == list(REVEALED.values())


def test_every_cell_says_its_types(found):
  reported = [
    d
    for d in found["cells.py"]
    if d[0] != "information" and d[1] != "reportWildcardImportFromLibrary"
  ]
  assert not reported, "\n".join(map(str, reported))
  expected = []
  for params, carry in CELLS.values():
    expected.append(f"tuple[{params}, {params}, {carry}]")
    expected += [f"tuple[{carry}, Array]"] * 2
  assert revealed(found["cells.py"]) == expected


def test_the_script_runs(tmp_path):
  loop.train(experiments.small("char_lm"), tmp_path / "run")
  done = subprocess.run(
    [sys.executable, str(SCRIPT), str(tmp_path / "run")],
    cwd=tmp_path,
    env={"PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.split()[-2] in ("vanishing", "stable", "exploding")
