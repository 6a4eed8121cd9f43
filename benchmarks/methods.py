"""Cost of the methods of `unroll`: time and memory of value and gradient.

  python -m benchmarks.methods
  JAX_NUM_CPU_DEVICES=2 python -m benchmarks.methods --only=short

Four tables, in each of which the methods take turns: short sequences of
stacked LSTMs with the batch shared among all devices; one very long sequence
(loss on the last state), beside Flax Linen's RNN; what can be run in parallel
over time; linear attention. Two more are for a machine with an NVIDIA GPU:
`--only=gpu`, the kernels, and `--only=gpu_parallel`, the methods that are
parallel over time as the sequence grows.
"""

import argparse
import time
from typing import Any

import flax.linen
import jax
from jax.sharding import NamedSharding, PartitionSpec

import seqjax
from seqjax.recurrence import (
  Checkpointed,
  Cudnn,
  Newton,
  Quadratic,
  Scan,
  newton_report,
)


def compare(title, functions, rounds):
  """Prints a row for each of `functions`, `{name: (compiled, arguments)}`."""
  seconds = {name: [] for name in functions}
  for _ in range(rounds):
    for name, (function, args) in functions.items():
      begin = time.perf_counter()
      jax.block_until_ready(function(*args))
      seconds[name].append(time.perf_counter() - begin)
  for name, times in seconds.items():
    analysis: Any = functions[name][0].memory_analysis()
    memory = analysis.temp_size_in_bytes / 2**20
    times = sorted(times)
    print(
      f"| {title} | {name} | {_said(times[0])} |"
      f" {_said(times[len(times) // 2])} | {memory:,.1f} |",
      flush=True,
    )


def _said(seconds: float) -> str:
  """In milliseconds."""
  return f"{seconds * 1e3:,.{2 if seconds < 0.01 else 0}f}"


def gradients(cell, loss, methods, args):
  """`{method: compiled gradient}` of `loss(carry, outputs)`, time-major."""

  def compiled(method):
    def objective(params, inputs):
      return loss(
        *seqjax.unroll(cell, params, inputs, time_major=True, method=method)
      )

    gradient = jax.jit(jax.value_and_grad(objective))
    return gradient.lower(*args).compile(), args

  return {f"`{method}`": compiled(method) for method in methods}


def short():
  """Stacked LSTMs, batch shared among the devices."""
  mesh = jax.make_mesh(
    (jax.device_count(),), ("data",), (jax.sharding.AxisType.Auto,)
  )
  for size, layers, batch, steps in (
    (128, 1, 64, 128),
    (256, 2, 64, 128),
    (512, 2, 32, 128),
  ):
    cell = seqjax.Stack((seqjax.LSTM(size),) * layers)
    params = cell.init(jax.random.key(0), size)
    inputs = jax.random.normal(jax.random.key(1), (steps, batch, size))
    spread = PartitionSpec(None, "data")
    args = (
      jax.device_put(params, NamedSharding(mesh, PartitionSpec())),
      jax.device_put(inputs, NamedSharding(mesh, spread)),
    )
    loss = lambda carry, outputs: (outputs**2).mean()
    methods = ["scan", "fused", "checkpointed"]
    compare(
      f"LSTM {layers} x {size}, batch {batch}, T {steps}",
      gradients(cell, loss, methods, args),
      rounds=8,
    )


def long():
  """LSTM 64, T = 65,536, batch 8, the gradient of the last state."""
  steps, batch, size = 65_536, 8, 64
  cell = seqjax.LSTM(size)
  params = cell.init(jax.random.key(0), size)
  inputs = jax.random.normal(jax.random.key(1), (steps, batch, size))
  methods = ["scan", "fused", "checkpointed", Checkpointed(inner=Scan())]
  loss = lambda carry, outputs: carry.h.sum()
  functions: dict[str, Any] = gradients(cell, loss, methods, (params, inputs))

  for peer_cell in (flax.linen.OptimizedLSTMCell, flax.linen.LSTMCell):
    peer = flax.linen.RNN(peer_cell(size), time_major=True, return_carry=True)
    variables = peer.init(jax.random.key(0), inputs[:2])
    gradient = jax.jit(
      jax.value_and_grad(lambda v, x, peer=peer: peer.apply(v, x)[0][1].sum())
    )
    name = f"Flax Linen RNN({peer_cell.__name__})"
    compiled = gradient.lower(variables, inputs).compile()
    functions[name] = compiled, (variables, inputs)
  compare(
    f"LSTM {size}, batch {batch}, T {steps:,}",
    functions,
    rounds=3,
  )


