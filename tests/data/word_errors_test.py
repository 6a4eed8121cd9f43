"""Errors in words and signs, against an edit distance of our own."""

import itertools

import numpy as np
import pytest

from seqjax.data import word_errors

PAIRS = [
  ("one two three", "one two three"),
  ("one ten three", "one two three"),
  ("one two two three", "one two three"),
  ("one three", "one two three"),
  ("", "one two"),
  ("five", ""),
  ("", ""),
]


def distance(a, b):
  """Fewest edits from one sequence to another."""
  table = np.zeros((len(a) + 1, len(b) + 1), int)
  table[:, 0], table[0] = range(len(a) + 1), range(len(b) + 1)
  for i, j in itertools.product(range(len(a)), range(len(b))):
    table[i + 1, j + 1] = min(
      table[i, j] + (a[i] != b[j]), table[i, j + 1] + 1, table[i + 1, j] + 1
    )
  return int(table[-1, -1])


def test_rates_are_of_all_utterances_together():
  hypotheses, references = zip(*PAIRS, strict=True)
  found = word_errors.scores(hypotheses, references)
  words = sum(distance(h.split(), r.split()) for h, r in PAIRS)
  signs = sum(distance(h, r) for h, r in PAIRS)
  assert found["wer"] == pytest.approx(words / (4 * 3 + 2))
  assert found["cer"] == pytest.approx(signs / len("".join(references)))
  assert found["substitutions"] == pytest.approx(1 / 14)
  assert found["insertions"] == pytest.approx(2 / 14)
  assert found["deletions"] == pytest.approx(3 / 14)
  assert found["exact"] == pytest.approx(2 / 7)


def test_drawn_transcripts():
  rng = np.random.default_rng(0)
  draw = lambda: " ".join(rng.choice(["a", "bb", "c"], rng.integers(1, 8)))
  pairs = [(draw(), draw()) for _ in range(50)]
  found = word_errors.scores(*zip(*pairs, strict=True))
  words = sum(distance(h.split(), r.split()) for h, r in pairs)
  assert found["wer"] == pytest.approx(
    words / sum(len(r.split()) for _, r in pairs)
  )
  three = "substitutions", "insertions", "deletions"
  assert found["wer"] == pytest.approx(sum(found[name] for name in three))
  for hypothesis, reference in pairs:
    total = word_errors.counts(hypothesis, reference).total
    assert total == distance(hypothesis.split(), reference.split())


def test_blanks_are_no_errors():
  found = word_errors.scores(["  one   two "], ["one two"])
  assert (found["wer"], found["cer"], found["exact"]) == (0, 0, 1)


def test_nothing_said_and_something_written():
  found = word_errors.scores(["five", ""], ["", ""])
  assert (found["wer"], found["insertions"], found["exact"]) == (1, 1, 0.5)


def test_marks():
  marked = word_errors.marked("one ten three five", "one two three")
  assert marked == "one [two→ten] three [+five]"
  assert word_errors.marked("one", "one two") == "one [-two]"
  assert word_errors.marked("", "one") == "[-one]"


def test_as_many_of_both():
  with pytest.raises(ValueError, match="0 hypotheses"):
    word_errors.scores([], [])
  with pytest.raises(ValueError, match="expected as many"):
    word_errors.scores(["a"], ["a", "b"])
