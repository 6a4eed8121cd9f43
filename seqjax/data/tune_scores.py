"""What tunes in ABC notation are worth, as texts that a model writes.

How well they are formed, by `judge` and `shares`; and how much of them is taken
from the tunes of training, by `copied`, beside how much tunes of a corpus have
in common anyway, by `shared_among`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqjax.data import abc_notation

_WINDOW = 8  # notes
_Windows = list[tuple[abc_notation.Written, ...]]


class Judgement(NamedTuple):
  """Whether a tune is well formed.

  Attributes:
    header: it begins with `X:` and goes to `K:`, with one `M:` and a title or
      several; none is empty, and all can be read.
    legal: all of the music can be read.
    bars: there is some, and each bar between two plain bar lines is as long as
      the metre says.
    repeats: they can be played: every `:|` has something to repeat, no `|:`
      stays open, endings are complete.
  """

  header: bool
  legal: bool
  bars: bool
  repeats: bool


def judge(text: str) -> Judgement:
  """Of one tune."""
  tune = abc_notation.read(text)
  wrong = {problem.kind for problem in tune.problems}
  letters = [letter for letter, _ in tune.header]
  counts = Counter(letters)
  needed = all(value for letter, value in tune.header if letter in "XTMK")
  return Judgement(
    header=abc_notation.HEADER not in wrong
    and needed
    and letters[:1] == ["X"]
    and letters[-1:] == ["K"]
    and counts["X"] == counts["M"] == 1
    and counts["T"] >= 1,
    legal=abc_notation.MUSIC not in wrong,
    bars=bool(tune.bars) and all(map(_is_whole, tune.bars)),
    repeats=abc_notation.REPEAT not in wrong,
  )


def _is_whole(bar: abc_notation.Bar) -> bool:
  """Of a bar that has to be."""
  must = bar.inner and bar.metre
  return not must or bar.length == must.length


def shares(texts: Sequence[str]) -> dict[str, float]:
  """The shares of tunes that are as `Judgement` says, and `all` at once."""
  judged = [judge(text) for text in texts]
  values = {
    name: float(np.mean([getattr(one, name) for one in judged] or [0]))
    for name in Judgement._fields
  }
  return {**values, "all": float(np.mean([all(one) for one in judged] or [0]))}


def copied(texts: Sequence[str], corpus: Sequence[str]) -> float:
  """The share of a tune's stretches of 8 notes that a corpus holds; the mean.

  Notes as written, their pitch and length; a tune of fewer has no say. 0 where
  there is none.

  Args:
    texts: the tunes.
    corpus: those of training.
  """
  known = {window for text in corpus for window in _windows(text)}
  found = [[w in known for w in _windows(text)] for text in texts]
  return _mean_share(found)


def shared_among(corpus: Sequence[str]) -> float:
  """The same of each tune of a corpus with all of the others."""
  windows = [_windows(text) for text in corpus]
  holders = Counter(window for some in windows for window in set(some))
  return _mean_share([[holders[w] > 1 for w in some] for some in windows])


def _windows(text: str) -> _Windows:
  notes = abc_notation.read(text).written
  starts = range(len(notes) - _WINDOW + 1)
  return [tuple(notes[i : i + _WINDOW]) for i in starts]


def _mean_share(found: list[list[bool]]) -> float:
  return float(np.mean([np.mean(some) for some in found if some] or [0]))
