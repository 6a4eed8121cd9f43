"""Word language model: predict the next word, complete a sentence."""

import functools
import math
import pathlib
from typing import Any

import jax
import numpy as np

from seqjax.config import Config
from seqjax.data.ngram import KneserNey
from seqjax.data.vocabulary import UNKNOWN, UNKNOWN_WORD, WordVocabulary
from seqjax.data.words import TOKENIZERS, join, tokenize
from seqjax.errors import InputError
from seqjax.tasks import char_lm

BLANK = "___"  # what is to be filled in


def create(config: Config, saved: pathlib.Path | None) -> "NextWord":
  return NextWord(config, saved)


class NextWord(char_lm.CharLM):
  """The character model's task with words for symbols.

  Rare words are unknown, as one symbol, in training too; a Kneser-Ney trigram
  over the same vocabulary is what the network's perplexity is compared with.
  """

  unit = "words"
  loss_unit = "nats/word"

  def __init__(self, config: Config, saved: pathlib.Path | None):
    super().__init__(config, saved)
    data = config.data
    if data.tokenizer not in TOKENIZERS:
      raise InputError(
        f"config.data.tokenizer is {data.tokenizer!r}, expected one of"
        f" {', '.join(TOKENIZERS)}"
      )
    for field, least in (("min_count", 1), ("max_size", 0)):
      if data[field] < least:
        raise InputError(
          f"config.data.{field} is {data[field]}, expected at least {least}"
        )
    self.modes = {"complete": self.complete}

  def _symbols(self, text: str) -> list[str]:
    data = self._config.data
    return tokenize(text, data.tokenizer, data.lower)

  @functools.cached_property
  def vocabulary(self) -> Any:
    if self._saved:
      return WordVocabulary.load(self._saved / char_lm.VOCABULARY_FILE)
    data = self._config.data
    known = WordVocabulary.count(
      self._parts["train"], data.min_count, data.max_size
    )
    return WordVocabulary(w for w in known.words if w != UNKNOWN_WORD)

  @functools.cached_property
  def _trigrams(self) -> KneserNey:
    tokens = self.vocabulary.encode(self._parts["train"])
    return KneserNey(tokens, len(self.vocabulary))

  def scores(self, params, split: str) -> dict[str, float]:
    """Perplexity of a Kneser-Ney trigram, and the share of unknown words."""
    del params
    tokens = self.vocabulary.encode(self._parts[split])
    if len(tokens) < 3:
      return {}
    return {
      "trigram_perplexity": math.exp(self._trigrams.nats(tokens)),
      "unknown": float((tokens == UNKNOWN).mean()),
    }

  def complete(
    self, params, *, prompt: str = "", top_k: int = 10, num_words: int = 1
  ) -> str:
    """The likeliest next words, with their probabilities.

    Args:
      params: the model's parameters.
      prompt: the beginning of a sentence; what is from `___` on is left out.
      top_k: how many words to tell.
      num_words: words to add in all, each the likeliest after the last.

    Raises:
      InputError: an option is out of range or there is no prompt.
    """
    for name, value in (("top_k", top_k), ("num_words", num_words)):
      if value < 1:
        raise InputError(f"--{name} is {value}, expected at least 1")
    begin = self._symbols(prompt.split(BLANK)[0])
    if not begin:
      raise InputError(
        '--prompt is empty, expected the beginning of a sentence, e.g. "the'
        f' cat {BLANK}"'
      )
    unknown = [word for word in begin if word not in self.vocabulary]
    lines = [f"{join(begin)} {BLANK}"]
    if unknown:
      lines.append(f"(not in the vocabulary: {', '.join(unknown)})")
    tokens = self.vocabulary.encode(begin)[None]
    carry, logits = self._apply(params, tokens)
    ranked, probabilities = self._rank(logits[0, -1])
    step = jax.jit(
      lambda params, carry, token: self._apply(
        params, carry, token, method="step"
      )
    )
    for word, share in zip(ranked[:top_k], probabilities[:top_k], strict=True):
      words, state, token = [int(word)], carry, np.array([word])
      for _ in range(num_words - 1):
        state, logits = step(params, state, token)
        token = self._rank(logits[0])[0][:1]
        words.append(int(token[0]))
      lines.append(f"{share:7.2%}  {join(self.vocabulary.decode(words))}")
    return "\n".join(lines)

  def _rank(self, logits) -> tuple[np.ndarray, np.ndarray]:
    """Words from the likeliest on, but unknown, and their probabilities."""
    probabilities = np.asarray(jax.nn.softmax(logits)).copy()
    probabilities[UNKNOWN] = -1.0
    order = np.argsort(-probabilities, kind="stable")[:-1]
    return order.astype(np.int32), probabilities[order]

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Sentences with their likeliest next words."""
    prompts = self._config.showcase.prompts
    told = [self.complete(params, prompt=p, top_k=5) for p in prompts]
    written = "\n\n".join(told)
    (directory / "complete.txt").write_text(written + "\n", "utf-8")
    return written
