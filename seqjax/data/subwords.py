"""Subwords: merged byte pairs (Sennrich et al. 2016), by sentencepiece.

Nothing is normalised or removed, and a character that training lacks is written
as its bytes: `decode(encode(text)) == text` for every text. The one exception
is the sign U+2581 itself, by which a blank is written: it is read as one. Equal
lines give the same model, byte by byte.
"""

import base64
import functools
import io
import random
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from seqjax.data.tokens import BLANK, RESERVED, mark_blanks
from seqjax.errors import InputError, extra

NAME = "subwords"  # of this way to cut a text, in `state` and in a config


class Subwords:
  """From text to ids `[time]` and back, with the interface of `tokens.Tokens`.

  Attributes:
    padding, unknown, start, stop: the ids 0 to 3.
    state: for JSON; `Subwords.from_state(state)` is the same again.
  """

  padding, unknown, start, stop = range(len(RESERVED))

  def __init__(self, model: bytes):
    with extra():
      import sentencepiece
    self._processor: Any = sentencepiece.SentencePieceProcessor(
      model_proto=model
    )
    content = base64.b64encode(model).decode("ascii")
    self.state = {"tokenizer": NAME, "model": content}

  @classmethod
  def fit(cls, lines: Iterable[str], vocab_size: int) -> "Subwords":
    """What the lines of a training part have in common.

    Args:
      lines: of text.
      vocab_size: number of ids, with 4 reserved ones and 256 bytes.

    Raises:
      InputError: there is no text, or the size is not one that it can give.
    """
    with extra():
      import sentencepiece
    if vocab_size <= len(RESERVED) + 256:
      raise InputError(
        f"config.data.vocab_size is {vocab_size}, expected more than"
        f" {len(RESERVED) + 256}: {_FEWEST}"
      )
    # The library passes over a line with a NUL.
    lines = [line.replace("\0", " ") for line in lines if line.strip()]
    if not lines:
      raise InputError("the training part holds no text to learn subwords of")
    written = io.BytesIO()
    trainer: Any = sentencepiece.SentencePieceTrainer
    try:
      trainer.train(
        sentence_iterator=iter(lines),
        model_writer=written,
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        # Longer lines would be passed over.
        max_sentence_length=4 * max(map(len, lines)) + 1,
        num_threads=1,
        minloglevel=2,
        **{f"{name}_id": i for i, name in enumerate(_RESERVED)},
        **{f"{name}_piece": piece for name, piece in _RESERVED.items()},
      )
    except RuntimeError as error:
      raise InputError(_told(error, vocab_size)) from error
    return cls(written.getvalue())

  @classmethod
  def from_state(cls, state: dict[str, Any]) -> "Subwords":
    """The same subwords again."""
    return cls(base64.b64decode(state["model"]))

  def __len__(self) -> int:
    """How many ids there are."""
    return self._processor.get_piece_size()

  def encode(
    self, text: str, *, dropout: float = 0.0, seed: int | None = None
  ) -> np.ndarray:
    """int32 ids `[time]`.

    Args:
      text: a line.
      dropout: probability that a merge is left out, for training alone
        (BPE-dropout, Provilkov et al. 2020).
      seed: of that draw, any whole number; the same gives the same ids.
    """
    if not dropout:
      return np.array(self._processor.encode(text), np.int32)
    if seed is None:
      raise ValueError("dropout needs a seed")
    # Not by the library: what its generator draws depends on the process.
    rng, symbols = random.Random(seed), []
    for word in re.findall(f"{BLANK}*[^{BLANK}]*", mark_blanks(text)):
      symbols += self._merge(word, rng, dropout)
    return np.array([i for s in symbols for i in self._ids(s)], np.int32)

  def _merge(self, word: str, rng: random.Random, dropout: float) -> list[str]:
    """The symbols of a word: the first of all merges there, until none is.

    Each that is possible is overlooked with probability `dropout`, anew each
    time (Provilkov et al. 2020, algorithm 1).
    """
    symbols, ranks = list(word), self._ranks
    while True:
      best, place = len(ranks), -1
      for i in range(len(symbols) - 1):
        rank = ranks.get(symbols[i] + symbols[i + 1], best)
        if rank < best and rng.random() >= dropout:
          best, place = rank, i
      if place < 0:
        return symbols
      symbols[place : place + 2] = ["".join(symbols[place : place + 2])]

  @functools.cached_property
  def _ranks(self) -> dict[str, int]:
    """Which merge makes a symbol, the first is 0."""
    known = self._processor
    made = [
      (-known.get_score(i), known.id_to_piece(i))
      for i in range(len(RESERVED) + 256, len(self))
      if len(known.id_to_piece(i)) > 1
    ]
    return {piece: rank for rank, (_, piece) in enumerate(sorted(made))}

  def _ids(self, symbol: str) -> list[int]:
    """Of a symbol, or of its bytes."""
    found = self._processor.piece_to_id(symbol)
    if found != self.unknown:
      return [found]
    return [len(RESERVED) + byte for byte in symbol.encode()]

  def decode(self, ids: Any) -> str:
    """The text of ids `[time]`; reserved ones are left out."""
    kept = [i for i in np.asarray(ids, int).tolist() if i >= len(RESERVED)]
    return self._processor.decode(kept)

  def split(self, text: str) -> list[str]:
    """The symbols of a text, one for each id."""
    return self._processor.encode(text, out_type=str)

  def join(self, symbols: Iterable[str]) -> str:
    """The text of symbols."""
    return self._processor.decode([symbol for symbol in symbols if symbol])

  def symbols(self, ids: Any) -> list[str]:
    """A symbol for each id, for a picture; a blank is written "▁"."""
    ids = np.asarray(ids, int).tolist()
    return [self._processor.id_to_piece(i) for i in ids]


_FEWEST = "4 reserved ids, 256 bytes and each character of the training part"
# By the library's names, in the order of `RESERVED`.
_RESERVED = {
  "pad": "<padding>",
  "unk": "<unk>",
  "bos": "<start>",
  "eos": "<stop>",
}


def _told(error: RuntimeError, vocab_size: int) -> str:
  """What the library says of a size, in our words."""
  said = str(error)
  most = re.search(r"too high .*<= (\d+)", said)
  least = re.search(r"smaller than required_chars. \d+ vs (\d+)", said)
  if most:
    expected = f"at most {most[1]}, as many as the training part can give"
  elif least:
    expected = f"at least {int(least[1]) + 1}: {_FEWEST}"
  else:
    raise error
  return f"config.data.vocab_size is {vocab_size}, expected {expected}"
