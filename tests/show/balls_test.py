"""Balls: errors and the animation."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from seqjax.show import balls, plot
from tests.show.conftest import LABELS


def test_errors_have_the_looks_of_their_roles(tmp_path, figures, words):
  balls.draw_errors(
    {"model": ("model", [0.1, 0.2]), "straight": ("baseline", [0.2, 0.4])},
    tmp_path / "a.png",
  )
  model, baseline = figures[0].axes[0].get_lines()
  assert model.get_color() == plot.ROLES["model"]["color"]
  assert baseline.get_color() == plot.ROLES["baseline"]["color"]
  np.testing.assert_allclose(baseline.get_ydata(), [20, 40])
  assert "% of the box" in words()


@pytest.mark.parametrize("steps", [1, 2])
def test_any_label(steps, tmp_path, figures):
  errors = {label: ("baseline", np.ones(steps)) for label in LABELS}
  balls.draw_errors(errors, tmp_path / "a.png")
  assert len(figures[0].legends[0].get_texts()) == len(LABELS)


def animated(path, count, observed=3, steps=4):
  past = np.full((count, observed, 2), 0.5)
  future, found = np.full((2, count, steps, 2), 0.5)
  found = found + [0.3, 0.0]  # the model is wrong from the first step
  balls.animate(past, future, found, 0.1, path)
  with Image.open(path) as picture:
    frames = []
    for index in range(picture.n_frames):
      picture.seek(index)
      frames.append(np.asarray(picture.convert("RGB")).astype(int))
  return frames


def near(frame, role):
  """How many pixels have the colour of a role."""
  color = np.array(to_rgb(plot.ROLES[role]["color"])) * 255
  return (abs(frame - color).max(axis=-1) < 12).sum()


def test_a_picture_a_step_in_the_colours_of_the_roles(tmp_path):
  frames = animated(tmp_path / "a.gif", 6)
  assert len(frames) == 7
  truth = [near(frame, "truth") for frame in frames]
  model = [near(frame, "model") for frame in frames]
  # In each picture four balls are there, from the fourth on four rings more.
  assert min(truth) > 1_000
  legend = model[0]
  assert model[:3] == [legend] * 3
  assert min(model[3:]) > legend + 200


def test_the_animation_is_small_and_goes_round(tmp_path):
  rng = np.random.default_rng(0)
  path = tmp_path / "a.gif"
  paths = rng.uniform(0.2, 0.8, (4, 30, 2))
  balls.animate(paths[:, :10], paths[:, 10:], paths[:, 10:], 0.05, path)
  assert path.stat().st_size < 200_000
  with Image.open(path) as picture:
    assert picture.n_frames == 30
    assert picture.info["loop"] == 0
    assert picture.info["duration"] == balls.MILLISECONDS


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_balls_than_four(count, tmp_path):
  assert len(animated(tmp_path / "a.gif", count, steps=1)) == 4
