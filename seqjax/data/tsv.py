"""Labelled texts, `text<TAB>label` a line, and reviews that are made up.

No header; UTF-8; empty lines are skipped. The Stanford Sentiment Treebank is
handed around in this form.

  config.data.path         FILE, or FOLDER with its own parts, see `PARTS`
  config.data.min_count    rarer words are unknown
  config.data.lower        whether words are in lower case
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from seqjax.config import Config
from seqjax.data import text
from seqjax.data.examples import (
  Example,
  Splits,
  check_not_empty,
  check_room,
  parts,
  path_of,
)
from seqjax.data.tokens import Vocabulary
from seqjax.errors import InputError

# The files of a folder that brings its own split.
PARTS = "train.tsv", "dev.tsv", "test.tsv"


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`."""
  path = path_of(data)
  if path is None:
    return parts(generate(data.examples, seed), data, seed)
  return parts(read_folder(path) if path.is_dir() else read(path), data, seed)


class Encoder:
  """Texts, lists of words, as ids of words; see `formats`."""

  input_size = 0

  def __init__(self, words: list[str], lower: bool):
    self._vocabulary, self._lower = Vocabulary(words), lower
    self.state = {"words": self._vocabulary.symbols, "lower": lower}
    self.vocab_size = len(self._vocabulary)
    self.unknown = self._vocabulary.unknown
    self.names = self._vocabulary.names

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """The words that occur `data.min_count` times or more."""
    del seed
    words = [word for example in examples for word in example.inputs]
    if data.lower:
      words = [word.lower() for word in words]
    return cls(Vocabulary.count(words, data.min_count).symbols, data.lower)

  def encode(self, inputs: list[str] | str) -> np.ndarray:
    inputs = inputs.split() if isinstance(inputs, str) else inputs
    return self._vocabulary.encode(
      word.lower() if self._lower else word for word in inputs
    )

  def read(self, path: str) -> list[list[str]]:
    """A text a line, words parted by blanks."""
    return [line.split() for line in text.lines_of(path)]


def show(inputs: list[str]) -> str:
  """The text."""
  return text.shorten(" ".join(inputs))


def steps(inputs: list[str]) -> list[str]:
  """Its words."""
  return list(inputs)


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

# Pairs of one bag of words, told apart by order alone: what a run ends with.
SHOWN = tuple(
  Example(text.split(), label)
  for text, label in (
    ("the film was good , not bad at all", "positive"),
    ("the film was bad , not good at all", "negative"),
    ("not dull but brilliant", "positive"),
    ("not brilliant but dull", "negative"),
    ("the plot was charming and never boring", "positive"),
    ("the plot was boring and never charming", "negative"),
  )
)


_FORMS = (
  "{subject} was {adverb} {says} , not {denies} {extent}",
  "{subject} was not {denies} {extent} , it was {adverb} {says}",
  "not {denies} but {adverb} {says}",
  "{subject} was {adverb} {says} and never {denies}",
  "i expected it to be {denies} , but {subject} was {adverb} {says}",
)


def generate(count: int, seed: int) -> list[Example]:
  """`count` made-up reviews, "positive" and "negative" in turn.

  The words of a review do not tell its label, their order does: for each there
  is another of the same words and the other label. Both are in one group.
  """
  rng = np.random.default_rng(seed)
  found: dict[str, Example] = {}
  made = in_vain = 0
  while len(found) < count:
    in_vain = in_vain + 1 if len(found) == made else 0
    made = len(found)
    check_room(made, in_vain, count)
    good, bad = str(rng.choice(_GOOD)), str(rng.choice(_BAD))
    form = str(rng.choice(_FORMS))
    filled = {
      "subject": str(rng.choice(_SUBJECTS)),
      "extent": str(rng.choice(_EXTENTS)),
      "adverb": str(rng.choice(_ADVERBS)),
    }
    group = " ".join([form, *filled.values(), good, bad])
    for label, says, denies in ("positive", good, bad), ("negative", bad, good):
      review = form.format(says=says, denies=denies, **filled).split()
      found.setdefault(" ".join(review), Example(review, label, group))
  return list(found.values())[:count]
