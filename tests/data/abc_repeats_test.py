"""In which order the parts of a voice are played."""

import hypothesis
from hypothesis import strategies as st

from seqjax.data.abc_repeats import DOUBLE, END, ENDING, START, Mark, unfold

SIGNS = {
  "[": Mark(START, (), 0, 0),
  "]": Mark(END, (1,), 0, 0),
  "d": Mark(DOUBLE, (), 0, 0),
  "1": Mark(ENDING, (1,), 0, 0),
  "2": Mark(ENDING, (2,), 0, 0),
}


def play(text):
  played, problems = unfold([SIGNS.get(sign, sign) for sign in text])
  return "".join(played), problems


def by_hand(text):
  """Goes back and forth as a player does; for what is well formed."""
  found, start, at, time = "", 0, 0, 1
  opened = last = False
  while at < len(text):
    sign = text[at]
    at += 1
    if sign == "[":
      start, time, opened, last = at, 1, True, False
    elif sign == "d":
      if not opened or last:
        start, time, opened, last = at, 1, False, False
    elif sign == "1":
      if time == 2:
        at, last = text.index("2", at) + 1, True
    elif sign == "]":
      if time == 1:
        at, time = start, 2
      else:
        start, time, opened = at, 1, False
    elif sign != "2":
      found += sign
  return found


PART = st.sampled_from(["A", "AB", "ABC"])
WHOLE = st.one_of(
  PART.map(lambda a: f"[{a}]"),
  PART.map(lambda a: f"d{a}]"),
  PART.map(lambda a: f"d{a}d"),
  st.tuples(PART, PART).map(lambda two: "[{}d{}]".format(*two)),
  st.tuples(PART, PART, PART).map(lambda all: "[{}1{}]2{}d".format(*all)),
  st.tuples(PART, PART, PART).map(lambda all: "d{}1{}]2{}d".format(*all)),
)


@hypothesis.given(st.lists(WHOLE, max_size=5).map("".join))
def test_as_a_player(text):
  played, problems = play(text)
  assert played == by_hand(text)
  assert not problems


@hypothesis.given(st.text("AB[]d12", max_size=30))
def test_all_is_played_and_never_often(text):
  played, problems = play(text)
  for sign in "AB":
    assert played.count(sign) <= 9 * text.count(sign)
    assert problems or text.count(sign) <= played.count(sign)
