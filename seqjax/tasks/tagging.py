"""A tag for every token: people, organisations, times."""

import functools
import json
import pathlib
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from seqeval import metrics as seqeval_metrics

from seqjax import nn
from seqjax.config import Config
from seqjax.data import batching, conll
from seqjax.data.encoders import lines_of
from seqjax.data.examples import Splits
from seqjax.data.vocabulary import (
  UNKNOWN,
  CharVocabulary,
  WordVocabulary,
  read_saved,
)
from seqjax.data.words import shape
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.tagger import Tagger
from seqjax.nn import crf as crf_lib

VOCABULARY_FILE = "vocabulary.json"
# Longer words are cut for the character model: links, mostly.
MAX_LETTERS = 24
_ZERO: Any = 0  # of a kind that nothing was found of


class Batch(NamedTuple):
  """Padded sentences; a row without one has length 0."""

  words: Any  # int32 [batch, time]
  shapes: Any  # int32 [batch, time]
  letters: Any  # int32 [batch, time, MAX_LETTERS]
  letter_counts: Any  # int32 [batch, time]
  tags: Any  # int32 [batch, time]
  lengths: Any  # int32 [batch]
  indices: Any  # int32 [batch], the sentence's place in its split


def create(config: Config, saved: pathlib.Path | None) -> "Tagging":
  return Tagging(config, saved)


