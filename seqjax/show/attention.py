"""Where a model looks: at words, and from each step of a sequence at others."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqjax.show import page, plot

_MOST_SYMBOLS = 72  # at an axis; of a longer sequence there are numbers
_STEP = 0.07  # inches of a step
_POOLED = 3  # rows that the line of the pooling is high


def write(
  path: pathlib.Path,
  texts: Sequence[Sequence[str]],
  weights: Any,
  predicted: Sequence[str],
  shares: Any,
  true: Sequence[str],
) -> None:
  """A page with a paragraph for each text.

  Args:
    path: the HTML file.
    texts: `[texts]`, each a list of words.
    weights: `[texts, time]`, 0 or more; those behind the last word do not
      count.
    predicted: `[texts]`, labels.
    shares: `[texts]`, the probabilities of those.
    true: `[texts]`, labels.
  """
  parts = [page.paragraph("The stronger its colour, the more a word counts.")]
  for words, row, said, share, fact in zip(
    texts, weights, predicted, shares, true, strict=True
  ):
    parts.append(
      page.marked(
        words,
        [float(weight) for weight in row[: len(words)]],
        f"→ {said} {float(share):.0%}, is {fact}",
      )
    )
  page.write(path, "Where the pooling looks", parts)


def draw(
  path: pathlib.Path,
  symbols: Sequence[str],
  weights: Any,
  title: str,
  pooled: Any = None,
) -> None:
  """Self-attention over one sequence: a panel a head, see `panel`.

  Args:
    path: the picture.
    symbols: of the steps.
    weights: `[heads, time, time]` or longer.
    title: of the picture.
    pooled: `[time]` or longer, what a pooling looks at; None without one.
  """
  weights = np.asarray(weights)
  heads, columns = len(weights), min(2, len(weights))
  rows = -(-heads // columns)
  side = min(max(2.4, _STEP * len(symbols)), 7.0) + 0.9
  figure, axes = plot.figure(
    side * columns, side * rows + 0.6, rows, columns, share=False
  )
  figure.suptitle(plot.text(title, 80), fontsize=11)
  figure.supxlabel("what is looked at", fontsize=9)
  figure.supylabel("the step that looks", fontsize=9)
  for axis in axes[heads:]:
    axis.set_visible(False)
  for head, axis in enumerate(axes[:heads]):
    panel(axis, symbols, weights[head], pooled)
    largest = weights[head, : len(symbols), : len(symbols)].max(initial=0)
    axis.set_title(f"head {head + 1}, at most {largest:.0%}", fontsize=9)
  plot.save(figure, path)


def panel(
  axis: Axes, symbols: Sequence[str], weights: Any, pooled: Any = None
) -> Any:
  """Draws one head: each row is a step, darker where it looks more.

  The darkest is the head's largest weight. A line below, as dark by its own
  largest weight, is what a pooling looks at.

  Args:
    axis: where.
    symbols: of the steps.
    weights: `[time, time]` or longer; what is longer is left out.
    pooled: `[time]` or longer, or None.

  Returns:
    The image.
  """
  time = len(symbols)
  shown = _darkest_is_1(np.asarray(weights)[:time, :time])
  if pooled is not None:
    line = _darkest_is_1(np.asarray(pooled)[None, :time])
    gap = np.full((1, time), np.nan)
    shown = np.concatenate([shown, gap, *[line] * _POOLED])
  axis.grid(False)
  image = axis.imshow(shown, cmap="Blues", vmin=0, vmax=1)
  names = [plot.text(symbol, 12) for symbol in symbols]
  places: list[float] = list(range(time))
  if time > _MOST_SYMBOLS:
    places = list(range(9, time, 10 * -(-time // 200)))
    names = [f"{place + 1:g}" for place in places]
  upright = max(map(len, names), default=1) == 1 or time > _MOST_SYMBOLS
  axis.set_xticks(places, names, rotation=0 if upright else 90)
  if pooled is not None:
    places, names = [*places, time + _POOLED / 2 + 0.5], [*names, "pooling"]
  axis.set_yticks(places, names)
  size = 8 if time <= 24 or time > _MOST_SYMBOLS else 5.5
  axis.tick_params(labelsize=size, length=0, pad=2)
  return image


def _darkest_is_1(weights: np.ndarray) -> np.ndarray:
  return weights / max(float(weights.max(initial=0)), 1e-9)
