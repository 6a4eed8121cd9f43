"""Time and memory of a gradient as the sequence grows.

  python -m benchmarks.long_sequences [--figure=docs/long_sequences.png]

LSTM 64 and MinGRU 64, batch 8, time-major, the gradient of the last state with
respect to the parameters; 256 to 65,536 steps, one CPU device. Temporaries are
`memory_analysis().temp_size_in_bytes` of the compiled program.
"""

import argparse
import json
import pathlib
import time
from typing import Any

import jax
import numpy as np

import seqjax
from seqjax.show import plot

LENGTHS = (256, 1_024, 4_096, 16_384, 65_536)
JOBS = (
  ("LSTM", seqjax.LSTM(64), "scan"),
  ("LSTM", seqjax.LSTM(64), "fused"),
  ("LSTM", seqjax.LSTM(64), "checkpointed"),
  ("MinGRU", seqjax.MinGRU(64), "scan"),
  ("MinGRU", seqjax.MinGRU(64), "associative"),
  ("MinGRU", seqjax.MinGRU(64), "checkpointed"),
)


def compile_gradient(cell, method, inputs):
  """`(program, params, seconds to compile)`."""
  params = cell.init(jax.random.key(0), inputs.shape[-1])

  def loss(params, inputs):
    carry, _ = seqjax.unroll(
      cell, params, inputs, time_major=True, method=method
    )
    return carry.h.sum()

  lowered = jax.jit(jax.grad(loss)).lower(params, inputs)
  begin = time.perf_counter()
  compiled = lowered.compile()
  return compiled, params, time.perf_counter() - begin


def measure(lengths, rounds):
  """A row for each job and length; the jobs take turns."""
  rows = []
  for steps in lengths:
    inputs = jax.random.normal(jax.random.key(1), (steps, 8, 64))
    programs, found = [], []
    for name, cell, method in JOBS:
      compiled, params, seconds = compile_gradient(cell, method, inputs)
      analysis: Any = compiled.memory_analysis()
      programs.append((compiled, params))
      found.append(
        {
          "cell": name,
          "method": method,
          "steps": steps,
          "compile_s": seconds,
          "temp_bytes": analysis.temp_size_in_bytes,
          "seconds": [],
        }
      )
    for _ in range(rounds + 1):  # the first is not counted
      for row, (compiled, params) in zip(found, programs, strict=True):
        begin = time.perf_counter()
        jax.block_until_ready(compiled(params, inputs))
        row["seconds"].append(time.perf_counter() - begin)
    for row in found:
      times = row.pop("seconds")[1:]
      row["min_ms"] = min(times) * 1e3
      row["median_ms"] = float(np.median(times)) * 1e3
      print(
        f"| {row['cell']} `{row['method']}` | {steps:,} | {row['min_ms']:,.1f}"
        f" | {row['median_ms']:,.1f} | {row['temp_bytes'] / 2**20:,.1f} |"
        f" {row['compile_s']:.2f} |",
        flush=True,
      )
    rows += found
  return rows


def draw(rows, path):
  """Time above, memory below, over the number of steps."""
  figure, (top, bottom) = plot.figure(8, 7, rows=2)
  for index, (name, _, method) in enumerate(JOBS):
    mine = [r for r in rows if (r["cell"], r["method"]) == (name, method)]
    steps = [r["steps"] for r in mine]
    label = f"{name}, {method}"
    top.plot(
      steps, [r["min_ms"] for r in mine], label=label, **plot.style(index)
    )
    bottom.plot(
      steps, [r["temp_bytes"] / 2**20 for r in mine], **plot.style(index)
    )
  for axis in (top, bottom):
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(LENGTHS, [f"{n:,}" for n in LENGTHS])
    axis.minorticks_off()
    plot.plain_numbers(axis.yaxis)
  top.set_ylabel("gradient [ms]")
  bottom.set_ylabel("temporaries [MiB]")
  bottom.set_xlabel("length of the sequence [steps]")
  figure.legend(loc="outside right upper", frameon=False, handlelength=3)
  figure.savefig(path, dpi=150)


def main():
  parser = argparse.ArgumentParser(description="Long sequences")
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--longest", type=int, default=LENGTHS[-1])
  parser.add_argument("--json", type=pathlib.Path)
  parser.add_argument("--figure", type=pathlib.Path)
  options = parser.parse_args()
  print(
    "| cell, method | steps | min, ms | median, ms | temporaries, MiB |", end=""
  )
  print(" compiled in, s |\n|---|---|---|---|---|---|")
  lengths = [n for n in LENGTHS if n <= options.longest]
  rows = measure(lengths, options.rounds)
  if options.json:
    options.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
  if options.figure:
    draw(rows, options.figure)


if __name__ == "__main__":
  main()
