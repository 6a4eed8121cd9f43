"""A tag for every token: names in sentences, the structure of proteins."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from seqjax import config as settings
from seqjax import files, nn
from seqjax.data import batching, formats
from seqjax.data.examples import Splits, Tagged, check_several, held_out
from seqjax.models import layers
from seqjax.models.aligned import READ_OUTS, Aligned
from seqjax.nn import crf
from seqjax.tasks import base

# Where the parameters are of what a format embeds.
_PARAMETERS = {"char_embed": "chars.embed"}


class Batch(NamedTuple):
  """Padded sequences; a row without one has weight 0."""

  tokens: Any  # the encoder's arrays [batch, time, ...]
  tags: Any  # int32 [batch, time]
  lengths: Any  # int32 [batch]
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the sequence's place in its split


class Tagging(base.Task):
  """Tags of the tokens of a format, see `data.formats`, by `Aligned`.

  What the encoder knows is of the training part; tags too, a new one elsewhere
  is an error. Tags that are BIO, of phrases, are so in what is found.
  """

  unit = "sequences"
  loss_unit = "nats/sequence"
  modes = ("tag",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    model = config.model
    settings.at_least(config, 1, "eval_batch_size", "num_buckets")
    settings.rate(config, "model.dropout", "model.word_dropout")
    settings.at_least(config, 0, "model.neighbours")
    settings.at_least(config, min(model.neighbours, 1), "model.filters")
    settings.one_of(config, READ_OUTS, "model.read_out")
    settings.one_of(config, ("path", "steps"), "model.decode")
    self._format = formats.find(config.data.format, formats.HOLDS_TAGS)
    self._embeds = self._format.Encoder.embeds
    settings.at_least(config, 1, *(f"model.{e}_size" for e in self._embeds))
    self._make = layers.create(model)
    self._spelled: dict[str, Any] = {}
    if "char_embed" in self._embeds:
      settings.at_least(config, 1, "model.char_hidden_size")
      size = model.char_hidden_size
      make = layers.create(model, hidden_size=size, num_layers=1)
      self._spelled = {"char_make": make, "char_size": 2 * size}

  @functools.cached_property
  def splits(self) -> Splits:
    """The sequences of each part."""
    return self._format.load(self.config.data, self.config.seed)

  @functools.cached_property
  def encoder(self) -> Any:
    """From tokens to arrays."""
    if self.saved:
      return self._format.Encoder(**self.saved)
    config = self.config
    return self._format.Encoder.fit(self.splits.train, config.data, config.seed)

  def state(self):
    return self.encoder.state

  def vocabularies(self):
    columns = self.encoder.columns.items()
    symbols = {_PARAMETERS.get(e, e): known.names for e, known in columns}
    return {**symbols, "head": self.encoder.tags, "crf": self.encoder.tags}

  def build(self, key):
    model, encoder = self.config.model, self.encoder
    columns = {
      embed: (len(known), model[f"{embed}_size"])
      for embed, known in encoder.columns.items()
    }
    return Aligned(
      self._make,
      len(encoder.tags),
      input_size=encoder.input_size,
      **columns,
      **self._spelled,
      neighbours=model.neighbours,
      filters=model.filters,
      read_out=model.read_out,
      dropout=model.dropout,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    """All parts at once: a mistake in one is found before training."""
    return {
      name: self._loader(
        [example.tokens for example in part],
        [self.encoder.tag_ids(name, example) for example in part],
      )
      for name, part in self.splits._asdict().items()
    }

  def _loader(self, sequences: Sequence[Any], tags: Sequence[Any] = ()):
    arrays = [self.encoder.encode(tokens) for tokens in sequences]
    lengths, empty = [len(one[0]) for one in arrays], self.encoder.encode([])
    tags = tags or [np.zeros(length, np.int32) for length in lengths]

    def collate(members, rows, padded):
      chosen = [arrays[i] for i in members]
      pad = functools.partial(batching.pad, rows=rows, length=padded)
      columns = zip(zip(*chosen, strict=True), empty, strict=True)
      return Batch(
        type(empty)(*(pad(column, like=like) for column, like in columns)),
        pad([tags[i] for i in members], like=np.zeros(0, np.int32)),
        batching.fill([lengths[i] for i in members], rows, np.int32),
        batching.fill(np.ones(len(members)), rows, np.float32),
        batching.fill(members, rows, np.int32),
      )

    return batching.Loader(
      lengths,
      collate,
      self.config.batch_size,
      num_buckets=self.config.num_buckets,
      seed=self.config.seed,
    )

  def train_batches(self):
    batches, some = self._loaders["train"].train(), self.splits.train[:1]
    # Evaluation needs libraries: said now, not after a while.
    self._format.scores(some, [one.tags for one in some], self.config.data)
    return batches

  def evaluation_batches(self, split):
    return self._loaders[split].once(self.config.eval_batch_size)

  def _emissions(self, params, batch: Batch, key=None):
    return self.apply(params, *batch.tokens, lengths=batch.lengths, key=key)

  def loss(self, params, batch: Batch, carry, key):
    drop_key, key = jax.random.split(key)
    first, *others = batch.tokens
    rate, unknown = self.config.model.word_dropout, self.encoder.unknown
    first = nn.drop_tokens(drop_key, first, rate, unknown)
    batch = batch._replace(tokens=(first, *others))
    field, emissions = self._emissions(params, batch, key)
    return self._nats(field, emissions, batch), {}, carry

  def _nats(self, field: crf.CRF, emissions, batch: Batch):
    """Sum of -log p(tags), and the number of sequences."""
    nats = -crf.log_likelihood(field, emissions, batch.tags, batch.lengths)
    return (batch.weights * nats).sum(), batch.weights.sum()

  def evaluate(self, params, batch: Batch, carry):
    field, emissions = self._emissions(params, batch)
    loss = self._nats(field, emissions, batch)
    tags = self._decode(field, emissions, batch.lengths)
    found = tags, batch.lengths, batch.indices, batch.weights
    return {"loss": loss}, carry, found

  def _decode(self, field: crf.CRF, emissions, lengths) -> jax.Array:
    """The likeliest tags, of BIO tags the likeliest allowed: `[batch, time]`.

    The likeliest path, or at each step the likeliest tag: that gets more steps
    right, but a path may be none that is allowed. The first tag, "O" or coil,
    is what stands where there is nothing.
    """
    field = crf.constrain(field, *crf.bio_constraints(self.encoder.tags))
    penalty = self.config.model.outside_penalty
    emissions = emissions.at[..., 0].add(-penalty)
    if self.config.model.decode == "path":
      return crf.viterbi(field, emissions, lengths)[0]
    return crf.marginals(field, emissions, lengths).argmax(axis=-1)

  def _names(self, outputs) -> list[list[str]]:
    """The tags of every sequence, in the order of the sequences."""
    return [
      [self.encoder.tags[tag] for tag in row]
      for row in batching.cut_in_order(outputs)
    ]

  def scores(self, outputs, split):
    """What the format measures, of one pass over the split."""
    if not outputs:
      return {}
    examples, found = getattr(self.splits, split), self._names(outputs)
    return self._format.scores(examples, found, self.config.data)

  def tag(
    self, params, sentences: Sequence[Sequence[str] | str]
  ) -> list[list[str]]:
    """The tags of each token of each sentence.

    Args:
      params: the model's parameters.
      sentences: lists of words, or texts with blanks between words; of
        proteins, texts of letters.

    Raises:
      InputError: a text alone, expected a list of them.
    """
    check_several("sentences", sentences)
    if not len(sentences):
      return []
    batches = self._loader(sentences).few_shapes(self.config.eval_batch_size)
    return self._names(self.outputs(params, batches))

  def tag_mode(self, params, *, input: str = "-") -> str:
    """The inputs and their tags, in order, in the format of training.

    Args:
      params: the model's parameters.
      input: a file with a sentence a line, words parted by blanks; of proteins
        a FASTA file, or a sequence a line; "-" is standard input.
    """
    sentences = self.encoder.read(input)
    tags = self.tag(params, sentences)
    pairs = zip(sentences, tags, strict=True)
    return self._format.write([Tagged(*pair) for pair in pairs])

  def showcase(self, params, directory: pathlib.Path) -> str:
    """What the format shows: scores, and examples with what was found."""
    name = held_out(self.splits)
    examples = getattr(self.splits, name)
    _, outputs = self.evaluate_split(params, name)
    written = self._format.report(name, examples, self._names(outputs))
    if layers.is_transformer(self.config.model):
      path = self._draw_self_attention(params, examples, directory)
      written += f"\n\nWhich step looks at which: {path}"
    files.write(directory / self._format.REPORT, written + "\n")
    return written

  def _draw_self_attention(self, params, examples, directory) -> pathlib.Path:
    """A picture of the last block, of the sequence nearest to 50 steps."""
    from seqjax.show import attention  # no use to a tag

    tokens = min(examples, key=lambda each: abs(len(each.tokens) - 50)).tokens
    (batch,) = self._loader([tokens]).few_shapes(1)
    looks = jax.jit(functools.partial(self.apply, method="self_attention"))
    weights = looks(params, *batch.tokens, lengths=batch.lengths)[-1][0]
    path = directory / "self_attention.png"
    title = f"{len(tokens)} steps: which looks at which"
    attention.draw(path, list(tokens), weights, title)
    return path
