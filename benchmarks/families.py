"""Recurrence and attention over the length: training, and writing.

  python -m benchmarks.families [--figure=docs/families.png]

The models of `experiments/char_lm.py:small_FAMILY`, 0.81M parameters each, on
one CPU device; the Transformer with a window as long as the sequence, and with
one of 256. Training: a gradient of the loss of all 8,192 tokens, as 64
sequences of 128 or as one of 8,192. Writing: a token of one row after so many
others, and the bytes of the carry that remembers them. Temporaries are
`memory_analysis().temp_size_in_bytes` of the compiled program; one that does
not fit into the memory of the machine is not run.
"""

import argparse
import json
import os
import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib import ticker

from seqjax import nn
from seqjax.experiments import char_lm
from seqjax.models import layers
from seqjax.models.language_model import LanguageModel
from seqjax.show import plot

TOKENS = 8_192  # of one gradient
LENGTHS = (128, 256, 512, 1_024, 2_048, 4_096, 8_192)
VOCAB = 65
WRITTEN = 64  # tokens of one timed loop
NAMES = {
  "lstm": "LSTM",
  "gru": "GRU",
  "min_gru": "MinGRU",
  "transformer": "Transformer",
  "windowed": "Transformer, W = 256",
}


def functional(family: str, length: int):
  """`(params, apply)` of a family's model for sequences of a length."""
  name = "transformer" if family == "windowed" else family
  config: Any = char_lm.get_config(f"small_{name}").model
  if name == "transformer":
    window = min(length, 256) if family == "windowed" else length
    config.layer = f"transformer(window={window})"
  model = LanguageModel(
    VOCAB,
    layers.create(config),
    embed_size=config.embed_size,
    dropout=0.0,
    compute_dtype=config.compute_dtype,
    key=jax.random.key(0),
  )
  return nn.functionalize(model)


def gradient(family: str, length: int) -> tuple[Any, tuple]:
  """A compiled gradient and its arguments."""
  params, apply = functional(family, length)
  shape = (TOKENS // length, length + 1)
  tokens = jax.random.randint(jax.random.key(1), shape, 0, VOCAB)

  def loss(params, tokens):
    _, logits = apply(params, tokens[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(
      logits, tokens[:, 1:]
    ).mean()

  arguments = params, tokens
  return jax.jit(jax.grad(loss)).lower(*arguments).compile(), arguments


def writing(family: str, length: int) -> tuple[Any, tuple]:
  """A compiled loop that ends at position `length`, and its arguments."""
  params, apply = functional(family, length)
  begin = jnp.int32(length - WRITTEN)
  carry = jax.tree.map(
    lambda leaf: leaf + begin if leaf.dtype == jnp.int32 else leaf,
    apply(params, 1, method="initial_carry"),
  )

  def loop(params, carry, token):
    def step(state, _):
      carry, logits = apply(params, *state, method="step")
      return (carry, logits.argmax(axis=-1)), None

    return jax.lax.scan(step, (carry, token), length=WRITTEN)[0]

  arguments = params, carry, jnp.zeros((1,), jnp.int32)
  return jax.jit(loop).lower(*arguments).compile(), arguments


def measure(make, families, length, rounds) -> list[dict[str, Any]]:
  """A row for each family; they take turns."""
  rows, ready = [], []
  memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
  for family in families:
    compiled, arguments = make(family, length)
    row = {"family": family, "length": length}
    row["temp_bytes"] = compiled.memory_analysis().temp_size_in_bytes
    row["carry_bytes"] = sum(x.nbytes for x in jax.tree.leaves(arguments[1]))
    row["seconds"] = []
    rows.append(row)
    if row["temp_bytes"] < 0.8 * memory:
      ready.append((row["seconds"], compiled, arguments))
  for _ in range(rounds + 1):  # the first is not counted
    for seconds, compiled, arguments in ready:
      begin = time.perf_counter()
      jax.block_until_ready(compiled(*arguments))
      seconds.append(time.perf_counter() - begin)
  for row in rows:
    seconds = row.pop("seconds")[1:] or [np.nan]
    row["min_s"], row["median_s"] = min(seconds), float(np.median(seconds))
  return rows


def told(kind: str, row: dict[str, Any]) -> str:
  """A line of the table."""
  name, length = NAMES[row["family"]], row["length"]
  if np.isnan(row["min_s"]):
    figures = "does not fit | |"
  elif kind == "training":
    fast, usual = (TOKENS / row[f"{n}_s"] for n in ("min", "median"))
    figures = f"{fast:,.0f} | {usual:,.0f} |"
  else:
    fast, usual = (row[f"{n}_s"] * 1e6 / WRITTEN for n in ("min", "median"))
    figures = f"{fast:,.0f} | {usual:,.0f} |"
  size = row["temp_bytes" if kind == "training" else "carry_bytes"]
  unit = 2**20 if kind == "training" else 2**10
  return f"| {name} | {length:,} | {figures} {size / unit:,.1f} |"


def draw(training, written, path):
  """Speed and memory of both, over the length."""
  figure, axes = plot.figure(10, 7, rows=2, columns=2, share=False)
  sides = (
    (training, "temp_bytes", 2**20, lambda s: TOKENS / s),
    (written, "carry_bytes", 2**10, lambda s: s * 1e6 / WRITTEN),
  )
  for side, (rows, size, unit, speed) in enumerate(sides):
    for index, (family, name) in enumerate(NAMES.items()):
      mine = [row for row in rows if row["family"] == family]
      lengths = [row["length"] for row in mine]
      axes[side].plot(
        lengths,
        [speed(row["min_s"]) for row in mine],
        label=None if side else name,
        **plot.style(index),
      )
      axes[2 + side].plot(
        lengths, [row[size] / unit for row in mine], **plot.style(index)
      )
    shown = sorted({row["length"] for row in rows})
    for axis in (axes[side], axes[2 + side]):
      axis.set_xscale("log", base=2)
      axis.set_yscale("log")
      axis.set_xticks(shown, [f"{n:,}" for n in shown])
      axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
      axis.minorticks_off()
      plot.plain_numbers(axis.yaxis)
  axes[0].set_ylabel("training [tokens/s]")
  axes[2].set_ylabel("temporaries [MiB]")
  axes[1].set_ylabel("writing [µs/token]")
  axes[3].set_ylabel("carry of a row [KiB]")
  axes[2].set_xlabel("length of the sequences [tokens]")
  axes[3].set_xlabel("tokens before")
  figure.legend(loc="outside upper center", ncols=len(NAMES), frameon=False)
  figure.savefig(path, dpi=150)


def main():
  parser = argparse.ArgumentParser(description="Recurrence or attention")
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--longest", type=int, default=LENGTHS[-1])
  parser.add_argument("--families", default=",".join(NAMES))
  parser.add_argument("--json", type=pathlib.Path)
  parser.add_argument("--figure", type=pathlib.Path)
  options = parser.parse_args()
  lengths = [n for n in LENGTHS if n <= options.longest]
  families = options.families.split(",")
  found = {}
  for kind, make, units in (
    ("training", gradient, "tokens/s, best | median | temporaries, MiB"),
    ("writing", writing, "µs/token, best | median | carry, KiB"),
  ):
    print(f"\n| {kind} | length | {units} |\n|---|---|---|---|---|")
    found[kind] = []
    for length in lengths:
      rows = measure(make, families, length, options.rounds)
      print(*(told(kind, row) for row in rows), sep="\n", flush=True)
      found[kind] += rows
  if options.json:
    options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
  if options.figure:
    draw(found["training"], found["writing"], options.figure)


if __name__ == "__main__":
  main()
