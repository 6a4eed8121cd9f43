"""Horizon and learned distance."""

import numpy as np

from seqjax.show import memory
from tests.show.conftest import LABELS


def test_a_row_a_cell(tmp_path, figures, words):
  memory.draw(
    {"near": (3, 4), "far": (99, 64), "none": (20, None)},
    tmp_path / "a.png",
    distances=(4, 64),
    share=0.02,
    name="adding",
    svg=True,
  )
  assert (tmp_path / "a.svg").exists()
  (axis,) = figures[0].axes
  ticks = [tick.get_text() for tick in axis.get_yticklabels()]
  assert ticks == ["near", "far", "none"]
  places = [
    tuple(offset)
    for drawn in axis.collections
    for offset in np.asarray(drawn.get_offsets())
  ]
  # What lies beyond the longest distance is drawn at it.
  assert sorted(places) == [(3, 0), (4, 0), (20, 2), (64, 1), (64, 1)]
  assert "2% of it is left" in words()


def test_any_label(tmp_path):
  for name in LABELS:
    memory.draw(
      {label: (3, 4) for label in LABELS},
      tmp_path / "a.png",
      distances=(4, 64),
      share=0.01,
      name=name,
    )
