"""From text to numbers and back: a tokenizer and a vocabulary are `Tokens`.

  text --Tokenizer.split--> symbols --Vocabulary.encode--> ids
  text <--Tokenizer.join--- symbols <--Vocabulary.decode-- ids

A tokenizer knows no numbers, a vocabulary does not know what a symbol is of:
characters, words, notes. The vocabulary is that of the training part alone:

  cut = Tokenizer("words", lower=True)
  parts = examples.contiguous(cut.split(text), validation=0.1, test=0.1)
  tokens = Tokens.fit(parts.train, tokenizer="words", lower=True, min_count=2)
  ids = tokens.encode(parts.validation)
"""

import collections
import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.errors import InputError

RESERVED = "padding", "unknown", "start", "stop"
UNKNOWN_WORD = "<unk>"  # how it is written
END_OF_LINE = "<eos>"


class Vocabulary:
  """Symbols and their ids: those that are reserved first, then the symbols.

  Padding needs no id where lengths tell what is padding; start and stop are for
  what is written symbol by symbol.

  Attributes:
    symbols: the known symbols, in the order of their ids.
    reserved: some of padding, unknown, start, stop, in this order: the ids from
      0 on.
    padding, unknown, start, stop: these ids, None for what is not reserved.
  """

  def __init__(
    self, symbols: Iterable[str], reserved: Sequence[str] = ("unknown",)
  ):
    if wrong := set(reserved) - set(RESERVED):
      raise ValueError(
        f"reserved holds {', '.join(sorted(wrong))}, expected some of"
        f" {', '.join(RESERVED)}"
      )
    self.reserved = [name for name in RESERVED if name in reserved]
    self.symbols = list(dict.fromkeys(symbols))
    self._ids = {s: i for i, s in enumerate(self.symbols, len(self.reserved))}
    ids: list[Any] = [
      self.reserved.index(name) if name in self.reserved else None
      for name in RESERVED
    ]
    self.padding, self.unknown, self.start, self.stop = ids

  @classmethod
  def count(
    cls,
    symbols: Iterable[str],
    min_count: int = 1,
    max_size: int = 0,
    reserved: Sequence[str] = ("unknown",),
  ) -> "Vocabulary":
    """The symbols that occur, the commonest first.

    Args:
      symbols: all that occur, one after the other.
      min_count: rarer ones are unknown.
      max_size: keep so many of the commonest; 0 is all.
      reserved: see above.
    """
    counts = collections.Counter(symbols)
    # Of equally common ones the first in the alphabet has the smaller id.
    ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    kept = [symbol for symbol in ranked if counts[symbol] >= min_count]
    return cls(kept[:max_size] if max_size else kept, reserved)

  @property
  def names(self) -> list[str]:
    """How each id is written, "<padding>" if it is reserved."""
    reserved = (f"<{name}>" for name in self.reserved)
    named = [UNKNOWN_WORD if n == "<unknown>" else n for n in reserved]
    return [*named, *self.symbols]

  def __len__(self) -> int:
    """How many ids there are, reserved ones included."""
    return len(self.reserved) + len(self.symbols)

  def __contains__(self, symbol: str) -> bool:
    return symbol in self._ids

  def encode(self, symbols: Iterable[str]) -> np.ndarray:
    """int32 ids `[number of symbols]`.

    Raises:
      ValueError: a symbol is not known and no id is reserved for that.
    """
    ids, unknown = self._ids, self.unknown
    if unknown is not None:
      return np.fromiter((ids.get(s, unknown) for s in symbols), np.int32)
    try:
      return np.fromiter((ids[s] for s in symbols), np.int32)
    except KeyError as error:
      raise ValueError(
        f"{error.args[0]!r} is not in the vocabulary, which reserves no id for"
        " what is unknown"
      ) from error

  def decode(self, ids: Any, unknown: str = UNKNOWN_WORD) -> list[str]:
    """The symbols of ids `[time]`; reserved ones but unknown are left out.

    Args:
      ids: an array or a list.
      unknown: how a symbol is written that is not known.
    """
    reserved = [unknown if r == "unknown" else None for r in self.reserved]
    written = [*reserved, *self.symbols]
    found = [written[i] for i in np.asarray(ids, int).tolist()]
    return [symbol for symbol in found if symbol is not None]


