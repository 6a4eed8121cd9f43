"""Pictures of the laboratory's results, on a matplotlib axis of one's own.

Okabe and Ito's palette with a dash pattern for each colour: to be told apart in
grey and by colour-blind readers.
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from seqjax.gradients.sweep import Measured

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


def norms_over_lag(axis, results: Mapping[str, Measured], horizon=0.01) -> None:
  """Geometric mean of |dL/ds_(T-k)| over lag k, relative to the first lag.

  Args:
    axis: a matplotlib axis.
    results: label to what `sweep.measure` returned.
    horizon: share below which a gradient counts as gone, drawn as a line.
  """
  for index, (label, measured) in enumerate(results.items()):
    norms = measured.lag_norms.reshape(-1, measured.lag_norms.shape[-1])
    with np.errstate(divide="ignore", invalid="ignore"):
      curve = np.exp(np.log(norms.astype(np.float64)).mean(axis=0))
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
    curves: label to norms `[rows, lag]`, from `norms.by_lag`.
    path: the PNG.

  Returns:
    The picture, bytes `[height, width, 3]`.
  """
  import matplotlib

  matplotlib.use("agg")
  from matplotlib import pyplot

  figure, axis = pyplot.subplots(figsize=(7, 4), layout="constrained")
  for index, (label, norms) in enumerate(curves.items()):
    with np.errstate(divide="ignore"):
      mean = np.exp(np.log(norms.astype(np.float64)).mean(axis=0))
    axis.plot(np.arange(len(mean)), mean, label=label, **style(index))
  axis.set_yscale("log")
  axis.set_xlabel("lag k [steps back from the loss]")
  axis.set_ylabel(r"$\|dL_T/ds_{T-k}\|$")
  axis.legend(frameon=False, handlelength=3)
  figure.savefig(path, dpi=110)
  pyplot.close(figure)
  return (pyplot.imread(path)[..., :3] * 255).astype(np.uint8)
