"""A sweep of the gradient laboratory over cells: pictures and verdicts.

Beside the cells there may be layers of another family. Of a Transformer the
gradient is that of what its first block reads, the stream to which every block
adds: all that a step has to say to later ones.

Not trained: `run` measures what is freshly initialised and writes into the run
directory `gradients.npz`, `metrics.jsonl`, `gradient_lag` and `gradient_length`
as PNG and SVG, and `report.html`, one file to open or send.
"""

import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax import config as settings
from seqjax import files, nn
from seqjax.cells import Cell
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.gradients import norms, sweep
from seqjax.gradients.verdict import geometric_mean, memory_horizon, verdict
from seqjax.models import layers
from seqjax.show import gradients, page
from seqjax.studies import base


def check(config: Config) -> None:
  """Raises InputError if a cell, a length or a size is not fit."""
  if not config.lengths or min(config.lengths) < 4:
    raise InputError(
      f"config.lengths is {list(config.lengths)}, expected lengths of at least"
      " 4 steps"
    )
  settings.at_least(config, 1, "num_seeds", "batch_size", "input_size")
  settings.at_least(config, 0, "seed")
  settings.at_least(config, 0.0, "clip_norm", "horizon")
  labels = set(base.cells(config))
  for name, entry in config.layers.items():
    if entry.label in labels:
      raise InputError(
        f"config.layers.{name}.label is {entry.label!r}, expected one that no"
        " other entry has"
      )
    labels.add(entry.label)
    if not layers.is_transformer(entry):
      raise InputError(
        f"config.layers.{name}.layer is {entry.layer!r}, expected a"
        " transformer: cells stand in config.cells"
      )
    _layers(entry, config)


def run(config: Config, directory: pathlib.Path) -> None:
  """Measures every cell and every layer of the config, writes the report.

  Raises:
    InputError: see `check`.
  """
  check(config)
  made: dict[str, Any] = base.cells(config)
  made |= {entry.label: entry for entry in config.layers.values()}
  results, records = {}, []
  for index, (label, what) in enumerate(made.items()):
    begin = time.monotonic()
    if isinstance(what, Cell):
      measured = sweep.measure(
        what,
        seed=config.seed,
        num_seeds=config.num_seeds,
        input_size=config.input_size,
        batch_size=config.batch_size,
        lengths=tuple(config.lengths),
        clip_norm=config.clip_norm,
      )
    else:
      measured = _measure_layers(what, config)
    results[label] = measured
    record = _record(label, measured, config.horizon)
    records.append(record)
    print(
      f"[{index + 1}/{len(made)}] {label}: {record['verdict']},"
      f" x {record['rate']:.4f} a step, horizon {record['horizon']}"
      f"  ({time.monotonic() - begin:.1f} s)",
      flush=True,
    )

  arrays = {}
  for label, measured in results.items():
    arrays[f"{label}/lag_norms"] = measured.lag_norms
    arrays[f"{label}/lyapunov"] = measured.lyapunov
    found = measured.over_length
    for name in ("lengths", "total", "clipped", "was_clipped"):
      arrays[f"{label}/{name}"] = getattr(found, name)
    if found.parameters is not None:
      for name, value in found.parameters._asdict().items():
        if value is not None:
          arrays[f"{label}/parameters/{name}"] = value
  np.savez_compressed(directory / "gradients.npz", **arrays)
  files.write_records(directory, records)
  _draw(directory, results, config)
  _write_page(directory, records, config)
  print(f"Report written to {directory / 'report.html'}")
  print(f"Gradient over lag: {directory / 'gradient_lag.png'}")


