"""Where a model looked in an image: the image once for each word, or head."""

import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqjax.show import plot

_COLUMNS = 6


def draw(
  image: Any,
  words: Sequence[str],
  weights: Any,
  path: pathlib.Path,
  *,
  title: str = "the image",
  rows: int = 0,
) -> None:
  """A panel a word: the image, bright where the weights lay.

  The first panel is the image as it is. What is written in the others is the
  word and its largest weight.

  Args:
    image: uint8 `[height, width, 3]`, or None where there is none to see.
    words: that were written.
    weights: `[words, cells]`, cells row by row of a grid.
    path: the picture.
    title: of the first panel.
    rows: of the grid; 0: it is a square.

  Raises:
    ValueError: the cells are no such grid.
  """
  weights = np.asarray(weights, np.float64)
  cells = weights.shape[1]
  high = rows or math.isqrt(cells)
  if cells % high or (not rows and high * high != cells):
    expected = f"a grid of {rows} rows" if rows else "a square grid"
    raise ValueError(
      f"weights have {cells} cells, expected those of {expected}"
    )
  grids = weights.reshape(len(weights), high, -1)
  first = 0 if image is None else 1
  panels = first + len(words)
  columns = min(_COLUMNS, panels)
  lines = -(-panels // columns)
  figure, axes = plot.figure(
    1.7 * columns, 1.95 * lines, lines, columns, share=False
  )
  for axis in axes:
    axis.set_axis_off()
  if image is not None:
    axes[0].imshow(image)
    axes[0].set_title(title, fontsize=9, color=plot.GREY)
  for axis, word, grid in zip(axes[first:], words, grids, strict=False):
    panel(axis, image, grid)
    axis.set_title(f"{plot.text(word, 16)}  {grid.max():.0%}", fontsize=9)
  plot.save(figure, path)


def panel(axis: Axes, image: Any, grid: np.ndarray) -> None:
  """An image, darker the less was looked at; weights alone without one.

  Args:
    axis: where.
    image: uint8 `[height, width, 3]`, or None.
    grid: weights `[rows, columns]`.
  """
  # Relative to the largest: where many cells share, there is still something
  # to see.
  shares = grid / max(float(grid.max()), 1e-9)
  if image is None:
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    return
  height, width = np.asarray(image).shape[:2]
  extent = (-0.5, width - 0.5, height - 0.5, -0.5)
  axis.imshow(image)
  # A veil with holes: colours stay what they are.
  veil = np.zeros((*shares.shape, 4))
  veil[..., 3] = 0.85 * (1 - shares)
  axis.imshow(veil, extent=extent, interpolation="bilinear")
  axis.set_xlim(-0.5, width - 0.5)
  axis.set_ylim(height - 0.5, -0.5)
