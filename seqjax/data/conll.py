"""Tagged sentences in columns (CoNLL), and sentences that are made up.

A token a line, its first column the token and its last the BIO tag, parted by
tabs or, where there are none, by blanks; sentences parted by lines that are
empty or hold nothing but white space. `-DOCSTART-` lines are skipped.
"""

import pathlib
from typing import NamedTuple

import numpy as np

from seqjax.data import text
from seqjax.data.examples import check_not_empty
from seqjax.errors import InputError


class Sentence(NamedTuple):
  tokens: list[str]
  tags: list[str]  # "O", "B-x", "I-x"


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


def write(sentences: list[Sentence]) -> str:
  """The sentences as `read` reads them."""
  return "\n\n".join(
    "\n".join(f"{token}\t{tag}" for token, tag in zip(*sentence, strict=True))
    for sentence in sentences
  )


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