BLANK = "▁"  # how a blank is written in a symbol
_BLANKED = re.compile(
  r"▁?(?:<unk>|[^\W\d_]+(?:['’][^\W\d_]+)*|[^▁])|▁", re.DOTALL
)
_WORD = re.compile(r"<unk>|\w+(?:['’]\w+)*|[^\w\s]")


def _split_lines(text: str) -> list[str]:
  *lines, last = (line.split() for line in text.split("\n"))
  ended = [word for line in lines if line for word in [*line, END_OF_LINE]]
  return ended + last  # a line that goes on: a prompt


def _join_words(words: Iterable[str]) -> str:
  text = " ".join("\n" if word == END_OF_LINE else word for word in words)
  # For reading: no blank before a sign that ends something.
  return re.sub(r" +([.,;:!?)\]}'’])", r"\1", text)


def mark_blanks(text: str) -> str:
  """With a mark for each blank, and one in front of what there is."""
  return text and (BLANK + text).replace(" ", BLANK)


def _split_blanked(text: str) -> list[str]:
  return _BLANKED.findall(mark_blanks(text))


def _join_blanked(symbols: Iterable[str]) -> str:
  return "".join(symbols).replace(BLANK, " ").removeprefix(" ")


class _Kind(NamedTuple):
  split: Callable[[str], Sequence[str]]
  join: Callable[[Iterable[str]], str]
  unknown: str  # how a symbol is written that is not known
  sort: bool  # ids by code point; otherwise the commonest come first


TOKENIZERS = {
  # A text is the sequence of its characters as it stands.
  "characters": _Kind(lambda text: text, "".join, "\ufffd", True),
  "words": _Kind(_WORD.findall, _join_words, UNKNOWN_WORD, False),
  "blanks": _Kind(_split_lines, _join_words, UNKNOWN_WORD, False),
  "blanked": _Kind(_split_blanked, _join_blanked, BLANK + UNKNOWN_WORD, False),
}


@dataclasses.dataclass(frozen=True)
class Tokenizer:
  """How a text is cut into symbols.

    characters   each character
    words        words, with apostrophes inside, and each other sign on its own;
                 line breaks are blanks
    blanks       as the text is parted already, with `<eos>` at the end of a
                 line: the format of the Penn Treebank
    blanked      words with the blank before them, written "▁", digits and
                 other signs on their own: joined again it is the same text, but
                 for a sign "▁" in it, which is read as a blank

  Attributes:
    name: of these.
    lower: whether symbols are in lower case.
  """

  name: str
  lower: bool = False

  def __post_init__(self):
    if self.name not in TOKENIZERS:
      raise InputError(
        f"config.data.tokenizer is {self.name!r}, expected one of"
        f" {', '.join(TOKENIZERS)}"
      )

  @property
  def unknown(self) -> str:
    """How a symbol is written that is not known."""
    return TOKENIZERS[self.name].unknown

  def split(self, text: str) -> Sequence[str]:
    """The symbols of a text."""
    symbols = TOKENIZERS[self.name].split(text)
    if self.lower:
      return [s if s == self.unknown else s.lower() for s in symbols]
    return symbols

  def join(self, symbols: Iterable[str]) -> str:
    """The text of symbols; of words, for reading."""
    return TOKENIZERS[self.name].join(symbols)