def _measure_layers(entry: Config, config: Config) -> sweep.Measured:
  """What `sweep.measure` does for a cell, for layers; no exponents."""
  make = _layers(entry, config)
  longest, rows = max(config.lengths), config.batch_size

  @jax.jit  # seed by seed: the scores of attention are large
  def one(key):
    key_p, key_x, key_v = jax.random.split(key, 3)
    layer = make(config.input_size, key_p)
    params, apply = nn.functionalize(layer)
    inputs = jax.random.normal(key_x, (rows, longest, config.input_size))
    direction = norms.random_direction(key_v, layer.output_size)
    over_time = apply(params, inputs, direction, method="gradient_norms")

    def total(length):
      def loss(params):
        _, outputs = apply(params, inputs, lengths=jnp.full((rows,), length))
        return direction(outputs[:, length - 1]).mean()

      return optax.tree.norm(jax.grad(loss)(params))

    lengths = jnp.array(config.lengths)
    found = jax.lax.map(total, lengths)
    clip = config.clip_norm
    return sweep.Measured(
      norms.by_lag(over_time["layer 0"]),
      norms.NormsOverLength(
        lengths, found, jnp.minimum(found, clip), found > clip, None
      ),
      jnp.array(jnp.nan),
    )

  keys = jax.random.split(jax.random.key(config.seed), config.num_seeds)
  return jax.tree.map(lambda *leaves: np.stack(leaves), *map(one, keys))


def _layers(entry: Config, config: Config) -> layers.Make:
  return layers.create(
    config.model, layer=entry.layer, num_layers=entry.num_layers
  )


def _record(label, measured, share):
  norms = measured.lag_norms
  found = verdict(norms)
  exponent = float(measured.lyapunov.mean())
  return {
    "kind": "verdict",
    "cell": label,
    "verdict": found.word,
    "rate": found.rate,
    "rate_low": found.low,
    "rate_high": found.high,
    "first_bad": found.first_bad,
    "horizon": memory_horizon(norms, share),
    "longest": norms.shape[-1],
    # JSON knows neither -inf, nothing of the first state is left, nor NaN,
    # there is no state.
    "lyapunov": exponent if np.isfinite(exponent) else None,
    "has_state": not np.isnan(exponent),
    "clipped_share": float(measured.over_length.was_clipped.mean()),
  }


def _draw(directory, results, config):
  """Geometric means over seeds and rows."""
  gradients.draw_over_lag(
    {label: geometric_mean(m.lag_norms) for label, m in results.items()},
    directory / "gradient_lag.png",
    horizon=config.horizon,
    svg=True,
  )
  gradients.draw_over_length(
    {
      label: (
        measured.over_length.lengths[0],
        geometric_mean(measured.over_length.total),
        geometric_mean(measured.over_length.clipped),
      )
      for label, measured in results.items()
    },
    directory / "gradient_length.png",
    clip_norm=config.clip_norm,
    svg=True,
  )


def _write_page(directory, records, config) -> None:
  words = (
    f"Freshly initialised cells of {config.model.hidden_size} units,"
    f" {config.num_seeds} seeds of {config.batch_size} rows of standard normal"
    f" inputs, {max(config.lengths)} steps. The loss is a random direction of"
    " the last output, the gradient is that of the whole carry, relative to lag"
    " 0; of a Transformer that of what its first block reads. Geometric means."
  )
  header = [
    "cell",
    "verdict",
    "factor per step (95 %)",
    f"horizon: steps until {config.horizon:.0%} is left",
    "Lyapunov exponent per step",
    f"clipped at {config.clip_norm:g}",
  ]
  rows = [
    [
      r["cell"],
      r["verdict"],
      f"{r['rate']:.4f} ({r['rate_low']:.4f} to {r['rate_high']:.4f})",
      _horizon(r),
      _exponent(r),
      f"{r['clipped_share']:.0%}",
    ]
    for r in records
  ]
  page.write(
    directory / "report.html",
    "How much of the gradient arrives k steps back",
    [
      page.paragraph(words),
      page.table(header, rows),
      page.picture(
        directory / "gradient_lag.png", "norm of the gradient over lag"
      ),
      page.picture(
        directory / "gradient_length.png", "norm of the gradient over length"
      ),
    ],
  )


def _horizon(record) -> str:
  reached = record["horizon"] < record["longest"]
  return str(record["horizon"]) if reached else f"over {record['longest'] - 1}"


def _exponent(record) -> str:
  value = record["lyapunov"]
  if not record["has_state"]:
    return "none"
  return "-inf" if value is None else f"{value:+.4f}"
