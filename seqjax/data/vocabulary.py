"""Symbols and their numbers."""

import json
import pathlib
from collections.abc import Iterable

import numpy as np

from seqjax.errors import InputError

UNKNOWN = 0  # the id of every symbol that is not in the vocabulary
REPLACEMENT = "\ufffd"  # how it is written


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
    """Reads what `save` wrote.

    Raises:
      InputError: the file is missing or damaged.
    """
    try:
      return cls(json.loads(pathlib.Path(path).read_text("utf-8"))["symbols"])
    except (OSError, ValueError, KeyError, TypeError) as error:
      raise InputError(
        f"{path}: no readable vocabulary ({error}); use a new --workdir"
      ) from error
