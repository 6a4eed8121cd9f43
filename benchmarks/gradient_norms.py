"""Cost of all hidden gradient norms beside a plain backward pass.

  python -m benchmarks.gradient_norms

LSTM 128, batch 32, T = 1,000, the loss at the last step: the gradient of the
parameters by `unroll`, and the norm of dL/dcarry_t at every t.
"""

import time
from typing import Any

import jax

import seqjax
from seqjax import gradients


def main():
  cell = seqjax.LSTM(128)
  params = cell.init(jax.random.key(0), 128)
  inputs = jax.random.normal(jax.random.key(1), (32, 1000, 128))
  step_loss = lambda outputs: outputs[..., 0]

  def plain(params, inputs):
    return jax.grad(
      lambda p: seqjax.unroll(cell, p, inputs)[1][:, -1, 0].sum()
    )(params)

  def norms(params, inputs):
    return gradients.hidden_gradient_norms(cell, params, inputs, step_loss)

  functions = {
    name: jax.jit(function).lower(params, inputs).compile()
    for name, function in (("plain backward", plain), ("all norms", norms))
  }
  seconds = {name: [] for name in functions}
  for _ in range(8):
    for name, function in functions.items():
      begin = time.perf_counter()
      jax.block_until_ready(function(params, inputs))
      seconds[name].append(time.perf_counter() - begin)
  print("| pass | min, ms | median, ms | temporaries, MiB |")
  print("|---|---|---|---|")
  for name, times in seconds.items():
    analysis: Any = functions[name].memory_analysis()
    times = sorted(times)
    print(
      f"| {name} | {times[0] * 1e3:,.0f} | {times[len(times) // 2] * 1e3:,.0f}"
      f" | {analysis.temp_size_in_bytes / 2**20:,.0f} |"
    )
  a, b = (min(seconds[name]) for name in seconds)
  print(f"ratio of minima: {b / a:.2f}")


if __name__ == "__main__":
  main()