def parallel():
  """Parallel over time: linear cells by prefix, a GRU by Newton's method."""
  loss = lambda carry, outputs: (outputs**2).mean()
  for cell, batch, steps in (
    (seqjax.MinGRU(256), 8, 4096),
    (seqjax.LRU(256, 256), 8, 4096),
  ):
    params = cell.init(jax.random.key(0), 256)
    inputs = jax.random.normal(jax.random.key(1), (steps, batch, 256))
    args = params, inputs
    compare(
      f"{type(cell).__name__} 256, batch {batch}, T {steps:,}",
      gradients(cell, loss, ["scan", "associative"], args),
      rounds=4,
    )
  cell = seqjax.GRU(16)
  params = cell.init(jax.random.key(0), 16)
  inputs = jax.random.normal(jax.random.key(1), (16_384, 1, 16))
  quasi = Newton(jacobian="diagonal", max_iterations=100)
  compare(
    "GRU 16, batch 1, T 16,384",
    gradients(cell, loss, ["scan", "newton", quasi], (params, inputs)),
    rounds=3,
  )
  for method in (Newton(), quasi):
    report = newton_report(cell, params, inputs, time_major=True, method=method)
    count, residual = int(report.iterations), float(report.residual)
    converged = "converged" if report.converged else "fell back to scan"
    print(f"{method}: {count} iterations, {residual:.1e}, {converged}")


def attention():
  """Linear attention in its forms; at T = 1,024 a prefix takes 17 GiB."""
  loss = lambda carry, outputs: (outputs**2).mean()
  forms = ["scan", Quadratic(chunk=0), Quadratic(chunk=64)]
  cell = seqjax.LinearAttention(256, heads=4)
  params = cell.init(jax.random.key(0), 256)
  for steps, methods in ((128, [*forms, "associative"]), (1_024, forms)):
    inputs = jax.random.normal(jax.random.key(1), (steps, 32, 256))
    compare(
      f"LinearAttention 256, 4 heads, batch 32, T {steps:,}",
      gradients(cell, loss, methods, (params, inputs)),
      rounds=5,
    )


def _row(title, cell, methods, batch, steps):
  params = cell.init(jax.random.key(0), cell.output_size)
  inputs = jax.random.normal(
    jax.random.key(1), (steps, batch, cell.output_size)
  )
  loss = lambda carry, outputs: (outputs**2).mean()
  functions = gradients(cell, loss, methods, (params, inputs))
  compare(f"{title}, batch {batch}, T {steps:,}", functions, rounds=10)


def gpu(sizes=(128, 256, 512, 1024)):
  """`fused`, `cudnn` and `pallas` beside `scan`."""
  for size in sizes:
    for kind in (seqjax.LSTM, seqjax.GRU, seqjax.Elman):
      plain = ["scan", "fused"]
      lstm = [Cudnn(), Cudnn(exact=False)] if kind is seqjax.LSTM else []
      small = ["pallas"] if size <= 256 else []
      name = f"{kind.__name__} {size}"
      _row(name, kind(size), [*plain, *lstm], 64, 128)
      half = kind(size, compute_dtype="bfloat16")
      _row(f"{name} bfloat16", half, [*plain, *small], 64, 128)


def gpu_parallel():
  """Linear cells by a prefix, a GRU by Newton's method, beside `scan`."""
  for steps in (1_024, 4_096, 16_384, 65_536):
    _row("MinGRU 256", seqjax.MinGRU(256), ["scan", "associative"], 8, steps)
    _row("GRU 16", seqjax.GRU(16), ["scan", "newton"], 1, steps)


def main():
  parts = {
    "short": short,
    "long": long,
    "parallel": parallel,
    "attention": attention,
    "gpu": gpu,
    "gpu_parallel": gpu_parallel,
  }
  parser = argparse.ArgumentParser(description="Cost of the methods")
  parser.add_argument("--only", choices=parts, help="one of the tables")
  only = parser.parse_args().only
  print("| cell | method | min, ms | median, ms | temporaries, MiB |")
  print("|---|---|---|---|---|")
  for name, part in parts.items():
    if only == name or (only is None and not name.startswith("gpu")):
      part()


if __name__ == "__main__":
  main()
