"""Tunes in ABC notation, a text each.

  config.data.path         FILE (.abc, .txt, also with .gz), FOLDER of them, or
                           ARCHIVE of it (.zip, .tar, .tar.gz ...); without one
                           tunes are made up, see `tune_grammar`
  config.data.examples     how many of these
  config.data.validation   share of the tunes that is set aside
  config.data.test         likewise

A tune begins with a line `X:` and ends before a blank line or the next one.
What is outside of tunes is left out, and so are tunes without music and exact
doubles; a line on standard error says how many. Tunes that have a title in
common, however it is spelt, are in one part. Files are UTF-8 or Latin-1.
"""

import gzip
import io
import pathlib
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from seqjax.config import Config
from seqjax.data import packed, tune_grammar
from seqjax.data.examples import Splits, contiguous, path_of
from seqjax.errors import InputError

_ENDINGS = ".abc", ".txt", ".abc.gz", ".txt.gz"
_MOST_BYTES = 2**28  # of all that is read, unpacked
_ARTICLES = re.compile(r"\b(the|an?)\b")
_NUMBER = re.compile(r"\b(no |nr |version |set )?(\d+)(st|nd|rd|th)? *$")


def load(data: Config, seed: int) -> Splits:
  """The texts of each part.

  Args:
    data: `config.data`.
    seed: of the order, by which parts are cut, and of tunes that are made up.

  Raises:
    InputError: a file cannot be read or holds no tune, a share is out of range,
      or nothing is left to train on.
  """
  path = path_of(data)
  found = read(path) if path else tune_grammar.make(data.examples, seed)
  parts = split(found, data.validation, data.test, seed)
  if not parts.train:
    raise InputError(
      f"config.data leaves none of {len(found)} tunes to train on; give more of"
      " them or smaller shares of validation and test"
    )
  return parts


def read(path: pathlib.Path) -> list[str]:
  """The different tunes of a file, a folder or an archive, in order.

  Raises:
    InputError: it cannot be read, or there is no tune in it.
  """
  tunes, outside, latin = [], 0, 0
  for content in _contents(path):
    text, is_latin = _decode(content)
    some, lines = _cut(text)
    tunes += some
    outside += lines
    latin += is_latin
  kept = {_body(tune): tune for tune in reversed(tunes) if _body(tune)}
  found = list(reversed(kept.values()))
  if not found:
    raise InputError(
      f"{path}: holds no tune, expected ABC notation: a line X:1, more fields"
      " down to K:, then the music"
    )
  silent = sum(not _body(tune) for tune in tunes)
  counts = {
    "double(s)": len(tunes) - silent - len(found),
    "tune(s) without a key or music": silent,
    "line(s) outside of tunes": outside,
  }
  left_out = [f"{count} {what}" for what, count in counts.items() if count]
  if left_out:
    print(f"{path}: left out {', '.join(left_out)}", file=sys.stderr)
  if latin:
    print(f"{path}: not UTF-8, read as Latin-1", file=sys.stderr)
  return found


def cut(text: str) -> list[str]:
  """The tunes of a text: from each line `X:` to a blank line or the next one.

  Line ends become LF; a tune has none at its end.
  """
  return _cut(text)[0]


def split(
  tunes: Sequence[str], validation: float, test: float, seed: int
) -> Splits:
  """Parts at random; tunes that have a title in common are in one.

  Args:
    tunes: all of them.
    validation: share of the whole, in [0, 1).
    test: share of the whole, in [0, 1).
    seed: the same seed gives the same parts.

  Raises:
    InputError: the shares are out of range.
  """
  families = variants(tunes)
  np.random.default_rng(seed).shuffle(families)
  order = [i for family in families for i in family]
  ends = np.cumsum([len(family) for family in families])
  shares = contiguous(range(len(order)), validation, test)
  first, second = (
    int(ends[np.searchsorted(ends, n)]) if n else 0
    for n in (len(shares.train), len(shares.train) + len(shares.validation))
  )
  parts = order[:first], order[first:second], order[second:]
  return Splits(*([tunes[i] for i in part] for part in parts))


def variants(tunes: Sequence[str]) -> list[list[int]]:
  """Families: places of tunes that have a title in common, see `plain`."""
  leader = list(range(len(tunes)))  # one of the family, itself or nearer to it

  def first(index: int) -> int:
    while leader[index] != index:
      leader[index] = leader[leader[index]]
      index = leader[index]
    return index

  holder: dict[str, int] = {}
  for index, tune in enumerate(tunes):
    for title in re.findall(r"^T:(.*)$", tune, re.MULTILINE):
      if name := plain(title):
        leader[first(index)] = first(holder.setdefault(name, index))
  families: dict[int, list[int]] = {}
  for index in range(len(tunes)):
    families.setdefault(first(index), []).append(index)
  return list(families.values())


def plain(title: str) -> str:
  """What spellings of a title have in common.

  Letters without accents in lower case; no signs, articles or number at the
  end: "Lark in the Morning, The #2" and "The Lark In The Morning".
  """
  bare = title.partition("%")[0].lower().replace("'", "")
  letters = unicodedata.normalize("NFKD", bare)
  letters = "".join(c for c in letters if not unicodedata.combining(c))
  words = _ARTICLES.sub(" ", re.sub(r"[\W_]+", " ", letters))
  return "".join((_NUMBER.sub("", words).strip() or words).split())


def _cut(text: str) -> tuple[list[str], int]:
  """The tunes, and how many lines with something on them are outside."""
  text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
  tunes: list[list[str]] = []
  inside, outside = False, 0
  for line in text.split("\n"):
    if line.lstrip().startswith("X:"):
      tunes.append([])
      inside = True
    inside = inside and bool(line.strip())
    if inside:
      tunes[-1].append(line.rstrip() if tunes[-1] else line.strip())
    else:
      outside += bool(line.strip())
  return ["\n".join(lines) for lines in tunes], outside


def _body(tune: str) -> str:
  """Key and music without blanks; "" where there is no music."""
  key, _, body = tune.partition("\nK:")[2].partition("\n")
  return f"{key}\n{body}".replace(" ", "") if body.strip() else ""


def _decode(content: bytes) -> tuple[str, bool]:
  """The text, and whether it had to be read as Latin-1."""
  try:
    return content.decode("utf-8"), False
  except UnicodeDecodeError:
    return content.decode("latin-1"), True


def _contents(path: pathlib.Path) -> Iterator[bytes]:
  """What each file at or below `path` holds, unpacked."""
  left = _MOST_BYTES
  expected = "ABC notation: a whole file, a folder or an archive"
  try:
    if path.is_dir() or packed.is_archive(path):
      found = packed.files(path, _ENDINGS, expected, left)
    else:
      with path.open("rb") as file:
        found = [(path.name, file.read(left + 1))]
    for name, content in found:
      if content.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
          content = unpacked.read(left + 1)
      left -= len(content)
      if left < 0:
        raise InputError(
          f"{path}: more than {_MOST_BYTES:,} bytes down to {name}, expected"
          " tunes of fewer characters"
        )
      yield content
  except InputError:
    raise
  except packed.DAMAGED as error:
    raise packed.unreadable(path, error, expected) from error
