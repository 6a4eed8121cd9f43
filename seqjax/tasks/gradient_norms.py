"""A sweep of the gradient laboratory over cells: pictures and verdicts.

Not trained: `run` measures freshly initialised cells and writes into the run
directory `gradients.npz`, `metrics.jsonl`, `gradient_lag` and `gradient_length`
as PNG and SVG, and `report.html`, one file to open or send.
"""

import base64
import html
import json
import pathlib
import time

import numpy as np

from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.gradients import plot, sweep
from seqjax.gradients.verdict import memory_horizon, verdict
from seqjax.models import layers


def run(config: Config, directory: pathlib.Path) -> None:
  """Measures every cell of the config and writes the report.

  Raises:
    InputError: a cell, a length or a size is not fit.
  """
  if not config.lengths or min(config.lengths) < 4:
    raise InputError(
      f"config.lengths is {list(config.lengths)}, expected lengths of at least"
      " 4 steps"
    )
  for field in ("num_seeds", "batch_size", "input_size"):
    if config[field] < 1:
      raise InputError(f"config.{field} is {config[field]}, expected >= 1")
  made = {}
  for name, entry in config.cells.items():
    made[entry.label or name] = layers.cell(
      entry.cell,
      hidden_size=config.model.hidden_size,
      compute_dtype=config.model.compute_dtype,
    )
  if not made:
    raise InputError("config.cells is empty, expected at least one cell")

  results, records = {}, []
  for index, (label, cell) in enumerate(made.items()):
    begin = time.monotonic()
    measured = sweep.measure(
      cell,
      seed=config.seed,
      num_seeds=config.num_seeds,
      input_size=config.input_size,
      batch_size=config.batch_size,
      lengths=tuple(config.lengths),
      clip_norm=config.clip_norm,
    )
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
    for name, value in found.parameters._asdict().items():
      if value is not None:
        arrays[f"{label}/parameters/{name}"] = value
  np.savez_compressed(directory / "gradients.npz", **arrays)
  lines = "".join(json.dumps(record) + "\n" for record in records)
  (directory / "metrics.jsonl").write_text(lines, "utf-8")
  _draw(directory, results, config)
  (directory / "report.html").write_text(
    _page(directory, records, config), "utf-8"
  )
  print(f"Report written to {directory / 'report.html'}")
  print(f"Gradient over lag: {directory / 'gradient_lag.png'}")


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
    # -inf, which JSON does not know: nothing of the first state is left.
    "lyapunov": exponent if np.isfinite(exponent) else None,
    "clipped_share": float(measured.over_length.was_clipped.mean()),
  }


def _draw(directory, results, config):
  pictures = {
    "gradient_lag": lambda axis: plot.norms_over_lag(
      axis, results, config.horizon
    ),
    "gradient_length": lambda axis: plot.norms_over_length(
      axis, results, config.clip_norm
    ),
  }
  for name, draw in pictures.items():
    figure, (axis,) = plot.figure(9, 5)
    draw(axis)
    figure.legend(loc="outside right upper", frameon=False, handlelength=3)
    for suffix in ("png", "svg"):
      figure.savefig(directory / f"{name}.{suffix}", dpi=150)


def _page(directory, records, config) -> str:
  """One self-contained page: no scripts, no links."""
  rows = "".join(
    "<tr>"
    f"<td>{html.escape(r['cell'])}</td><td>{r['verdict']}</td>"
    f"<td>{r['rate']:.4f} ({r['rate_low']:.4f} to {r['rate_high']:.4f})</td>"
    f"<td>{_horizon(r)}</td><td>{_exponent(r)}</td>"
    f"<td>{r['clipped_share']:.0%}</td></tr>\n"
    for r in records
  )
  pictures = "".join(
    "<img alt='{}' src='data:image/png;base64,{}'>\n".format(
      alt,
      base64.b64encode((directory / f"{name}.png").read_bytes()).decode(),
    )
    for name, alt in (
      ("gradient_lag", "norm of the gradient over lag"),
      ("gradient_length", "norm of the gradient over length"),
    )
  )
  return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Gradient norms</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto;
  padding: 0 1em; }}
img {{ width: 100%; }}
td, th {{ padding: .2em .8em; text-align: left;
  border-bottom: 1px solid #ddd; }}
</style>
<h1>How much of the gradient arrives k steps back</h1>
<p>Freshly initialised cells of {config.model.hidden_size} units,
{config.num_seeds} seeds of {config.batch_size} rows of standard normal inputs,
{max(config.lengths)} steps. The loss is a random direction of the last output,
the gradient is that of the whole carry, relative to lag 0. Geometric means.</p>
<table><tr><th>cell</th><th>verdict</th><th>factor per step (95 %)</th>
<th>horizon: steps until {config.horizon:.0%} is left</th>
<th>Lyapunov exponent per step</th><th>clipped at {config.clip_norm:g}</th></tr>
{rows}</table>
{pictures}</html>
"""


def _horizon(record) -> str:
  reached = record["horizon"] < record["longest"]
  return str(record["horizon"]) if reached else f"over {record['longest'] - 1}"


def _exponent(record) -> str:
  value = record["lyapunov"]
  return "-inf" if value is None else f"{value:+.4f}"
