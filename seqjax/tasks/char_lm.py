"""Character language model: predict the next character, write text."""

import functools
import json
import math
import pathlib
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax import nn
from seqjax.config import Config
from seqjax.data import batching, text
from seqjax.data.vocabulary import UNKNOWN, CharVocabulary
from seqjax.decode import sampling
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.language_model import LanguageModel
from seqjax.recurrence import length_mask

VOCABULARY_FILE = "vocabulary.json"
CORPUS_FILE = "corpus.json"


def create(config: Config, saved: pathlib.Path | None) -> "CharLM":
  return CharLM(config, saved)


class CharLM:
  """See `seqjax.tasks.base.Task` for the contract.

  The vocabulary is built from the training part alone and kept in the run
  directory. Characters outside of it count as "unknown" in evaluation; in a
  prompt they are an error, for the model has never seen any.
  """

  unit = "chars"
  loss_unit = "nats/char"

  def __init__(self, config: Config, saved: pathlib.Path | None):
    for field in ("batch_size", "window", "eval_batch_size", "eval_window"):
      if config[field] < 1:
        raise InputError(f"config.{field} is {config[field]}, expected >= 1")
    if config.model.embed_size < 0:
      raise InputError(
        f"config.model.embed_size is {config.model.embed_size}, expected 0"
        " (one-hot) or a size"
      )
    if not 0 <= config.model.dropout < 1:
      raise InputError(
        f"config.model.dropout is {config.model.dropout}, expected a rate in"
        " [0, 1)"
      )
    self._config = config
    self._saved = saved
    self.items_per_step = config.batch_size * config.window
    self.modes = {"generate": self.generate}
    self._make = layers.create(config.model)

  # The corpus and the model are made when first needed: generation has no use
  # for the one, bad input is found before the other is built.

  @functools.cached_property
  def _corpus(self) -> text.Corpus:
    corpus = text.load(self._config.data.name, self._config.data.path)
    if self._saved:
      path = self._saved / CORPUS_FILE
      try:
        begun = json.loads(path.read_text("utf-8"))
      except (OSError, ValueError) as error:
        raise InputError(
          f"{path} cannot be read ({error}); use a new --workdir"
        ) from error
      if begun["sha256"] != corpus.sha256:
        raise InputError(
          f"{corpus.name}: the text has changed since {self._saved} was begun"
          f" (SHA-256 {begun['sha256'][:12]}... then, {corpus.sha256[:12]}..."
          " now); use a new --workdir"
        )
    return corpus

  @functools.cached_property
  def _parts(self) -> dict[str, Any]:
    data = self._config.data
    symbols = self._symbols(self._corpus.text)
    parts = batching.split(symbols, data.validation, data.test)
    return dict(zip(("train", "validation", "test"), parts, strict=True))

  def _symbols(self, text: str) -> Any:
    """What the vocabulary holds, one after the other: characters here."""
    return text

  @functools.cached_property
  def vocabulary(self) -> Any:
    if self._saved:
      return CharVocabulary.load(self._saved / VOCABULARY_FILE)
    return CharVocabulary(self._parts["train"])

  def save(self, directory: pathlib.Path) -> None:
    self.vocabulary.save(directory / VOCABULARY_FILE)
    content = {
      "name": self._corpus.name,
      "sha256": self._corpus.sha256,
      self.unit: {name: len(part) for name, part in self._parts.items()},
    }
    record = json.dumps(content, indent=2) + "\n"
    (directory / CORPUS_FILE).write_text(record, "utf-8")

  @functools.cached_property
  def _functional(self):
    model = self._config.model
    build = lambda key: LanguageModel(
      len(self.vocabulary),
      self._make,
      embed_size=model.embed_size,
      dropout=model.dropout,
      compute_dtype=model.compute_dtype,
      tie_embeddings=model.tie_embeddings,
      key=key,
    )
    try:
      return build, nn.functionalize(build(jax.random.key(0)))[1]
    except InputError:
      raise
    except ValueError as error:
      raise InputError(f"config.model: {error}") from error

  def _apply(self, *args, **kwargs):
    return self._functional[1](*args, **kwargs)

  def init(self, key):
    return nn.functionalize(self._functional[0](key))[0]

  def initial_carry(self, params):
    return self._apply(params, self._config.batch_size, method="initial_carry")

  def train_batches(self):
    config = self._config
    tokens = self.vocabulary.encode(self._parts["train"])
    return batching.StreamWindows(
      tokens, config.batch_size, config.window, config.seed
    ).iterator()

  def loss(self, params, batch: batching.Batch, carry, key):
    carry, total, count = self._cross_entropy(params, batch, carry, key)
    return total / count, {"loss": (total, count)}, carry

  def gradient_norms(self, params, batch: batching.Batch, carry):
    norms = self._apply(
      params, batch.inputs, batch.targets, carry, method="gradient_norms"
    )
    return norms, None

  def evaluation_batches(self, split: str) -> Iterable[batching.Batch]:
    return batching.evaluation_windows(
      self.vocabulary.encode(self._parts[split]),
      self._config.eval_batch_size,
      self._config.eval_window,
    )

  def evaluation_carry(self, params):
    return self._apply(
      params, self._config.eval_batch_size, method="initial_carry"
    )

  def evaluate(self, params, batch: batching.Batch, carry):
    carry, total, count = self._cross_entropy(params, batch, carry, None)
    return {"loss": (total, count)}, carry

  def _cross_entropy(self, params, batch: batching.Batch, carry, key):
    """Sum of -log p(target) in nats, and the number of valid targets."""
    carry, logits = self._apply(
      params,
      batch.inputs,
      carry,
      key=key,
      lengths=batch.lengths,
      resets=batch.resets,
    )
    nats = optax.softmax_cross_entropy_with_integer_labels(
      logits, batch.targets
    )
    if batch.lengths is None:
      return carry, nats.sum(), jnp.asarray(nats.size, jnp.float32)
    mask = length_mask(batch.lengths, nats.shape[1])
    return carry, jnp.where(mask, nats, 0.0).sum(), mask.sum().astype("float32")

  def summarize(self, means: dict[str, float]) -> dict[str, float]:
    loss = means["loss"]
    return {
      "loss": loss,
      f"bits_per_{self.unit.removesuffix('s')}": loss / math.log(2),
      "perplexity": math.exp(min(loss, 700.0)),
      **{name: mean for name, mean in means.items() if name != "loss"},
    }

  def scores(self, params, split: str) -> dict[str, float]:
    del params, split
    return {}

  def showcase(self, params, directory: pathlib.Path) -> str:
    config = self._config.showcase
    sample = self.generate(
      params,
      prompt=config.prompt,
      num_chars=config.num_chars,
      temperature=config.temperature,
      top_p=config.top_p,
      seed=self._config.seed,
    )
    path = directory / "sample.txt"
    path.write_text(sample + "\n", "utf-8")
    return f"{sample}\n\nSample written to {path}"

  def generate(
    self,
    params,
    *,
    prompt: str = "",
    num_chars: int = 500,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    num_samples: int = 1,
  ) -> str:
    """Writes text.

    Args:
      params: the model's parameters.
      prompt: what to continue; the text returned begins with it. Without one
        the model starts after a newline (or its first symbol).
      num_chars: characters to add.
      temperature: below 1 is safer, above 1 wilder, 0 always takes the most
        likely character.
      top_k: choose among the k most likely; 0 is all.
      top_p: choose among the most likely that together reach this probability.
      seed: the same seed gives the same text.
      num_samples: how many texts, parted by a line of dashes.

    Raises:
      InputError: an option is out of range, or the prompt holds characters
        that the training text does not.
    """
    if num_samples < 1:
      raise InputError(f"--num_samples is {num_samples}, expected at least 1")
    if num_chars < 1:
      raise InputError(f"--num_chars is {num_chars}, expected at least 1")
    unknown = self.vocabulary.unknown_in(prompt)
    if unknown:
      raise InputError(
        f"--prompt holds {unknown!r}, which the training text does not;"
        f" leave out or replace: the model knows"
        f" {''.join(self.vocabulary.symbols)!r}"
      )
    start = prompt or self._default_start()
    tokens = np.tile(self.vocabulary.encode(start), (num_samples, 1))
    options = {
      "num_tokens": num_chars,
      "temperature": temperature,
      "top_k": top_k,
      "top_p": top_p,
    }
    try:
      sampling.check_options(**options)
    except ValueError as error:
      raise InputError(f"--{error}") from error

    @jax.jit
    def write(params, tokens, key):
      def known_only(carry_and_logits):
        carry, logits = carry_and_logits
        return carry, logits.at[:, UNKNOWN].set(-jnp.inf)

      carry, logits = self._apply(params, tokens)
      carry, logits = known_only((carry, logits[:, -1]))
      step = lambda carry, tokens: known_only(
        self._apply(params, carry, tokens, method="step")
      )
      return sampling.sample(step, carry, logits, key, **options)

    written = write(params, tokens, jax.random.key(seed))
    texts = [prompt + self.vocabulary.decode(row) for row in written]
    return ("\n" + "-" * 79 + "\n").join(texts)

  def _default_start(self) -> str:
    symbols = self.vocabulary.symbols
    return "\n" if "\n" in symbols else symbols[0]
