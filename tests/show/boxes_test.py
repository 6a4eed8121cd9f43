"""Pictures of boxes."""

import numpy as np
from matplotlib.patches import Rectangle

from seqjax.show import boxes


def test_boxes_lie_where_they_are(figures, words, label, tmp_path):
  image = np.zeros((20, 30, 3), np.uint8)
  true = [[boxes.Box(0, 2.0, 10.0, 12.0, 18.0)], []]
  found = [[boxes.Box(1, 3.0, 11.0, 13.0, 19.0, 0.876)], []]
  names = "other", label
  boxes.draw([image, image], true, found, names, tmp_path / "a.png")
  drawn = [
    patch
    for axis in figures[0].axes
    for patch in axis.patches
    if isinstance(patch, Rectangle)
  ]
  # The first pixel lies around 0.
  assert [patch.get_bbox().extents.tolist() for patch in drawn] == [
    [1.5, 9.5, 11.5, 17.5],
    [2.5, 10.5, 12.5, 18.5],
  ]
  assert "88%" in words()


def test_precision_over_recall(figures, words, tmp_path):
  rows = np.stack([np.linspace(1, 0, 101), np.full(101, np.nan)])
  curves = [("IoU of 0.5 or more", rows), ("IoU of 0.75 or more", rows)]
  boxes.draw_precision(curves, ["cat", "dog"], tmp_path / "a.png")
  first, second = figures[0].axes
  (line,) = first.lines  # there is no dog
  np.testing.assert_allclose(line.get_xdata(), np.linspace(0, 1, 101))
  np.testing.assert_allclose(line.get_ydata(), rows[0])
  assert "cat  0.500" in words()
  assert second.get_title() == "IoU of 0.75 or more"
