"""A series, what came next, and what was foretold."""

import datetime
import pathlib
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import dates as mdates

from seqjax.show import plot


def draw(
  path: pathlib.Path,
  past: tuple[Sequence[datetime.datetime], Any],
  dates: Sequence[datetime.datetime],
  curves: Mapping[str, tuple[str, Any]],
  names: Sequence[str],
  *,
  bands: Mapping[str, tuple[Any, Any]] = types.MappingProxyType({}),
  units: Sequence[str] = (),
  most: int = 4,
) -> None:
  """The past and what comes next, a panel for each of the first columns.

  Each curve begins at the last point of the past, so that nothing seems to be
  missing between them.

  Args:
    path: the PNG.
    past: dates `[p]` and values `[p, columns]`.
    dates: `[h]`, of what comes next.
    curves: label to a role of `plot.ROLES` and values `[h, columns]`.
    names: of the columns.
    bands: label to what the forecast lies between, low and high
      `[h, columns]`, the widest first: a fan.
    units: of the columns, where they are known.
    most: so many columns are drawn; the picture says how many there are.
  """
  before: Any = list(past[0])
  after: Any = [before[-1], *dates]
  values = np.asarray(past[1])
  columns = min(len(names), most)
  figure, axes = plot.figure(8, 1.2 + 2.2 * columns, rows=columns)
  for column, axis in enumerate(axes):
    axis.plot(before, values[:, column], label="past", **plot.ROLES["past"])
    for index, (label, ends) in enumerate(bands.items()):
      low, high = (
        [values[-1, column], *np.asarray(end)[:, column]] for end in ends
      )
      axis.fill_between(
        after,
        low,
        high,
        label=plot.text(label),
        color=plot.ROLES["forecast"]["color"],
        alpha=min(1, 0.25 * (index + 1)),  # to be told apart in the legend
        linewidth=0,
      )
    for label, (role, ahead) in curves.items():
      axis.plot(
        after,
        [values[-1, column], *np.asarray(ahead)[:, column]],
        label=plot.text(label),
        **plot.ROLES[role],
      )
    name = plot.text(names[column], 70)
    unit = f" [{plot.text(units[column])}]" if units else ""
    # A name that ran up the axis would have to end where its panel does.
    axis.set_title(f"{name}{unit}", loc="left", fontsize=10)
  locator = mdates.AutoDateLocator(minticks=4, maxticks=9)
  axes[-1].xaxis.set_major_locator(locator)
  axes[-1].xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
  if columns < len(names):
    figure.supxlabel(f"{columns} of {len(names)} columns are drawn", fontsize=9)
  plot.legend_above(figure, axes[0])
  plot.save(figure, path)
