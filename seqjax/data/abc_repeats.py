"""Repeats of ABC notation: in which order the parts of a voice are played.

ABC 2.1, section 4.8 to 4.10.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

# Kinds of marks; what else a voice holds is played.
START, END, DOUBLE, ENDING = "start", "end", "double", "ending"
MOST = 9  # times that a part is played, and endings that it has


class Mark(NamedTuple):
  """A sign that tells the order."""

  kind: str
  numbers: tuple[int, ...]  # of an ending; how often an end sends back
  line: int
  column: int


class _Part:
  """Music that is repeated as a whole: a body and what it may end with."""

  def __init__(self, opened: Mark | None = None):
    self.opened = opened  # the `|:`
    self.closed: Mark | None = None  # the last `:|`
    self.body: list[Any] = []
    self.endings: list[tuple[Mark, list[Any]]] = []
    self.waits = False  # only an ending may come now, else the part is done

  @property
  def into(self) -> list[Any]:
    return self.endings[-1][1] if self.endings else self.body

  def played(self) -> list[Any]:
    named = [n for mark, _ in self.endings for n in mark.numbers]
    times = max(named, default=1)
    if self.closed and times == 1:
      times = 1 + self.closed.numbers[0]
    found = []
    for n in range(1, times + 1):
      some = (music for mark, music in self.endings if n in mark.numbers)
      found += [*self.body, *next(some, [])]
    return found

  def problems(self) -> list[tuple[Mark, str]]:
    found = []
    if self.opened and not self.closed:
      found.append((self.opened, "|: is never closed by :|"))
    held: set[int] = set()
    for mark, _ in self.endings:
      if (least := min(mark.numbers)) != (next_one := _first_not_in(held)):
        found.append((mark, f"ending {least}, expected {next_one}"))
      held.update(mark.numbers)
    if held and (len(held) < 2 or not self.closed):
      what = "only one ending" if len(held) < 2 else "no :| between the endings"
      found.append((self.endings[0][0], what))
    elif held and (lost := _first_not_in(held)) < max(held):
      found.append((self.endings[-1][0], f"ending {lost} is missing"))
    return found


def _first_not_in(held: set[int]) -> int:
  """The least number from 1 on that is not among them."""
  return next(n for n in range(1, MOST + 2) if n not in held)


def unfold(items: Sequence[Any]) -> tuple[list[Any], list[tuple[Mark, str]]]:
  """What is played, in order; each part is copied at most `MOST` times.

  `:|` goes back to `|:`, without one to the last double bar, the last `:|` or
  the start. Endings are played in turn; the last one ends at a double bar, a
  repeat or the end.

  Args:
    items: what a voice holds: marks, and anything else, which is played.

  Returns:
    `(played, problems)`, each problem with the mark that it is of.
  """
  played: list[Any] = []
  problems: list[tuple[Mark, str]] = []
  part = _Part()

  def finish(opened: Mark | None = None) -> _Part:
    played.extend(part.played())
    problems.extend(part.problems())
    return _Part(opened)

  for item in items:
    kind = item.kind if isinstance(item, Mark) else ""
    if kind == START:
      part = finish(item)
    elif kind == END:
      if part.waits or not part.into:
        problems.append((item, "nothing to repeat before :|"))
        continue
      part.closed, part.waits = item, True
    elif kind == DOUBLE:
      # A part that `|:` opens may have double bars inside.
      if not part.waits and (part.endings or not part.opened):
        part = finish()
    elif kind == ENDING:
      if part.endings and 1 in item.numbers:
        part = finish()
      part.endings.append((item, []))
      part.waits = False
    else:
      if part.waits:
        part = finish()
      part.into.append(item)
  finish()
  return played, problems
