"""Sentences in two languages, for translation; pairs that are made up.

config.data.path            FOLDER with aligned files, or a FILE with columns
                            parted by tabs; .gz too. See `parallel`. Without
                            one, pairs of `language_pair`
  source, target            the two languages: endings of the folder's files,
                            and what Moses and BLEU go by
  test_file                 which of several test sets, "test_2016_flickr"
  columns, group            of a FILE, from 1 on; group 0 for none
  validation, test          shares of what brings no such part
  train_only                regular expression of groups that are only trained
                            on, "(I|II) (Kings|Chronicles) .*"
  examples                  how many pairs are made up
config.data.lower, normalize, moses
                            what is done to a text before, see `moses`
config.data.tokenizer       how it is cut:
  subwords                  `vocab_size` of them, see `subwords`
  words                     that remember their blank, each digit for itself;
                            those that occur `min_count` times, at most
                            `vocab_size` ids (0: all)
  characters                likewise
  joint                     one vocabulary for both sides
  subword_dropout           rate at which merges are left out in training
  max_length                of either side, in tokens with the stop: longer
                            pairs are not trained on (0: all)
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax import config as settings
from seqjax.config import Config
from seqjax.data import language_pair, moses, parallel, subwords, text, tokens
from seqjax.data.examples import Splits, path_of
from seqjax.data.parallel import Pair as Pair
from seqjax.errors import InputError

# What `config.data.tokenizer` may be, and how `tokens` calls it.
TOKENIZERS = {
  subwords.NAME: "",
  "words": "blanked",
  "characters": "characters",
}


def load(data: Config, seed: int) -> Splits:
  """Lists of pairs, as `config.data` asks for.

  A folder without files for validation or test gives a share of its training
  part instead.

  Raises:
    InputError: the data cannot be read, or holds no pairs.
  """
  path = path_of(data)
  if path is not None and path.is_dir():
    found = parallel.read_folder(path, data)
    # What the folder brings is not taken of its training part.
    validation = 0 if found.validation else data.validation
    test = 0 if found.test else data.test
    made = parallel.split(found.train, validation, test, seed, data.train_only)
    return Splits(
      made.train,
      found.validation or made.validation,
      found.test or made.test,
    )
  if path is None:
    settings.at_least({"data": data}, 1, "data.examples")
    pairs = language_pair.generate(data.examples, seed)
  else:
    pairs = parallel.read_table(path, data)
  return parallel.split(
    pairs, data.validation, data.test, seed, data.train_only
  )


class Encoder:
  """Texts of either language as ids that end with the stop, and back.

  Attributes:
    source, target: the tokens of either side, `Tokens` or `Subwords`; the same
      object where `data.joint` is set.
    state: for JSON, `Encoder(**encoder.state)` is the same encoder again.
  """

  def __init__(
    self,
    source: dict[str, Any],
    target: dict[str, Any] | None,
    languages: Sequence[str],
    prepare: dict[str, bool],
    dropout: float,
  ):
    self.source = tokens.from_state(source)
    self.target = tokens.from_state(target) if target else self.source
    self._languages, self._prepare = list(languages), dict(prepare)
    self._dropout = dropout
    self.state = {
      "source": source,
      "target": target,
      "languages": self._languages,
      "prepare": self._prepare,
      "dropout": dropout,
    }

  @classmethod
  def fit(cls, pairs: Sequence[Pair], data: Config, seed: int) -> "Encoder":
    """Learns the vocabulary, or two, of the training part.

    Raises:
      InputError: a field of `config.data` is out of range, or the text has not
        as many tokens as are asked for.
    """
    del seed
    _check(data)
    prepare = {name: data[name] for name in ("lower", "normalize", "moses")}
    source, target = (
      [moses.prepare(line, language, **prepare) for line in lines]
      for language, lines in (
        (data.source, [pair.source for pair in pairs]),
        (data.target, [pair.target for pair in pairs]),
      )
    )
    return cls(
      _fit(source + target if data.joint else source, data).state,
      None if data.joint else _fit(target, data).state,
      [data.source, data.target],
      prepare,
      data.subword_dropout,
    )

  def encode_source(self, text: str, seed: int | None = None) -> np.ndarray:
    """int32 ids `[time]`, the last of them the stop.

    Args:
      text: a line, as users write it.
      seed: of `data.subword_dropout`, in training; without one there is none.
    """
    return self._encode(self.source, text, self._languages[0], seed)

  def encode_target(self, text: str, seed: int | None = None) -> np.ndarray:
    """Likewise, of the other language."""
    return self._encode(self.target, text, self._languages[1], seed)

  def _encode(self, cut, text, language, seed) -> np.ndarray:
    line = moses.prepare(text, language, **self._prepare)
    sampled = self._dropout and seed is not None
    options = {"dropout": self._dropout, "seed": seed} if sampled else {}
    stop = np.array([cut.stop], np.int32)
    return np.concatenate([cut.encode(line, **options), stop])

  def split_source(self, text: str) -> list[str]:
    """The symbols of a source as they stand, also those that are unknown.

    One for each id of `encode_source`; that of the stop is empty.
    """
    line = moses.prepare(text, self._languages[0], **self._prepare)
    return [*self.source.split(line), ""]

  def decode(self, ids: Any, copies: Sequence[str] = ()) -> str:
    """The text of the target's ids `[time]`, as one reads it.

    Args:
      ids: reserved ones are left out.
      copies: a symbol of the source for each id, which is written where the
        target's is unknown; see `split_source`.
    """
    cut = self.target
    ids = np.asarray(ids, int)
    if copies:
      keep = (ids > cut.stop) | (ids == cut.unknown)
      rows = zip(ids, cut.symbols(ids), copies, keep, strict=True)
      written = [c if i == cut.unknown else s for i, s, c, k in rows if k]
      line = cut.join(written)
    else:
      line = cut.decode(ids[ids > cut.stop])
    # Subwords can write every byte: a text stays one line.
    line = line.replace("\n", " ").replace("\r", " ")
    if self._prepare["moses"]:
      return moses.restore(line, self._languages[1])
    return line

  def read(self, path: str) -> list[str]:
    """Texts to translate, a line each; an empty line is an empty text."""
    return [line.strip() for line in text.lines_of(path)]


def within(
  lengths: np.ndarray, max_length: int, sources: Sequence[str] = ()
) -> np.ndarray:
  """Which pairs of training no side of is too long; says how many are.

  Args:
    lengths: number of tokens with the stop, int `[n, 2]`.
    max_length: `data.max_length`; 0 keeps all.
    sources: their texts, of which the first that is too long is shown.

  Returns:
    bool `[n]`.

  Raises:
    InputError: there are none.
  """
  kept = (lengths <= (max_length or np.inf)).all(1)
  if not kept.any():
    raise InputError(
      f"config.data.max_length is {max_length}, which leaves none of"
      f" {len(kept)} pairs; the shortest has {int(lengths.max(1).min())} tokens"
    )
  if dropped := int((~kept).sum()):
    first = ""
    if sources:
      first = f"; the first: {text.shorten(sources[int(kept.argmin())])}"
    print(
      f"training: {dropped} of {len(kept)} pairs are longer than"
      f" config.data.max_length = {max_length} tokens and dropped{first}",
      file=sys.stderr,
    )
  return kept


def _fit(lines: list[str], data: Config) -> Any:
  if data.tokenizer == subwords.NAME:
    return subwords.Subwords.fit(lines, data.vocab_size)
  reserved = len(tokens.RESERVED)
  if 0 < data.vocab_size <= reserved:
    raise InputError(
      f"config.data.vocab_size is {data.vocab_size}, expected 0 (all) or more"
      f" than the {reserved} reserved ids"
    )
  cut = tokens.Tokenizer(TOKENIZERS[data.tokenizer])
  return tokens.Tokens.fit(
    [symbol for line in lines for symbol in cut.split(line)],
    tokenizer=cut.name,
    min_count=data.min_count,
    max_size=max(0, data.vocab_size - reserved),
    reserved=tokens.RESERVED,
  )


def _check(data: Config) -> None:
  config = {"data": data}
  settings.one_of(config, TOKENIZERS, "data.tokenizer")
  settings.at_least(config, 1, "data.min_count")
  settings.at_least(config, 0, "data.max_length", "data.vocab_size")
  settings.rate(config, "data.subword_dropout")
  if data.subword_dropout and data.tokenizer != subwords.NAME:
    raise InputError(
      f"config.data.subword_dropout is {data.subword_dropout}, expected 0 with"
      f" config.data.tokenizer = {data.tokenizer!r}: it is for"
      f" {subwords.NAME!r}"
    )
