"""CPU seconds of whole commands that use a trained run.

  python -m benchmarks.startup [--before=CHECKOUT] [--rounds=5]

A character model and a classifier are trained for five steps each. Then
`--mode=generate` and `--mode=predict` run in turns: of another checkout, if one
is named; here with an empty folder of compiled programs each time ("cold"); and
here with what the command before has left ("warm"). User and system seconds of
the process, minimum and median.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

from absl import app, flags

_BEFORE = flags.DEFINE_string("before", "", "Another checkout, to compare.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Runs of each command.")

ROOT = pathlib.Path(__file__).parents[1]
EXPERIMENTS = {"generate": "char_lm", "predict": "sentiment"}
OPTIONS = {"generate": ["--prompt=The "], "predict": []}


def launch(checkout, cache, *arguments) -> float:
  """CPU seconds of one command."""
  environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
  environment.pop("JAX_COMPILATION_CACHE_DIR", None)
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  subprocess.run(
    [sys.executable, "-m", "seqjax.launch", *arguments],
    cwd=checkout,
    env=environment,
    input="good , not bad\n",
    text=True,
    stdout=subprocess.DEVNULL,
    check=True,
  )
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(folder, before, rounds) -> dict[tuple[str, str], list[float]]:
  """`{(mode, "before", "cold" or "warm"): seconds}`."""
  folder, checkouts = pathlib.Path(folder), {"here": ROOT}
  if before:
    checkouts["before"] = pathlib.Path(before).resolve()
  for name, checkout in checkouts.items():
    for mode, experiment in EXPERIMENTS.items():
      config = f"--config=experiments/{experiment}.py"
      run = f"--workdir={folder / name / mode}"
      launch(checkout, folder / "warm", config, "--config.steps=5", run)
  found = {}

  def add(kind, name, mode, cache):
    run = f"--workdir={folder / name / mode}"
    arguments = [f"--mode={mode}", run, *OPTIONS[mode]]
    seconds = launch(checkouts[name], cache, *arguments)
    found.setdefault((mode, kind), []).append(seconds)

  for mode in EXPERIMENTS:  # fills the folder of programs
    add("first", "here", mode, folder / "warm")
  for turn in range(rounds):
    for mode in EXPERIMENTS:
      if before:
        add("before", "before", mode, folder / "unused")
      add("cold", "here", mode, folder / f"cold_{mode}_{turn}")
      add("warm", "here", mode, folder / "warm")
  return {key: values for key, values in found.items() if key[1] != "first"}


def table(found: dict[tuple[str, str], list[float]]) -> str:
  """A line for each: minimum, median, and the median's share of before's."""
  lines = []
  for (mode, kind), values in sorted(found.items()):
    median = statistics.median(values)
    line = f"{mode:9} {kind:7} {min(values):5.2f} ({median:.2f}) CPU s"
    if before := found.get((mode, "before")):
      line += f"  {median / statistics.median(before):.2f} of before"
    lines.append(line)
  return "\n".join(lines)


def main(argv) -> None:
  del argv
  with tempfile.TemporaryDirectory() as folder:
    print(table(measure(folder, _BEFORE.value, _ROUNDS.value)))


if __name__ == "__main__":
  app.run(main)
