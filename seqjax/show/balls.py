"""Balls in a box: where they went, and where they were said to go."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colors
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from PIL import Image

from seqjax.show import plot

MILLISECONDS = 120  # of a picture of the animation


def draw_errors(
  errors: Mapping[str, tuple[str, Any]], path: pathlib.Path
) -> None:
  """Mean distance over the steps.

  Args:
    errors: label to a role of `plot.ROLES` and shares of the box `[steps]`.
    path: the PNG.
  """
  figure, (axis,) = plot.figure(7, 4)
  for label, (role, shares) in errors.items():
    shares = np.asarray(shares)
    axis.plot(
      np.arange(1, len(shares) + 1),
      100 * shares,
      label=plot.text(label),
      marker="o" if len(shares) == 1 else None,
      **plot.ROLES[role],
    )
  axis.set_ylim(0, None)
  plot.whole_steps(axis)
  axis.set_xlabel("steps ahead")
  axis.set_ylabel("mean distance [% of the box]")
  plot.legend_above(figure, axis)
  plot.save(figure, path)


def animate(
  past: np.ndarray,
  future: np.ndarray,
  found: np.ndarray,
  radius: float,
  path: pathlib.Path,
) -> None:
  """A GIF of the first four balls, a picture a step.

  Args:
    past: shares of the box `[balls, observed, 2]`, x and y upwards.
    future: what came, `[balls, steps, 2]`.
    found: what was foretold, `[balls, steps, 2]`.
    radius: of a ball.
    path: the GIF.
  """
  balls, observed = min(len(past), 4), past.shape[1]
  true = np.concatenate([past, future], axis=1)
  figure, axes = plot.figure(0.3 + 2 * balls, 2.7, columns=balls)
  truth, model = plot.ROLES["truth"], plot.ROLES["model"]
  panels = []
  for axis in axes:
    axis.grid(False)
    axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect=1)
    axis.spines[:].set_visible(True)
    seen, path_true, path_model = (
      axis.plot([], [], **{**role, "linewidth": 1})[0]
      for role in (plot.ROLES["past"], truth, model)
    )
    ball = axis.add_patch(Circle((0, 0), radius, color=truth["color"]))
    ring = axis.add_patch(
      Circle((0, 0), radius, fill=False, color=model["color"], linewidth=2)
    )
    panels.append((seen, path_true, path_model, ball, ring))
  marks: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 9}
  figure.legend(
    [
      Line2D([], [], color=truth["color"], **marks),
      Line2D([], [], color=model["color"], **marks, fillstyle="none"),
    ],
    ["true", "model"],
    loc="outside lower center",
    ncols=2,
    frameon=False,
  )
  title = figure.suptitle("step", fontsize=11)
  canvas = FigureCanvasAgg(figure)
  palette = _palette()
  frames = []
  for now in range(true.shape[1]):
    ahead = max(0, now + 1 - observed)
    for row, (seen, path_true, path_model, ball, ring) in enumerate(panels):
      seen.set_data(*true[row, : min(now + 1, observed)].T)
      start = true[row, observed - 1 : observed]
      came = true[row, observed - 1 : now + 1] if ahead else start[:0]
      told = np.concatenate([start, found[row, :ahead]]) if ahead else start[:0]
      path_true.set_data(*came.T)
      path_model.set_data(*told.T)
      ball.set_center(true[row, now])
      ring.set_visible(bool(ahead))
      ring.set_center(told[-1] if ahead else (0, 0))
    word = f"{ahead} ahead" if ahead else "seen"
    title.set_text(f"step {now + 1}: {word}")
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    frames.append(pixels.quantize(palette=palette, dither=Image.Dither.NONE))
  frames[0].save(
    path,
    save_all=True,
    append_images=frames[1:],
    duration=MILLISECONDS,
    loop=0,
  )


def _palette() -> Image.Image:
  """The colours of the pictures, each in steps from white: a few are enough.

  All pictures have the same, and small files: a palette of its own for each
  would make every pixel change from one to the next.
  """
  used = [plot.ROLES[role]["color"] for role in ("past", "truth", "model")]
  shades = [
    np.rint(255 * (1 - step * (1 - np.array(colors.to_rgb(color)))))
    for color in used
    for step in np.linspace(0, 1, 9)
  ]
  palette = Image.new("P", (1, 1))
  palette.putpalette(np.concatenate(shades).astype(int).tolist())
  return palette
