"""What a detector found, as pictures."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.data import boxes
from seqjax.data.average_precision import Truth
from seqjax.data.objects import Pictured


def table(
  part: str,
  true: Sequence[Truth],
  columns: Mapping[str, np.ndarray],
  classes: Sequence[str],
) -> str:
  """A line for each class: its name, its objects, and numbers.

  Args:
    part: of the data, above the names.
    true: of all its images.
    columns: `[classes]` each, by name.
    classes: their names.
  """
  labels = np.concatenate([fact.labels for fact in true]).astype(int)
  counts = np.bincount(labels, minlength=len(classes))
  longest = max(len(name) for name in (*classes, part))
  titles = "".join(f"{name:>8}" for name in columns)
  lines = [f"{part:<{longest}}  objects{titles}"]
  for place, name in enumerate(classes):
    numbers = "".join(f"{each[place]:8.4f}" for each in columns.values())
    lines.append(f"{name:<{longest}}  {counts[place]:7d}{numbers}")
  return "\n".join(lines)


def draw(
  images: Sequence[Pictured],
  found: Sequence[Sequence[Any]],
  classes: Sequence[str],
  path: pathlib.Path,
) -> None:
  """Draws images with their true boxes, if known, and those that were found.

  Args:
    images: as the model reads them, scaled to a square.
    found: of each what `Detection.detect` gives.
    classes: the names of the labels.
    path: the picture.
  """
  from seqjax.show import boxes as drawn  # no use to a detection alone

  places = {name: place for place, name in enumerate(classes)}
  true, said = [], []
  for image, some in zip(images, found, strict=True):
    sides = zip(image.labels, *image.corners, strict=True)
    true.append([drawn.Box(*each) for each in sides])
    size = len(image.image)
    across, down = size / image.width, size / image.height
    said.append(
      [
        drawn.Box(
          places[one.label],
          *boxes.scaled(one.corners, across, down),
          score=one.score,
        )
        for one in some
      ]
    )
  drawn.draw([each.image for each in images], true, said, classes, path)


def draw_precision(
  rows: Mapping[float, np.ndarray],
  classes: Sequence[str],
  path: pathlib.Path,
) -> None:
  """Draws precision over recall at each IoU, see `average_precision`."""
  from seqjax.show import boxes as drawn

  curves = [(f"IoU of {iou:g} or more", each) for iou, each in rows.items()]
  drawn.draw_precision(curves, classes, path)
