"""Where a decoder looked while it wrote: a heat map for each sentence."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqjax.show import plot


def draw(
  sentences: Sequence[tuple[Sequence[str], Sequence[str], Any]],
  path: pathlib.Path,
) -> None:
  """A panel a sentence, see `panel`.

  Args:
    sentences: of each the symbols that were read and that were written, and the
      weights `[written, read]`.
    path: the picture.
  """
  columns = min(2, len(sentences))
  rows = -(-len(sentences) // columns)
  longest = max(max(len(a), len(b)) for a, b, _ in sentences)
  side = min(max(3.2, 0.28 * longest + 1.3), 9)
  figure, axes = plot.figure(
    side * columns, side * rows, rows, columns, share=False
  )
  for axis, sentence in zip(axes, sentences, strict=False):
    image = panel(axis, *sentence)
  for axis in axes[len(sentences) :]:
    axis.set_visible(False)
  figure.colorbar(image, ax=axes, label="attention weight", shrink=0.6)
  plot.save(figure, path)


def panel(
  axis: Axes, read: Sequence[str], written: Sequence[str], weights: Any
) -> Any:
  """Draws one: read from left to right, written from top to bottom.

  Args:
    axis: where.
    read: symbols.
    written: symbols.
    weights: `[written, read]`.

  Returns:
    The image, for a colour bar.
  """
  axis.grid(False)
  image = axis.imshow(np.asarray(weights), cmap="Blues", vmin=0, vmax=1)
  shown = [plot.text(symbol, 16) for symbol in read]
  axis.set_xticks(range(len(read)), shown, rotation=60, ha="left")
  shown = [plot.text(symbol, 16) for symbol in written]
  axis.set_yticks(range(len(written)), shown)
  axis.xaxis.tick_top()
  axis.tick_params(labelsize=8, length=0)
  return image
