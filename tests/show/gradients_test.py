"""Norms over lag and length."""

import numpy as np
import pytest

from seqjax.show import gradients
from tests.show.conftest import LABELS


def test_over_lag_is_relative_to_the_first(tmp_path, figures, words):
  curve = 7.0 * 0.5 ** np.arange(10)
  gradients.draw_over_lag(
    {"a": curve}, tmp_path / "a.png", horizon=0.02, svg=True
  )
  line = figures[-1].axes[0].get_lines()[0]
  np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 10))
  np.testing.assert_allclose(line.get_ydata(), 0.5 ** np.arange(1, 10))
  assert "2% is left" in words()
  assert (tmp_path / "a.svg").exists()


@pytest.mark.parametrize(
  "curve", [[1.0], [0.0, 0.0], [1.0, np.nan], [1.0, np.inf, 1e30], [1.0, 0.0]]
)
def test_curves_that_end(curve, tmp_path):
  gradients.draw_over_lag({"a": curve}, tmp_path / "a.png")
  gradients.save_curves({"a": curve}, tmp_path / "b.png")


def test_over_length(tmp_path, figures):
  lengths, before = [4, 16, 64], np.array([0.5, 2.0, 8.0])
  after = np.minimum(before, 1.0)
  gradients.draw_over_length(
    {"a": (lengths, before, after)}, tmp_path / "a.png", clip_norm=1.0
  )
  thick, thin, clip = figures[-1].axes[0].get_lines()
  np.testing.assert_array_equal(thick.get_ydata(), before)
  np.testing.assert_array_equal(thin.get_ydata(), after)
  assert thick.get_linewidth() > thin.get_linewidth()
  assert clip.get_ydata()[0] == 1.0


def test_the_pixels_are_those_of_the_picture(tmp_path):
  from PIL import Image

  pixels = gradients.save_curves({"layer_0": [1.0, 0.5]}, tmp_path / "a.png")
  assert pixels.dtype == np.uint8
  assert pixels.ndim == 3
  assert pixels.shape[2] == 3
  with Image.open(tmp_path / "a.png") as picture:
    shape = picture.size[0] / picture.size[1]
  assert pixels.shape[1] / pixels.shape[0] == pytest.approx(shape, rel=0.01)


def test_any_label(tmp_path, figures):
  curve = np.array([1.0, 0.1])
  curves = {label: curve for label in LABELS}
  path = tmp_path / "a.png"
  gradients.draw_over_lag(curves, path, svg=True)
  gradients.draw_over_length(
    {label: ([4, 16], curve, curve) for label in LABELS}, path, clip_norm=1.0
  )
  gradients.save_curves(curves, path)
  counts = [len(f.legends[0].get_texts()) for f in figures]
  count = len(LABELS)
  assert counts == [count + 1, count + 1, count + 1, count]
