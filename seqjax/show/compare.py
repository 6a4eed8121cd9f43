"""Several runs in one picture: a metric over steps, and what each reached."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.show import plot

# One run: its steps and its values.
Curve = tuple[Sequence[int], Sequence[float]]
# More colours are not told apart; the others are grey.
_MOST = plot.COLORS.index(plot.GREY)
_OTHERS: dict[str, Any] = {
  "color": "#aaaaaa",
  "linestyle": "-",
  "linewidth": 0.8,
}


def draw(
  groups: Sequence[tuple[str, Sequence[str], Sequence[Curve]]],
  path: pathlib.Path,
  *,
  metric: str,
  mode: str,
  heading: str = "",
  title: str = "",
) -> None:
  """Curves on the left, a colour a group; on the right the best of each run.

  The mean of a group and a band from its least to its largest cover the steps
  that all of its curves have; each curve is a thin line beside. On the right a
  dot is a run, a bar the mean of its group.

  Args:
    groups: number, words that tell it from the others, and curves with a finite
      value each; the best group first. Those that have no colour left are grey.
    path: the PNG.
    metric: for the axes.
    mode: "min" or "max", what is best.
    heading: what the words are; "" for none.
    title: written into the file, see `plot.save`.
  """
  height = max(5, 1 + 0.2 * len(groups))
  figure, (left, right) = plot.figure(11, height, columns=2, widths=(3, 1))
  best = np.nanmin if mode == "min" else np.nanmax
  shown: list[float] = []
  for index, (number, words, curves) in enumerate(groups):
    style, label = {**_OTHERS}, None
    if index < _MOST:
      style, label = plot.style(index), _label(number, words, len(curves))
    elif index == _MOST:
      label = f"{len(groups) - _MOST} more"
    style["zorder"] = 4 - index / len(groups)  # the best lie on top
    values = [_finite(values) for _, values in curves]
    _mean(left, curves, values, style, label, detailed=index < _MOST)
    reached = [best(of) for of in values]
    dot: dict[str, Any] = {
      "color": style["color"],
      "markersize": 5,
      "linestyle": "",
    }
    right.plot(reached, [index] * len(reached), marker="o", alpha=0.6, **dot)
    if len(reached) > 1:
      dot |= {"markersize": 14, "markeredgewidth": 2}
      right.plot(np.mean(reached), index, marker="|", **dot)
    shown += [value for of in values for value in of]
  if mode == "min" and np.nanmin(shown) > 0:  # scores have no decades
    plot.scale(left, shown)
  plot.whole_steps(left)
  several = any(len(curves) > 1 for *_, curves in groups)
  band = " (band: from the least to the largest of the runs)"
  left.set_xlabel(f"step{band if several else ''}")
  left.set_ylabel(plot.text(metric))
  bar = "\n(dot: a run, bar: their mean)"
  right.set_xlabel(f"best {plot.text(metric)}{bar if several else ''}")
  right.locator_params(axis="x", nbins=4)
  right.set_yticks(range(len(groups)), [plot.text(n) for n, *_ in groups])
  right.set_ylim(len(groups) - 0.5, -0.5)
  if len(groups) > 1:
    plot.legend_above(figure, left, title=plot.text(heading, 90))
  plot.save(figure, path, title=title)


def _label(number: str, words: Sequence[str], count: int) -> str:
  """`1: gru, 512 (3 runs)`, each word cut in its middle if it is long."""
  runs = "1 run" if count == 1 else f"{count} runs"
  told = ", ".join(plot.one_line(word, 30) for word in words)
  return plot.text(f"{number}: {told} ({runs})", 110)


def _finite(values: Sequence[float]) -> np.ndarray:
  found = np.asarray(values, np.float64)
  return np.where(np.isfinite(found), found, np.nan)


def _mean(axis, curves, values, style, label, detailed) -> None:
  """Mean over the steps that all have; band and single curves if `detailed`."""
  common = sorted(set.intersection(*(set(steps) for steps, _ in curves)))
  rows = np.asarray(
    [
      [dict(zip(steps, of, strict=True))[step] for step in common]
      for (steps, _), of in zip(curves, values, strict=True)
    ]
  )
  marker = "o" if len(common) <= 1 else ""
  axis.plot(common, rows.mean(axis=0), label=label, marker=marker, **style)
  if not detailed or len(curves) == 1:
    return
  thin = {**style, "linestyle": "-", "linewidth": 0.7, "alpha": 0.5}
  for (steps, _), of in zip(curves, values, strict=True):
    axis.plot(steps, of, marker="." if len(steps) == 1 else "", **thin)
  band = {"color": style["color"], "zorder": style["zorder"] - 1}
  axis.fill_between(
    common, rows.min(axis=0), rows.max(axis=0), alpha=0.15, linewidth=0, **band
  )
