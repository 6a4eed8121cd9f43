"""Sentences without labels, of any text, and reviews that are made up.

  config.data.path        FILE, FILE:COLUMN or FOLDER, several parted by commas:
                          a sentence a line; COLUMN, from 1 on, of columns
                          parted by tabs; all `*.txt` and `*.txt.gz` of a
                          folder. UTF-8; empty lines are skipped. A file that
                          is named twice is read twice, to count for more
  config.data.name        without a path: "reviews", which are generated, or a
                          text of `data.text`
  config.data.clean       see `clean`
  config.data.exclude     as `path`: sentences that are left out, in whatever
                          case and with whatever signs they are written; "" for
                          none
  config.data.max_length  words; what is longer is cut into several
  config.data.validation  share of the sentences at the end of each file
  config.data.test        likewise, behind them

Words are parted by blanks, as those of `data.tsv` are.
"""

import pathlib
import re
import sys
from collections.abc import Iterable

from seqjax.config import Config
from seqjax.data import text, tsv
from seqjax.data.examples import Splits, contiguous
from seqjax.errors import InputError

REVIEWS = "reviews"
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": " `` ", "”": " '' "})
_ENDINGS = re.compile(r"(?<=\w)(n't|'(?:s|ve|re|d|ll|m))\b", re.IGNORECASE)
_SIGNS = re.compile(r"(?<!\d),|,(?!\d)|[!?]+")
_OTHERS = re.compile(r"[^\w,!?'`]|_")
_NO_LETTERS = re.compile(r"\b[lr]rb\b|[\W_]+")  # brackets have a name


def load(data: Config, seed: int) -> Splits:
  """The sentences of each part, lists of words.

  Raises:
    InputError: a file cannot be read or has too few columns, an option is out
      of range, or nothing is left to train on.
  """
  if data.path:
    sources = [list(_lines(*one)) for one in _files(data.path, "path")]
  elif data.name == REVIEWS:
    made = tsv.generate(data.examples, seed)
    sources = [[" ".join(example.inputs) for example in made]]
  else:
    sources = [text.load(data.name).text.split("\n")]
  excluded = set()
  if data.exclude:
    for one in _files(data.exclude, "exclude"):
      excluded.update(map(bare, _lines(*one)))
  parts, left_out = ([], [], []), 0
  for lines in sources:
    kept = [line for line in lines if bare(line) not in excluded]
    left_out += len(lines) - len(kept)
    for part, some in zip(
      parts, contiguous(kept, data.validation, data.test), strict=True
    ):
      part += [piece for line in some for piece in _pieces(line, data)]
  if data.exclude:
    print(
      f"{left_out} sentence(s) left out that config.data.exclude holds",
      file=sys.stderr,
    )
  if not parts[0]:
    raise InputError(
      f"config.data.path is {data.path!r}, which leaves no sentences to train"
      " on; give more text or smaller shares of validation and test"
    )
  return Splits(*parts)


def clean(line: str) -> str:
  """As the Stanford Sentiment Treebank is handed around.

  Letters, digits and , ! ? ' ` stay, brackets are written "lrb" and "rrb",
  other signs are blanks; signs, 's, n't and the like are words of their own.
  Kim 2014, "Convolutional neural networks for sentence classification", his
  code. Cleaned once more it is the same.
  """
  line = line.translate(_QUOTES).replace("(", " lrb ").replace(")", " rrb ")
  line = _ENDINGS.sub(r" \1", _OTHERS.sub(" ", line.replace('"', " '' ")))
  return " ".join(_SIGNS.sub(r" \g<0> ", line).split())


def words_of(line: str, data: Config) -> list[str]:
  """The words of a line, as a config has them."""
  return (clean(line) if data.clean else line).split()


def bare(line: str) -> str:
  """What two spellings of a sentence have in common: letters and digits."""
  return _NO_LETTERS.sub("", line.lower())


def _pieces(line: str, data: Config) -> Iterable[list[str]]:
  words = words_of(line, data)
  for first in range(0, len(words), data.max_length):
    yield words[first : first + data.max_length]


def _files(paths: str, field: str) -> Iterable[tuple[pathlib.Path, int]]:
  """The files that a field names, and the column of each, 0 for all."""
  for entry in paths.split(","):
    name, column = entry.strip(), 0
    if found := re.fullmatch(r"(.+):(\d+)", name):
      name, column = found[1], int(found[2])
      if not column:
        raise InputError(
          f"config.data.{field} names {entry}, expected a column from 1 on"
        )
    path = pathlib.Path(name)
    if not path.exists():
      raise InputError(f"config.data.{field} names {path}, which is not there")
    if not path.is_dir():
      yield path, column
      continue
    inside = sorted([*path.glob("*.txt"), *path.glob("*.txt.gz")])
    if not inside:
      raise InputError(
        f"config.data.{field} names the folder {path}, expected files in it"
        " that end in .txt or .txt.gz"
      )
    yield from ((file, column) for file in inside)


def _lines(path: pathlib.Path, column: int) -> Iterable[str]:
  for number, line in enumerate(text.read_utf8(path).split("\n"), 1):
    if not line.strip():
      continue
    cells = line.split("\t")
    if len(cells) < column:
      raise InputError(
        f"{path}:{number}: {line[:60]!r} has {len(cells)} column(s) parted by"
        f" tabs, expected {column}"
      )
    yield cells[column - 1] if column else line
