"""Notes over time: a piano roll, in rows where a tune is long."""

import math
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Patch

from seqjax.show import plot

_NAMES = "C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"
_BLACK = 1, 3, 6, 8, 10  # of an octave
_QUARTER = 0.3  # inches of a quarter note
_WIDEST, _NARROWEST = 12.0, 5.0  # inches of a figure
_ROWS = 10  # of a figure, at most
_FEW = 16  # semitones in which every white key has its name
_LABELS = 12  # numbers of a row, at most
_VOICES = 9  # in the legend, at most


def name(pitch: int) -> str:
  """C4 is the middle C, 60."""
  return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def draw(
  starts: Sequence[float] | np.ndarray,
  lengths: Sequence[float] | np.ndarray,
  pitches: Sequence[int] | np.ndarray,
  voices: Sequence[int] | np.ndarray,
  path: pathlib.Path,
  *,
  title: str = "",
  bars: Sequence[float] | np.ndarray = (),
) -> None:
  """A bar for each note, in the colour of its voice.

  Rows are broken at bar lines where there are some. What is beyond ten rows is
  left out, and the last axis says so.

  Args:
    starts: of the notes, in quarter notes, from 0 on.
    lengths: likewise.
    pitches: as MIDI numbers them.
    voices: likewise, 0 is the first.
    path: the PNG.
    title: above the picture.
    bars: where bar lines are, in quarter notes.
  """
  starts, lengths = np.asarray(starts, float), np.asarray(lengths, float)
  pitches, voices = np.asarray(pitches, int), np.asarray(voices, int)
  ends = starts + lengths
  bars = np.unique(np.asarray(bars, float))
  last = float(max(ends.max(initial=0), bars.max(initial=0), 1))
  edges = _rows(last, bars)
  span = max(np.diff(edges))
  shown = pitches if pitches.size else np.array([60])
  low, high = int(shown.min()) - 2, int(shown.max()) + 2
  every = high - low <= _FEW
  width = min(max(_QUARTER * span + 1, _NARROWEST), _WIDEST)
  height = min(max((0.14 if every else 0.075) * (high - low), 1.3), 4)
  figure, axes = plot.figure(
    width, height * (len(edges) - 1) + 0.9, rows=len(edges) - 1, share=False
  )
  colours = [plot.COLORS[voice % len(plot.COLORS)] for voice in voices]
  for axis, begins, finishes in zip(axes, edges[:-1], edges[1:], strict=True):
    _scale(axis, low, high, every, (finishes - begins) / span)
    axis.set_xlim(begins, begins + span)
    lines = bars[(bars >= begins) & (bars <= finishes)]
    if lines.size:
      axis.grid(False, axis="x")
      ticks = _apart(lines, span / _LABELS)
      axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    else:
      plot.whole_steps(axis)
    for line in lines:
      axis.axvline(line, color=plot.GREY, linewidth=0.7, zorder=1)
    here = np.flatnonzero((starts < finishes) & (ends > begins))
    left = np.maximum(starts[here], begins)
    axis.barh(
      pitches[here],
      np.minimum(ends[here], finishes) - left,
      0.8,
      left,
      color=[colours[index] for index in here],
      edgecolor="white",
      linewidth=0.6,
      zorder=2,
    )
  left_out = int((starts >= edges[-1]).sum())
  axes[-1].set_xlabel(
    "quarter notes"
    + (f" ({left_out:,} later notes are left out)" if left_out else "")
  )
  if title:
    axes[0].set_title(plot.text(title, 80), fontsize=11)
  found = np.unique(voices).tolist()
  if len(found) > 1:
    figure.legend(
      handles=[
        Patch(
          color=plot.COLORS[voice % len(plot.COLORS)],
          label=f"voice {voice + 1}",
        )
        for voice in found[:_VOICES]
      ],
      loc="outside lower center",
      ncols=min(len(found), _VOICES, int(width)),
      frameon=False,
    )
  plot.save(figure, path, title=plot.one_line(title, 80) if title else "")


def _rows(last: float, bars: np.ndarray) -> list[float]:
  """Where rows begin, and where the last one ends, in quarter notes."""
  most = (_WIDEST - 1) / _QUARTER
  edges = [0.0]
  while edges[-1] < last and len(edges) <= _ROWS:
    begins, rest = edges[-1], last - edges[-1]
    # As long as the rows that are to come, or a little longer.
    even = begins + rest / math.ceil(rest / most)
    within = bars[(bars > begins) & (bars <= begins + most)]
    if rest <= most:
      ends = last
    elif within.size:
      ends = min(within[within >= even], default=within[-1])
    else:  # a bar that is longer than a row is broken
      ends = min(math.ceil(even), begins + math.floor(most))
    edges.append(float(ends))
  return edges


def _apart(lines: np.ndarray, least: float) -> list[float]:
  """Those of the bar lines that have room for a number; the first is one."""
  kept = [float(lines[0])]
  for line in lines[1:]:
    if line - kept[-1] >= least:
      kept.append(float(line))
  return kept


def _scale(axis, low: int, high: int, every: bool, part: float) -> None:
  """Names of pitches, grey where black keys are, up to a part of the width."""
  shown = range(low, high + 1)
  ticks = [p for p in shown if (p % 12 not in _BLACK if every else not p % 12)]
  axis.set_yticks(ticks, [name(pitch) for pitch in ticks])
  axis.set_ylim(low - 0.5, high + 0.5)
  axis.tick_params(labelsize=8)
  for pitch in shown:
    if pitch % 12 in _BLACK:
      axis.axhspan(
        pitch - 0.5, pitch + 0.5, 0, part, color="#eeeeee", lw=0, zorder=0
      )
