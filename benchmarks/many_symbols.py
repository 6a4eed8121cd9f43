"""What 10,000 symbols cost: the read-out's gradient, greedy and beam search.

  python -m benchmarks.many_symbols [--rounds=15]

The model is that of experiments/translate.py:multi30k. Read-out: 80 rows of 15
steps of 200 features, label smoothing; `nn.read_out.many_logits` beside
`tied_logits`, and one product of all logits in float32 and in bfloat16.

Search: 64 sources of 40 symbols, 60 steps; the model's steps alone beside the
search, and beside one that finds the largest by `lax.top_k`.

All in turn; minimum and median in ms, of a search for each of its steps.
"""

import functools
import statistics
import time

import jax
import jax.numpy as jnp
from absl import app, flags
from jax import lax
from ml_collections import ConfigDict

from seqjax import nn
from seqjax.cells import base
from seqjax.decode import beam, greedy, hypotheses
from seqjax.models import decoders, layers
from seqjax.models.encoder_decoder import EncoderDecoder
from seqjax.nn.read_out import many_logits

_ROUNDS = flags.DEFINE_integer("rounds", 15, "Runs of each.")
_SYMBOLS = flags.DEFINE_integer("symbols", 10_000, "Size of the vocabulary.")
_HIDDEN = flags.DEFINE_integer("hidden_size", 256, "Of the model.")
_STEPS = flags.DEFINE_integer("steps", 60, "Of a search.")
_ROWS, _BEAM, _FEATURES = 64, 5, 200
_KEY = jax.random.key(0)


def read_outs(symbols):
  """Programs of the read-out and its loss."""
  keys = jax.random.split(_KEY, 3)
  rows = jax.random.normal(keys[0], (80, 15, _FEATURES))
  table = jax.random.normal(keys[1], (symbols, _FEATURES)) * _FEATURES**-0.5
  targets = jax.random.randint(keys[2], (80, 15), 0, symbols)
  bias = jnp.zeros((symbols,))

  def loss(read, rows, table, bias):
    return nn.cross_entropy(read(rows, table, bias), targets, 0.1).mean()

  gradient = lambda read: jax.grad(functools.partial(loss, read), (0, 1, 2))
  product = lambda dtype: lambda *a: base.matmul(a[0], a[1].T, dtype)
  programs = {
    "gradient by tied_logits": gradient(nn.tied_logits),
    "gradient by many_logits": gradient(many_logits),
    "one product": product("float32"),
    "one product, bfloat16": product("bfloat16"),
  }
  compiled = lambda f: jax.jit(f).lower(rows, table, bias).compile()
  return {
    name: functools.partial(compiled(f), rows, table, bias)
    for name, f in programs.items()
  }


def searches(symbols, hidden_size, steps):
  """Programs of `steps` steps, none of which ends early."""
  config = ConfigDict(
    {
      "layer": "bidirectional",
      "cell": "gru",
      "hidden_size": hidden_size,
      "num_layers": 1,
      "dropout": 0.0,
      "compute_dtype": "float32",
      "method": "auto",
      "gradient": "bptt",
      "decoder": "conditional",
      "attention": "additive",
    }
  )
  params, apply = nn.functionalize(
    EncoderDecoder(
      layers.create(config),
      decoders.create(config),
      symbols,
      symbols,
      embed_size=_FEATURES,
      share_embeddings=True,
      tie_embeddings=True,
      key=_KEY,
    )
  )
  source = jax.random.randint(_KEY, (_ROWS, 40), 4, symbols)
  lengths = jnp.full((_ROWS,), 40)
  encoded = jax.jit(functools.partial(apply, method="encode"))(
    params, source, lengths
  )

  def step(memory, carry, tokens):
    return apply(params, memory, carry, tokens, method="step")

  def alone(count, memory, carry):
    repeat = lambda tree: jax.tree.map(lambda x: jnp.repeat(x, count, 0), tree)
    memory, carry = repeat(memory), repeat(carry)

    def body(_, state):
      carry, logits = step(memory, *state)
      logits = lax.optimization_barrier(logits)  # all of them, as in a search
      return carry, logits[:, 0].astype(jnp.int32) % symbols

    tokens = jnp.full((_ROWS * count,), 2)
    return lax.fori_loop(0, steps, body, (carry, tokens))

  most = jnp.full((_ROWS,), steps)
  how = {"start": 2, "stop": 3, "never": (0, 1, 2), "size": steps}
  how |= {"min_lengths": steps, "max_lengths": most}
  wide = {"beam": _BEAM, "alpha": 1.0}
  programs = {
    "steps alone": functools.partial(alone, 1),
    "greedy": functools.partial(greedy.search, step, **how),
    f"steps alone, {_BEAM} times the rows": functools.partial(alone, _BEAM),
    "beam": functools.partial(beam.search, step, **how, **wide),
    "beam by lax.top_k": functools.partial(beam.search, step, **how, **wide),
  }
  found, blocks = {}, hypotheses._largest
  for name, program in programs.items():
    if "top_k" in name:
      hypotheses._largest = lambda x, closed, k: lax.top_k(
        jnp.where(closed[None], -jnp.inf, x), k
      )
    try:
      compiled = jax.jit(program).lower(*encoded).compile()
    finally:
      hypotheses._largest = blocks
    found[name] = functools.partial(compiled, *encoded)
  return found


def main(argv) -> None:
  del argv
  symbols, steps = _SYMBOLS.value, _STEPS.value
  for runs, count in (
    (read_outs(symbols), 1),
    (searches(symbols, _HIDDEN.value, steps), steps),
  ):
    times = {name: [] for name in runs}
    for run in runs.values():
      jax.block_until_ready(run())
    for _ in range(_ROUNDS.value):
      for name, run in runs.items():
        begin = time.perf_counter()
        jax.block_until_ready(run())
        times[name].append(1e3 * (time.perf_counter() - begin) / count)
    for name, values in times.items():
      told = f"{min(values):.2f} ({statistics.median(values):.2f})"
      print(f"{name}: {told}", flush=True)


if __name__ == "__main__":
  app.run(main)
