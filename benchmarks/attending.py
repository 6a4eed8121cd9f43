"""A decoder that attends on one device, on all by rows, and as XLA splits it.

  JAX_NUM_CPU_DEVICES=2 python -m benchmarks.attending

Value and gradient of an LSTM that reads a memory at every step (`Bahdanau`, by
bilinear scores): batch 64, source 20, T = 50, hidden 128. A plain LSTM of that
size by the side. The three take turns; the load of the machine before and after
is printed, for two devices only win where two cores are free.
"""

import os
import time

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import seqjax
from seqjax.cells import Bahdanau, General, base
from seqjax.recurrence.rows import DATA

BATCH, SOURCE, TIME, HIDDEN, ROUNDS = 64, 20, 50, 128, 15


def gradient(cell):
  def loss(params, inputs):
    return (seqjax.unroll(cell, params, inputs, method="scan")[1] ** 2).mean()

  return jax.jit(jax.value_and_grad(loss))


def problem(cell):
  params = cell.init(jax.random.key(0), HIDDEN)
  if isinstance(cell, Bahdanau):
    params = cell.attend(
      params,
      jax.random.normal(jax.random.key(1), (BATCH, SOURCE, HIDDEN)),
      jax.random.randint(jax.random.key(2), (BATCH,), 1, SOURCE + 1),
    )
  return params, jax.random.normal(jax.random.key(3), (BATCH, TIME, HIDDEN))


def variants(cell):
  """`{name: (compiled, arguments)}`."""
  params, inputs = problem(cell)
  mesh = jax.make_mesh((jax.device_count(),), (DATA,), (AxisType.Auto,))
  copied = NamedSharding(mesh, PartitionSpec())
  split = NamedSharding(mesh, PartitionSpec(DATA))
  shardings = base.map_params(
    params,
    weights=lambda _: copied,
    rows=lambda rows: jax.tree.map(lambda _: split, rows),
  )
  spread = jax.device_put((params, inputs), (shardings, split))
  with jax.set_mesh(mesh):
    by_rows = gradient(cell).lower(*spread).compile()
  return {
    "one device": (
      gradient(cell).lower(params, inputs).compile(),
      (params, inputs),
    ),
    "all devices, by rows": (by_rows, spread),
    "all devices, XLA's own split": (
      gradient(cell).lower(*spread).compile(),
      spread,
    ),
  }


def main():
  print(f"{jax.device_count()} devices, load {os.getloadavg()[0]:.1f}")
  print("| cell | where | min, ms | median, ms |\n|---|---|---|---|")
  lstm = seqjax.LSTM(HIDDEN)
  for cell in (Bahdanau(lstm, General(), HIDDEN), lstm):
    functions = variants(cell)
    seconds = {name: [] for name in functions}
    for _ in range(ROUNDS):
      for name, (function, args) in functions.items():
        begin = time.perf_counter()
        jax.block_until_ready(function(*args))
        seconds[name].append(time.perf_counter() - begin)
    for name, times in seconds.items():
      times = sorted(times)
      print(
        f"| {type(cell).__name__} | {name} | {times[0] * 1e3:.1f} |"
        f" {times[len(times) // 2] * 1e3:.1f} |"
      )
  print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
  main()
