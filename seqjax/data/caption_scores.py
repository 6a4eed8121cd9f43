"""What captions are worth: BLEU and CIDEr-D, and how much they say anew.

BLEU (Papineni et al. 2002) by sacrebleu, of all captions together; see `cider`
for CIDEr-D. Both compare with several right captions an image, in lower case
and without punctuation, as papers on Flickr8k have it.
"""

import functools
import string
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from seqjax.data import cider
from seqjax.errors import extra


def normalize(text: str) -> str:
  """In lower case, without punctuation, one blank between words.

  A mark is taken out of its word, which stays one: "dog's" becomes "dogs",
  "T-shirt" "tshirt". What is nothing but marks vanishes. Punctuation is ASCII's
  (`string.punctuation`, with + and $) and Unicode's; letters, digits and
  accents of any script stay.
  """
  return " ".join(text.lower().translate(_marks()).split())


def scores(
  hypotheses: Sequence[str],
  references: Sequence[Sequence[str]],
  training: Collection[str] = (),
) -> dict[str, float]:
  """Of one caption an image; `normalize` is applied to all texts.

  Args:
    hypotheses: the captions `[images]`.
    references: the right ones, one or more an image `[images][captions]`; their
      number may differ.
    training: all captions that were learned from.

  Returns:
    bleu_1 .. bleu_4  0 to 100, n-grams up to that n, without smoothing; of the
                      references' lengths the closest counts
    cider             100 times the mean CIDEr-D, the form of the literature: 0
                      to 1,000; people reach about 80 on Flickr8k
    length_ratio      words of the hypotheses by those of the closest references
    exact             share of hypotheses that are one of their references
    distinct          number of different hypotheses by that of all
    novel             share of hypotheses that are no caption of training (1 if
                      none is given)

  Raises:
    ValueError: there are no hypotheses, not one for each image, or an image has
      no reference.
    InputError: sacrebleu is not installed.
  """
  if len(hypotheses) != len(references) or not hypotheses:
    raise ValueError(
      f"there are {len(hypotheses)} hypotheses for the references of"
      f" {len(references)} images, expected as many, and one at least"
    )
  for i, image in enumerate(references):
    if isinstance(image, str) or not image:
      raise ValueError(
        f"the references of image {i} are {image!r}, expected a list of texts,"
        " one at least"
      )
  said = [normalize(text) for text in hypotheses]
  wanted = [[normalize(text) for text in image] for image in references]
  known = {normalize(text) for text in training}
  words = [[text.split() for text in image] for image in wanted]
  like = cider.cider_d([text.split() for text in said], words)
  pairs = zip(said, wanted, strict=True)
  return {
    **_bleu(said, wanted),
    "cider": 100 * float(np.mean(like)),
    "exact": float(np.mean([text in image for text, image in pairs])),
    "distinct": len(set(said)) / len(said),
    "novel": float(np.mean([text not in known for text in said])),
  }


def signature(references: Sequence[Sequence[str]]) -> str:
  """How BLEU was found, to be printed beside it.

  Args:
    references: as those of `scores`.
  """
  counts = {len(image) for image in references}
  count = str(*counts) if len(counts) == 1 else "var"
  metric = _metric()
  metric.corpus_score(["a"], [["a"]])
  said = metric.get_signature().format()
  return said.replace("nrefs:1|", f"nrefs:{count}|") + "|punct:no"


def _bleu(said: list[str], wanted: list[list[str]]) -> dict[str, float]:
  """The four BLEUs and the ratio of lengths, of normalised texts."""
  most = max(len(image) for image in wanted)
  # A stream has one reference of each image, or None where there is no more.
  streams = [
    [image[k] if k < len(image) else None for image in wanted]
    for k in range(most)
  ]
  metric = _metric()
  found = metric.corpus_score(said, streams)
  scores = {}
  for n in range(1, 5):  # the counts are those of order 4, cut off
    part = metric.compute_bleu(
      found.counts[:n],
      found.totals[:n],
      found.sys_len,
      found.ref_len,
      smooth_method=metric.smooth_method,
      max_ngram_order=n,
    )
    scores[f"bleu_{n}"] = float(part.score)
  return {**scores, "length_ratio": float(found.ratio)}


def _metric() -> Any:
  with extra():
    from sacrebleu.metrics.bleu import BLEU
  # `force`: no warning that there are blanks before full stops.
  return BLEU(lowercase=True, force=True, tokenize="none", smooth_method="none")


@functools.cache
def _marks() -> dict[int, None]:
  """Punctuation of the basic plane, for `str.translate`."""
  letters = map(chr, range(0x10000))
  marks = (c for c in letters if unicodedata.category(c).startswith("P"))
  return dict.fromkeys(map(ord, {*string.punctuation, *marks}))
