"""A tag for every token: people, organisations, times."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from seqjax import config as settings
from seqjax import files, nn
from seqjax.data import batching, conll
from seqjax.data.examples import Splits, check_several, held_out
from seqjax.errors import extra
from seqjax.models import layers
from seqjax.models.tagger import Tagger
from seqjax.nn import crf
from seqjax.tasks import base

_ZERO: Any = 0  # of a kind that nothing was found of


class Batch(NamedTuple):
  """Padded sentences; a row without one has weight 0."""

  tokens: conll.Encoded  # [batch, time, ...]
  tags: Any  # int32 [batch, time]
  lengths: Any  # int32 [batch]
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the sentence's place in its split


class Tagging(base.Task):
  """BIO tags by a BiLSTM-CRF; see `data.conll` for the format.

  Vocabularies are those of the training part; tags too, a new one elsewhere is
  an error.
  """

  unit = "sentences"
  loss_unit = "nats/sentence"
  modes = ("tag",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "eval_batch_size", "num_buckets")
    settings.rate(config, "model.dropout", "model.word_dropout")
    sizes = "embed_size", "shape_embed_size", "char_embed_size"
    settings.at_least(config, 1, *(f"model.{size}" for size in sizes))
    settings.at_least(config, 1, "model.char_hidden_size", "data.min_count")
    model = config.model
    self._make = layers.create(model)
    self._make_chars = layers.create(
      model, hidden_size=model.char_hidden_size, num_layers=1
    )

  @functools.cached_property
  def splits(self) -> Splits:
    """The sentences of each part."""
    return conll.load(self.config.data, self.config.seed)

  @functools.cached_property
  def encoder(self) -> conll.Encoder:
    """From sentences to ids."""
    if self.saved:
      return conll.Encoder(**self.saved)
    config = self.config
    return conll.Encoder.fit(self.splits.train, config.data, config.seed)

  def state(self):
    return self.encoder.state

  def vocabularies(self):
    state = self.encoder.state
    return {
      "embed": state["words"],
      "shape_embed": state["shapes"],
      "chars.embed": state["letters"],
      "head": state["tags"],
      "crf": state["tags"],
    }

  def build(self, key):
    model, encoder = self.config.model, self.encoder
    return Tagger(
      self._make,
      self._make_chars,
      len(encoder.tags),
      num_words=len(encoder.words),
      num_shapes=len(encoder.shapes),
      num_chars=len(encoder.letters),
      embed_size=model.embed_size,
      shape_embed_size=model.shape_embed_size,
      char_embed_size=model.char_embed_size,
      char_size=2 * model.char_hidden_size,
      dropout=model.dropout,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    """All parts at once: a mistake in one is found before training."""
    return {
      name: self._loader(
        [sentence.tokens for sentence in part],
        [self.encoder.tag_ids(name, sentence) for sentence in part],
      )
      for name, part in self.splits._asdict().items()
    }

  def _loader(self, sentences: Sequence[Any], tags: Sequence[Any]):
    arrays = [self.encoder.encode(tokens) for tokens in sentences]
    empty = self.encoder.encode([])

    def collate(members, rows, padded):
      chosen = [arrays[i] for i in members]
      pad = functools.partial(batching.pad, rows=rows, length=padded)
      counts = [len(one.words) for one in chosen]
      columns = zip(zip(*chosen, strict=True), empty, strict=True)
      return Batch(
        conll.Encoded(*(pad(column, like=like) for column, like in columns)),
        pad([tags[i] for i in members], like=empty.words),
        batching.fill(counts, rows, np.int32),
        batching.fill(np.ones(len(members)), rows, np.float32),
        batching.fill(members, rows, np.int32),
      )

    return batching.Loader(
      [len(one.words) for one in arrays],
      collate,
      self.config.batch_size,
      num_buckets=self.config.num_buckets,
      seed=self.config.seed,
    )

  def train_batches(self):
    _seqeval_metrics()  # evaluation needs them: said now, not after a while
    return self._loaders["train"].train()

  def evaluation_batches(self, split):
    return self._loaders[split].once(self.config.eval_batch_size)

  def _emissions(self, params, batch: Batch, key=None):
    return self.apply(params, *batch.tokens, lengths=batch.lengths, key=key)

  def loss(self, params, batch: Batch, carry, key):
    drop_key, key = jax.random.split(key)
    words = nn.drop_tokens(
      drop_key,
      batch.tokens.words,
      self.config.model.word_dropout,
      self.encoder.words.unknown,
    )
    batch = batch._replace(tokens=batch.tokens._replace(words=words))
    field, emissions = self._emissions(params, batch, key)
    return self._nats(field, emissions, batch), {}, carry

  def _nats(self, field: crf.CRF, emissions, batch: Batch):
    """Sum of -log p(tags), and the number of sentences."""
    nats = -crf.log_likelihood(field, emissions, batch.tags, batch.lengths)
    return (batch.weights * nats).sum(), batch.weights.sum()

  def evaluate(self, params, batch: Batch, carry):
    field, emissions = self._emissions(params, batch)
    loss = self._nats(field, emissions, batch)
    tags = self._decode(field, emissions, batch.lengths)
    found = tags, batch.lengths, batch.indices, batch.weights
    return {"loss": loss}, carry, found

  def _decode(self, field: crf.CRF, emissions, lengths) -> jax.Array:
    """The likeliest tags that BIO allows, `[batch, time]`."""
    tags = self.encoder.tags
    field = crf.constrain(field, *crf.bio_constraints(tags))
    penalty = self.config.model.outside_penalty
    emissions = emissions.at[..., tags.index("O")].add(-penalty)
    return crf.viterbi(field, emissions, lengths)[0]

  def _names(self, outputs) -> list[list[str]]:
    """The tags of every sentence, in the order of the sentences."""
    tags, lengths, indices, weights = zip(*outputs, strict=True)
    rows = [
      list(zip(*batch, strict=True))
      for batch in zip(tags, lengths, strict=True)
    ]
    return [
      [self.encoder.tags[tag] for tag in row[:length]]
      for row, length in batching.in_order(rows, indices, weights)
    ]

  def scores(self, outputs, split):
    """Entity-level precision, recall and F1 over all kinds (seqeval)."""
    if not outputs:
      return {}
    true = [sentence.tags for sentence in getattr(self.splits, split)]
    found = self._names(outputs)
    metrics = _seqeval_metrics()
    measures: dict[str, Any] = {
      "f1": metrics.f1_score,
      "precision": metrics.precision_score,
      "recall": metrics.recall_score,
    }
    return {
      name: float(measure(true, found, average="micro", zero_division=_ZERO))
      for name, measure in measures.items()
    }

  def tag(
    self, params, sentences: Sequence[Sequence[str] | str]
  ) -> list[list[str]]:
    """The tags of each token of each sentence.

    Args:
      params: the model's parameters.
      sentences: lists of words, or texts with blanks between words.

    Raises:
      InputError: a text alone, expected a list of them.
    """
    check_several("sentences", sentences)
    if not len(sentences):
      return []
    words = [s.split() if isinstance(s, str) else s for s in sentences]
    blank = [np.zeros(len(tokens), np.int32) for tokens in words]
    batches = self._loader(words, blank).few_shapes(self.config.eval_batch_size)
    return self._names(self.outputs(params, batches))

  def tag_mode(self, params, *, input: str = "-") -> str:
    """A token and its tag a line, a blank line after each sentence, in order.

    Args:
      params: the model's parameters.
      input: a file with a sentence a line, words parted by blanks; "-" is
        standard input.
    """
    sentences = self.encoder.read(input)
    tags = self.tag(params, sentences)
    return conll.write(
      [conll.Sentence(*pair) for pair in zip(sentences, tags, strict=True)]
    )

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Scores of each kind of entity, and sentences with theirs in brackets."""
    name = held_out(self.splits)
    sentences = getattr(self.splits, name)
    _, outputs = self.evaluate_split(params, name)
    found = [
      conll.Sentence(sentence.tokens, tags)
      for sentence, tags in zip(sentences, self._names(outputs), strict=True)
    ]
    report = _seqeval_metrics().classification_report(
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
    files.write(directory / "entities.txt", written + "\n")
    return written


def _seqeval_metrics() -> Any:
  """Takes a second to import, and is no use to tagging itself."""
  with extra():
    from seqeval import metrics
  return metrics
