"""What translations are worth, by sacrebleu: BLEU and chrF of a whole corpus.

BLEU (Papineni et al. 2002) compares n-grams, so that a figure says nothing
without how words were found and whether case counted; that is its signature
(Post 2018). It is no mean over sentences.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.data import moses
from seqjax.errors import extra

# How words are found; the others have blanks between them.
_WORDS = {"zh": "zh", "cmn": "zh", "ja": "char", "jpn": "char"}


def scores(
  hypotheses: Sequence[str], references: Sequence[str], language: str
) -> dict[str, float]:
  """Of texts as they are read by people, without marks of tokens.

  Args:
    hypotheses: the translations `[n]`.
    references: the one that is right for each, as the file has it.
    language: theirs, `config.data.target`.

  Returns:
    bleu             0 to 100, case counts, words by sacrebleu's 13a ("zh" for
                     Chinese)
    bleu_lower       the same in lower case
    bleu_tokenized   of both sides in lower case, punctuation normalised and
                     Moses-tokenised with hyphens left inside words, as
                     Multi30k's script and the papers after it have it
    chrf             0 to 100, n-grams of characters (Popovic 2015)
    brevity_penalty  of bleu, 1 where hypotheses are long enough
    length_ratio     words of the hypotheses by those of the references
    exact            share of hypotheses that are the reference, to the letter

  Raises:
    ValueError: there are no hypotheses, or not one for each reference.
    InputError: sacrebleu or sacremoses is not installed.
  """
  _check(hypotheses, references)
  found = {}
  for name, metric in _metrics(language).items():
    sides = (hypotheses, references)
    if name == "bleu_tokenized":
      sides = [[_tokenized(t, language) for t in side] for side in sides]
    found[name] = metric.corpus_score(list(sides[0]), [list(sides[1])])
  equal = [h == r for h, r in zip(hypotheses, references, strict=True)]
  return {
    **{name: float(score.score) for name, score in found.items()},
    "brevity_penalty": float(found["bleu"].bp),
    "length_ratio": float(found["bleu"].ratio),
    "exact": float(np.mean(equal)),
  }


def signatures(language: str) -> dict[str, str]:
  """How each figure was found, to be printed beside it."""
  found = {}
  for name, metric in _metrics(language).items():
    metric.corpus_score(["a"], [["a"]])  # it counts the references
    found[name] = metric.get_signature().format()
  found["bleu_tokenized"] += "|moses:lower,normalize,tokenize"
  return found


def sentence_scores(
  hypotheses: Sequence[str], references: Sequence[str]
) -> np.ndarray:
  """Each one's chrF, float64 `[n]`: to choose sentences, not to add up.

  BLEU of a single sentence is mostly 0.
  """
  _check(hypotheses, references)
  metric = _sacrebleu().CHRF()
  pairs = zip(hypotheses, references, strict=True)
  return np.array([metric.sentence_score(h, [r]).score for h, r in pairs])


def _check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
  if len(hypotheses) != len(references) or not hypotheses:
    raise ValueError(
      f"there are {len(hypotheses)} hypotheses and {len(references)}"
      " references, expected as many, and one at least"
    )


def _metrics(language: str) -> dict[str, Any]:
  library = _sacrebleu()
  # "zh-CN" is Chinese.
  words = _WORDS.get(re.split("[-_]", language.lower())[0], "13a")
  # `force`: no warning where the text of users is parted by blanks.
  return {
    "bleu": library.BLEU(tokenize=words, force=True),
    "bleu_lower": library.BLEU(tokenize=words, lowercase=True, force=True),
    "bleu_tokenized": library.BLEU(tokenize="none", force=True),
    "chrf": library.CHRF(),
  }


def _tokenized(text: str, language: str) -> str:
  return moses.prepare(text, language, lower=True, normalize=True, moses=True)


def _sacrebleu() -> Any:
  with extra():
    from sacrebleu import metrics
  return metrics
