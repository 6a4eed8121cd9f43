"""Segment overlap: how well runs of a state are found, not single letters."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple


class Segment(NamedTuple):
  """A run of one state, as long as it goes."""

  state: str
  first: int
  end: int  # behind its last letter

  @property
  def size(self) -> int:
    """How many letters."""
    return self.end - self.first


def segments(states: Sequence[str]) -> list[Segment]:
  """The runs of a sequence, from its beginning to its end."""
  found, first = [], 0
  for state, run in itertools.groupby(states):
    end = first + sum(1 for _ in run)
    found.append(Segment(state, first, end))
    first = end
  return found


def overlap(
  true: Sequence[Sequence[str]], found: Sequence[Sequence[str]]
) -> tuple[float, dict[str, float]]:
  """SOV of all states and of each that there is in truth, 0 to 1.

  S1 are the true segments of a state, S2 the found ones; S its pairs (s1, s2)
  with a letter in common, N the sum of |s1| over S, and once over the s1 that
  are in no pair.

    SOV   = 1/N sum over S of (minov + delta) / maxov |s1|
    minov = letters that both hold; maxov = letters from the first to the last
            that either holds
    delta = min(maxov - minov, minov, |s1| // 2, |s2| // 2)

  For all states, sums and N are those of all. Zemla, Venclovas, Fidelis, Rost
  1999, "A modified definition of Sov, a segment-based measure for protein
  secondary structure prediction assessment", eq. 1 to 5, there in percent.
  Of several sequences the sums are over the segments of all, so that long ones
  count for more, as they do in the share of right letters.

  Args:
    true: for each sequence its states.
    found: for each sequence as many.
  """
  sums: dict[str, float] = {}
  counts: dict[str, int] = {}
  for one, other in zip(true, found, strict=True):
    others = segments(other)
    for s1 in segments(one):
      pairs = [
        s2
        for s2 in others
        if s2.state == s1.state and s2.first < s1.end and s1.first < s2.end
      ]
      total = s1.size * sum(_share(s1, s2) for s2 in pairs)
      sums[s1.state] = sums.get(s1.state, 0.0) + total
      count = s1.size * max(len(pairs), 1)
      counts[s1.state] = counts.get(s1.state, 0) + count
  each = {state: sums[state] / counts[state] for state in sorted(sums)}
  return sum(sums.values()) / max(sum(counts.values()), 1), each


def _share(s1: Segment, s2: Segment) -> float:
  least = min(s1.end, s2.end) - max(s1.first, s2.first)
  most = max(s1.end, s2.end) - min(s1.first, s2.first)
  delta = min(most - least, least, s1.size // 2, s2.size // 2)
  return (least + delta) / most
