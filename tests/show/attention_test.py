"""Pictures of which step of a sequence looks at which."""

import numpy as np
import pytest
from matplotlib import image as images
from matplotlib.figure import Figure

from seqjax.show import attention


def weights(*shape):
  return np.random.default_rng(0).dirichlet(np.ones(shape[-1]), shape[:-1])


def test_a_panel_has_a_cell_for_each_pair_of_steps():
  """Padding is left out, and the darkest cell is the largest weight."""
  axis, own = Figure().subplots(), weights(5, 5)
  image = attention.panel(axis, ["A", "$c", "_"], own)
  shown = np.asarray(image.get_array())
  np.testing.assert_allclose(shown, own[:3, :3] / own[:3, :3].max())
  texts = [label.get_text() for label in axis.get_xticklabels()]
  assert texts == ["A", r"\$c", " _"]


def test_what_the_pooling_looks_at_is_a_line_below():
  axis, own, pooled = Figure().subplots(), weights(4, 4), weights(6)
  image = attention.panel(axis, list("ACGT"), own, pooled)
  shown = np.asarray(image.get_array())
  np.testing.assert_allclose(shown[:4], own / own.max())
  assert np.isnan(shown[4]).all()
  for row in shown[5:]:
    np.testing.assert_allclose(row, pooled[:4] / pooled[:4].max())
  texts = [label.get_text() for label in axis.get_yticklabels()]
  assert texts == [*"ACGT", "pooling"]


@pytest.mark.parametrize(("time", "last"), [(90, "90"), (430, "430")])
def test_a_long_sequence_has_numbers(time, last):
  axis = Figure().subplots()
  attention.panel(axis, ["A"] * time, weights(time, time))
  texts = [label.get_text() for label in axis.get_xticklabels()]
  assert (texts[0], texts[-1]) == ("10", last)
  assert len(texts) < 20


def test_a_panel_a_head(tmp_path):
  """Two side by side; of three the third is below."""
  for heads in 1, 3:
    path = tmp_path / f"{heads}.png"
    attention.draw(path, list("ACG"), weights(heads, 4, 4), "$→ -", weights(4))
  one, three = (images.imread(tmp_path / f"{n}.png").shape for n in (1, 3))
  assert three[1] == 2 * one[1]
  assert three[0] > 1.5 * one[0]
