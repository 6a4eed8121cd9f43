"""Labelled texts, `text<TAB>label` a line, and reviews that are made up.

No header; UTF-8; empty lines are skipped. The Stanford Sentiment Treebank is
handed around in this form.
"""

import pathlib

import numpy as np

from seqjax.data import text
from seqjax.data.examples import Example, Splits, check_not_empty
from seqjax.errors import InputError

# The files of a folder that brings its own split.
PARTS = "train.tsv", "dev.tsv", "test.tsv"


def read(path: str | pathlib.Path) -> list[Example]:
  """The examples of a file; a text is a list of words, parted by blanks.

  Raises:
    InputError: the file cannot be read, is empty, or a row is not
      `text<TAB>label`.
  """
  examples = []
  for number, line in enumerate(text.read_utf8(path).split("\n"), 1):
    if not line.strip():
      continue
    cells = line.split("\t")
    if len(cells) != 2 or not cells[0].strip() or not cells[1].strip():
      raise InputError(
        f"{path}:{number}: {line[:60]!r} has {len(cells)} column(s), expected"
        " text<TAB>label"
      )
    examples.append(Example(cells[0].split(), cells[1].strip()))
  check_not_empty(path, examples, "text<TAB>label a line")
  return examples


def read_folder(folder: pathlib.Path) -> Splits:
  """`train.tsv`, `dev.tsv` and `test.tsv` of a folder."""
  return Splits(*(read(folder / name) for name in PARTS))


# Reviews whose label is a matter of order: the same words say the opposite.
_SUBJECTS = (
  "the film", "the plot", "this book", "the acting", "the meal", "our room",
  "the service", "that song", "the show", "this phone",
)  # fmt: skip
_GOOD = "good", "great", "lovely", "brilliant", "charming", "superb"
_BAD = "bad", "awful", "dull", "terrible", "boring", "dreadful"
_EXTENTS = "at all", "in any way", "really", "to be honest"
_ADVERBS = "", "very", "quite", "truly", "rather"

# Pairs of one bag of words, told apart by order alone.
PAIRS = (
  ("the film was good , not bad at all", "the film was bad , not good at all"),
  ("not dull but brilliant", "not brilliant but dull"),
  (
    "the plot was charming and never boring",
    "the plot was boring and never charming",
  ),
)


def generate(count: int, seed: int) -> list[Example]:
  """`count` distinct made-up reviews, "positive" or "negative" in turn.

  The words of a review do not tell its label, their order does: "good , not bad
  at all" and "bad , not good at all".
  """
  rng = np.random.default_rng(seed)
  found: dict[str, Example] = {}
  while len(found) < count:
    positive = len(found) % 2 == 0
    good, bad = rng.choice(_GOOD), rng.choice(_BAD)
    says, denies = (good, bad) if positive else (bad, good)
    subject, extent = rng.choice(_SUBJECTS), rng.choice(_EXTENTS)
    adverb = rng.choice(_ADVERBS)
    forms = (
      f"{subject} was {adverb} {says} , not {denies} {extent}",
      f"{subject} was not {denies} {extent} , it was {adverb} {says}",
      f"not {denies} but {adverb} {says}",
      f"{subject} was {adverb} {says} and never {denies}",
      f"i expected it to be {denies} , but {subject} was {adverb} {says}",
    )
    words = str(rng.choice(forms)).split()
    label = "positive" if positive else "negative"
    found.setdefault(" ".join(words), Example(words, label))
  return list(found.values())
