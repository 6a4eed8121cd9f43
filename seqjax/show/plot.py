"""What all pictures share: colours, roles, text of the user's, figures.

Okabe and Ito's palette with a dash pattern for each colour: to be told apart in
grey and by colour-blind readers.
"""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import font_manager, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

COLORS = (
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#000000",
  "#E69F00",
  "#56B4E9",
  "#777777",
  "#8B4513",
)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
GREY = "#777777"

# What a line stands for: it looks the same in every picture. Training and
# validation never meet truth and model in one, and have the same two colours.
_BLUE: dict[str, Any] = {"color": COLORS[0], "linewidth": 1.8}
_ORANGE: dict[str, Any] = {**_BLUE, "color": COLORS[1], "linestyle": "--"}
ROLES: dict[str, dict[str, Any]] = {
  "past": {"color": "#000000", "linestyle": "-", "linewidth": 1.4},
  "truth": {**_BLUE, "linestyle": "-"},
  "forecast": _ORANGE,
  "model": _ORANGE,
  "baseline": {"color": COLORS[2], "linestyle": "-.", "linewidth": 1.4},
  "training": {**_BLUE, "linestyle": "-"},
  "validation": _ORANGE,
  "threshold": {"color": GREY, "linestyle": ":", "linewidth": 1.4},
}

# Matplotlib's stand-in for what has no font: boxes with the name of the script.
_NO_FONT = "Last Resort High-Efficiency"
# Inches that a letter of the usual size takes, on average.
_LETTER = 0.085


def style(index: int) -> dict[str, Any]:
  """Colour and dashes of the line with this index, where lines have no role."""
  return {
    "color": COLORS[index % len(COLORS)],
    "linestyle": DASHES[index % len(DASHES)],
    "linewidth": 1.8,
  }


def one_line(label: str, longest: int = 40) -> str:
  """A label in one line of at most `longest` letters; the middle is left out.

  What cannot be printed becomes a blank, nothing becomes "(empty)".
  """
  printable = "".join(c if c.isprintable() else " " for c in str(label))
  shown = " ".join(printable.split()) or "(empty)"
  if len(shown) > longest:
    tail = longest // 3
    shown = f"{shown[: longest - tail - 1]}…{shown[len(shown) - tail :]}"
  return shown


def text(label: str, longest: int = 40) -> str:
  r"""A label for matplotlib, which would take some for more than text.

  A dollar sign would begin a formula, an underscore in front would keep a line
  out of its legend, a letter without a font would be a warning and a box: here
  it is written as Python does, \u4e2d.

  Args:
    label: any string.
    longest: letters to be seen; see `one_line`.
  """
  shown = one_line(label, longest)
  if any(_family(c) is None for c in shown):
    escaped = (
      c if _family(c) is not None else c.encode("unicode_escape").decode()
      for c in shown
    )
    shown = one_line("".join(escaped), longest)
  shown = shown.replace("$", r"\$")
  return f" {shown}" if shown.startswith("_") else shown


@functools.cache
def _characters(path: str) -> frozenset[int]:
  return frozenset(font_manager.get_font(path).get_charmap())


@functools.cache
def _family(character: str) -> str | None:
  """Whose font has the character: "" the usual one's, None nobody's."""
  usual = font_manager.findfont(font_manager.FontProperties())
  if ord(character) in _characters(usual):
    return ""
  for font in font_manager.fontManager.ttflist:
    if font.name != _NO_FONT and ord(character) in _characters(font.fname):
      return font.name
  return None


def figure(
  width: float,
  height: float,
  rows: int = 1,
  columns: int = 1,
  widths: Sequence[float] | None = None,
  share: bool = True,
) -> tuple[Figure, list[Axes]]:
  """`(figure, axes)`, inches; no global state, nothing to close.

  Axes are in the order of reading; those of a column share their x axis unless
  `share` is False. `widths` are those of the columns, as parts of the whole;
  default equal ones.
  """
  made = Figure(figsize=(width, height), layout="constrained")
  grid = made.subplots(
    rows,
    columns,
    sharex="col" if share else "none",
    squeeze=False,
    width_ratios=widths,
  )
  axes = list(grid.flat)
  for axis in axes:
    axis.grid(True, which="major", color="#dddddd", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
  return made, axes


def scale(axis: Axes, values) -> None:
  """A log scale for y if the positive values span a factor of 10 or more.

  Below that a log scale has hardly a number beside it; up to 1,000 they are
  plain ones.
  """
  values = np.asarray(values, np.float64)
  values = values[np.isfinite(values) & (values > 0)]
  span = values.max() / values.min() if values.size else 1.0
  if span >= 10:
    axis.set_yscale("log")
  if 10 <= span < 1_000:
    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_minor_locator(ticker.NullLocator())
    plain_numbers(axis.yaxis)


def whole_steps(axis: Axes) -> None:
  """No half steps on the x axis, be there one step alone."""
  locator = ticker.MaxNLocator(
    9, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1
  )
  axis.xaxis.set_major_locator(locator)


def plain_numbers(axis) -> None:
  """0.5, not 5 x 10^-1, on a log scale of few decades."""
  for set_formatter in (axis.set_major_formatter, axis.set_minor_formatter):
    set_formatter(lambda value, _: f"{value:g}")


def legend_above(figure: Figure, axis: Axes, **options: Any) -> None:
  """The axis' legend outside of it, in as many columns as there is room for.

  The figure grows by the rows beyond the first.
  """
  handles, labels = axis.get_legend_handles_labels()
  widths = [_LETTER * (len(label) + 6) for label in labels]
  columns = len(labels)
  if sum(widths) > figure.get_figwidth():
    columns = max(1, int(figure.get_figwidth() / max(widths)))
  rows = -(-len(labels) // columns)
  figure.set_figheight(figure.get_figheight() + 0.22 * (rows - 1))
  figure.legend(
    handles,
    labels,
    loc="outside upper center",
    ncols=columns,
    frameon=False,
    handlelength=3,
    **options,
  )


def save(
  figure: Figure, path: pathlib.Path, *, svg: bool = False, title: str = ""
) -> None:
  """Writes the picture.

  Args:
    figure: what to write; letters that matplotlib's own font lacks are drawn
      with an installed one that has them.
    path: the PNG.
    svg: an SVG of the same name beside it.
    title: written into the PNG, where a program finds it again.
  """
  for drawn in figure.findobj(Text):
    assert isinstance(drawn, Text)
    families = {_family(c) for c in drawn.get_text() if c.isprintable()}
    if others := sorted(family for family in families if family):
      drawn.set_fontfamily([*drawn.get_fontfamily(), *others])
  figure.savefig(path, dpi=150, metadata={"Title": title} if title else None)
  if svg:
    figure.savefig(path.with_suffix(".svg"))
