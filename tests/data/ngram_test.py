"""Kneser-Ney against its definition, word by word."""

from collections import Counter

import numpy as np
import pytest

from seqjax.data import ngram
from seqjax.data.ngram import KneserNey

V = 6


@pytest.fixture(scope="module")
def tokens():
  rng = np.random.default_rng(0)
  return rng.choice(V, 200, p=[0.4, 0.25, 0.15, 0.1, 0.1, 0.0])


def plain(tokens, order):
  """The equations of the docstring over Python's own counters."""
  grams = {n: Counter() for n in range(1, order + 1)}
  shifted = [tokens[first:] for first in range(order)]
  grams[order] = Counter(zip(*shifted, strict=False))
  for n in range(order, 1, -1):
    for gram in grams[n]:
      grams[n - 1][gram[1:]] += 1
    if n > 2:  # the start of the text is before the first shorter one
      grams[n - 1][tuple(tokens[: n - 1])] += 1

  def discount(n):
    counts = Counter(grams[n].values())
    once, twice = counts[1], counts[2]
    return once / (once + 2 * twice) if once and twice else 0.5

  def probability(*words):
    n = len(words)
    if not n:
      return 1 / V
    same = {g: c for g, c in grams[n].items() if g[:-1] == words[:-1]}
    total = sum(same.values())
    if not total:
      return probability(*words[1:])
    d = discount(n)
    first = max(grams[n][words] - d, 0) / total
    return first + d * len(same) / total * probability(*words[1:])

  return probability


@pytest.mark.parametrize("order", [2, 3, 4])
def test_it_is_the_definition(tokens, order):
  model, expected = KneserNey(tokens, V, order), plain(tokens.tolist(), order)
  grams = np.array(list(np.ndindex(*[V] * order)))
  found = model.probabilities(grams[:, :-1], grams[:, -1])
  for gram, probability in zip(grams.tolist(), found, strict=True):
    assert probability == pytest.approx(expected(*gram), rel=1e-9)


def test_what_cannot_be_counted(tokens):
  with pytest.raises(ValueError, match="ngram is 1, expected 2 to 200"):
    KneserNey(tokens, V, 1)
  with pytest.raises(ValueError, match="ngram is 30, too much for 6 symbols"):
    KneserNey(tokens, V, 30)


def test_probabilities_add_up(tokens):
  model = KneserNey(tokens, V)
  for u, v in np.ndindex(V, V):
    context = np.tile([u, v], (V, 1))
    assert model.probabilities(context, np.arange(V)).sum() == pytest.approx(1)


def test_nats_is_the_mean(tokens):
  model, test = KneserNey(tokens, V), [0, 1, 5, 2, 0]
  expected = [
    -np.log(model.probabilities(np.array([[u, v]]), np.array([w]))[0])
    for u, v, w in zip(test, test[1:], test[2:], strict=False)
  ]
  assert model.nats(np.array(test)) == pytest.approx(np.mean(expected))


def test_the_first_bigram_counts():
  """Text 0 1 1: the word 1 follows two others, 0 and 2 follow none."""
  model = KneserNey(np.array([0, 1, 1]), 3)
  unseen = np.array([[2, 2]] * 3)
  found = model.probabilities(unseen, np.arange(3))
  np.testing.assert_allclose(found, [1 / 12, 5 / 6, 1 / 12])


SENTENCES = [[1, 2, 3], [1, 4, 3], [1, 2, 5, 2, 3], [2], [], [5, 5, 1, 2, 3]]


def between(left, right):
  """The equations of the docstring, word by word, of these sentences."""
  edge = ngram.EDGE
  ended = [[edge, *row, edge] for row in SENTENCES]
  triples = [
    t for row in ended for t in zip(row, row[1:], row[2:], strict=False)
  ]
  words = Counter(w for _, w, _ in triples)
  plain = [(words[w] + 1) / (len(triples) + V) for w in range(V)]

  def smooth(seen, below):
    counts = Counter(seen)
    total = len(seen) + len(counts)
    if not seen:
      return below
    return [(counts[w] + len(counts) * q) / total for w, q in enumerate(below)]

  one = smooth([w for a, w, _ in triples if a == left], plain)
  other = smooth([w for _, w, b in triples if b == right], plain)
  q = [(x + y) / 2 for x, y in zip(one, other, strict=True)]
  both = [w for a, w, b in triples if (a, b) == (left, right)]
  return smooth(both, q)


def test_both_neighbours_are_the_definition():
  """Seen together, one seen alone, neither; the mask's id V is never seen."""
  rows = [np.array(row, np.int32) for row in SENTENCES]
  model = ngram.BothNeighbours(rows, V)
  ids = [ngram.EDGE, *range(V), V]
  pairs = [(left, right) for left in ids for right in ids]
  found = model.probabilities(*np.array(pairs).T)
  np.testing.assert_allclose(found.sum(axis=1), 1)
  expected = [between(left, right) for left, right in pairs]
  np.testing.assert_allclose(found, expected, rtol=1e-12)
  assert found[pairs.index((1, 3))].argmax() == 2
