"""How far to trust a classifier's probabilities, and one number to mend them.

Pure functions of probabilities `[examples, classes]` and labels `[examples]`.
Where a model says 80 %, it should be right in 80 of 100 cases.
"""

from typing import Any, NamedTuple

import numpy as np

BINS = 15
# A part without a single mistake would ask for no doubt at all.
_RANGE = 0.05, 20.0


class Reliability(NamedTuple):
  """Examples sorted into bins by how surely they were classified.

  Bins that are empty are left out. Leaves `[bins]`.
  """

  confidence: np.ndarray  # the mean probability of the predicted class
  accuracy: np.ndarray  # the share of right predictions
  count: np.ndarray  # examples

  @property
  def error(self) -> float:
    """The expected calibration error, of at least one example.

      ECE = sum over bins of count / n |accuracy - confidence|

    (Naeini et al. 2015; Guo et al. 2017, "On calibration of modern neural
    networks", eq. 3)
    """
    gaps = np.abs(self.accuracy - self.confidence)
    return float((self.count * gaps).sum() / self.count.sum())


def reliability(probabilities: Any, labels: Any) -> Reliability:
  """15 bins of equal width over the probability of the predicted class."""
  probabilities = np.asarray(probabilities, np.float64)
  confidence = probabilities.max(axis=-1)
  right = probabilities.argmax(axis=-1) == np.asarray(labels)
  # Bins are open on the left: what is said with certainty is in the last.
  bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
  count = np.bincount(bins, minlength=BINS)
  there = count > 0
  said, hit = (
    np.bincount(bins, values, BINS)[there] / count[there]
    for values in (confidence, right)
  )
  return Reliability(said, hit, count[there])


def temper(probabilities: Any, temperature: float) -> np.ndarray:
  """softmax(z / T) from p = softmax(z): p^(1 / T), made to sum to 1.

  Above 1 a temperature adds doubt, below it takes some away; the order of the
  classes stays.
  """
  logits = _logits(probabilities) / temperature
  shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
  return shares / shares.sum(axis=-1, keepdims=True)


def fit_temperature(probabilities: Any, labels: Any) -> float:
  """The T in [0.05, 20] of the least mean -log temper(p, T)[label].

  With b = 1 / T the loss is convex, and its slope

    d/db = mean of sum over k of q_k z_k - z_label,  q = softmax(b z)

  grows with b (Guo et al. 2017, section 4.2): halving finds where it is 0.
  """
  logits = _logits(probabilities)
  of_label = logits[np.arange(len(logits)), np.asarray(labels)]
  low, high = (1 / bound for bound in reversed(_RANGE))
  for _ in range(60):
    middle = np.sqrt(low * high)
    shares = temper(probabilities, 1 / middle)
    slope = ((shares * logits).sum(axis=-1) - of_label).mean()
    low, high = (low, middle) if slope > 0 else (middle, high)
  return float(1 / np.sqrt(low * high))


def _logits(probabilities: Any) -> np.ndarray:
  """Up to a number that is the same for all classes; no probability is 0."""
  values = np.asarray(probabilities, np.float64)
  return np.log(np.maximum(values, np.finfo(np.float32).tiny))
