"""Models of counts, which a network has to beat: Kneser-Ney, and neighbours."""

import math
from collections.abc import Sequence

import numpy as np

from seqjax.errors import InputError

ORDERS = range(2, 10)  # of n-grams that a config may ask for


class KneserNey:
  """Interpolated Kneser-Ney n-grams with one discount an order.

    p(w | u v) = max(c(u v w) - D, 0) / c(u v) + D n(u v) / c(u v) p(w | v)
    p(w | v)   = max(N(v w) - D, 0) / N(v) + D n(v) / N(v) p(w)
    p(w)       = max(N(w) - D, 0) / N + D n / N 1 / V

  for trigrams; likewise for longer ones. c counts in the text, N(.. w) the
  different words before it, n the different words after a context, D = n_1 /
  (n_1 + 2 n_2) by the counts that occur once and twice. Ney, Essen, Kneser
  1994, "On structuring probabilistic dependences in stochastic language
  modelling"; Chen and Goodman 1999, section 3.

  Attributes:
    vocab_size: V, unknown included.
    order: n, of the longest n-grams; at least 2.
  """

  def __init__(self, tokens: np.ndarray, vocab_size: int, order: int = 3):
    """Counts.

    Args:
      tokens: the training text, int `[time]`, ids below `vocab_size`; at least
        as many as `order`.
      vocab_size: V.
      order: n.

    Raises:
      InputError: `order` is below 2, the text is shorter, or there are too many
        n-grams to number them by 63 bits.
    """
    if not ORDERS[0] <= order <= len(tokens):
      raise InputError(
        f"config.ngram is {order}, expected 2 to {len(tokens)}, the length of"
        " the training text"
      )
    if vocab_size**order > np.iinfo(np.int64).max:
      raise InputError(
        f"config.ngram is {order}, too much for {vocab_size} symbols: their"
        " n-grams cannot be numbered; use a lower order"
      )
    self.vocab_size, self.order = vocab_size, order
    tokens = np.asarray(tokens, np.int64)
    whole = np.lib.stride_tricks.sliding_window_view(tokens, order)
    grams, weights = np.unique(self._key(whole), return_counts=True)
    self._orders = []  # from the longest to pairs
    for n in range(order, 1, -1):
      found, first = np.unique(grams // vocab_size, return_index=True)
      ends = np.append(first[1:], len(grams))
      totals = np.add.reduceat(weights, first)
      self._orders.append(
        (grams, weights, found, totals, ends - first, _discount(weights))
      )
      # Continuation counts: of each shorter one the different words before it.
      # Nothing is before the first one, which counts as one more.
      shorter = grams % vocab_size ** (n - 1)
      if n > 2:
        shorter = np.append(shorter, self._key(tokens[: n - 1]))
      grams, weights = np.unique(shorter, return_counts=True)
    discount = _discount(weights)
    unigram = np.zeros(vocab_size)
    unigram[grams] = np.maximum(weights - discount, 0)
    spare = discount * len(grams) / vocab_size
    self._unigram = (unigram + spare) / weights.sum()

  def _key(self, words: np.ndarray) -> np.ndarray:
    """N-grams `[..., n]` as a number each."""
    key = np.zeros(words.shape[:-1], np.int64)
    for word in np.moveaxis(words, -1, 0):
      key = key * self.vocab_size + word
    return key

  def probabilities(self, context: np.ndarray, words: np.ndarray) -> np.ndarray:
    """p(w | context) `[n]`.

    Args:
      context: the `order - 1` words before, int `[n, order - 1]`.
      words: w, int `[n]`.
    """
    context = np.asarray(context, np.int64)
    words = np.asarray(words, np.int64)
    found = self._unigram[words]
    for length, order in enumerate(reversed(self._orders), 1):
      grams, weights, known, totals, followers, discount = order
      context_key = self._key(context[:, -length:])
      gram_at = _find(grams, context_key * self.vocab_size + words)
      context_at = _find(known, context_key)
      weight = np.where(gram_at >= 0, weights[gram_at], 0)
      total = np.where(context_at >= 0, totals[context_at], 1)
      spare = np.where(context_at >= 0, discount * followers[context_at], 1)
      found = np.maximum(weight - discount, 0) / total + spare / total * found
    return found

  def nats(self, tokens: np.ndarray) -> float:
    """Mean of -log p over all words of a text that have a whole context."""
    whole = np.lib.stride_tricks.sliding_window_view(tokens, self.order)
    found = self.probabilities(whole[:, :-1], whole[:, -1])
    return float(-np.log(found).mean())


def told(model: KneserNey, tokens: np.ndarray, unit: str) -> dict[str, float]:
  """Perplexity, and bits a `unit`, of a text; {} if it is too short."""
  if len(tokens) < model.order:
    return {}
  nats = model.nats(tokens)
  return {
    "ngram_perplexity": math.exp(nats),
    f"ngram_bits_per_{unit}": nats / math.log(2),
  }


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
