"""Sound over time, and what is written of it below."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from seqjax.show import plot

_WIDTH = 10.0  # inches
_ROWS = 40  # of captions, at most


class Panel(NamedTuple):
  """One sound.

  Attributes:
    features: `[frames, features]`, the lowest pitch first.
    frame: seconds from frame to frame.
    words: `(seconds, word)`, where the model puts each.
    shares: probabilities of the symbols at each step, `[steps, symbols]`; or
      None.
    step: seconds from step to step.
    symbols: the name of each symbol.
    blank: the number of the symbol that stands for none.
    title: above it.
  """

  features: Any
  frame: float
  words: Sequence[tuple[float, str]]
  shares: Any = None
  step: float = 0.0
  symbols: Sequence[str] = ()
  blank: int = 0
  title: str = ""


def draw(panels: Sequence[Panel], path: pathlib.Path) -> None:
  """Below each spectrogram the symbols' probabilities and the words.

  Args:
    panels: one sound each.
    path: the PNG.
  """
  figure, axes = plot.figure(
    _WIDTH, 3.6 * len(panels), rows=2 * len(panels), share=False
  )
  for place, panel in enumerate(panels):
    above, below = axes[2 * place : 2 * place + 2]
    last = max(len(panel.features), 1) * panel.frame
    _image(above, panel, last)
    _shares(below, panel, last)
  axes[-1].set_xlabel("seconds")
  plot.save(figure, path)


def _image(axis: Axes, panel: Panel, last: float) -> None:
  values = np.asarray(panel.features, float)
  axis.grid(False)
  if values.size:
    # A few loud points would leave the rest dark.
    low, high = np.quantile(values, [0.02, 0.995])
    axis.imshow(
      values.T,
      origin="lower",
      aspect="auto",
      cmap="magma",
      vmin=low,
      vmax=high if high > low else low + 1,
      extent=(0, last, 0, values.shape[1]),
      interpolation="nearest",
    )
  axis.set_xlim(0, last)
  axis.set_ylabel("feature")
  axis.tick_params(labelbottom=False)
  if panel.title:
    axis.set_title(plot.text(panel.title, 110), fontsize=10, loc="left")


def _shares(axis: Axes, panel: Panel, last: float) -> None:
  """Each symbol's probability in its colour, its word at its place."""
  axis.set_xlim(0, last)
  axis.set_ylim(0, 1.45)
  axis.set_yticks([0, 0.5, 1])
  axis.set_ylabel("probability")
  if panel.shares is not None:
    shares = np.asarray(panel.shares, float)
    at = (np.arange(len(shares)) + 0.5) * panel.step
    axis.plot(
      at, shares[:, panel.blank], color=plot.GREY, linewidth=0.8, linestyle=":"
    )
    highest = shares.max(axis=0, initial=0)
    highest[panel.blank] = 0
    order = np.argsort(-highest, kind="stable")
    said = [symbol for symbol in order if highest[symbol] > 0.1]
    for number, symbol in enumerate(said):
      axis.fill_between(
        at, shares[:, symbol], color=plot.style(number)["color"], alpha=0.35
      )
      axis.plot(at, shares[:, symbol], **plot.style(number))
  for number, (second, word) in enumerate(panel.words):
    axis.text(
      second,
      1.08 + 0.16 * (number % 2),  # neighbours do not touch
      plot.text(word, 16),
      fontsize=9,
      ha="left",
    )
    axis.axvline(second, color="#bbbbbb", linewidth=0.7, zorder=0)


def captions(
  samples: Any,
  rate: int,
  moments: Sequence[tuple[float, str]],
  path: pathlib.Path,
  *,
  title: str = "",
) -> None:
  """The waveform, and below it how the caption grew.

  Args:
    samples: of the sound, `[n]`.
    rate: samples a second.
    moments: `(seconds, word)`, when each was written.
    path: the PNG.
    title: above the picture.
  """
  samples = np.asarray(samples, float)
  shown = list(moments)[:_ROWS]
  last = max([len(samples) / rate, *(second for second, _ in shown), 0.1])
  rows = max(len(shown), 1)
  figure, (above, below) = plot.figure(_WIDTH, 2.2 + 0.26 * rows, rows=2)
  # At most so many points as there is ink for.
  block = max(len(samples) // 4_000, 1)
  parts = samples[: len(samples) // block * block].reshape(-1, block)
  at = np.arange(len(parts)) * block / rate
  if len(parts):
    above.fill_between(
      at, parts.min(axis=1), parts.max(axis=1), color=plot.COLORS[0], lw=0.5
    )
  above.set_ylabel("sound")
  above.set_xlim(0, last)
  words: list[str] = []
  for row, (second, word) in enumerate(shown):
    words.append(word)
    for axis in (above, below):
      axis.axvline(second, color="#bbbbbb", linewidth=0.7, zorder=0)
    late = second > last / 2
    below.text(
      second,
      -row,
      f" {plot.text(' '.join(words), 70)} ",
      ha="right" if late else "left",
      va="center",
      fontsize=9,
    )
    below.plot([second], [-row], marker="o", markersize=4, color=plot.COLORS[1])
  below.set_ylim(-rows + 0.3, 0.7)
  below.set_yticks([])
  below.grid(False)
  below.set_ylabel("written")
  more = len(moments) - len(shown)
  below.set_xlabel(
    "seconds" + (f" ({more} words are left out)" if more else "")
  )
  if title:
    above.set_title(plot.text(title, 110), fontsize=10, loc="left")
  plot.save(figure, path)