@dataclasses.dataclass(frozen=True)
class Tokens:
  """From text to ids `[time]` and back.

  Where a text is wanted, its symbols as `split` gives them are as good.
  """

  tokenizer: Tokenizer
  vocabulary: Vocabulary

  @classmethod
  def fit(
    cls,
    text: str | Sequence[str],
    *,
    tokenizer: str,
    lower: bool = False,
    min_count: int = 1,
    max_size: int = 0,
    reserved: Sequence[str] = ("unknown",),
  ) -> "Tokens":
    """The symbols of a training text: characters by code point, words by count.

    Args:
      text: the training text, or its symbols.
      tokenizer: see `Tokenizer`.
      lower: likewise.
      min_count: rarer symbols are unknown.
      max_size: keep so many of the commonest; 0 is all.
      reserved: see `Vocabulary`.

    Raises:
      InputError: no such tokenizer, or no symbol is left.
    """
    cut = Tokenizer(tokenizer, lower)
    symbols = cut.split(text) if isinstance(text, str) else text
    found = Vocabulary.count(symbols, min_count, max_size).symbols
    found = [symbol for symbol in found if symbol != cut.unknown]
    if not found:
      raise InputError(
        f"the training text has {len(symbols)} {tokenizer}, none of which"
        f" occurs config.data.min_count = {min_count} times; use a longer text"
        " or a lower min_count"
      )
    if TOKENIZERS[tokenizer].sort:
      found = sorted(found)
    return cls(cut, Vocabulary(found, reserved))

  @property
  def state(self) -> dict[str, Any]:
    """As JSON, for `from_state`."""
    return {
      "tokenizer": self.tokenizer.name,
      "lower": self.tokenizer.lower,
      "symbols": self.vocabulary.symbols,
      "reserved": self.vocabulary.reserved,
    }

  @classmethod
  def from_state(cls, state: dict[str, Any]) -> "Tokens":
    """The same tokens again."""
    return cls(
      Tokenizer(state["tokenizer"], state["lower"]),
      Vocabulary(state["symbols"], state["reserved"]),
    )

  def __len__(self) -> int:
    """How many ids there are."""
    return len(self.vocabulary)

  @property
  def padding(self) -> int:
    """The id, as `unknown`, `start` and `stop`; None if it is not reserved."""
    return self.vocabulary.padding

  @property
  def unknown(self) -> int:
    return self.vocabulary.unknown

  @property
  def start(self) -> int:
    return self.vocabulary.start

  @property
  def stop(self) -> int:
    return self.vocabulary.stop

  def split(self, text: str) -> Sequence[str]:
    """The symbols of a text."""
    return self.tokenizer.split(text)

  def join(self, symbols: Iterable[str]) -> str:
    """The text of symbols."""
    return self.tokenizer.join(symbols)

  def encode(self, text: str | Sequence[str]) -> np.ndarray:
    """int32 ids `[time]`."""
    return self.vocabulary.encode(
      self.split(text) if isinstance(text, str) else text
    )

  def decode(self, ids: Any) -> str:
    """The text of ids `[time]`."""
    return self.join(self.vocabulary.decode(ids, self.tokenizer.unknown))

  def symbols(self, ids: Any) -> list[str]:
    """A symbol for each id `[time]`, for a picture; "<stop>" if reserved."""
    named = [f"<{name}>" for name in self.vocabulary.reserved]
    if self.unknown is not None:
      named[self.unknown] = self.tokenizer.unknown
    written = [*named, *self.vocabulary.symbols]
    return [written[i] for i in np.asarray(ids, int).tolist()]

  def unknown_in(self, text: str | Sequence[str]) -> list[str]:
    """The different symbols of a text that are not known, as they come."""
    symbols = self.split(text) if isinstance(text, str) else text
    return [s for s in dict.fromkeys(symbols) if s not in self.vocabulary]


def from_state(state: dict[str, Any]) -> Any:
  """The `Tokens`, or the `subwords.Subwords`, of a state."""
  if state["tokenizer"] in TOKENIZERS:
    return Tokens.from_state(state)
  from seqjax.data.subwords import Subwords  # which knows this module

  return Subwords.from_state(state)
