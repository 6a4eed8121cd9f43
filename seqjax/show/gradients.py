"""Norms of gradients: over the lag, over the length."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from seqjax.show import plot

# The axis ends here at the latest: gone for all practical purposes.
FLOOR = 1e-8
_LAG = "lag k [steps back from the loss]"


def draw_over_lag(
  curves: Mapping[str, Any],
  path: pathlib.Path,
  *,
  horizon: float = 0.01,
  svg: bool = False,
) -> None:
  """|dL/ds_(T-k)| over lag k, relative to k = 0.

  Args:
    curves: label to norms `[lag]`, lag 0 first.
    path: the PNG.
    horizon: share below which a gradient counts as gone, drawn as a line.
    svg: an SVG beside it.
  """
  figure, axis = _panel(curves)
  over_lag(axis, curves, horizon=horizon)
  plot.save(figure, path, svg=svg)


def over_lag(
  axis: Axes, curves: Mapping[str, Any], *, horizon: float = 0.01
) -> None:
  """What `draw_over_lag` draws, into axes of your own.

  Args:
    axis: of a figure with `layout="constrained"`; the legend is beside it.
    curves: label to norms `[lag]`, lag 0 first.
    horizon: share below which a gradient counts as gone, drawn as a line.
  """
  lowest, highest, longest = horizon, 1.0, 2
  for index, (label, curve) in enumerate(curves.items()):
    curve = np.asarray(curve, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
      curve = curve / curve[0]
    seen = curve[np.isfinite(curve) & (curve > 0)]
    lowest = np.min(seen, initial=lowest)
    highest = np.max(seen, initial=highest)
    longest = max(longest, len(curve))
    axis.plot(
      np.arange(len(curve))[1:],
      curve[1:],
      label=plot.text(label),
      **plot.style(index),
    )
  axis.axhline(horizon, label=f"{horizon:.0%} is left", **_threshold())
  axis.set_xscale("log")
  axis.set_yscale("log")
  axis.set_xlim(0.9, 1.1 * longest)
  axis.set_ylim(max(FLOOR, lowest / 3), 3 * highest)
  axis.set_xlabel(_LAG)
  axis.set_ylabel(r"$\|dL_T/ds_{T-k}\|$, relative to k = 0")
  _legend_beside(axis)


def draw_over_length(
  curves: Mapping[str, tuple[Any, Any, Any]],
  path: pathlib.Path,
  *,
  clip_norm: float,
  svg: bool = False,
) -> None:
  """Norm of the parameters' gradient over the sequence's length.

  Thick before clipping, thin after, where they differ.

  Args:
    curves: label to lengths `[n]`, norms before clipping `[n]` and after.
    path: the PNG.
    clip_norm: the threshold, drawn as a line.
    svg: an SVG beside it.
  """
  figure, axis = _panel(curves)
  over_length(axis, curves, clip_norm=clip_norm)
  plot.save(figure, path, svg=svg)


def over_length(
  axis: Axes,
  curves: Mapping[str, tuple[Any, Any, Any]],
  *,
  clip_norm: float,
) -> None:
  """What `draw_over_length` draws, into axes of your own.

  Args:
    axis: of a figure with `layout="constrained"`; the legend is beside it.
    curves: label to lengths `[n]`, norms before clipping `[n]` and after.
    clip_norm: the threshold, drawn as a line.
  """
  ticks: set[int] = set()
  norms = [clip_norm]
  for index, (label, (lengths, before, after)) in enumerate(curves.items()):
    ticks |= {int(length) for length in lengths}
    line = plot.style(index)
    axis.plot(lengths, before, label=plot.text(label), **line)
    axis.plot(lengths, after, **{**line, "linewidth": 0.7})
    norms += [*before, *after]
  axis.axhline(clip_norm, label=f"clip at {clip_norm:g}", **_threshold())
  axis.set_xscale("log", base=2)
  plot.scale(axis, norms)
  axis.set_xticks(sorted(ticks), [str(tick) for tick in sorted(ticks)])
  axis.xaxis.set_minor_locator(ticker.NullLocator())
  axis.set_xlabel("length of the sequence [steps]")
  axis.set_ylabel(r"$\|dL_T/d\theta\|$, thin: after clipping")
  _legend_beside(axis)


def save_curves(curves: Mapping[str, Any], path: pathlib.Path) -> np.ndarray:
  """Draws norms over lag into a PNG.

  Args:
    curves: label to norms `[lag]`, lag 0 first.
    path: the PNG.

  Returns:
    The picture, bytes `[height, width, 3]`.
  """
  figure, (axis,) = plot.figure(7, 4)
  for index, (label, curve) in enumerate(curves.items()):
    axis.plot(
      np.arange(len(curve)), curve, label=plot.text(label), **plot.style(index)
    )
  plot.scale(axis, np.concatenate([np.ravel(c) for c in curves.values()]))
  plot.whole_steps(axis)
  axis.set_xlabel(_LAG)
  axis.set_ylabel(r"$\|dL_T/ds_{T-k}\|$")
  plot.legend_above(figure, axis)
  plot.save(figure, path)
  canvas = FigureCanvasAgg(figure)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3]


def _panel(labels):
  longest = max((len(plot.text(label)) for label in labels), default=0)
  figure, (axis,) = plot.figure(7 + 0.085 * longest, 5)
  return figure, axis


def _threshold() -> dict[str, Any]:
  return plot.ROLES["threshold"]


def _legend_beside(axis) -> None:
  axis.get_figure().legend(
    *axis.get_legend_handles_labels(),
    loc="outside right upper",
    frameon=False,
    handlelength=3,
  )
