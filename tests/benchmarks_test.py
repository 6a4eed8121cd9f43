"""The benchmark scripts run; their figures are no test's business."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def test_loop_overhead():
  command = [
    *(sys.executable, "-m", "benchmarks.loop_overhead"),
    *("--steps=3", "--rounds=1", "--config.model.hidden_size=8"),
    *("--config.window=8", "--config.batch_size=4"),
  ]
  result = subprocess.run(
    command, cwd=ROOT, capture_output=True, text=True, timeout=120
  )
  assert result.returncode == 0, result.stderr
  ratios = json.loads(result.stdout.split("ratio: ")[1])
  assert set(ratios) == {"min", "median"}
