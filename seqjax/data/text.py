"""Text corpora: embedded, named or the user's own file."""

import gzip
import hashlib
import pathlib
import sys
import sysconfig
import zlib
from typing import NamedTuple

from seqjax.data import download
from seqjax.errors import InputError

# Python's own packages that are tests or generated tables, not code to learn
# from.
_SKIPPED = {"test", "tests", "idle_test", "site-packages", "pydoc_data"}


class Corpus(NamedTuple):
  """A text and where it came from."""

  name: str
  text: str
  sha256: str  # of the text in UTF-8

  @classmethod
  def of(cls, name: str, text: str) -> "Corpus":
    return cls(name, text, hashlib.sha256(text.encode()).hexdigest())


def load(name: str, path: str | None = None) -> Corpus:
  """Loads a corpus.

  Args:
    name: "pydoc" (the English reference text in every CPython, about half a
      million characters), "stdlib" (the installed Python sources) or a name of
      `download.DATASETS`. Ignored if `path` is given.
    path: a text file in UTF-8; a byte-order mark is dropped, CR LF becomes LF.

  Raises:
    InputError: unknown name; a file that is missing, empty or not UTF-8.
  """
  if path:
    return Corpus.of(str(path), read_utf8(path))
  embedded = {"pydoc": _pydoc, "stdlib": _stdlib}
  if name in embedded:
    return Corpus.of(name, embedded[name]())
  if name in download.DATASETS:
    return Corpus.of(name, read_utf8(download.fetch(name)))
  known = ", ".join([*embedded, *download.DATASETS])
  raise InputError(
    f"config.data.name is {name!r}, expected one of {known}; or name your own"
    " file with --config.data.path=FILE"
  )


def read_utf8(path: str | pathlib.Path) -> str:
  """The text of a UTF-8 file; one whose name ends in .gz is unpacked.

  Raises:
    InputError: the file is missing, damaged, empty or not UTF-8; the last names
      the offset of the first bad byte.
  """
  try:
    data = pathlib.Path(path).read_bytes()
  except OSError as error:
    reason = error.strerror or str(error)
    raise InputError(f"{path}: cannot be read ({reason})") from error
  if str(path).endswith(".gz"):
    try:
      data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
      raise InputError(
        f"{path}: cannot be unpacked ({error}); expected a whole gzip file"
      ) from error
  try:
    text = data.decode("utf-8")
  except UnicodeDecodeError as error:
    raise InputError(
      f"{path}: byte 0x{data[error.start]:02x} at offset {error.start} is not"
      " valid UTF-8; convert the file to UTF-8"
    ) from error
  text = text.removeprefix("\ufeff").replace("\r\n", "\n")
  if not text.strip():
    raise InputError(f"{path}: the file is empty, expected text")
  return text


def _pydoc() -> str:
  from pydoc_data import topics

  return "\n\n".join(text.strip() for _, text in sorted(topics.topics.items()))


def _stdlib() -> str:
  root = pathlib.Path(sysconfig.get_paths()["stdlib"])
  texts = []
  for path in sorted(root.rglob("*.py")):
    if _SKIPPED.isdisjoint(path.relative_to(root).parts[:-1]):
      try:
        texts.append(path.read_text("utf-8"))
      except (OSError, UnicodeDecodeError):
        continue  # a few sources declare another encoding
  return "\n\n".join(texts)


STDIN = "-"


def lines_of(path: str) -> list[str]:
  """The lines of a file, or of standard input if `path` is "-".

  Blank lines are kept, so that what is made of each line stays beside it.

  Raises:
    InputError: the file cannot be read, is empty or is not UTF-8.
  """
  if path != STDIN:
    return read_utf8(path).removesuffix("\n").split("\n")
  if sys.stdin.isatty():
    print("reading standard input, end with Ctrl-D", file=sys.stderr)
  try:
    content = sys.stdin.read()
  except UnicodeDecodeError as error:
    raise InputError(f"standard input is not valid UTF-8 ({error})") from error
  if not content.strip():
    raise InputError("standard input is empty, expected an input a line")
  return content.removesuffix("\n").split("\n")


def shorten(text: str, most: int = 70) -> str:
  """At most so many characters, in one line."""
  text = " ".join(text.split())
  return text if len(text) <= most else text[: most - 3] + "..."
