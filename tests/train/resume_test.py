"""Real processes, killed: the parameters at the end are the same, bit by bit.

The runs are tiny, but everything is real: the launcher, Orbax, the signals.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import warnings

import jax
import numpy as np
import orbax.checkpoint.experimental.v1 as ocp
import pytest

ROOT = pathlib.Path(__file__).parents[2]
STEPS = 90
COMMAND = [
  sys.executable,
  "-m",
  "seqjax.launch",
  "--config=experiments/char_lm.py",
  f"--config.steps={STEPS}",
  "--config.batch_size=8",
  "--config.window=16",
  "--config.model.hidden_size=32",
  "--config.model.num_layers=2",
  "--config.model.dropout=0.3",
  "--config.log_every=2",
  "--config.eval_every=24",
  "--config.checkpoint_every=10",
  "--config.data.validation=0.01",
  "--config.showcase.num_tokens=5",
]


def start(workdir, *extra):
  environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
  environment.pop("JAX_NUM_CPU_DEVICES", None)
  return subprocess.Popen(
    [*COMMAND, f"--workdir={workdir}", *extra],
    cwd=ROOT,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def finish(workdir, *extra, code=0):
  process = start(workdir, *extra)
  output, _ = process.communicate(timeout=120)
  assert process.returncode == code, output
  return output


def run_until(process, condition):
  """Reads the output until `condition(line)`; returns what was read."""
  lines = []
  for line in process.stdout:
    lines.append(line)
    if condition(line):
      return lines
  raise AssertionError("ended too early:\n" + "".join(lines))


def kill(process):
  process.send_signal(signal.SIGKILL)
  process.communicate(timeout=60)


def final_state(workdir):
  """Every array of the last checkpoint, by path, and what the best was."""
  with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Sharding info not provided")
    state = ocp.load(str(workdir / "checkpoints" / str(STEPS)), None)
  state = state["state"] if set(state) == {"state"} else state
  leaves = jax.tree_util.tree_leaves_with_path(state)
  arrays = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
  for name, leaf in arrays.items():
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      arrays[name] = jax.random.key_data(leaf)
  found = {name: np.asarray(leaf) for name, leaf in arrays.items()}
  metadata = ocp.metadata(str(workdir / "checkpoints" / str(STEPS)))
  best = json.loads(metadata.custom_metadata["record"])["extra"]["best"]
  assert best["step"] > 0
  return {**found, "best": np.array(list(best.values()))}


def assert_same_state(a, b, holds="recurrent_kernel"):
  assert a.keys() == b.keys()
  assert any(holds in name for name in a)
  for name in a:
    assert a[name].tobytes() == b[name].tobytes(), name


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
  """An uninterrupted run and its last checkpoint."""
  workdir = tmp_path_factory.mktemp("whole")
  finish(workdir)
  return workdir, final_state(workdir)


def test_kill_at_any_moment(whole_run, tmp_path):
  whole_dir, expected = whole_run
  workdir = tmp_path / "killed"

  # Before the first checkpoint.
  process = start(workdir)
  run_until(process, lambda line: line.startswith("step 4/"))
  kill(process)

  # Between two checkpoints.
  process = start(workdir)
  run_until(process, lambda line: line.startswith("step 26/"))
  kill(process)

  # While a checkpoint is being written: its temporary folder is there.
  process = start(workdir)
  run_until(process, lambda line: line.startswith("step 30/"))
  folder = workdir / "checkpoints"
  unfinished = lambda: any("tmp" in path.name for path in folder.iterdir())
  while process.poll() is None:
    if unfinished():
      process.send_signal(signal.SIGSTOP)  # look again while nothing moves
      if unfinished():
        break
      process.send_signal(signal.SIGCONT)
  kill(process)
  assert unfinished()

  finish(workdir)
  assert_same_state(final_state(workdir), expected)
  assert not unfinished()
  # The records too are those of one run: every step once, the same losses.
  records = [
    [
      (r["step"], r["loss"])
      for r in map(json.loads, (d / "metrics.jsonl").read_text().splitlines())
      if r["kind"] == "train" and r["step"] > 0
    ]
    for d in (whole_dir, workdir)
  ]
  assert len(records[0]) == STEPS // 2
  assert {s for s, _ in records[1]} >= {s for s, _ in records[0]}
  assert len(records[1]) == len({s for s, _ in records[1]})


def test_a_transformer_goes_on(tmp_path):
  """Its cache crosses the windows here, and is part of what is saved."""
  options = "transformer(heads=2, window=24)"
  flags = [f"--config.model.layer={options}", "--config.carry_over=True"]
  whole, killed = tmp_path / "whole", tmp_path / "killed"
  finish(whole, *flags)
  for step in (4, 26):
    process = start(killed, *flags)
    run_until(process, lambda line, n=step: line.startswith(f"step {n}/"))
    kill(process)
  finish(killed, *flags)
  expected = final_state(whole)
  held = [leaf for name, leaf in expected.items() if "position" in name]
  assert len(held) == 3  # of the inputs, and of two blocks
  assert all((leaf == STEPS * 16).all() for leaf in held)
  assert_same_state(final_state(killed), expected, holds="position")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals_save_and_say_so(whole_run, tmp_path, name):
  _, expected = whole_run
  number = signal.Signals[name]
  process = start(tmp_path)
  run_until(process, lambda line: line.startswith("step 4/"))
  process.send_signal(number)
  output, _ = process.communicate(timeout=60)
  assert process.returncode == 128 + number, output
  assert f"{name}: saved step" in output
  step = int(output.split("saved step ")[1].split(";")[0])
  assert (tmp_path / "checkpoints" / str(step)).is_dir()
  output = finish(tmp_path)
  assert f"from step {step}" in output
  assert_same_state(final_state(tmp_path), expected)


def largest_file(folder):
  files = [p for p in folder.rglob("*") if p.is_file()]
  return max(files, key=lambda p: p.stat().st_size)


def flip_a_byte(path):
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 0xFF
  path.write_bytes(data)


def cut_in_half(path):
  os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
  "damage", [flip_a_byte, cut_in_half, lambda path: path.unlink()]
)
def test_a_damaged_checkpoint_falls_back(whole_run, tmp_path, damage):
  whole_dir, expected = whole_run
  workdir = tmp_path / "damaged"
  shutil.copytree(whole_dir, workdir)
  damage(largest_file(workdir / "checkpoints" / str(STEPS)))
  output = finish(workdir)
  assert f"checkpoint of step {STEPS} is damaged" in output
  assert f"from step {STEPS - 10} " in output
  assert_same_state(final_state(workdir), expected)


def test_all_checkpoints_damaged_is_one_line(whole_run, tmp_path):
  workdir = tmp_path / "damaged"
  shutil.copytree(whole_run[0], workdir)
  for checkpoint in (workdir / "checkpoints").iterdir():
    cut_in_half(largest_file(checkpoint))
  output = finish(workdir, code=2)
  assert "error: " in output
  assert "no checkpoint can be read" in output


def test_the_second_run_in_a_workdir_refuses(tmp_path):
  first = start(tmp_path)
  try:
    run_until(first, lambda line: line.startswith("step 4/"))
    output = finish(tmp_path, code=2)
    assert f"in use by another run (process {first.pid})" in output
    assert len(output.splitlines()) == 1
  finally:
    kill(first)


def test_eight_devices_give_the_curve_of_one(whole_run, tmp_path):
  finish(tmp_path, "--num_cpu_devices=8")
  curves = [
    [
      r["loss"]
      for r in map(json.loads, (d / "metrics.jsonl").read_text().splitlines())
      if r["kind"] == "train"
    ]
    for d in (whole_run[0], tmp_path)
  ]
  assert len(curves[0]) == STEPS // 2
  np.testing.assert_allclose(curves[1], curves[0], rtol=2e-5)
