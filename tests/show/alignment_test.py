"""Pictures of where a decoder looked."""

import numpy as np
from matplotlib.figure import Figure

from seqjax.show import alignment


def test_a_panel_has_a_cell_for_each_pair_of_symbols():
  axis = Figure().subplots()
  weights = np.random.default_rng(0).dirichlet(np.ones(4), 3)
  read, written = ["_the", "$ca$t", "▁", "<stop>"], ["a", "中", "<stop>"]
  image = alignment.panel(axis, read, written, weights)
  np.testing.assert_array_equal(image.get_array(), weights)
  texts = [label.get_text() for label in axis.get_xticklabels()]
  assert texts == [" _the", r"\$ca\$t", "▁", "<stop>"]
  assert len(axis.get_yticklabels()) == 3


def test_one_and_several(tmp_path):
  one = ["a", "b"], ["c"], np.ones((1, 2)) / 2
  for count in 1, 3:
    path = tmp_path / f"{count}.png"
    alignment.draw([one] * count, path)
    assert path.stat().st_size > 0
