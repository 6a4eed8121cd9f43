"""Whether bfloat16 factors pay in the products of the backward pass, too.

  python -m benchmarks.bfloat16_backward [--rounds=30]

With `compute_dtype="bfloat16"` the factors of the forward products are of that
dtype; those of the backward ones are float32 by JAX's own rule. Here the
tangents of a product are products of bfloat16 as well, and so are their
transposes. Gradient of one LSTM layer both ways, A B A B ...; minimum and
median in ms.
"""

import statistics
import time

import jax
import jax.numpy as jnp
from absl import app, flags
from jax import lax
from jax.custom_derivatives import SymbolicZero

import seqjax
from seqjax.cells import base

_ROUNDS = flags.DEFINE_integer("rounds", 30, "Runs of each.")
_SIZES = flags.DEFINE_string(
  "sizes", "128x32x64,256x32x64,512x64x32", "units x batch x time"
)


def _dot(x, kernel, dtype):
  factors = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
  axes = (((x.ndim - 1,), (0,)), ((), ()))
  return lax.dot_general(*factors, axes, preferred_element_type=dtype)


@jax.custom_jvp
def narrow(x, kernel):
  """The product, all of whose derivatives have bfloat16 factors."""
  return _dot(x, kernel, jnp.float32)


def _narrow_jvp(primals, tangents):
  (x, kernel), (dx, dk) = primals, tangents
  terms = [
    _dot(a, b, jnp.bfloat16).astype(jnp.float32)
    for a, b in ((dx, kernel), (x, dk))
    if not isinstance(a, SymbolicZero) and not isinstance(b, SymbolicZero)
  ]
  return narrow(x, kernel), sum(terms[1:], terms[0])


narrow.defjvp(_narrow_jvp, symbolic_zeros=True)


def compiled(shape, method, product):
  """The gradient, compiled with `product` in the place of `base.matmul`."""
  units, batch, time_steps = shape
  cell = seqjax.LSTM(units, compute_dtype="bfloat16")
  params = cell.init(jax.random.key(0), units)
  inputs = jax.random.normal(jax.random.key(1), (batch, time_steps, units))

  def loss(params):
    return (seqjax.unroll(cell, params, inputs, method=method)[1] ** 2).mean()

  original = base.matmul
  base.matmul = product or original
  jax.clear_caches()
  try:
    program = jax.jit(jax.grad(loss)).lower(params).compile()
  finally:
    base.matmul = original
  return lambda: jax.block_until_ready(program(params))


def main(argv) -> None:
  del argv
  products = {
    "float32 backward": None,
    "bfloat16 backward": lambda x, kernel, dtype=None: narrow(x, kernel),
  }
  for size in _SIZES.value.split(","):
    for method in ("scan", "fused"):
      shape = tuple(map(int, size.split("x")))
      runs = {k: compiled(shape, method, p) for k, p in products.items()}
      times = {name: [] for name in runs}
      for run in runs.values():
        run()
      for _ in range(_ROUNDS.value):
        for name, run in runs.items():
          begin = time.perf_counter()
          run()
          times[name].append(1e3 * (time.perf_counter() - begin))
      told = "  ".join(
        f"{name} {min(values):.1f} ({statistics.median(values):.1f})"
        for name, values in times.items()
      )
      print(f"{size} {method}: {told}", flush=True)


if __name__ == "__main__":
  app.run(main)
