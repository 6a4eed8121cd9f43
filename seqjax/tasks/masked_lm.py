"""Masked words from both sides: what a text teaches without labels (BERT)."""

import functools
import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import config as settings
from seqjax import files, nn
from seqjax.data import batching, ngram, sentences, text, tsv
from seqjax.data.examples import Example, Splits, check_several, held_out
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.masked_lm import Masked, MaskedLanguageModel, mask_words
from seqjax.tasks import base

MASK = "[MASK]"  # how a masked word is written
_SHOWN = 12  # sentences at the end of a run


class Batch(NamedTuple):
  """Padded sentences; rows without one have weight 0."""

  tokens: Any  # int32 [batch, time], 0 behind the end
  lengths: Any  # int32 [batch]
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the sentence's place in its split


class MaskedLanguageModeling(base.Task):
  """Sentences of which some words are masked, by `MaskedLanguageModel`.

  What is masked is drawn anew at every step. In evaluation it depends on the
  seed and the sentence alone, and every chosen place reads as the mask: a word
  that was left as it is could be read off. Beside the accuracy there stands
  that of a count model of the words next to the place, see `ngram`.

  A run that begins from this one by `config.init_from` has the embedding and
  the layers, see `classification`.
  """

  unit = "sentences"
  loss_unit = "nats/word"
  modes = ("fill",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "eval_batch_size", "num_buckets")
    settings.at_least(config, 1, "data.min_count", "data.max_length")
    settings.at_least(config, 1, "model.embed_size")
    settings.rate(config, "model.dropout")
    masking = config.masking
    settings.rate(config, "masking.rate")
    settings.at_least(config, 0.0, "masking.mask", "masking.random")
    if not masking.rate or masking.mask + masking.random > 1 + 1e-9:
      raise InputError(
        f"config.masking is rate {masking.rate}, mask {masking.mask}, random"
        f" {masking.random}, expected a rate above 0 and two shares of at most"
        " 1 together"
      )
    longest = {"config.data.max_length": config.data.max_length}
    layers.check_steps(config.model, longest)
    self._make = layers.create(config.model)
    self._beside: dict[str, dict[str, float]] = {}  # see `scores`

  @functools.cached_property
  def splits(self) -> Splits:
    """The sentences of each part, lists of words."""
    return sentences.load(self.config.data, self.config.seed)

  @functools.cached_property
  def encoder(self) -> tsv.Encoder:
    """From words to ids, as `sentiment.py` has them."""
    if self.saved:
      return tsv.Encoder(**self.saved["encoder"])
    # A file that is named twice, to count for more, makes no word common.
    different = dict.fromkeys(map(tuple, self.splits.train))
    examples = [Example(words, "") for words in different]
    return tsv.Encoder.fit(examples, self.config.data, self.config.seed)

  @property
  def _first_word(self) -> int:
    return self.encoder.unknown + 1

  def state(self):
    parts = self.splits._asdict().items()
    counts = {name: len(part) for name, part in parts}
    return {"encoder": self.encoder.state, "sentences": counts}

  def vocabularies(self):
    names = self.encoder.names
    return {"embed": [*names, MASK], "bias": names[self._first_word :]}

  def build(self, key):
    model = self.config.model
    return MaskedLanguageModel(
      self._make,
      self.encoder.vocab_size,
      self._first_word,
      embed_size=model.embed_size,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    return {
      name: self._loader([self.encoder.encode(words) for words in part])
      for name, part in self.splits._asdict().items()
    }

  def _loader(self, arrays: list[np.ndarray]) -> batching.Loader:
    # Of sentences without a known word nothing could be asked.
    asked = [
      i for i, ids in enumerate(arrays) if (ids >= self._first_word).any()
    ]

    def collate(members, rows, padded):
      members = [asked[i] for i in members]
      chosen = [arrays[i] for i in members]
      like = np.zeros(0, np.int32)
      return Batch(
        batching.pad(chosen, rows, padded, like),
        batching.fill([len(ids) for ids in chosen], rows, np.int32),
        batching.fill(np.ones(len(members)), rows, np.float32),
        batching.fill(members, rows, np.int32),
      )

    return batching.Loader(
      [len(arrays[i]) for i in asked],
      collate,
      self.config.batch_size,
      num_buckets=self.config.num_buckets,
      seed=self.config.seed,
    )

  def train_batches(self):
    return self._loaders["train"].train()

  def evaluation_batches(self, split):
    return self._loaders[split].once(self.config.eval_batch_size)

  def mask(self, keys: jax.Array, tokens: jax.Array, **shares: float) -> Masked:
    """`mask_words` of all rows.

    Args:
      keys: `[batch]`.
      tokens: int `[batch, time]`, ids of the encoder, 0 behind the end.
      **shares: in place of the config's.
    """
    masking = self.config.masking
    shares = {
      "mask_share": masking.mask,
      "random_share": masking.random,
    } | shares
    return jax.vmap(
      functools.partial(
        mask_words,
        rate=masking.rate,
        first_word=self._first_word,
        vocab_size=self.encoder.vocab_size,
        width=self.config.data.max_length,
        **shares,
      )
    )(keys, tokens)

  def _nats(self, params, masked: Masked, lengths, key=None):
    """`(nats, logits)` of all places."""
    logits = self.apply(
      params, masked.tokens, masked.places, lengths=lengths, key=key
    )
    # What is not asked for may be no word.
    words = jnp.maximum(masked.words - self._first_word, 0)
    return nn.cross_entropy(logits, words), logits

  def _metrics(self, masked: Masked, nats, logits) -> base.Metrics:
    right = logits.argmax(-1) == masked.words - self._first_word
    count = masked.chosen.sum().astype("float32")
    return {
      "loss": (jnp.where(masked.chosen, nats, 0.0).sum(), count),
      "accuracy": ((masked.chosen & right).sum().astype("float32"), count),
    }

  def loss(self, params, batch: Batch, carry, key):
    mask_key, key = jax.random.split(key)
    keys = jax.random.split(mask_key, len(batch.tokens))
    masked = self.mask(keys, batch.tokens)
    found = self._nats(params, masked, batch.lengths, key)
    metrics = self._metrics(masked, *found)
    return metrics["loss"], metrics, carry

  def mask_again(self, batch: Batch) -> Masked:
    """What evaluation asks of a batch, whatever it shares the batch with."""
    fold = jax.vmap(jax.random.fold_in, (None, 0))
    keys = fold(jax.random.key(self.config.seed), batch.indices)
    masked = self.mask(keys, batch.tokens, mask_share=1.0, random_share=0.0)
    present = batch.weights[:, None] > 0
    return masked._replace(chosen=masked.chosen & present)

  def evaluate(self, params, batch: Batch, carry):
    masked = self.mask_again(batch)
    metrics = self._metrics(masked, *self._nats(params, masked, batch.lengths))
    return metrics, carry, (masked, batch.lengths)

  def summarize(self, means):
    perplexity = math.exp(min(means["loss"], 700.0))
    return {"loss": means["loss"], "perplexity": perplexity, **means}

  @functools.cached_property
  def counts(self) -> ngram.BothNeighbours:
    """The count model, of the training part."""
    rows = [self.encoder.encode(words) for words in self.splits.train]
    return ngram.BothNeighbours(rows, self.encoder.vocab_size)

  def scores(self, outputs, split):
    """Accuracy and perplexity of the count model, at the same places.

    It reads what the network reads: where a neighbour is masked, too, it knows
    the other one alone.
    """
    if split not in self._beside and outputs:
      right, nats = [], []
      for left, asked, behind in map(_neighbours, outputs):
        p = self.counts.probabilities(left, behind)[:, self._first_word :]
        asked = asked - self._first_word
        right.append(p.argmax(-1) == asked)
        nats.append(np.log(p.sum(-1) / p[np.arange(len(p)), asked]))
      self._beside[split] = {
        "count_model_accuracy": float(np.concatenate(right).mean()),
        "count_model_perplexity": math.exp(np.concatenate(nats).mean()),
      }
    return self._beside.get(split, {})

  def fill(
    self, params, texts: Sequence[str], *, top_k: int = 5
  ) -> list[list[list[tuple[str, float]]]]:
    """The likeliest words at the masked places of texts.

    Args:
      params: the model's parameters.
      texts: each with one `[MASK]` or more in place of a word.
      top_k: how many words.

    Returns:
      For each text, for each of its masks, `(word, probability)`, the best
      first.

    Raises:
      InputError: a text alone, one without a mask or longer than the model's
        positions, or `top_k` is out of range.
    """
    check_several("texts", texts)
    words = self.encoder.names[self._first_word :]
    if not 1 <= top_k <= len(words):
      raise InputError(f"top_k is {top_k}, expected 1 to {len(words)}")
    rows = [self._read(one) for one in texts]
    mask = self.encoder.vocab_size
    masks = [np.flatnonzero(ids == mask).astype(np.int32) for ids in rows]
    for one, places in zip(texts, masks, strict=True):
      if not len(places):
        raise InputError(
          f"{text.shorten(one)!r} has no {MASK}, expected one or more: write it"
          " in place of a word"
        )
    longest = max([0, *map(len, rows)])
    layers.check_steps(self.config.model, {"the words of a text": longest})
    most = batching.size(max([1, *map(len, masks)]), 4)

    def collate(members, count, padded):
      chosen = [rows[i] for i in members]
      return (
        batching.pad(chosen, count, padded),
        batching.pad([masks[i] for i in members], count, most),
        batching.fill([len(ids) for ids in chosen], count, np.int32),
        batching.fill(members, count, np.int32),
        batching.fill(np.ones(len(members)), count),
      )

    loader = batching.Loader(
      [len(ids) for ids in rows], collate, len(rows) or 1
    )
    found = []
    for *inputs, indices, weights in loader.few_shapes(
      self.config.eval_batch_size
    ):
      logits = np.asarray(self._guess(params, *inputs))
      found.append((list(logits), indices, weights))
    if not found:
      return []
    ranked = []
    for row, places in zip(
      batching.in_order(*zip(*found, strict=True)), masks, strict=True
    ):
      ranked.append([])
      for shares in row[: len(places)]:
        best = np.argsort(-shares, kind="stable")[:top_k]
        ranked[-1].append([(words[i], float(shares[i])) for i in best])
    return ranked

  @functools.cached_property
  def _guess(self):
    @jax.jit
    def guess(params, tokens, places, lengths):
      logits = self.apply(params, tokens, places, lengths=lengths)
      return jax.nn.softmax(logits)

    return guess

  def _read(self, line: str) -> np.ndarray:
    """The ids of a text with masks in it."""
    mask = np.array([self.encoder.vocab_size], np.int32)
    ids: list[np.ndarray] = []
    for piece in line.split(MASK):
      words = sentences.words_of(piece, self.config.data)
      ids += [mask, self.encoder.encode(words)]
    return np.concatenate(ids[1:])

  def fill_mode(self, params, *, input: str = "-", top_k: int = 5) -> str:
    """The likeliest words at every [MASK], with their probabilities.

    Args:
      params: the model's parameters.
      input: a file, "-" is standard input: a text with [MASK] in it a line.
      top_k: how many words.
    """
    lines = [line for line in text.lines_of(input) if line.strip()]
    return "\n\n".join(
      "\n".join([line, *_told(guesses)])
      for line, guesses in zip(
        lines, self.fill(params, lines, top_k=top_k), strict=True
      )
    )

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Masked words of sentences held out, with the best guesses."""
    name = held_out(self.splits)
    told, names = [f"Of the {name} part"], [*self.encoder.names, MASK]
    part = getattr(self.splits, name)
    some = part[:: max(1, len(part) // _SHOWN)][:_SHOWN]
    loader = self._loader([self.encoder.encode(words) for words in some])
    lines, answers = [], []
    for batch in loader.once(_SHOWN):
      masked = jax.device_get(self.mask_again(batch))
      for row in np.flatnonzero(batch.weights):
        order = np.argsort(masked.places[row])
        order = order[masked.chosen[row][order]]
        answers.append([names[i] for i in masked.words[row][order]])
        ids = masked.tokens[row][: batch.lengths[row]]
        lines.append(" ".join(names[i] for i in ids))
    for line, right, guesses in zip(
      lines, answers, self.fill(params, lines), strict=True
    ):
      told += ["", line, *_told(guesses, right)]
    written = "\n".join(told)
    path = directory / "masked.txt"
    files.write(path, written + "\n")
    return f"{written}\n\nWritten to {path}"


def _told(guesses, right: Sequence[str] = ()) -> list[str]:
  """A line for each mask; in front of it what stood there, if that is known."""
  lines = []
  for number, ranked in enumerate(guesses):
    line = ", ".join(f"{word} {share:.1%}" for word, share in ranked)
    is_ = f"{right[number]}: " if right else ""
    lines.append(f"  {is_}{line}")
  return lines


def _neighbours(output) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """The id in front of each place that is asked, what stood there, the next.

  As the network reads them; outside of the sentence `ngram.EDGE`.
  """
  masked, lengths = output
  rows, columns = np.nonzero(masked.chosen)
  at = masked.places[rows, columns]
  wide = np.pad(masked.tokens, ((0, 0), (1, 1)), constant_values=ngram.EDGE)
  behind = np.where(at + 1 < lengths[rows], wide[rows, at + 2], ngram.EDGE)
  return wide[rows, at], masked.words[rows, columns], behind
