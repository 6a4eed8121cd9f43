"""Signals, class by class, and what a model looked at in them."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.show import plot

_MOST_COLUMNS = 12


def draw(
  path: pathlib.Path,
  signals: Sequence[np.ndarray],
  weights: Sequence[Any],
  predicted: Sequence[str],
  shares: Sequence[float],
  true: Sequence[str],
  *,
  classes: int = 6,
  beside: int = 3,
) -> None:
  """A row for each class, a panel for each of its first signals.

  The ground is the darker the more the model attends to a step, as dark as it
  gets where that is three times the mean or more. Each column of values is
  drawn in deviations from its mean over all that is drawn.

  Args:
    path: the PNG.
    signals: `[time, columns]` each; NaN leaves a gap.
    weights: `[time]` or longer each, what is attended to.
    predicted: `[signals]`, labels.
    shares: `[signals]`, the probabilities of those.
    true: `[signals]`, labels.
    classes: so many are drawn at most; the picture says how many there are.
    beside: so many signals of each.
  """
  names = sorted(set(true))
  rows = [
    [index for index, label in enumerate(true) if label == name][:beside]
    for name in names[:classes]
  ]
  across = max(map(len, rows))
  shown = np.concatenate([signals[i] for row in rows for i in row])
  mean, deviation = np.nanmean(shown, 0), np.nanstd(shown, 0)
  deviation = np.where(deviation > 0, deviation, 1.0)
  figure, axes = plot.figure(
    3.0 * across + 0.6, 1.5 * len(rows) + 0.7, len(rows), across
  )
  scaled = (shown - mean) / deviation
  low, high = np.nanmin(scaled), np.nanmax(scaled)
  longest = max(len(signals[i]) for row in rows for i in row)
  for axis in axes:
    axis.grid(False)
    axis.set_axis_off()
  for line, row in enumerate(rows):
    for place, index in enumerate(row):
      axis = axes[line * across + place]
      axis.set_axis_on()
      values = (signals[index] - mean) / deviation
      attended = np.asarray(weights[index])[: len(values)]
      darkest = max(1e-9, 3 * attended.mean(), attended.max())
      axis.imshow(
        attended[None] / darkest,
        cmap="Oranges",
        vmin=0,
        vmax=1.6,  # lines can still be seen
        aspect="auto",
        extent=(-0.5, len(values) - 0.5, low, high),
      )
      for column in range(min(values.shape[1], _MOST_COLUMNS)):
        style = plot.style(column)
        axis.plot(values[:, column], **{**style, "linewidth": 1.0})
      said = f"{plot.text(predicted[index], 24)} {shares[index]:.0%}"
      wrong = predicted[index] != true[index]
      axis.set_title(
        f"taken for {said}" if wrong else f"→ {said}",
        fontsize=9,
        color=plot.COLORS[1] if wrong else "black",
      )
      axis.set_xlim(-0.5, longest - 0.5)
      axis.set_ylim(low, high)
      if not place:
        axis.set_ylabel(plot.text(true[index], 18), fontsize=10)
  for place in range(across):
    axes[(len(rows) - 1) * across + place].set_xlabel("step", fontsize=9)
  if len(rows) < len(names):
    figure.supxlabel(f"{len(rows)} of {len(names)} classes", fontsize=9)
  plot.save(figure, path)
