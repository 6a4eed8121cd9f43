"""How far a cell learns to remember, beside how far its gradient reaches."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqjax.show import plot


def draw(
  rows: Mapping[str, tuple[int, int | None]],
  path: pathlib.Path,
  *,
  distances: Sequence[int],
  share: float,
  name: str,
  svg: bool = False,
) -> None:
  """A row a cell: horizon before training, and what was learned.

  Args:
    rows: label to the steps after which `share` of the gradient is left before
      training, more than the longest distance if it never falls so low; and the
      longest distance learned, None for none.
    path: the PNG.
    distances: that were tried, growing.
    share: of the gradient.
    name: of the task that was learned.
    svg: an SVG beside it.
  """
  figure, (axis,) = plot.figure(9, 1.8 + 0.42 * len(rows))
  horizon_and_learned(axis, rows, distances=distances, share=share, name=name)
  plot.save(figure, path, svg=svg)


def horizon_and_learned(
  axis: Axes,
  rows: Mapping[str, tuple[int, int | None]],
  *,
  distances: Sequence[int],
  share: float,
  name: str,
) -> None:
  """What `draw` draws, into axes of your own.

  Args:
    axis: of a figure with `layout="constrained"`; the legend is above it.
    rows: as for `draw`, and so are the others.
    distances: that were tried, growing.
    share: of the gradient.
    name: of the task that was learned.
  """
  longest = max(distances)
  blue: dict[str, Any] = {
    "facecolor": "white",
    "edgecolor": plot.COLORS[0],
    "linewidth": 1.8,
    "zorder": 2,
  }
  seen: dict[str, Any] = {**blue, "marker": "o", "s": 110}
  beyond: dict[str, Any] = {**blue, "marker": ">", "s": 150}
  asked: dict[str, Any] = {
    "color": plot.COLORS[1],
    "marker": "D",
    "s": 36,
    "zorder": 3,
  }
  for row, (horizon, learned) in enumerate(rows.values()):
    ends = min(horizon, longest)
    if learned is not None:
      axis.plot([ends, learned], [row, row], color="#bbbbbb", zorder=1)
      axis.scatter(learned, row, **asked)
    axis.scatter(ends, row, **(seen if horizon <= longest else beyond))
  axis.scatter([], [], **seen, label=f"{share:.0%} of it is left here")
  axis.scatter([], [], **beyond, label="more is left at the longest distance")
  axis.scatter([], [], **asked, label="longest distance learned")
  axis.set_xscale("log", base=2)
  ticks = sorted({1, 2, *distances})
  axis.set_xticks(ticks, [str(tick) for tick in ticks])
  axis.minorticks_off()
  axis.set_yticks(range(len(rows)), [plot.text(label) for label in rows])
  axis.invert_yaxis()
  axis.set_xlabel(
    f"steps between what is told and what is asked ({plot.text(name)})"
  )
  axis.grid(False, axis="y")
  figure = axis.get_figure()
  assert isinstance(figure, Figure)
  plot.legend_above(
    figure, axis, title="gradient before training (blue), learning (orange)"
  )
