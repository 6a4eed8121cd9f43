"""The picture of a run: loss and gradient norm over steps."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.show import plot

# A line of more points than this is noise to the eye: its median goes on top.
_MANY = 300


def draw(
  records: Sequence[dict[str, Any]],
  path: pathlib.Path,
  loss_unit: str,
  clip_norm: float,
) -> bool:
  """Draws what a run has recorded; False if there is nothing to draw yet.

  Args:
    records: lines of `metrics.jsonl`: "kind" ("train" or "validation"), "step",
      "loss", and "grad_norm" in those of training.
    path: the PNG.
    loss_unit: for the axis.
    clip_norm: the threshold to mark; 0 for none.
  """
  train = [r for r in records if r["kind"] == "train"]
  validation = [r for r in records if r["kind"] == "validation"]
  if not train:
    return False
  steps = [r["step"] for r in train]
  figure, (top, bottom) = plot.figure(7, 6, rows=2)
  _curve(top, steps, [r["loss"] for r in train], "training")
  if validation:
    top.plot(
      [r["step"] for r in validation],
      [r["loss"] for r in validation],
      marker="o",
      markersize=4,
      label=f"validation, last {validation[-1]['loss']:.4g}",
      **plot.ROLES["validation"],
    )
  top.set_ylabel(f"loss [{plot.text(loss_unit)}]")
  norms = [r["grad_norm"] for r in train]
  _curve(bottom, steps, norms, "before clipping, mean")
  plot.scale(bottom, [*norms, *([clip_norm] if clip_norm else [])])
  if clip_norm:
    bottom.axhline(
      clip_norm, label=f"clipped at {clip_norm:g}", **plot.ROLES["threshold"]
    )
  plot.whole_steps(bottom)
  bottom.set_xlabel("step")
  bottom.set_ylabel("norm of the gradient")
  for axis in (top, bottom):
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1)}  # above the curves
    axis.legend(**place, ncols=2, frameon=False)
  plot.save(figure, path)
  return True


def _curve(axis, steps, values, label) -> None:
  values = np.asarray(values, np.float64)
  role = plot.ROLES["training"]
  if len(steps) <= _MANY:
    marker = "o" if len(steps) <= 10 else None
    axis.plot(steps, values, marker=marker, markersize=4, label=label, **role)
    return
  axis.plot(steps, values, **{**role, "linewidth": 0.6, "alpha": 0.35})
  width = len(values) // 100
  windows = np.lib.stride_tricks.sliding_window_view(values, width)
  axis.plot(
    steps[width // 2 :][: len(windows)],
    np.median(windows, axis=1),
    label=f"{label} (dark: median of {width})",
    **role,
  )
