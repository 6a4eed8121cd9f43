"""CIDEr-D: how like its references a caption is, rare words above all.

Vedantam, Zitnick and Parikh 2015, "CIDEr: Consensus-based image description
evaluation", section 4 and, for the variant D, section 6.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

_ORDERS = (1, 2, 3, 4)
_Gram = tuple[str, ...]
# For each order, the weights of the n-grams and the length of that vector.
_Vectors = list[tuple[dict[_Gram, float], float]]


def cider_d(
  hypotheses: Sequence[Sequence[str]],
  references: Sequence[Sequence[Sequence[str]]],
  sigma: float = 6.0,
) -> np.ndarray:
  """Scores the captions of all images, each from 0 to 10.

    g(c)_w = count of w in c * log(N / max(1, number of images with w))
    s_n(c, r) = exp(-(|c| - |r|)^2 / (2 sigma^2))
                * sum_w min(g(c)_w, g(r)_w) g(r)_w / (||g(c)|| ||g(r)||)
    score(c) = 10 * mean of s_n(c, r) over n = 1..4 and the references r

  w is an n-gram, N the number of images, |c| the number of words; the vectors
  g are of one n at a time. An image has w if one of its references has. A
  vector of zeros is like none. The minimum is against captions that repeat a
  rare word, the Gaussian against those that leave out what is not sure.

  The weights are of the references given, so that a score depends on the other
  images: for a single one, log(N) = 0, all scores are 0.

  Args:
    hypotheses: words of each caption `[images][words]`.
    references: words of the right ones, one or more an image
      `[images][captions][words]`.
    sigma: words by which lengths may differ.

  Returns:
    float64 `[images]`. The literature quotes 100 times their mean.

  Raises:
    ValueError: there are no captions, not one for each image, an image has no
      reference, or a caption is a text in place of its words.
  """
  _check(hypotheses, references)
  wanted = [[_counts(words) for words in image] for image in references]
  images = Counter(
    gram for image in wanted for gram in {g for counts in image for g in counts}
  )
  weights = {w: math.log(len(wanted) / n) for w, n in images.items()}
  absent = math.log(len(wanted))
  scores = np.zeros(len(wanted))
  for i, words in enumerate(hypotheses):
    said = _vectors(_counts(words), weights, absent)
    for other, counts in zip(references[i], wanted[i], strict=True):
      off = len(words) - len(other)
      penalty = math.exp(-(off**2) / (2 * sigma**2))
      alike = _alike(said, _vectors(counts, weights, absent))
      scores[i] += penalty * alike / len(references[i])
  return 10 * scores / len(_ORDERS)


def _counts(words: Sequence[str]) -> Counter[_Gram]:
  """How often there is each run of one to four words."""
  ends = range(1, len(words) + 1)
  return Counter(
    tuple(words[end - n : end]) for n in _ORDERS for end in ends if n <= end
  )


def _vectors(
  counts: Counter[_Gram], weights: Mapping[_Gram, float], absent: float
) -> _Vectors:
  """Of tf-idf, for n = 1..4; `absent` weighs what no reference has."""
  vectors: list[dict[_Gram, float]] = [{} for _ in _ORDERS]
  for gram, count in counts.items():
    vectors[len(gram) - 1][gram] = count * weights.get(gram, absent)
  return [(v, math.hypot(*v.values())) for v in vectors]


def _alike(said: _Vectors, wanted: _Vectors) -> float:
  """The clipped cosine, summed over n."""
  total = 0.0
  for (ours, ours_norm), (theirs, norm) in zip(said, wanted, strict=True):
    if ours_norm and norm:
      product = sum(min(ours.get(w, 0.0), g) * g for w, g in theirs.items())
      total += product / (ours_norm * norm)
  return total


def _check(hypotheses: Sequence, references: Sequence[Sequence]) -> None:
  if len(hypotheses) != len(references) or not hypotheses:
    raise ValueError(
      f"there are {len(hypotheses)} hypotheses for the references of"
      f" {len(references)} images, expected as many, and one at least"
    )
  for i, (hypothesis, image) in enumerate(
    zip(hypotheses, references, strict=True)
  ):
    if not image:
      raise ValueError(f"image {i} has no references, expected one at least")
    for caption in (hypothesis, image, *image):
      if isinstance(caption, str):
        raise ValueError(f"image {i}: {caption!r} is a text, expected words")
