"""How much of what comes lies in the interval that was foretold, by step.

  python -m benchmarks.coverage
  python -m benchmarks.coverage --etth1=ETTh1.csv

Trains `experiments/forecast.py:quantiles` and the same model with `loss=mae`,
each once a seed; prints for each step what the 80 % interval covers of the test
part, beside it what the true quantiles cover of the same values, and how the
median's errors compare. With a file the experiment is `:etth1` with quantiles,
alone.
"""

import argparse
import pathlib
import tempfile
from typing import Any

import numpy as np

from seqjax import runs
from seqjax.experiments import forecast


def trained(options, seed: int, folder: str, **changes):
  """`(values, steps)` of the test part of one run."""
  config: Any = forecast.get_config("etth1" if options.etth1 else "quantiles")
  config.seed, config.model.quantiles = seed, (0.1, 0.5, 0.9)
  if options.etth1:
    config.data.path = options.etth1
    config.model.dropout = 0.1  # more of it makes the first steps too wide
  config.steps = options.steps or config.steps
  config.update_from_flattened_dict(changes)
  run = runs.fit(config, pathlib.Path(folder))
  values, outputs = run.task.evaluate_split(run.params, "test")
  return values, run.task.steps(run.params, outputs, "test")


def main():
  parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
  parser.add_argument("--seeds", type=int, default=3)
  parser.add_argument("--steps", type=int, help="default the experiment's")
  parser.add_argument("--etth1", default="", help="a file ETTh1.csv")
  parser.add_argument("--to", default="", help="a folder where runs are kept")
  options = parser.parse_args()
  with tempfile.TemporaryDirectory() as temporary:
    folder = options.to or temporary
    found, point = [], []
    for seed in range(options.seeds):
      found.append(trained(options, seed, f"{folder}/quantiles{seed}"))
      if not options.etth1:
        changes = {"model.quantiles": (), "loss": "mae"}
        point.append(trained(options, seed, f"{folder}/mae{seed}", **changes))
  steps = {
    name: np.mean([each[name].mean(axis=1) for _, each in found], axis=0)
    for name in found[0][1]
    if "coverage" in name or "width" in name
  }
  print("| step |", " | ".join(steps), "|")
  print("|---|" + "---|" * len(steps))
  for step, row in enumerate(zip(*steps.values(), strict=True), 1):
    print(f"| {step} |", " | ".join(f"{value:.4f}" for value in row), "|")
  for name, values in steps.items():
    print(
      f"{name}: {values.min():.4f} to {values.max():.4f}, mean"
      f" {values.mean():.4f}"
    )
  if "true_coverage_80" in steps:
    apart = np.abs(steps["coverage_80"] - steps["true_coverage_80"]).max()
    print(f"farthest from what the true quantiles cover: {100 * apart:.2f}")
  for name in ("mae", "mse", "mase"):
    ours, theirs = ([v[name] for v, _ in each] for each in (found, point))
    told = f"{name}: median {np.mean(ours):.4f}"
    if theirs:
      ratio = np.mean(ours) / np.mean(theirs)
      told += f", loss=mae {np.mean(theirs):.4f}, ratio {ratio:.4f}"
    print(told)


if __name__ == "__main__":
  main()
