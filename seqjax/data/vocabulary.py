"""Symbols and their numbers."""

import collections
import json
import pathlib
from collections.abc import Iterable

import numpy as np

from seqjax.errors import InputError

UNKNOWN = 0  # the id of every symbol that is not in the vocabulary
REPLACEMENT = "\ufffd"  # how it is written
UNKNOWN_WORD = "<unk>"  # likewise, for words


class CharVocabulary:
  """Characters to ids 1..V-1 in code-point order; id 0 is "unknown".

  Attributes:
    symbols: the known characters, sorted.
  """

  def __init__(self, symbols: Iterable[str]):
    self.symbols = sorted(set(symbols) - {REPLACEMENT})
    self._codes = np.array([ord(s) for s in self.symbols], np.uint32)

  def __len__(self) -> int:
    return len(self.symbols) + 1

  def encode(self, text: str) -> np.ndarray:
    """int32 ids `[len(text)]`."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    slots = np.searchsorted(self._codes, codes)
    slots = np.minimum(slots, len(self._codes) - 1)
    known = self._codes[slots] == codes
    return np.where(known, slots + 1, UNKNOWN).astype(np.int32)

  def decode(self, ids: np.ndarray) -> str:
    """The text of ids `[time]`."""
    codes = np.concatenate([[ord(REPLACEMENT)], self._codes])[np.asarray(ids)]
    return codes.astype("<u4").tobytes().decode("utf-32-le")

  def unknown_in(self, text: str) -> str:
    """The characters of `text` that are not in the vocabulary, sorted."""
    return "".join(sorted(set(text) - set(self.symbols)))

  def save(self, path: str | pathlib.Path) -> None:
    """Writes JSON `{"unknown": 0, "symbols": [...]}`."""
    content = {"unknown": UNKNOWN, "symbols": self.symbols}
    pathlib.Path(path).write_text(
      json.dumps(content, ensure_ascii=False) + "\n", "utf-8"
    )

  @classmethod
  def load(cls, path: str | pathlib.Path) -> "CharVocabulary":
    """Reads what `save` wrote; InputError if it cannot be read."""
    return cls(read_saved(path, "symbols"))


class WordVocabulary:
  """Words to ids 1..V-1, the commonest first; id 0 is "unknown".

  Padding needs no id of its own: lengths tell what is padding.

  Attributes:
    words: the known words, in the order of their ids.
  """

  def __init__(self, words: Iterable[str]):
    self.words = list(dict.fromkeys(words))
    self._ids = {word: i for i, word in enumerate(self.words, 1)}

  @classmethod
  def count(
    cls, words: Iterable[str], min_count: int = 1, max_size: int = 0
  ) -> "WordVocabulary":
    """The words of a text.

    Args:
      words: the text, word by word.
      min_count: rarer words are unknown.
      max_size: keep so many of the commonest; 0 is all.
    """
    counts = collections.Counter(words)
    # Of equally common words the first in the alphabet has the smaller id.
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    kept = [word for word in ranked if counts[word] >= min_count]
    return cls(kept[:max_size] if max_size else kept)

  def __len__(self) -> int:
    return len(self.words) + 1

  def __contains__(self, word: str) -> bool:
    return word in self._ids

  def encode(self, words: Iterable[str]) -> np.ndarray:
    """int32 ids `[number of words]`."""
    return np.array([self._ids.get(word, UNKNOWN) for word in words], np.int32)

  def decode(self, ids: Iterable[int]) -> list[str]:
    """The words of ids; unknown is written `<unk>`."""
    return [self.words[i - 1] if i else UNKNOWN_WORD for i in map(int, ids)]

  def save(self, path: str | pathlib.Path) -> None:
    """Writes JSON `{"unknown": 0, "words": [...]}`."""
    content = {"unknown": UNKNOWN, "words": self.words}
    pathlib.Path(path).write_text(
      json.dumps(content, ensure_ascii=False) + "\n", "utf-8"
    )

  @classmethod
  def load(cls, path: str | pathlib.Path) -> "WordVocabulary":
    """Reads what `save` wrote; InputError if it cannot be read."""
    return cls(read_saved(path, "words"))


def read_saved(path: str | pathlib.Path, field: str) -> list[str]:
  """A list of texts in a JSON file of the run directory.

  Raises:
    InputError: the file is missing or damaged.
  """
  try:
    found = json.loads(pathlib.Path(path).read_text("utf-8"))[field]
    if not all(isinstance(entry, str) for entry in found):
      raise TypeError(f"{field} holds more than texts")
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise InputError(
      f"{path}: no readable vocabulary ({error}); use a new --workdir"
    ) from error
  return found
