"""A score over the length of what was translated, and what one model gains."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.show import plot


def draw(
  scores: Mapping[str, np.ndarray],
  differences: Mapping[str, np.ndarray],
  path: pathlib.Path,
  *,
  words: Sequence[float],
  bins: Sequence[str],
  counts: Sequence[int],
  metric: str,
  first: str,
  mark: int = 0,
  svg: bool = False,
) -> None:
  """Above the score of each model, below its difference to the first one.

  Args:
    scores: label to `[bins, 3]`: value, lower and upper end of an interval.
    differences: likewise, of all models but the first.
    path: the PNG.
    words: mean number of words in each bin, growing: where it is drawn.
    bins: what each is called, "10 to 19".
    counts: of the sentences in each.
    metric: what the score is called.
    first: label of the model that the others are compared with.
    mark: a number of words at which there is a thin line; 0 for none.
    svg: an SVG beside it.
  """
  figure, (above, below) = plot.figure(9, 6.4, rows=2)
  places = np.asarray(words, np.float64)
  # So that no interval hides another one.
  shift = 0.008 * (np.ptp(places) or 1.0)
  styles = {label: plot.style(i) for i, label in enumerate(scores)}
  last = len(scores) - 1
  for index, (label, found) in enumerate(scores.items()):
    shifted = places + shift * (2 * index - last)
    _intervals(above, shifted, found, label, styles[label])
  last = len(differences) - 1
  for index, (label, found) in enumerate(differences.items()):
    shifted = places + shift * (2 * index - last)
    _intervals(below, shifted, found, label, styles[label])
  below.axhline(0.0, **plot.ROLES["threshold"])
  if mark and places[0] <= mark <= places[-1]:
    for axis in (above, below):
      axis.axvline(mark, color=plot.GREY, linewidth=0.8)
    above.annotate(
      f"{mark} words ",
      (mark, 0.02),
      xycoords=above.get_xaxis_transform(),
      ha="right",
      color=plot.GREY,
    )
  above.set_ylim(bottom=0.0)
  above.set_ylabel(f"{plot.text(metric)} (95 % intervals)")
  below.set_ylabel(f"difference to\n{plot.text(first)}")
  ticks = [f"{name}\nn = {n}" for name, n in zip(bins, counts, strict=True)]
  below.set_xticks(places, ticks)
  below.set_xlabel("words of the source")
  plot.legend_above(figure, above)
  plot.save(figure, path, svg=svg)


def _intervals(axis, places, found, label: str, style: dict[str, Any]) -> None:
  value, low, high = np.asarray(found, np.float64).T
  axis.plot(places, value, marker="o", label=plot.text(label), **style)
  thin: dict[str, Any] = {"color": style["color"], "linewidth": 1.2}
  axis.vlines(places, low, high, **thin)
