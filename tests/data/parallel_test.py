"""Groups that are trained on alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data import parallel
from seqjax.data.parallel import Pair
from seqjax.errors import InputError

# Few sources and groups, so that many hang together; group "" is none.
PAIRS = st.lists(
  st.builds(
    Pair,
    source=st.integers(0, 30).map("source {}".format),
    target=st.just("target"),
    group=st.sampled_from(["", *(f"Book {i}" for i in range(12))]),
  ),
  min_size=1,
  max_size=40,
)
SHARES = st.sampled_from([0.0, 0.1, 0.3, 0.45])


def hanging_together(pairs, start):
  """The pairs that share a source or a group with one of `start`, and so on."""
  found = set(start)
  while True:
    sources = {p.source for p in found}
    groups = {p.group for p in found} - {""}
    more = {p for p in pairs if p.source in sources or p.group in groups}
    if more <= found:
      return found
    found |= more


@given(PAIRS, SHARES, SHARES, st.integers(0, 3), st.sampled_from(["1", "1?2"]))
def test_such_a_group_is_of_training_and_what_hangs_together_with_it(
  pairs, validation, test, seed, number
):
  expression = f"Book {number}|Book 5"
  named = [p for p in pairs if p.group in {"Book 5", "Book 1"}]
  if number == "1?2":
    named = [p for p in pairs if p.group in {"Book 5", "Book 2"}]
  options = pairs, validation, test, seed, expression
  if not named:
    with pytest.raises(InputError, match="matches no group"):
      parallel.split(*options)
    return
  try:
    found = parallel.split(*options)
  except InputError as error:  # nothing is left for a part
    assert "leaves nothing of" in str(error)  # noqa: PT017
    return
  kept = hanging_together(pairs, named)
  assert kept <= set(found.train)
  assert kept.isdisjoint([*found.validation, *found.test])
  assert sorted(sum(found, [])) == sorted(pairs)


def test_the_rest_is_held_out_as_much_as_ever():
  pairs = [Pair(f"s{i}", "t", f"Book {i // 4}") for i in range(80)]
  for seed in range(4):
    found = parallel.split(pairs, 0.1, 0.2, seed, r"Book (1|2|3)")
    assert [len(part) for part in found] == [56, 8, 16]
    held_out = {p.group for p in [*found.validation, *found.test]}
    assert held_out.isdisjoint({"Book 1", "Book 2", "Book 3"})
  # The whole name counts: "Book 1" is not "Book 10".
  everywhere = set()
  for seed in range(20):
    found = parallel.split(pairs, 0.1, 0.2, seed, "Book 1")
    everywhere |= {p.group for p in found.test}
  assert everywhere == {p.group for p in pairs} - {"Book 1"}


def test_without_an_expression_all_can_be_held_out():
  pairs = [Pair(f"s{i}", "t", f"Book {i // 4}") for i in range(80)]
  assert parallel.split(pairs, 0.1, 0.2, 0, "") == parallel.split(
    pairs, 0.1, 0.2, 0
  )


@pytest.mark.parametrize(
  ("expression", "groups", "message"),
  [
    ("(Kings", True, "train_only is '(Kings', which is no regular expression"),
    ("Kings", True, "train_only is 'Kings', which matches no group"),
    ("Boo", True, "train_only is 'Boo', which matches no group; it must match"),
    # Without a column of references there is nothing to match.
    (".*", False, "train_only is '.*', which matches no group"),
  ],
)
def test_mistakes(expression, groups, message):
  pairs = [Pair(f"s{i}", "t", "Book 1" * groups) for i in range(10)]
  with pytest.raises(InputError, match=re.escape(message)) as error:
    parallel.split(pairs, 0.1, 0.1, 0, expression)
  assert "\n" not in str(error.value)
