"""Segment overlap against worked examples, and against sets of places."""

import hypothesis
import hypothesis.strategies as st
import pytest

from seqjax.data.overlap import overlap, segments

TRUE = "CHHHHHHHHHHC"
# Zemla et al. 1999, table I: the percentages of all three states.
TABLE = {
  "CHCHCHCHCHCC": 12.5,
  "CCCHHHHHCCCC": 63.2,
  "CHHHCHHHCHHC": 40.6,
  "CHHCCHHHHHCC": 52.3,
  "CCCHHHHHHCCC": 80.6,
}


@pytest.mark.parametrize("found", TABLE)
def test_the_table_of_the_paper(found):
  total, _ = overlap([TRUE], [found])
  assert 100 * total == pytest.approx(TABLE[found], abs=0.05)


def test_the_figure_of_the_paper():
  """1/(6 + 6 + 3) ((1 + 1)/10 + (2 + 1)/6) 6 = 28 % for the sheets."""
  _, each = overlap(["CCEEECCCCCCEEEEEECCC"], ["CCCCCCCEEEEECCCEECCC"])
  assert each["E"] == pytest.approx(0.28)


def plain(true, found, state):
  """Sums of one state: runs as sets of places."""

  def runs(states):
    places = [i for i, one in enumerate(states) if one == state]
    made: list[set[int]] = []
    for place in places:
      if made and place - 1 in made[-1]:
        made[-1].add(place)
      else:
        made.append({place})
    return made

  total, count = 0.0, 0
  for s1 in runs(true):
    meets = [s2 for s2 in runs(found) if s1 & s2]
    count += len(s1) * (len(meets) or 1)
    for s2 in meets:
      least, most = len(s1 & s2), len(s1 | s2)
      delta = min(most - least, least, int(len(s1) / 2), int(len(s2) / 2))
      total += (least + delta) / most * len(s1)
  return total, count


@hypothesis.given(
  st.lists(
    st.integers(1, 12).flatmap(
      lambda n: st.tuples(
        st.text("CEH", min_size=n, max_size=n),
        st.text("CEH", min_size=n, max_size=n),
      )
    ),
    min_size=1,
    max_size=3,
  )
)
def test_it_is_the_sum_over_all_sequences(pairs):
  true, found = zip(*pairs, strict=True)
  total, each = overlap(true, found)
  sums = {
    state: [
      sum(x) for x in zip(*(plain(a, b, state) for a, b in pairs), strict=True)
    ]
    for state in "CEH"
  }
  expected = {s: value / n for s, (value, n) in sums.items() if n}
  assert each == pytest.approx(expected)
  values, counts = zip(*sums.values(), strict=True)
  assert total == pytest.approx(sum(values) / sum(counts))
  assert overlap(true, true)[0] == 1


def test_segments():
  found = segments("HHCEE")
  assert [(s.state, s.first, s.end) for s in found] == [
    ("H", 0, 2),
    ("C", 2, 3),
    ("E", 3, 5),
  ]
  assert segments("") == []
  assert overlap([], []) == (0, {})