class Tagging:
  """See `seqjax.tasks.base.Task` for the contract.

  Words are looked up in lower case, what is lost by that the letters tell.
  Vocabularies are those of the training part; tags too, a new one elsewhere is
  an error.
  """

  unit = "sentences"
  loss_unit = "nats/sentence"

  def __init__(self, config: Config, saved: pathlib.Path | None):
    model = config.model
    for field in ("batch_size", "eval_batch_size", "num_buckets"):
      if config[field] < 1:
        raise InputError(f"config.{field} is {config[field]}, expected >= 1")
    for field in ("dropout", "word_dropout"):
      if not 0 <= model[field] < 1:
        raise InputError(
          f"config.model.{field} is {model[field]}, expected a rate in [0, 1)"
        )
    for field in (
      "embed_size",
      "shape_embed_size",
      "char_embed_size",
      "char_hidden_size",
    ):
      if model[field] < 1:
        raise InputError(
          f"config.model.{field} is {model[field]}, expected >= 1"
        )
    self._config, self._saved = config, saved
    self._make = layers.create(model, bidirectional=True)
    self._char_make = layers.create(
      model,
      bidirectional=True,
      hidden_size=model.char_hidden_size,
      num_layers=1,
    )
    self.items_per_step = config.batch_size
    self.modes = {"tag": self.tag}

  @functools.cached_property
  def _splits(self) -> Splits:
    data = self._config.data
    if not data.path:
      return _cut(conll.generate(data.examples, self._config.seed), data)
    path = pathlib.Path(data.path)
    if not path.is_dir():
      return _cut(conll.read(path), data)
    files = [data.train_file, data.validation_file, data.test_file]
    return Splits(*(conll.read(path / name) for name in files))

  @functools.cached_property
  def _vocabulary(self) -> dict[str, list[str]]:
    if self._saved:
      path = self._saved / VOCABULARY_FILE
      fields = ("words", "shapes", "symbols", "tags")
      return {field: read_saved(path, field) for field in fields}
    sentences = self._splits.train
    tokens = [token for sentence in sentences for token in sentence.tokens]
    kinds = {tag[2:] for s in sentences for tag in s.tags if tag != "O"}
    words = WordVocabulary.count(
      (token.lower() for token in tokens), self._config.data.min_count
    )
    return {
      "words": words.words,
      "shapes": WordVocabulary.count(map(shape, tokens), 2).words,
      "symbols": sorted({symbol for token in tokens for symbol in token}),
      "tags": ["O"] + [f"{p}-{kind}" for kind in sorted(kinds) for p in "BI"],
    }

  @functools.cached_property
  def _words(self) -> WordVocabulary:
    return WordVocabulary(self._vocabulary["words"])

  @functools.cached_property
  def _shapes(self) -> WordVocabulary:
    return WordVocabulary(self._vocabulary["shapes"])

  @functools.cached_property
  def _symbols(self) -> CharVocabulary:
    return CharVocabulary(self._vocabulary["symbols"])

  @property
  def tags(self) -> list[str]:
    return self._vocabulary["tags"]

  def save(self, directory: pathlib.Path) -> None:
    record = json.dumps(self._vocabulary, ensure_ascii=False) + "\n"
    (directory / VOCABULARY_FILE).write_text(record, "utf-8")

  @functools.cached_property
  def _functional(self):
    model = self._config.model
    build = lambda key: Tagger(
      self._make,
      self._char_make,
      len(self.tags),
      num_words=len(self._words),
      num_shapes=len(self._shapes),
      num_chars=len(self._symbols),
      embed_size=model.embed_size,
      shape_embed_size=model.shape_embed_size,
      char_embed_size=model.char_embed_size,
      char_size=2 * model.char_hidden_size,
      dropout=model.dropout,
      compute_dtype=model.compute_dtype,
      key=key,
    )
    return build, nn.functionalize(build(jax.random.key(0)))[1]

  def _emissions(self, params, batch: Batch, key=None):
    return self._functional[1](
      params,
      batch.words,
      batch.shapes,
      batch.letters,
      batch.letter_counts,
      lengths=batch.lengths,
      key=key,
    )

  def init(self, key):
    return nn.functionalize(self._functional[0](key))[0]

  def initial_carry(self, params):
    del params
    return ()

  evaluation_carry = initial_carry

  def _check_tags(self, split: str) -> None:
    """Raises InputError for a tag that training does not have."""
    for sentence in getattr(self._splits, split):
      for token, tag in zip(*sentence, strict=True):
        if tag not in self.tags:
          raise InputError(
            f"the {split} part holds the tag {tag!r} ({token!r}), which"
            f" training does not: it knows {', '.join(self.tags)}"
          )

  def _encode(self, sentences) -> list[tuple]:
    """For each sentence the first five fields of a batch."""
    ids = {tag: i for i, tag in enumerate(self.tags)}
    found = []
    for tokens, tags in sentences:
      letters = [self._symbols.encode(token[:MAX_LETTERS]) for token in tokens]
      found.append(
        (
          self._words.encode(token.lower() for token in tokens),
          self._shapes.encode(map(shape, tokens)),
          batching.pad(letters, len(tokens), MAX_LETTERS),
          np.array([len(one) for one in letters], np.int32),
          np.array([ids[tag] for tag in tags], np.int32),
        )
      )
    return found

  def _batch(self, encoded, indices, length) -> Batch:
    chosen = [encoded[i] for i in indices if i >= 0]
    rows = len(indices)
    counts = np.zeros(rows, np.int32)
    counts[: len(chosen)] = [len(words) for words, *_ in chosen]
    words, shapes, letters, letter_counts, tags = (
      batching.pad(column, rows, length) for column in zip(*chosen, strict=True)
    )
    places = indices.astype(np.int32)
    return Batch(words, shapes, letters, letter_counts, tags, counts, places)

  def train_batches(self):
    config = self._config
    for split in ("validation", "test"):
      self._check_tags(split)
    encoded = self._encode(self._splits.train)
    buckets = batching.Buckets(
      [len(words) for words, *_ in encoded],
      config.batch_size,
      num_buckets=config.num_buckets,
      seed=config.seed,
    )
    return batching.endless(lambda step: self._batch(encoded, *buckets[step]))

  def _in_order(self, encoded) -> Iterable[Batch]:
    if encoded:
      buckets = batching.Buckets(
        [len(words) for words, *_ in encoded],
        self._config.eval_batch_size,
        num_buckets=self._config.num_buckets,
      )
      for indices, length in buckets:
        yield self._batch(encoded, indices, length)

  def evaluation_batches(self, split: str) -> Iterable[Batch]:
    return self._in_order(self._encode(getattr(self._splits, split)))

  def loss(self, params, batch: Batch, carry, key):
    drop_key, key = jax.random.split(key)
    rate = self._config.model.word_dropout
    words = nn.drop_tokens(drop_key, batch.words, rate, UNKNOWN)
    batch = batch._replace(words=words)
    total, count = self._nats(params, batch, key)
    return total / count, {"loss": (total, count)}, carry

  def evaluate(self, params, batch: Batch, carry):
    return {"loss": self._nats(params, batch, None)}, carry

  def _nats(self, params, batch: Batch, key):
    """Sum of -log p(tags), and the number of sentences."""
    crf, emissions = self._emissions(params, batch, key)
    nats = -crf_lib.log_likelihood(crf, emissions, batch.tags, batch.lengths)
    return nats.sum(), (batch.lengths > 0).sum().astype(jnp.float32)

  def summarize(self, means: dict[str, float]) -> dict[str, float]:
    return means

  @functools.cached_property
  def _decode(self):
    allowed, first = crf_lib.bio_constraints(self.tags)

    @jax.jit
    def decode(params, batch):
      crf, emissions = self._emissions(params, batch)
      crf = crf_lib.constrain(crf, allowed, first)
      penalty = self._config.model.outside_penalty
      emissions = emissions.at[..., self.tags.index("O")].add(-penalty)
      return crf_lib.viterbi(crf, emissions, batch.lengths)[0]

    return decode

  def _tagged(self, params, encoded) -> list[list[str]]:
    """The tags of every sentence, in order."""
    found: list[list[str]] = [[] for _ in encoded]
    for batch in self._in_order(encoded):
      tags = np.asarray(self._decode(params, batch))
      for row, index in enumerate(batch.indices):
        if index >= 0:
          valid = tags[row, : batch.lengths[row]]
          found[index] = [self.tags[tag] for tag in valid]
    return found

  def scores(self, params, split: str) -> dict[str, float]:
    """Entity-level precision, recall and F1 over all kinds (seqeval)."""
    sentences = getattr(self._splits, split)
    if not sentences:
      return {}
    found = self._tagged(params, self._encode(sentences))
    true = [sentence.tags for sentence in sentences]
    measures: dict[str, Any] = {
      "f1": seqeval_metrics.f1_score,
      "precision": seqeval_metrics.precision_score,
      "recall": seqeval_metrics.recall_score,
    }
    return {
      name: float(measure(true, found, average="micro", zero_division=_ZERO))
      for name, measure in measures.items()
    }

  def gradient_norms(self, params, batch: Batch, carry):
    raise InputError(
      "config.probes.gradients_every is not for tagging, expected 0: every step"
      " is next to the loss of its own tag"
    )

  def tag(self, params, *, input: str = "-") -> str:
    """Tags sentences, one a line, words parted by blanks.

    Args:
      params: the model's parameters.
      input: a file; "-" is standard input.

    Returns:
      A token and its tag a line, a blank line after each sentence, in order:
      what `data.conll` reads.

    Raises:
      InputError: the input cannot be read.
    """
    if input == "-" and sys.stdin.isatty():
      print("reading standard input, end with Ctrl-D", file=sys.stderr)
    lines = [line.split() for line in lines_of(input)]
    return conll.write(self._sentences(params, lines))

  def _sentences(self, params, lines) -> list[conll.Sentence]:
    blank = [conll.Sentence(tokens, ["O"] * len(tokens)) for tokens in lines]
    found = self._tagged(params, self._encode(blank))
    return [
      conll.Sentence(tokens, tags)
      for tokens, tags in zip(lines, found, strict=True)
    ]

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Scores of each kind of entity, and sentences with theirs in brackets."""
    name = "test" if self._splits.test else "validation"
    sentences = getattr(self._splits, name) or self._splits.train
    found = self._sentences(params, [s.tokens for s in sentences])
    report = seqeval_metrics.classification_report(
      [s.tags for s in sentences],
      [s.tags for s in found],
      digits=3,
      zero_division=_ZERO,
    )
    lines = [f"{name} part, {len(sentences)} sentences", str(report)]
    telling = [i for i, s in enumerate(sentences) if set(s.tags) != {"O"}][:8]
    for index in telling:
      lines.append(f"true:  {conll.bracketed(sentences[index])}")
      lines.append(f"model: {conll.bracketed(found[index])}")
    written = "\n".join(lines)
    (directory / "entities.txt").write_text(written + "\n", "utf-8")
    return written


def _cut(sentences, data) -> Splits:
  """Contiguous parts: neighbouring sentences are of one text."""
  return Splits(*batching.split(sentences, data.validation, data.test))
