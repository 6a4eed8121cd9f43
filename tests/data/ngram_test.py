"""Kneser-Ney against its definition, word by word."""

from collections import Counter

import numpy as np
import pytest

from seqjax.data.ngram import KneserNey

V = 6


@pytest.fixture(scope="module")
def tokens():
  rng = np.random.default_rng(0)
  return rng.choice(V, 200, p=[0.4, 0.25, 0.15, 0.1, 0.1, 0.0])


def plain(tokens):
  """The equations of the docstring over Python's own counters."""
  grams = {n: Counter() for n in (1, 2, 3)}
  grams[3] = Counter(zip(tokens, tokens[1:], tokens[2:], strict=False))
  for n in (3, 2):
    for gram in grams[n]:
      grams[n - 1][gram[1:]] += 1
    if n == 3:  # the start of the text is before the first bigram
      grams[2][tuple(tokens[:2])] += 1

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


def test_it_is_the_definition(tokens):
  model, expected = KneserNey(tokens, V), plain(tokens.tolist())
  for u, v, w in np.ndindex(V, V, V):
    found = model.probabilities(np.array([[u, v]]), np.array([w]))[0]
    assert found == pytest.approx(expected(u, v, w), rel=1e-9)


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
