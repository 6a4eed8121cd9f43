"""Images with boxes: those that are true, and those that were found."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from seqjax.show import plot

_COLUMNS = 4
_INCHES = 2.1  # of a panel


class Box(NamedTuple):
  """A box in pixels of its image."""

  label: int  # which of the names
  left: float
  top: float
  right: float
  bottom: float
  score: float | None = None  # of a box that was found


def draw(
  images: Sequence[Any],
  true: Sequence[Sequence[Box]],
  found: Sequence[Sequence[Box]],
  names: Sequence[str],
  path: pathlib.Path,
) -> None:
  """A panel an image: dashed white what is there, in colours what was found.

  Args:
    images: uint8 `[height, width, 3]`.
    true: the boxes of each; there may be none.
    found: likewise, with their scores.
    names: of the classes, a colour each.
    path: the picture.
  """
  columns = min(_COLUMNS, len(images))
  rows = -(-len(images) // columns)
  figure, axes = plot.figure(
    _INCHES * columns, _INCHES * rows + 0.3, rows, columns, share=False
  )
  for axis in axes:
    axis.set_axis_off()
  for axis, image, facts, said in zip(axes, images, true, found, strict=False):
    axis.imshow(image)
    for box in facts:
      _rectangle(axis, box, "white", "black", linestyle=(0, (3, 2)))
    for box in said:
      colour = plot.COLORS[box.label % len(plot.COLORS)]
      _rectangle(axis, box, colour, "white", linestyle="-")
      _name(axis, box, plot.text(names[box.label], 14), colour)
    height, width = np.asarray(image).shape[:2]
    axis.set_xlim(-0.5, width - 0.5)
    axis.set_ylim(height - 0.5, -0.5)
  plot.save(figure, path)


def _rectangle(
  axis: Axes, box: Box, colour: str, around: str, **options: Any
) -> None:
  # Pixel 0 is drawn around 0, a box begins at its edge.
  corner = box.left - 0.5, box.top - 0.5
  drawn = Rectangle(
    corner,
    box.right - box.left,
    box.bottom - box.top,
    fill=False,
    edgecolor=colour,
    linewidth=1.4,
    **options,
  )
  edge = patheffects.Stroke(linewidth=2.6, foreground=around)
  drawn.set_path_effects([edge, patheffects.Normal()])
  axis.add_patch(drawn)


def _name(axis: Axes, box: Box, name: str, colour: str) -> None:
  """Below the upper edge of the image where there is no room above the box."""
  score = "" if box.score is None else f" {box.score:.0%}"
  high = box.top > 8
  axis.text(
    box.left,
    box.top - 1 if high else box.bottom + 1,
    f"{name}{score}",
    fontsize=6,
    color="white",
    verticalalignment="bottom" if high else "top",
    bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8},
    clip_on=True,
  )


def draw_precision(
  curves: Sequence[tuple[str, Any]],
  names: Sequence[str],
  path: pathlib.Path,
) -> None:
  """Precision over recall, a panel for each of the curves.

  Args:
    curves: a title, and `[classes, recalls]`, recalls from 0 to 1; NaN for a
      class that has none.
    names: of the classes; those of a legend have their average precision.
    path: the picture.
  """
  figure, axes = plot.figure(4.2 * len(curves), 3.6, 1, len(curves))
  for axis, (title, rows) in zip(axes, curves, strict=True):
    rows = np.asarray(rows)
    recalls = np.linspace(0, 1, rows.shape[1])
    for index, (name, row) in enumerate(zip(names, rows, strict=True)):
      if np.isnan(row).any() or index >= len(plot.COLORS):
        continue
      label = f"{plot.text(name, 20)}  {row.mean():.3f}"
      axis.plot(recalls, row, label=label, **plot.style(index))
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("recall")
    axis.set_xlim(0, 1.01)
    axis.set_ylim(0, 1.02)
    axis.legend(loc="lower left", edgecolor="none", fontsize=9)
  axes[0].set_ylabel("precision")
  plot.save(figure, path)
