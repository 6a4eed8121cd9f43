"""What a classifier gets right and wrong."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colors

from seqjax.errors import extra
from seqjax.show import plot

_ZERO: Any = 0  # of a class that nothing was found of
# Up to here each cell of the matrix has room for its number.
_NUMBERED = 60


def report(part: str, true, predicted, names: Sequence[str]) -> str:
  """Precision, recall and F1 of each class, a line each (scikit-learn's).

  Args:
    part: "test", or of whatever the examples are.
    true: `[examples]`, places in `names`.
    predicted: `[examples]`, too.
    names: of the classes.
  """
  with extra():
    from sklearn import metrics
  table = metrics.classification_report(
    true,
    predicted,
    labels=range(len(names)),
    target_names=[plot.one_line(name) for name in names],
    digits=3,
    zero_division=_ZERO,
  )
  return f"{part} part, {len(true)} examples\n{table}"


def beside(accuracy: float, baselines: Mapping[str, float]) -> list[str]:
  """Lines: the accuracy, and what it is to be compared with, best first.

  Args:
    accuracy: of the model.
    baselines: name to accuracy.
  """
  lines = [f"{'accuracy':<20}{accuracy:>8.1%}"]
  for name, value in sorted(baselines.items(), key=lambda pair: -pair[1]):
    better = ", better than the model" if value > accuracy else ""
    lines.append(f"{name.replace('_', ' '):<20}{value:>8.1%}{better}")
  return lines


def surest_mistakes(
  shown: Sequence[str],
  probabilities: np.ndarray,
  true,
  names: Sequence[str],
  count: int = 5,
) -> list[str]:
  """Lines: what was said with most confidence though something else is true.

  Args:
    shown: `[examples]`, each input in a line.
    probabilities: `[examples, classes]`.
    true: `[examples]`, places in `names`.
    names: of the classes.
    count: at most so many.
  """
  said = probabilities.argmax(-1)
  share = probabilities.max(-1)
  wrong = np.flatnonzero(said != np.asarray(true))
  surest = wrong[np.argsort(-share[wrong], kind="stable")][:count]
  if not len(surest):
    return ["No mistakes."]
  return ["The surest mistakes:"] + [
    "  "
    + prediction(
      shown[i], names[int(said[i])], float(share[i]), names[int(true[i])]
    )
    for i in map(int, surest)
  ]


def prediction(
  shown: str, predicted: str, share: float, true: str | None
) -> str:
  """An input in a line, what was said of it and how surely, and what is so."""
  line = f"{plot.one_line(shown, 70)}: {plot.one_line(predicted)} {share:.0%}"
  if true is None:
    return line
  return f"{line}, is {plot.one_line(true)}"


def draw_confusion(
  matrix: np.ndarray, names: Sequence[str], path: pathlib.Path, part: str
) -> None:
  """The confusion matrix: how many of each class were taken for each.

  A cell is the darker the larger its share of the row, small shares more than
  in proportion: they are the mistakes. Numbers are written up to 60 classes.

  Args:
    matrix: counts `[true, predicted]`.
    names: of the classes.
    path: the PNG.
    part: of the data, for the axis.
  """
  count = len(names)
  labels = [plot.text(name, 24) for name in names]
  beside = 0.09 * max(len(label) for label in labels)
  size = 10.0 if count <= 6 else 8.0 if count <= 25 else 6.5
  # Inches of a cell: room for the letters of its number, or of its name.
  digits = len(str(np.max(matrix))) if count <= _NUMBERED else 0
  cell = max(0.033 * size, 0.0105 * size * digits + 0.03)
  side = max(2.4, cell * count)
  figure, (axis,) = plot.figure(side + beside + 1.9, side + beside + 0.5)
  shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
  axis.grid(False)
  drawn = axis.imshow(shares, cmap="Blues", norm=colors.PowerNorm(0.5, 0, 1))
  places = range(count)
  axis.set_xticks(places, labels, rotation=90, fontsize=size)
  axis.set_yticks(places, labels, fontsize=size)
  axis.set_xlabel("predicted")
  axis.set_ylabel(f"true ({plot.text(part)} part)")
  bar = figure.colorbar(drawn, ax=axis, format="{x:.0%}", shrink=0.6)
  bar.set_label("share of the true class")
  for i, j in np.argwhere(matrix > 0) if digits else ():
    axis.text(
      j,
      i,
      f"{matrix[i, j]}",
      ha="center",
      va="center",
      fontsize=size,
      in_layout=False,
      color="white" if shares[i, j] > 0.3 else "black",
    )
  plot.save(figure, path)
