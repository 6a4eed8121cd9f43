"""Models of counts, which a network has to beat: Kneser-Ney, and neighbours."""

from collections.abc import Sequence

import numpy as np


class KneserNey:
  """Interpolated Kneser-Ney trigrams with one discount an order.

    p(w | u v) = max(c(u v w) - D, 0) / c(u v) + D n(u v) / c(u v) p(w | v)
    p(w | v)   = max(N(v w) - D, 0) / N(v) + D n(v) / N(v) p(w)
    p(w)       = max(N(w) - D, 0) / N + D n / N 1 / V

  c counts in the text, N(.. w) the different words before it, n the different
  words after a context, D = n_1 / (n_1 + 2 n_2) by the counts that occur once
  and twice. Ney, Essen, Kneser 1994, "On structuring probabilistic dependences
  in stochastic language modelling"; Chen and Goodman 1999, section 3.

  Attributes:
    vocab_size: V, unknown included.
  """

  def __init__(self, tokens: np.ndarray, vocab_size: int):
    """Counts.

    Args:
      tokens: the training text, int `[n]`, n >= 3, ids below `vocab_size`.
      vocab_size: V.
    """
    self.vocab_size = vocab_size
    tokens = np.asarray(tokens, np.int64)
    trigrams, counts = np.unique(
      self._key(tokens[:-2], tokens[1:-1], tokens[2:]), return_counts=True
    )
    # Continuation counts: of each bigram v w, the different u before it.
    # Nothing is before the first one, which counts as one more.
    first = self._key(tokens[:1], tokens[1:2])
    bigrams, before = np.unique(
      np.append(trigrams % vocab_size**2, first), return_counts=True
    )
    words, starts = np.unique(bigrams % vocab_size, return_counts=True)
    self._orders = []
    for grams, weights in ((trigrams, counts), (bigrams, before)):
      contexts = grams // vocab_size
      found, first = np.unique(contexts, return_index=True)
      ends = np.append(first[1:], len(grams))
      totals = np.add.reduceat(weights, first)
      self._orders.append(
        (grams, weights, found, totals, ends - first, _discount(weights))
      )
    discount = _discount(starts)
    unigram = np.zeros(vocab_size)
    unigram[words] = np.maximum(starts - discount, 0)
    spare = discount * len(words) / vocab_size
    self._unigram = (unigram + spare) / starts.sum()

  def _key(self, *words) -> np.ndarray:
    """An n-gram as one number."""
    key = np.zeros_like(words[0])
    for word in words:
      key = key * self.vocab_size + word
    return key

  def probabilities(self, context: np.ndarray, words: np.ndarray) -> np.ndarray:
    """p(w | u v) `[n]`.

    Args:
      context: u and v, int `[n, 2]`.
      words: w, int `[n]`.
    """
    u, v = np.asarray(context, np.int64).T
    words = np.asarray(words, np.int64)
    found = self._unigram[words]
    contexts = self._key(u, v), v
    for order, context_key in zip(
      reversed(self._orders), reversed(contexts), strict=True
    ):
      grams, weights, known, totals, followers, discount = order
      gram_at = _find(grams, context_key * self.vocab_size + words)
      context_at = _find(known, context_key)
      weight = np.where(gram_at >= 0, weights[gram_at], 0)
      total = np.where(context_at >= 0, totals[context_at], 1)
      spare = np.where(context_at >= 0, discount * followers[context_at], 1)
      found = np.maximum(weight - discount, 0) / total + spare / total * found
    return found

  def nats(self, tokens: np.ndarray) -> float:
    """Mean of -log p over all words of a text but the first two."""
    tokens = np.asarray(tokens)
    context = np.stack([tokens[:-2], tokens[1:-1]], axis=1)
    return float(-np.log(self.probabilities(context, tokens[2:])).mean())


def _discount(weights: np.ndarray) -> float:
  once, twice = (int((weights == n).sum()) for n in (1, 2))
  # Some of each order must be left for what has not been seen.
  return once / (once + 2 * twice) if once and twice else 0.5


def _find(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
  """Where in sorted `values`; -1 for what is not there."""
  at = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
  return np.where(values[at] == wanted, at, -1)


EDGE = -1  # what is in front of a sentence, and behind it


class BothNeighbours:
  """What stands between two words, by counts alone; Witten-Bell smoothing.

    p(w | l r) = (c(l w r) + n(l r) q(w)) / (c(l r) + n(l r))
    q(w)       = (p(w | l) + p(w | r)) / 2
    p(w | l)   = (c(l w) + n(l) p(w)) / (c(l) + n(l)), p(w | r) likewise
    p(w)       = (c(w) + 1) / (N + V)

  c counts, n the different words seen there; where nothing was seen between
  them it is q, where nothing was seen at a neighbour p(w) in its place. Witten
  and Bell 1991, "The zero-frequency problem", method C.

  Attributes:
    vocab_size: V.
  """

  def __init__(self, rows: Sequence[np.ndarray], vocab_size: int):
    """Counts.

    Args:
      rows: of each sentence its ids, int `[time]`, below `vocab_size`.
      vocab_size: V.
    """
    self.vocab_size = vocab_size
    ended = [part for row in rows for part in (np.asarray(row), [EDGE])]
    ids = np.concatenate([[EDGE], *ended]).astype(np.int64)
    there = np.flatnonzero(ids != EDGE)
    left, word, right = ids[there - 1], ids[there], ids[there + 1]
    counts = np.bincount(word, minlength=vocab_size)
    self._unigram = (counts + 1) / (len(word) + vocab_size)
    # What the words between, behind and in front of are counted by.
    self._both, self._left, self._right = (
      np.unique(context * vocab_size + word, return_counts=True)
      for context in (self._pair(left, right), left + 1, right + 1)
    )

  def probabilities(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """p(w | l r) of all words, `[n, V]`.

    Args:
      left: l, int `[n]`; any id, or EDGE.
      right: r, likewise.
    """
    left, right = np.asarray(left, np.int64), np.asarray(right, np.int64)
    found = np.empty((len(left), self.vocab_size))
    contexts = zip(self._pair(left, right), left + 1, right + 1, strict=True)
    for row, (both, one, other) in enumerate(contexts):
      beside = [
        self._smooth(table, context, self._unigram)
        for table, context in ((self._left, one), (self._right, other))
      ]
      found[row] = self._smooth(self._both, both, (beside[0] + beside[1]) / 2)
    return found

  def _pair(self, left, right):
    """Two neighbours as one number; an id of the mask, V, is one, too."""
    return (left + 1) * (self.vocab_size + 2) + right + 1

  def _smooth(self, table, context: int, below: np.ndarray) -> np.ndarray:
    keys, counts = table
    first = context * self.vocab_size
    low, high = np.searchsorted(keys, [first, first + self.vocab_size])
    if low == high:
      return below
    seen = counts[low:high]
    mixed = (high - low) * below
    mixed[keys[low:high] - first] += seen
    return mixed / (seen.sum() + high - low)
