"""Pictures of the laboratory's results, on a matplotlib axis of one's own.

Okabe and Ito's palette with a dash pattern for each colour: to be told apart in
grey and by colour-blind readers.
"""

import pathlib
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from seqjax.gradients.sweep import Measured
from seqjax.gradients.verdict import geometric_mean

COLORS = (
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#000000",
  "#E69F00",
  "#56B4E9",
  "#777777",
  "#8B4513",
)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
# The axis ends here: gone for all practical purposes.
FLOOR = 1e-8


def style(index: int) -> dict:
  """Colour and dashes of the line with this index."""
  return {
    "color": COLORS[index % len(COLORS)],
    "linestyle": DASHES[index % len(DASHES)],
    "linewidth": 1.8,
  }


def figure(
  width: float, height: float, rows: int = 1
) -> tuple[Figure, list[Axes]]:
  """`(figure, axes)`, inches; no global state, nothing to close."""
  made = Figure(figsize=(width, height), layout="constrained")
  axes = list(made.subplots(rows, sharex=True, squeeze=False)[:, 0])
  for axis in axes:
    axis.grid(True, which="major", color="#dddddd", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
  return made, axes


def plain_numbers(axis) -> None:
  """0.5, not 5 x 10^-1, on a log scale of few decades."""
  for set_formatter in (axis.set_major_formatter, axis.set_minor_formatter):
    set_formatter(lambda value, _: f"{value:g}")


def norms_over_lag(axis, results: Mapping[str, Measured], horizon=0.01) -> None:
  """Geometric mean of |dL/ds_(T-k)| over lag k, relative to the first lag.

  Args:
    axis: a matplotlib axis.
    results: label to what `sweep.measure` returned.
    horizon: share below which a gradient counts as gone, drawn as a line.
  """
  for index, (label, measured) in enumerate(results.items()):
    curve = geometric_mean(measured.lag_norms)
    with np.errstate(invalid="ignore"):
      curve = curve / curve[0]
    lags = np.arange(len(curve))
    axis.plot(lags[1:], curve[1:], label=label, **style(index))
  axis.axhline(
    horizon, color="#777777", linewidth=0.8, label=f"{horizon:.0%} is left"
  )
  axis.set_xscale("log")
  axis.set_yscale("log")
  axis.set_ylim(FLOOR, None)
  axis.set_xlabel("lag k [steps back from the loss]")
  axis.set_ylabel(r"$\|dL_T/ds_{T-k}\|$, relative to k = 0")


def norms_over_length(
  axis, results: Mapping[str, Measured], clip_norm: float
) -> None:
  """Norm of the parameters' gradient over the sequence's length.

  Thick before clipping, thin after, where they differ.

  Args:
    axis: a matplotlib axis.
    results: label to what `sweep.measure` returned.
    clip_norm: the threshold, drawn as a line.
  """
  for index, (label, measured) in enumerate(results.items()):
    found = measured.over_length
    lengths = found.lengths[0]
    before, after = (
      np.exp(np.log(np.maximum(x.astype(np.float64), 1e-30)).mean(axis=0))
      for x in (found.total, found.clipped)
    )
    axis.plot(lengths, before, label=label, **style(index))
    axis.plot(lengths, after, **{**style(index), "linewidth": 0.7})
  axis.axhline(
    clip_norm, color="#777777", linewidth=0.8, label=f"clip at {clip_norm:g}"
  )
  axis.set_xscale("log", base=2)
  axis.set_yscale("log")
  axis.set_xticks(lengths, [str(n) for n in lengths])
  axis.minorticks_off()
  axis.set_xlabel("length of the sequence [steps]")
  axis.set_ylabel(r"$\|dL_T/d\theta\|$, thin: after clipping")


def save_curves(curves: Mapping[str, np.ndarray], path: pathlib.Path):
  """Draws norms over lag into a PNG.

  Args:
    curves: label to norms `[lag]`.
    path: the PNG.

  Returns:
    The picture, bytes `[height, width, 3]`.
  """
  picture, (axis,) = figure(7, 4)
  for index, (label, curve) in enumerate(curves.items()):
    axis.plot(np.arange(len(curve)), curve, label=label, **style(index))
  axis.set_yscale("log")
  axis.set_xlabel("lag k [steps back from the loss]")
  axis.set_ylabel(r"$\|dL_T/ds_{T-k}\|$")
  axis.legend(frameon=False, handlelength=3)
  picture.savefig(path, dpi=110)
  canvas = FigureCanvasAgg(picture)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3]
