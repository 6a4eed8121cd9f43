"""Tagged sentences in columns (CoNLL), and sentences that are made up.

A token a line, its first column the token and its last the BIO tag, parted by
tabs or, where there are none, by blanks; sentences parted by lines that are
empty or hold nothing but white space. `-DOCSTART-` lines are skipped.

  config.data.path        FILE, or FOLDER with its own parts:
  config.data.train_file, validation_file, test_file
  config.data.min_count   rarer words are unknown
"""

import itertools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax import config as settings
from seqjax.config import Config
from seqjax.data import batching, examples, text
from seqjax.data.examples import Splits, check_not_empty, contiguous, path_of
from seqjax.data.examples import Tagged as Sentence  # "O", "B-x", "I-x"
from seqjax.data.tokens import Vocabulary
from seqjax.errors import InputError, extra

REPORT = "entities.txt"
_ZERO: Any = 0  # of a kind that nothing was found of


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for.

  Without a path sentences are generated. Parts of one file are contiguous:
  neighbouring sentences are of one text.
  """
  path = path_of(data)
  if path is not None and path.is_dir():
    files = [data.train_file, data.validation_file, data.test_file]
    return Splits(*(read(path / name) for name in files))
  found = read(path) if path else generate(data.examples, seed)
  return contiguous(found, data.validation, data.test)


# Longer words are cut: links, mostly.
MAX_LETTERS = 24


class Encoded(NamedTuple):
  """The tokens of a sentence."""

  words: Any  # int32 [time]
  shapes: Any  # int32 [time]
  letters: Any  # int32 [time, MAX_LETTERS]
  letter_counts: Any  # int32 [time]


class Encoder:
  """Tokens as ids of words, of their shapes and of their letters.

  Words are looked up in lower case, what is lost by that the letters tell.

  Attributes:
    words, shapes, letters: the vocabularies.
    columns: these by what embeds them; see `formats`.
    tags: "O" and the two of each kind; an id is a place in this list.
    state: for JSON, `Encoder(**encoder.state)` is the same encoder again.
  """

  embeds = "embed", "shape_embed", "char_embed"
  input_size = 0

  def __init__(
    self,
    words: list[str],
    shapes: list[str],
    letters: list[str],
    tags: list[str],
  ):
    self.words, self.shapes = Vocabulary(words), Vocabulary(shapes)
    self.letters, self.tags = Vocabulary(letters), tags
    vocabularies = self.words, self.shapes, self.letters
    self.columns = dict(zip(self.embeds, vocabularies, strict=True))
    self.unknown = self.words.unknown
    self.state = {
      "words": self.words.symbols,
      "shapes": self.shapes.symbols,
      "letters": self.letters.symbols,
      "tags": tags,
    }

  @classmethod
  def fit(
    cls, sentences: Sequence[Sentence], data: Config, seed: int
  ) -> "Encoder":
    """The words that occur `data.min_count` times or more, and the tags."""
    del seed
    settings.at_least({"data": data}, 1, "data.min_count")
    tokens = [token for sentence in sentences for token in sentence.tokens]
    kinds = {tag[2:] for s in sentences for tag in s.tags if tag != "O"}
    words = (token.lower() for token in tokens)
    return cls(
      Vocabulary.count(words, data.min_count).symbols,
      Vocabulary.count(map(shape, tokens), 2).symbols,
      sorted({letter for token in tokens for letter in token}),
      ["O"] + [f"{p}-{kind}" for kind in sorted(kinds) for p in "BI"],
    )

  def encode(self, tokens: str | Sequence[str]) -> Encoded:
    tokens = tokens.split() if isinstance(tokens, str) else tokens
    letters = [self.letters.encode(token[:MAX_LETTERS]) for token in tokens]
    nothing = np.zeros(0, np.int32)
    return Encoded(
      self.words.encode(token.lower() for token in tokens),
      self.shapes.encode(map(shape, tokens)),
      batching.pad(letters, len(tokens), MAX_LETTERS, nothing),
      np.array([len(one) for one in letters], np.int32),
    )

  def tag_ids(self, part: str, sentence: Sentence) -> np.ndarray:
    """int32 `[time]`; see `examples.tag_ids`."""
    return examples.tag_ids(part, sentence, self.tags)

  def read(self, path: str) -> list[list[str]]:
    """Sentences without tags, one a line, words parted by blanks."""
    return [line.split() for line in text.lines_of(path)]


def shape(word: str) -> str:
  """What a word looks like: "Xx" for "Jim", "d,d" for "3,000", "@x" for "@al".

  Capitals, other letters and digits become X, x and d, a run of one kind a
  single sign (Finkel et al. 2004, "Exploiting context for biomedical entity
  recognition"); at most six signs.
  """
  signs = (
    "d" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c
    for c in word
  )
  return "".join(sign for sign, _ in itertools.groupby(signs))[:6]


def read(path: str | pathlib.Path) -> list[Sentence]:
  """The sentences of a file.

  Raises:
    InputError: the file cannot be read or is empty, or a row has one column or
      a tag that is not BIO.
  """
  sentences, tokens, tags = [], [], []
  for number, line in enumerate(text.read_utf8(path).split("\n"), 1):
    if not line.strip() or line.startswith("-DOCSTART-"):
      if tokens:
        sentences.append(Sentence(tokens, tags))
        tokens, tags = [], []
      continue
    columns = line.rstrip().split("\t") if "\t" in line else line.split()
    tag = columns[-1].strip()
    if len(columns) < 2 or not (tag == "O" or tag[:2] in ("B-", "I-")):
      raise InputError(
        f"{path}:{number}: {line[:60]!r}, expected a token and a BIO tag (O,"
        " B-x or I-x), parted by a tab or blanks"
      )
    tokens.append(columns[0])
    tags.append(tag)
  if tokens:
    sentences.append(Sentence(tokens, tags))
  check_not_empty(path, sentences, "a token and its tag a line")
  return sentences


def write(sentences: Sequence[Sentence]) -> str:
  """The sentences as `read` reads them."""
  return "\n\n".join(
    "\n".join(f"{token}\t{tag}" for token, tag in zip(*sentence, strict=True))
    for sentence in sentences
  )


def scores(
  sentences: Sequence[Sentence], found: Sequence[Sequence[str]], data: Config
) -> dict[str, float]:
  """Entity-level precision, recall and F1 over all kinds (seqeval)."""
  del data
  true, metrics = [sentence.tags for sentence in sentences], _seqeval_metrics()
  measures: dict[str, Any] = {
    "f1": metrics.f1_score,
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
  }
  return {
    name: float(measure(true, found, average="micro", zero_division=_ZERO))
    for name, measure in measures.items()
  }


def report(
  part: str, sentences: Sequence[Sentence], found: Sequence[list[str]]
) -> str:
  """Scores of each kind of entity, and sentences with theirs in brackets."""
  table = _seqeval_metrics().classification_report(
    [s.tags for s in sentences], found, digits=3, zero_division=_ZERO
  )
  lines = [f"{part} part, {len(sentences)} sentences", str(table)]
  telling = [i for i, s in enumerate(sentences) if set(s.tags) != {"O"}][:8]
  for index in telling:
    said = Sentence(sentences[index].tokens, found[index])
    lines.append(f"true:  {bracketed(sentences[index])}")
    lines.append(f"model: {bracketed(said)}")
  return "\n".join(lines)


def _seqeval_metrics() -> Any:
  """Takes a second to import, and is no use to tagging itself."""
  with extra():
    from seqeval import metrics
  return metrics


def bracketed(sentence: Sentence) -> str:
  """For people: `[Jim]person bought shares of [Acme Corp.]organisation`."""
  words: list[str] = []
  kind = ""
  for token, tag in zip(*sentence, strict=True):
    if kind and tag != f"I-{kind}":
      words[-1] += f"]{kind}"
      kind = ""
    if tag != "O" and not kind:
      kind, token = tag[2:], f"[{token}"
    words.append(token)
  if kind:
    words[-1] += f"]{kind}"
  return " ".join(words)


_FIRST = (
  "Jim", "Ann", "Maria", "Wei", "Ravi", "Elena", "Tom", "Fatima", "Lars",
  "Yuki", "Omar", "Rosa",
)  # fmt: skip
_LAST = (
  "Smith", "Okafor", "Lopez", "Chen", "Novak", "Haddad", "Berg", "Rossi",
  "Patel", "Kim",
)  # fmt: skip
_HEADS = (
  "Acme", "Globex", "Initech", "Umbra", "Stark", "Vandel", "Orbit", "Nimbus",
  "Kestrel", "Maple",
)  # fmt: skip
_TAILS = ("Corp.", "Inc.", "Bank", "Airlines", "& Sons")
_MONTHS = (
  "January", "March", "May", "June", "August", "October", "December",
)  # fmt: skip
_TEMPLATES = (
  "{person} bought 300 shares of {organisation} in {time} .",
  "{organisation} hired {person} in {time} .",
  "In {time} , {person} left {organisation} .",
  "{person} met {person} at {organisation} .",
  "Shares of {organisation} fell in {time} .",
  "The head of {organisation} , {person} , said nothing .",
  "It may rain in the afternoon .",
  "The bank opens in May I think , said {person} .",
)


def generate(count: int, seed: int) -> list[Sentence]:
  """`count` sentences from templates with people, organisations and times.

  Some words are in a name in one place and plain in another: a "bank" is no
  organisation by itself, "May" not always a time.
  """
  rng = np.random.default_rng(seed)
  pick = lambda options: str(options[rng.integers(len(options))])
  sentences = []
  for _ in range(count):
    tokens, tags = [], []
    for word in pick(_TEMPLATES).split():
      match word:
        case "{person}":
          name = [pick(_FIRST)] + [pick(_LAST)] * (rng.random() < 0.6)
        case "{organisation}":
          name = [pick(_HEADS), *pick(_TAILS).split()]
        case "{time}":
          year = str(rng.integers(1950, 2030))
          name = [pick(_MONTHS)] * (rng.random() < 0.5) + [year]
        case _:
          tokens.append(word)
          tags.append("O")
          continue
      kind = word.strip("{}")
      tokens += name
      tags += [f"B-{kind}"] + [f"I-{kind}"] * (len(name) - 1)
    sentences.append(Sentence(tokens, tags))
  return sentences
