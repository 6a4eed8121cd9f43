"""Made-up proteins: the posterior against the sum over all paths."""

import collections
import itertools

import numpy as np

from seqjax.data import hidden_markov, overlap
from seqjax.data.alphabets import ALPHABETS

LETTERS = ALPHABETS["protein"].letters


def plain(letters):
  """p(state_t | letters) by every way to cut the letters into segments."""
  states, longest = hidden_markov.STATES, len(letters)
  odds = np.array(
    [
      [5.0 if c in likes else 1.0 for c in LETTERS]
      for likes in hidden_markov.PREFERS
    ]
  )
  odds /= odds.sum(axis=1, keepdims=True)
  total = np.zeros((longest, len(states)))
  for path in itertools.product(range(len(states)), repeat=longest):
    runs = [(k, len(list(run))) for k, run in itertools.groupby(path)]
    p = hidden_markov.START[runs[0][0]]
    for (a, _), (b, _) in itertools.pairwise(runs):
      p *= hidden_markov.FOLLOWS[a][b]
    for place, (state, size) in enumerate(runs):
      low, high = hidden_markov.LASTS[state]
      durations = range(low, high + 1)
      ends = place == len(runs) - 1  # and may go on behind the end
      fits = [d for d in durations if (d >= size if ends else d == size)]
      p *= len(fits) / len(durations)
    for state, letter in zip(path, letters, strict=True):
      p *= odds[state, LETTERS.index(letter)]
    total[np.arange(longest), path] += p
  return total / total.sum(axis=1, keepdims=True)


def test_the_posterior_is_the_sum_over_all_paths():
  sequences = ["GAVLEKK", "VVVWGAL", "D", "AGEEV"]
  found = hidden_markov.posterior(sequences)
  for one, rows in zip(sequences, found, strict=True):
    np.testing.assert_allclose(rows, plain(one), rtol=1e-9, atol=1e-12)
  assert hidden_markov.posterior([]) == []


def test_what_is_drawn_is_of_the_model():
  drawn = hidden_markov.generate(400, 0)
  assert drawn == hidden_markov.generate(400, 0)
  assert all(40 <= len(one.tokens) <= 100 for one in drawn)
  sizes, follow = collections.defaultdict(set), collections.Counter()
  for one in drawn:
    runs = overlap.segments(one.tags)
    for before, after in itertools.pairwise(runs):
      sizes[before.state].add(before.size)
      follow[before.state + after.state] += 1
  for state, (low, high) in zip(
    hidden_markov.STATES, hidden_markov.LASTS, strict=True
  ):
    assert sizes[state] == set(range(low, high + 1))
  share = follow["CH"] / (follow["CH"] + follow["CE"])
  assert abs(share - 0.5) < 0.05
  # Calibrated: the chances of the likeliest are how often it is so.
  said = hidden_markov.posterior([str(one.tokens) for one in drawn])
  expected = np.concatenate([rows.max(axis=1) for rows in said]).mean()
  best = hidden_markov.best_accuracy(drawn)
  assert abs(best - expected) < 0.01
  assert 0.82 < best < 0.86
