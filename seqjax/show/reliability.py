"""Whether a classifier is right as often as it says."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.show import plot


def draw(
  path: pathlib.Path, curves: Mapping[str, tuple[Any, Any, Any]], part: str
) -> None:
  """The share that is right over the probability that was said.

  A point is the larger the more examples it is of: small ones tell little.

  Args:
    path: the PNG.
    curves: label to `(confidence, accuracy, count)`, each `[bins]`.
    part: of the data, for the axis.
  """
  figure, (axis,) = plot.figure(5.6, 5.4)
  axis.plot([0, 1], [0, 1], label="as it should be", **plot.ROLES["threshold"])
  lowest = 1.0
  for index, (label, (said, right, count)) in enumerate(curves.items()):
    style, share = plot.style(index), np.asarray(count) / np.sum(count)
    axis.plot(said, right, label=plot.text(label, 70), **style)
    axis.scatter(said, right, 8 + 300 * share, color=style["color"], alpha=0.5)
    lowest = min(lowest, *said, *right)
  axis.set_xlim(max(lowest - 0.05, -0.02), 1.02)
  axis.set_ylim(max(lowest - 0.05, -0.02), 1.04)
  axis.set_xlabel("probability of the predicted class (small: few examples)")
  axis.set_ylabel(f"share that is right ({plot.text(part)} part)")
  plot.legend_above(figure, axis)
  plot.save(figure, path)
