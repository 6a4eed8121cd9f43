"""What a transcript is worth, by jiwer: the rates of errors in words and signs.

The word error rate is (substitutions + insertions + deletions) / (words that
were said), of the alignment with the fewest, over all utterances together: it
is no mean over them, and may be above 1. The character error rate is the same
of characters, blanks between words included.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from seqjax.errors import extra


class Counts(NamedTuple):
  """Errors of one transcript."""

  substitutions: int
  insertions: int
  deletions: int

  @property
  def total(self) -> int:
    """All of them."""
    return sum(self)


def scores(
  hypotheses: Sequence[str], references: Sequence[str]
) -> dict[str, float]:
  """Of all utterances together.

  Args:
    hypotheses: what was written down `[n]`.
    references: what was said, of each; it may be nothing.

  Returns:
    wer             errors by words said
    cer             errors by characters said
    substitutions   words by words said; these three add up to wer
    insertions      likewise
    deletions       likewise
    exact           share of transcripts without an error
    Where nothing was said at all, errors are counted by one word.

  Raises:
    ValueError: there are no hypotheses, or not one for each reference.
    InputError: jiwer is not installed.
  """
  _check(hypotheses, references)
  hypotheses, references = _spaced(hypotheses), _spaced(references)
  words = _jiwer().process_words(references, hypotheses)
  signs = _jiwer().process_characters(references, hypotheses)
  said = max(words.hits + words.substitutions + words.deletions, 1)
  spelled = max(signs.hits + signs.substitutions + signs.deletions, 1)
  pairs = list(zip(hypotheses, references, strict=True))
  return {
    "wer": (words.substitutions + words.insertions + words.deletions) / said,
    "cer": (signs.substitutions + signs.insertions + signs.deletions) / spelled,
    "substitutions": words.substitutions / said,
    "insertions": words.insertions / said,
    "deletions": words.deletions / said,
    "exact": sum(h == r for h, r in pairs) / len(pairs),
  }


def counts(hypothesis: str, reference: str) -> Counts:
  """Errors in words of one transcript."""
  found = _jiwer().process_words(_spaced([reference]), _spaced([hypothesis]))
  return Counts(found.substitutions, found.insertions, found.deletions)


def marked(hypothesis: str, reference: str) -> str:
  """A transcript with its errors, for reading.

    one [two→ten] [+five] [-six] seven

  what was said and what was written, what was not said, what was left out.
  """
  said, wrote = reference.split(), hypothesis.split()
  found = _jiwer().process_words(_spaced([reference]), _spaced([hypothesis]))
  parts = []
  for chunk in found.alignments[0]:
    here = said[chunk.ref_start_idx : chunk.ref_end_idx]
    there = wrote[chunk.hyp_start_idx : chunk.hyp_end_idx]
    if chunk.type == "equal":
      parts += here
    elif chunk.type == "substitute":
      parts += [f"[{a}→{b}]" for a, b in zip(here, there, strict=True)]
    elif chunk.type == "insert":
      parts += [f"[+{word}]" for word in there]
    else:
      parts += [f"[-{word}]" for word in here]
  return " ".join(parts)


def check_installed() -> None:
  """Raises InputError if jiwer is missing."""
  _jiwer()


def _check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
  if len(hypotheses) != len(references) or not hypotheses:
    raise ValueError(
      f"there are {len(hypotheses)} hypotheses and {len(references)}"
      " references, expected as many, and one at least"
    )


def _spaced(texts: Sequence[str]) -> list[str]:
  """One blank between words, none around."""
  return [" ".join(text.split()) for text in texts]


def _jiwer() -> Any:
  with extra():
    import jiwer
  return jiwer
