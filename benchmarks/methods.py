"""Cost of the methods of `unroll`: time and memory of value and gradient.

  python -m benchmarks.methods

Alternates the methods on the gradient of a stack of LSTMs, then takes one very
long sequence (T = 65,536, hidden 64, batch 8, loss on the last state).
"""

import time
from typing import Any

import jax

import seqjax
from seqjax.recurrence import Checkpointed, Fused

# hidden_size, layers, batch, time
SHORT = [(128, 1, 64, 128), (256, 2, 64, 128), (512, 2, 32, 128)]
METHODS = ["scan", "fused", "checkpointed"]
LONG = (64, 1, 8, 65_536)


def measure(size, methods, rounds, loss):
  """Prints a row of the table for each method."""
  hidden_size, layers, batch, steps = size
  cell = seqjax.Stack((seqjax.LSTM(hidden_size),) * layers)
  params = cell.init(jax.random.key(0), hidden_size)
  shape = (steps, batch, hidden_size)
  inputs = jax.random.normal(jax.random.key(1), shape)

  def compiled(method):
    def objective(params, inputs):
      carry, outputs = seqjax.unroll(
        cell, params, inputs, time_major=True, method=method
      )
      return loss(carry, outputs)

    gradient = jax.jit(jax.value_and_grad(objective))
    return gradient.lower(params, inputs).compile()

  functions = {method: compiled(method) for method in methods}
  seconds = {method: [] for method in methods}
  for _ in range(rounds):
    for method, function in functions.items():
      begin = time.perf_counter()
      jax.block_until_ready(function(params, inputs))
      seconds[method].append(time.perf_counter() - begin)
  for method, times in seconds.items():
    analysis: Any = functions[method].memory_analysis()
    memory = analysis.temp_size_in_bytes / 2**20
    times = sorted(times)
    print(
      f"| {layers} x {hidden_size}, batch {batch}, T {steps:,} | `{method}` |"
      f" {times[0] * 1e3:,.0f} | {times[len(times) // 2] * 1e3:,.0f} |"
      f" {memory:,.1f} |",
      flush=True,
    )


def main():
  print("| LSTM | method | min, ms | median, ms | temporaries, MiB |")
  print("|---|---|---|---|---|")
  for size in SHORT:
    measure(size, METHODS, 6, lambda carry, outputs: (outputs**2).mean())
  last_state = lambda carry, outputs: carry[-1].h.sum()
  long_methods = [*METHODS, Checkpointed(inner=Fused())]
  measure(LONG, long_methods, 3, last_state)


if __name__ == "__main__":
  main()
