"""Language model: predict the next character or word, write, complete."""

import functools
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from seqjax import config as settings
from seqjax import files
from seqjax.data import batching, ngram, text
from seqjax.data.examples import Splits, contiguous
from seqjax.data.tokens import Tokenizer, Tokens
from seqjax.decode import sampling
from seqjax.decode.prompted import Prompted
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.language_model import LanguageModel
from seqjax.recurrence import length_mask
from seqjax.tasks import base

BLANK = "___"  # what is to be filled in


class LanguageModeling(base.Task):
  """Symbols of a text, one predicted from those before.

  What a symbol is says `config.data.tokenizer`. The vocabulary is that of the
  training part alone; what is not in it counts as "unknown" in evaluation.
  """

  modes = "generate", "complete"

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "window", "eval_batch_size", "eval_window")
    settings.at_least(config, 1, "data.min_count", "showcase.num_tokens")
    settings.at_least(config, 0, "data.max_size", "model.embed_size")
    settings.one_of(config, (0, *ngram.ORDERS), "ngram")
    settings.below(config, "eval_context", "eval_window")
    settings.rate(config, "model.dropout")
    self._tokenizer = Tokenizer(config.data.tokenizer, config.data.lower)
    characters = self._tokenizer.name == "characters"
    self.unit = "chars" if characters else "words"
    self.loss_unit = f"nats/{self.unit.removesuffix('s')}"
    self.context = batching.said(config, self.unit)
    self._make = layers.create(config.model)
    windows = {f"config.{n}": config[n] for n in ("window", "eval_window")}
    layers.check_steps(config.model, windows)
    try:
      sampling.check_options(**self._showcase_options())
    except ValueError as error:
      raise InputError(f"config.showcase.{error}") from error

  @property
  def items_per_step(self):
    return self.config.batch_size * self.config.window

  def _load(self) -> text.Corpus:
    return text.load(self.config.data.name, self.config.data.path)

  @functools.cached_property
  def _corpus(self) -> text.Corpus:
    corpus = self._load()
    if self.saved and (begun := self.saved["sha256"]) != corpus.sha256:
      raise InputError(
        f"{corpus.name}: the text has changed since the run was begun (SHA-256"
        f" {begun[:12]}... then, {corpus.sha256[:12]}... now); use a new"
        " --workdir"
      )
    return corpus

  @functools.cached_property
  def parts(self) -> Splits:
    """The symbols of each part."""
    data = self.config.data
    symbols = self._tokenizer.split(self._corpus.text)
    return contiguous(symbols, data.validation, data.test)

  @functools.cached_property
  def tokens(self) -> Tokens:
    """From symbols to ids."""
    if self.saved:
      return Tokens.from_state(self.saved["tokens"])
    data = self.config.data
    return Tokens.fit(
      self.parts.train,
      tokenizer=data.tokenizer,
      lower=data.lower,
      min_count=data.min_count,
      max_size=data.max_size,
    )

  def state(self):
    parts = self.parts._asdict().items()
    return {
      "name": self._corpus.name,
      "sha256": self._corpus.sha256,
      self.unit: {name: len(part) for name, part in parts},
      "tokens": self.tokens.state,
    }

  def vocabularies(self):
    # Tied, the head is a "bias"; one-hot, the first layer has a row a symbol.
    reads = "embed" if self.config.model.embed_size else "rnn.layers.0"
    return dict.fromkeys((reads, "head", "bias"), self.tokens.vocabulary.names)

  def build(self, key):
    model = self.config.model
    return LanguageModel(
      len(self.tokens),
      self._make,
      embed_size=model.embed_size,
      dropout=model.dropout,
      compute_dtype=model.compute_dtype,
      tie_embeddings=model.tie_embeddings,
      key=key,
    )

  def initial_carry(self, params):
    if not self.config.carry_over:
      return ()
    return self.apply(params, self.config.batch_size, method="initial_carry")

  def evaluation_carry(self, params):
    if self.config.eval_context:
      return ()
    rows = self.config.eval_batch_size
    return self.apply(params, rows, method="initial_carry")

  def train_batches(self):
    config = self.config
    for prompt in (config.showcase.prompt, *config.showcase.prompts):
      self._known(prompt, "config.showcase.prompt")  # now, not after training
    ids = self.tokens.encode(self.parts.train)
    return batching.StreamWindows(
      ids, config.batch_size, config.window, config.seed
    ).iterator()

  def evaluation_batches(self, split):
    return batching.evaluation_windows(
      self.tokens.encode(getattr(self.parts, split)),
      self.config.eval_batch_size,
      self.config.eval_window,
      self.config.eval_context,
    )

  def loss(self, params, batch: batching.Batch, carry, key):
    carry, *nats = self._cross_entropy(params, batch, carry, key)
    return tuple(nats), {}, carry

  def evaluate(self, params, batch: batching.Batch, carry):
    carry, *nats = self._cross_entropy(params, batch, carry, None)
    return {"loss": tuple(nats)}, carry, ()

  def _cross_entropy(self, params, batch: batching.Batch, carry, key):
    """Sum of -log p(target) in nats, and how many count; carry () stays ()."""
    after, logits = self.apply(
      params,
      batch.inputs,
      carry or None,
      key=key,
      lengths=batch.lengths,
      resets=batch.resets if carry else None,
    )
    after = after if carry else ()
    nats = optax.softmax_cross_entropy_with_integer_labels(
      logits, batch.targets
    )
    if batch.lengths is None:
      return after, nats.sum(), jnp.asarray(nats.size, jnp.float32)
    mask = length_mask(batch.lengths, nats.shape[1])
    if batch.context is not None:
      mask &= ~length_mask(batch.context, nats.shape[1])
    return after, jnp.where(mask, nats, 0.0).sum(), mask.sum().astype("float32")

  def gradient_norms(self, params, batch: batching.Batch, carry):
    norms = self.apply(
      params, *batch[:2], carry or None, method="gradient_norms"
    )
    return norms, None

  def summarize(self, means):
    loss = means["loss"]
    return {
      "loss": loss,
      f"bits_per_{self.unit.removesuffix('s')}": loss / math.log(2),
      "perplexity": math.exp(min(loss, 700.0)),
      **means,
    }

  @functools.cached_property
  def _ngrams(self) -> ngram.KneserNey:
    ids = self.tokens.encode(self.parts.train)
    return ngram.KneserNey(ids, len(self.tokens), self.config.ngram)

  def scores(self, outputs, split):
    """What a Kneser-Ney n-gram reaches, and the share of unknown symbols."""
    if not self.config.ngram or not len(getattr(self.parts, split)):
      return {}
    ids = self.tokens.encode(getattr(self.parts, split))
    told = ngram.told(self._ngrams, ids, self.unit.removesuffix("s"))
    unknown = self.tokens.vocabulary.unknown
    return {**told, "unknown": float((ids == unknown).mean())}

  def _showcase_options(self) -> dict[str, Any]:
    show = self.config.showcase
    names = "num_tokens", "temperature", "top_p"
    return {**{name: show[name] for name in names}, "top_k": 0}

  def showcase(self, params, directory: pathlib.Path) -> str:
    """A sample, and beginnings with their likeliest next symbols."""
    show = self.config.showcase
    (sample,) = self.generate(
      params,
      prompt=show.prompt,
      seed=self.config.seed,
      **self._showcase_options(),
    )
    path = directory / "sample.txt"
    files.write(path, sample + "\n")
    told = [self.complete_mode(params, prompt=p, top_k=5) for p in show.prompts]
    if told:
      written = "\n\n".join(told)
      files.write(directory / "complete.txt", written + "\n")
    return "\n\n".join([sample, *told, f"Sample written to {path}"])

  def generate_mode(self, params, **options) -> str:
    """Writes text; several samples are parted by a line of dashes."""
    return ("\n" + "-" * 79 + "\n").join(self.generate(params, **options))

  def generate(
    self,
    params,
    *,
    prompt: str = "",
    num_tokens: int = 500,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    num_samples: int = 1,
  ) -> list[str]:
    """Writes texts that begin with the prompt.

    Args:
      params: the model's parameters.
      prompt: what to continue. Without one the model starts after a newline (or
        its first symbol).
      num_tokens: characters or words to add.
      temperature: below 1 is safer, above 1 wilder, 0 always takes the
        likeliest.
      top_k: choose among the k likeliest; 0 is all.
      top_p: choose among the likeliest that together reach this probability.
      seed: the same seed gives the same text.
      num_samples: how many texts.

    Raises:
      InputError: an option is out of range, or the prompt holds symbols that
        training did not.
    """
    if num_samples < 1:
      raise InputError(f"--num_samples is {num_samples}, expected at least 1")
    if not 0 <= seed < 2**32:
      raise InputError(f"--seed is {seed}, expected 0 or more, below 2^32")
    begin = self._known(prompt)
    prompt = prompt if len(begin) else ""
    begin = begin if len(begin) else [self._default_start()]
    ids = self.tokens.encode(begin)
    options = {
      "num_tokens": num_tokens,
      "temperature": temperature,
      "top_k": top_k,
      "top_p": top_p,
    }
    try:
      sampling.check_options(**options)
    except ValueError as error:
      raise InputError(f"--{error}") from error
    size = {"prompt and --num_tokens": len(ids) + num_tokens}
    layers.check_steps(self.config.model, size)

    written = self._prompted.sample(
      params, ids, num_samples=num_samples, seed=seed, **options
    )
    if self.unit == "chars":
      return [prompt + self.tokens.decode(row) for row in written]
    kept = ids if prompt else ids[:0]
    return [self.tokens.decode(np.append(kept, row)) for row in written]

  def complete_mode(self, params, **options) -> str:
    """The likeliest next words (or characters), with their probabilities."""
    begin = self._tokenizer.split(options.get("prompt", "").split(BLANK)[0])
    ranked = self.complete(params, **options)
    lines = [f"{self._tokenizer.join(begin)} {BLANK}"]
    if self.unit == "words" and (new := self.tokens.unknown_in(begin)):
      lines.append(f"(not in the vocabulary: {', '.join(new)})")
    return "\n".join(
      lines + [f"{share:7.2%}  {said}" for said, share in ranked]
    )

  def complete(
    self, params, *, prompt: str = "", top_k: int = 10, num_tokens: int = 1
  ) -> list[tuple[str, float]]:
    """What comes next and the probability of its first symbol, best first.

    Args:
      params: the model's parameters.
      prompt: the beginning of a sentence; what is from `___` on is left out.
      top_k: how many to tell.
      num_tokens: words to add in all, each the likeliest after the last.

    Raises:
      InputError: an option is out of range, there is no prompt, or it holds
        characters that training did not.
    """
    for name, value in (("top_k", top_k), ("num_tokens", num_tokens)):
      if value < 1:
        raise InputError(f"--{name} is {value}, expected at least 1")
    begin = self._known(prompt.split(BLANK)[0])
    if not len(begin):
      raise InputError(
        '--prompt is empty, expected the beginning of a sentence, e.g. "the'
        f' cat {BLANK}"'
      )
    ids = self.tokens.encode(begin)
    size = {"prompt and --num_tokens": len(ids) + num_tokens}
    layers.check_steps(self.config.model, size)
    shares, rows = self._prompted.rank(
      params, ids, top_k=top_k, num_tokens=num_tokens
    )
    return [
      (self.tokens.decode(row), float(share))
      for row, share in zip(rows, shares, strict=True)
    ]

  @functools.cached_property
  def _prompted(self) -> Prompted:
    """Reserved ids are not written: unknown, padding, start."""
    vocabulary = self.tokens.vocabulary
    reserved = range(len(vocabulary.reserved))
    never = np.array([i for i in reserved if i != vocabulary.stop], int)
    return Prompted(self.apply, never)

  def _known(self, prompt: str, field: str = "--prompt") -> Sequence[str]:
    """The symbols of a prompt.

    Raises:
      InputError: one is unknown, and training had none that were.
    """
    data, begin = self.config.data, self._tokenizer.split(prompt)
    unknown = self.tokens.unknown_in(begin)
    if unknown and data.min_count == 1 and not data.max_size:
      join = "".join if self.unit == "chars" else " ".join
      symbols = join(self.tokens.vocabulary.symbols)
      raise InputError(
        f"{field} holds {join(unknown)!r}, which the training text does not;"
        f" leave out or replace: the model knows {text.shorten(symbols, 200)!r}"
      )
    return begin

  def _default_start(self) -> str:
    symbols = self.tokens.vocabulary.symbols
    return next((s for s in ("\n", "<eos>") if s in symbols), symbols[0])
