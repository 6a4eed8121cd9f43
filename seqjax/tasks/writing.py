"""What tasks have in common whose models write: translation, captions."""

import abc
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from seqjax import config as settings
from seqjax import nn
from seqjax.data import batching, formats
from seqjax.data.examples import Splits
from seqjax.decode import beam as beam_search
from seqjax.decode import greedy
from seqjax.decode.hypotheses import Hypotheses
from seqjax.errors import InputError
from seqjax.models import decoders
from seqjax.models.text_decoder import BRIDGES, for_steps, looked_at
from seqjax.recurrence import length_mask
from seqjax.tasks import base


class Writing(base.Task):
  """A `TextDecoder` that is trained by teacher forcing, and searched.

  Attributes:
    holds: what the format must have, see `data.formats`.
  """

  holds: tuple[str, ...]

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "eval_batch_size", "num_buckets")
    settings.at_least(config, 1, "model.embed_size")
    settings.rate(config, "label_smoothing", "scheduled_sampling")
    settings.rate(config, "model.dropout", "model.embed_dropout")
    settings.rate(config, "model.output_dropout")
    settings.one_of(config, BRIDGES, "model.bridge")
    self._format = formats.find(config.data.format, self.holds)
    self._make_decoder = decoders.create(config.model)
    layers = decoders.attending_layers(config.model)
    self._attends = layers > 0
    chosen = config.decode.alignment_layer
    if self._attends and not -layers <= chosen < layers:
      raise InputError(
        f"config.decode.alignment_layer is {chosen}, expected {-layers} to"
        f" {layers - 1}: {layers} of the decoder's layers attend"
      )
    self._options(prefix="config.decode.")

  def _options(
    self,
    beam: int = 0,
    alpha: float = -1.0,
    n_best: int = 1,
    prefix: str = "--",
  ) -> tuple[int, float]:
    """Beam and alpha; 0 and below 0 are what the config says.

    Raises:
      InputError: one is out of range.
    """
    options = self.config.decode
    beam = options.beam if beam == 0 else beam
    alpha = options.alpha if alpha < 0 else alpha
    try:
      beam_search.check_options(beam, alpha, n_best)
    except ValueError as error:
      raise InputError(f"{prefix}{error}") from error
    return beam, alpha

  @functools.cached_property
  def splits(self) -> Splits:
    """The examples of each part."""
    return self._format.load(self.config.data, self.config.seed)

  @functools.cached_property
  def encoder(self) -> Any:
    """From examples to arrays, and from ids to texts."""
    if self.saved:
      return self._format.Encoder(**self.saved)
    config = self.config
    return self._format.Encoder.fit(self.splits.train, config.data, config.seed)

  def state(self):
    return self.encoder.state

  def summarize(self, means):
    perplexity = math.exp(min(means["loss"], 700.0))
    return {"loss": means["loss"], "perplexity": perplexity, **means}

  @property
  @abc.abstractmethod
  def _tokens(self) -> Any:
    """Of what is written, with ids for padding, unknown, start and stop."""

  @abc.abstractmethod
  def _inputs(self, batch: Any) -> tuple[Any, ...]:
    """What of a batch is read, as the model's `encode` takes it."""

  @abc.abstractmethod
  def _targets(self, batch: Any) -> tuple[Any, Any]:
    """What is to be written, int `[n, time]`, and lengths `[n]`.

    n is a multiple of the rows: several for what is read once, one after the
    other.
    """

  @abc.abstractmethod
  def _lengths(self, *inputs) -> dict[str, Any]:
    """`min_lengths`, `max_lengths` and `size`, see `decode.beam`."""

  @property
  def _writes_unknown(self) -> bool:
    """Whether it may write that it does not know the word."""
    return False

  def loss(self, params, batch, carry, key):
    smoothing = self.config.label_smoothing
    return self._nats(params, batch, key, smoothing), {}, carry

  def evaluate(self, params, batch, carry):
    loss = self._nats(params, batch)
    found = self._search(params, *self._inputs(batch), beam=0, n_best=1)
    tokens = found.tokens[:, 0], found.lengths[:, 0]
    return {"loss": loss}, carry, (*tokens, batch.indices, batch.weights)

  def _texts(self, outputs) -> list[str]:
    """What `evaluate` wrote of each example, in their order."""
    return [self.encoder.decode(ids) for ids in batching.cut_in_order(outputs)]

  def _nats(self, params, batch, key=None, smoothing: float = 0.0):
    """Sum over the valid symbols of the targets, and how many there are."""
    keys = (None, None) if key is None else jax.random.split(key)
    inputs, (target, lengths) = self._inputs(batch), self._targets(batch)
    encoded = self.apply(params, *inputs, key=keys[0], method="encode")
    several = len(target) // len(batch.weights)
    weights = batch.weights
    if several > 1:
      again = lambda x: jnp.repeat(x, several, axis=0)
      encoded, weights = jax.tree.map(again, encoded), again(weights)
    start = jnp.full_like(target[:, :1], self._tokens.start)
    inputs = jnp.concatenate([start, target[:, :-1]], axis=1)
    sampling = self.config.scheduled_sampling if key is not None else 0.0
    _, logits = self.apply(
      params,
      encoded,
      inputs,
      lengths,
      key=keys[1],
      sampling=sampling,
      method="write",
    )
    nats = nn.cross_entropy(logits, target, smoothing)
    valid = length_mask(lengths, nats.shape[1]) & (weights > 0)[:, None]
    return jnp.where(valid, nats, 0.0).sum(), valid.sum().astype("float32")

  def _search(
    self,
    params,
    *inputs,
    beam: int,
    n_best: int,
    alpha: Any = 1.0,
    looks: bool = False,
  ) -> Hypotheses:
    """By beam search, or greedily with a beam of 0.

    Args:
      params: the model's parameters.
      *inputs: see `_inputs`.
      beam: see `decode.beam`, as for the next two.
      n_best: likewise.
      alpha: likewise.
      looks: whether to keep where the model looked.
    """
    encoded = self.apply(params, *inputs, method="encode")
    tokens, lengths = self._tokens, self._lengths(*inputs)
    carry = for_steps(encoded.carry, lengths["size"])
    layer = self.config.decode.alignment_layer
    record = functools.partial(looked_at, layer=layer) if looks else None
    never = () if self._writes_unknown else (tokens.unknown,)

    def step(memory, carry, tokens):
      return self.apply(params, memory, carry, tokens, method="step")

    how = {
      "start": tokens.start,
      "stop": tokens.stop,
      "never": (tokens.padding, tokens.start, *never),
      "record": record,
      **lengths,
    }
    if not beam:
      return greedy.search(step, encoded.memory, carry, **how)
    return beam_search.search(
      step,
      encoded.memory,
      carry,
      beam=beam,
      n_best=n_best,
      alpha=alpha,
      **how,
    )

  @functools.cached_property
  def _searched(self):
    return jax.jit(self._search, static_argnames=("beam", "n_best", "looks"))
