"""What tasks have in common whose models write: translation, captions."""

import abc
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from seqjax import config as settings
from seqjax import nn
from seqjax.data import formats
from seqjax.data.examples import Splits
from seqjax.decode import beam as beam_search
from seqjax.decode import greedy
from seqjax.decode.hypotheses import Hypotheses
from seqjax.errors import InputError
from seqjax.models import decoders
from seqjax.models.text_decoder import Encoded, looked_at
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
    self._format = formats.find(config.data.format, self.holds)
    self._make_decoder = decoders.create(config.model)
    self._attends = config.model.attention != decoders.NO_ATTENTION
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

  def _teacher_forced(
    self, params, encoded: Encoded, target, lengths, weights, key, smoothing
  ):
    """Sum over the valid symbols of the target, and how many there are."""
    start = jnp.full_like(target[:, :1], self._tokens.start)
    inputs = jnp.concatenate([start, target[:, :-1]], axis=1)
    sampling = self.config.scheduled_sampling if key is not None else 0.0
    _, logits = self.apply(
      params,
      encoded,
      inputs,
      lengths,
      key=key,
      sampling=sampling,
      method="write",
    )
    nats = nn.cross_entropy(logits, target, smoothing)
    valid = length_mask(lengths, nats.shape[1]) & (weights > 0)[:, None]
    return jnp.where(valid, nats, 0.0).sum(), valid.sum().astype("float32")

  def _find(
    self,
    params,
    encoded: Encoded,
    *,
    beam: int,
    n_best: int,
    alpha: Any,
    looks: bool,
    unknown: bool,
    **lengths: Any,
  ) -> Hypotheses:
    """By beam search, or greedily with a beam of 0.

    Args:
      params: the model's parameters.
      encoded: what was read.
      beam: see `decode.beam`, as for all that is not told.
      n_best: likewise.
      alpha: likewise.
      looks: whether to keep where the model looked.
      unknown: whether it may write that it does not know the word.
      **lengths: `min_lengths`, `max_lengths` and `size`.
    """
    tokens = self._tokens
    never = () if unknown else (tokens.unknown,)

    def step(memory, carry, tokens):
      return self.apply(params, memory, carry, tokens, method="step")

    how = {
      "start": tokens.start,
      "stop": tokens.stop,
      "never": (tokens.padding, tokens.start, *never),
      "record": looked_at if looks else None,
      **lengths,
    }
    if not beam:
      return greedy.search(step, encoded.memory, encoded.carry, **how)
    return beam_search.search(
      step,
      encoded.memory,
      encoded.carry,
      beam=beam,
      n_best=n_best,
      alpha=alpha,
      **how,
    )

  @abc.abstractmethod
  def _search(self, params, *inputs, **options) -> Hypotheses:
    """`_find` for inputs of a batch."""

  @functools.cached_property
  def _searched(self):
    return jax.jit(self._search, static_argnames=("beam", "n_best", "looks"))
