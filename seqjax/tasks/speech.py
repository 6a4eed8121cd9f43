"""Speech written down: symbols of utterances whose places nobody has marked."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax import config as settings
from seqjax.data import batching, ngram, utterances, word_errors
from seqjax.data.examples import Splits
from seqjax.data.utterances import Utterance
from seqjax.decode import ctc
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.recognizer import Recognizer
from seqjax.tasks import base, speech_batches, speech_live
from seqjax.tasks.speech_batches import Batch

BLANK = 0


class Transcript(NamedTuple):
  """What was found in an utterance.

  Attributes:
    text: as it is read.
    words: `(seconds, word)` each: where its first symbol begins.
    log_prob: nats, of the text or, of greedy decoding, of its alignment.
  """

  text: str
  words: list[tuple[float, str]]
  log_prob: float


class Speech(base.Task):
  """Words or letters by CTC, see `decode.ctc`, from frames by `Recognizer`.

  The loss is the mean over utterances of -log p(text); it may be below zero by
  the rounding of float32, so no logarithm is taken of it. What training knows,
  symbols and n-grams, is of the training part alone.
  """

  unit = "utterances"
  loss_unit = "nats/utterance"
  modes = "transcribe", "listen"

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "eval_batch_size", "num_buckets")
    settings.at_least(config, 1, "model.stack", "decode.beam")
    settings.at_least(config, 0, "model.neighbours")
    least = min(config.model.neighbours, 1)
    settings.at_least(config, least, "model.filters")
    settings.rate(config, "model.dropout", "model.input_dropout")
    settings.at_least(config, 0, "showcase.utterances")
    settings.at_least(config, 0.0, "decode.lm_weight")
    if config.decode.ngram:
      settings.one_of(config, (0, *ngram.ORDERS), "decode.ngram")
    self._make = layers.create(config.model)

  @functools.cached_property
  def splits(self) -> Splits:
    """The utterances of each part."""
    return utterances.load(self.config.data, self.config.seed)

  @functools.cached_property
  def encoder(self) -> utterances.Encoder:
    """From samples to frames, from a text to ids and back."""
    if self.saved:
      return utterances.Encoder(**self.saved["encoder"])
    config = self.config
    return utterances.Encoder.fit(self.splits.train, config.data, config.seed)

  @functools.cached_property
  def _texts(self) -> list[list[int]]:
    """What n-grams are counted of: the training texts as ids."""
    if not self.config.decode.ngram:
      return []
    if self.saved:
      return self.saved["texts"]
    texts = (one.text for one in self.splits.train)
    return [self.encoder.encode_text(text).tolist() for text in texts]

  @functools.cached_property
  def language_model(self) -> ctc.LanguageModel | None:
    """Kneser-Ney n-grams of the training texts, if the config asks for any."""
    order = self.config.decode.ngram
    if not order:
      return None
    stream = ctc.text_stream(self._texts, order, BLANK)
    return ctc.ngram(ngram.KneserNey(stream, self._outputs, order), BLANK)

  @property
  def _outputs(self) -> int:
    return len(self.encoder.tokens) + 1

  @property
  def step_seconds(self) -> float:
    """Of sound that a step of the model is of."""
    return self.config.model.stack * self.encoder.features.hop

  def state(self):
    return {"encoder": self.encoder.state, "texts": self._texts}

  def vocabularies(self):
    return {"head": ["<blank>", *self.encoder.tokens.vocabulary.names]}

  def build(self, key):
    model = self.config.model
    return Recognizer(
      self._make,
      self.encoder.features.size,
      self._outputs,
      stack=model.stack,
      neighbours=model.neighbours,
      filters=model.filters,
      dropout=model.dropout,
      input_dropout=model.input_dropout,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    """All parts at once: a mistake in one is found before training."""
    found = {}
    for name, part in self.splits._asdict().items():
      frames = self.encoder.encode_all([one.samples for one in part])
      labels = [self.encoder.encode_text(one.text) for one in part]
      speech_batches.check_room(
        name, part, frames, labels, self.config.model.stack
      )
      change = None
      if name == "train":
        change = speech_batches.augmentation(
          self.encoder, part, frames, labels, self.config
        )
      found[name] = self._loader(frames, labels, change)
    return found

  def _loader(self, frames, labels=None, change=None) -> batching.Loader:
    features = self.encoder.features
    return speech_batches.loader(self.config, features, frames, labels, change)

  def train_batches(self):
    word_errors.check_installed()  # said now, not after a while
    return self._loaders["train"].train()

  def evaluation_batches(self, split):
    return self._loaders[split].once(self.config.eval_batch_size)

  def _logits(self, params, batch: Batch, key=None):
    return self.apply(params, batch.frames, lengths=batch.lengths, key=key)

  def loss(self, params, batch: Batch, carry, key):
    logits, steps = self._logits(params, batch, key)
    return _nats(logits, steps, batch), {}, carry

  def evaluate(self, params, batch: Batch, carry):
    logits, steps = self._logits(params, batch)
    found = ctc.greedy(logits, steps, BLANK)
    outputs = found.tokens, found.lengths, batch.indices, batch.weights
    return {"loss": _nats(logits, steps, batch)}, carry, outputs

  def _read(self, outputs) -> list[str]:
    """The text of each utterance, in their order, from `evaluate`'s."""
    return [self.encoder.decode(ids) for ids in batching.cut_in_order(outputs)]

  def scores(self, outputs, split):
    """Errors of greedy decoding, see `word_errors.scores`."""
    if not outputs:
      return {}
    said = [one.text for one in getattr(self.splits, split)]
    return word_errors.scores(self._read(outputs), said)

  def thorough_scores(self, params, split):
    """The errors of the beam, and with n-grams their weight.

    Of `config.decode.lm_weights` the one with the fewest errors in the
    validation part; without such a part `config.decode.lm_weight`.
    """
    examples = getattr(self.splits, split)
    if not examples:
      return {}
    decode, told = self.config.decode, {}
    weight = decode.lm_weight
    if decode.ngram:
      weight = told["lm_weight"] = self._best_weight(params)
    found = self._beam_errors(self.log_probs(params, examples), split, weight)
    return {f"beam_{name}": value for name, value in found.items()} | told

  def _beam_errors(self, log_probs, split: str, weight: float):
    said = [one.text for one in getattr(self.splits, split)]
    beam, lm = self.config.decode.beam, self.language_model
    found = [ctc.prefix_beam(one, beam, lm, weight)[0] for one in log_probs]
    texts = [self.encoder.decode(one.tokens) for one in found]
    return word_errors.scores(texts, said)

  def _best_weight(self, params) -> float:
    decode = self.config.decode
    if not self.splits.validation or not decode.lm_weights:
      return decode.lm_weight
    log_probs = self.log_probs(params, self.splits.validation)
    errors = {
      float(weight): self._beam_errors(log_probs, "validation", weight)["wer"]
      for weight in sorted(decode.lm_weights)
    }
    return min(errors, key=lambda weight: errors[weight])

  @functools.cached_property
  def causal(self) -> bool:
    """Whether the model reads a sound as it comes."""
    found = []
    jax.eval_shape(
      lambda key: found.append(self._model(key).causal), jax.random.key(0)
    )
    return found[0]

  @functools.cached_property
  def step(self) -> Callable[..., Any]:
    """`Recognizer.step` of params, compiled."""
    return jax.jit(functools.partial(self.apply, method="step"))

  @functools.cached_property
  def _frame_log_probs(self):
    @jax.jit
    def found(params, batch: Batch):
      logits, steps = self._logits(params, batch)
      return jax.nn.log_softmax(logits), steps

    return found

  def log_probs(self, params, examples: Sequence[Utterance]):
    """Log-probabilities at each step, `[steps, V]` for each utterance."""
    frames = self.encoder.encode_all([one.samples for one in examples])
    outputs = []
    for batch in self._loader(frames).few_shapes(self.config.eval_batch_size):
      found = jax.device_get(self._frame_log_probs(params, batch))
      outputs.append((*found, batch.indices, batch.weights))
    return batching.cut_in_order(outputs) if outputs else []

  def transcribe(
    self,
    params,
    sounds: Sequence[Any],
    *,
    beam: int = 0,
    lm_weight: float = -1.0,
  ) -> list[Transcript]:
    """What is said in each sound.

    Args:
      params: the model's parameters.
      sounds: `Utterance`, or samples float32 `[n]` at the rate of the encoder.
      beam: beginnings of texts that are followed; 1 is greedy, 0 what the
        config says.
      lm_weight: of the n-grams in the beam; below 0 what the config says.

    Raises:
      InputError: an option is out of range, or there are no n-grams.
    """
    decode = self.config.decode
    if beam < 0:
      raise InputError(f"beam is {beam}, expected 0 (the config's) or more")
    if lm_weight > 0 and not decode.ngram:
      raise InputError(
        f"lm_weight is {lm_weight}, expected 0: the run has no n-grams"
        " (config.decode.ngram = 0)"
      )
    beam = beam or decode.beam
    weight = decode.lm_weight if lm_weight < 0 else lm_weight
    given = [
      one if isinstance(one, Utterance) else Utterance(np.asarray(one))
      for one in sounds
    ]
    found = []
    for log_probs in self.log_probs(params, given):
      if beam == 1:
        ids, log_prob = _likeliest(log_probs)
      else:
        best = ctc.prefix_beam(log_probs, beam, self.language_model, weight)[0]
        ids, log_prob = best.tokens, best.log_prob
      found.append(self._transcript(log_probs, ids, log_prob))
    return found

  def _transcript(self, log_probs, ids, log_prob) -> Transcript:
    steps = ctc.align(log_probs, ids, BLANK)
    seconds = (steps * self.step_seconds).tolist()
    words = speech_live.words(self.encoder, ids, seconds)
    return Transcript(self.encoder.decode(ids), words, log_prob)

  def transcribe_mode(
    self,
    params,
    *,
    input: str = "",
    beam: int = 0,
    lm_weight: float = -1.0,
    times: bool = False,
  ) -> str:
    """A line for each sound: its name, a tab, what is said in it.

    Args:
      params: the model's parameters.
      input: a WAV file, a folder or an archive of some, or a text file with
        such paths, one a line; "-" is standard input.
      beam: beginnings of texts that are followed; 1 is greedy, 0 what the
        config says.
      lm_weight: of the n-grams in the beam; below 0 what the config says.
      times: whether to write a line for each word: name, seconds, word.
    """
    if not input:
      raise InputError("--input is empty, expected a WAV file or a folder")
    sounds = self.encoder.read(input)
    found = self.transcribe(params, sounds, beam=beam, lm_weight=lm_weight)
    pairs = zip(sounds, found, strict=True)
    if times:
      return "\n".join(
        f"{sound.name}\t{second:.2f}\t{word}"
        for sound, one in pairs
        for second, word in one.words
      )
    return "\n".join(f"{sound.name}\t{one.text}" for sound, one in pairs)

  def listen_mode(
    self,
    params,
    *,
    input: str = "-",
    chunk: float = 0.08,
    rate: int = 0,
    encoding: str = "s16le",
  ) -> str:
    """Prints words while it hears them, then how long that took.

    Args:
      params: the model's parameters; its layers are causal.
      input: a WAV file; "-" is raw sound of one channel on standard input.
      chunk: seconds that are heard at once.
      rate: of standard input, samples a second; 0 is that of the run.
      encoding: of standard input: s16le, 16-bit integers, or f32le, floats,
        little-endian.
    """
    chunks = speech_live.chunks(
      input, self.encoder.rate, chunk, rate=rate, encoding=encoding
    )
    return speech_live.listen(self, params, chunks)

  def showcase(self, params, directory: pathlib.Path) -> str:
    """See `speech_shown`."""
    from seqjax.tasks import speech_shown

    return speech_shown.show(self, params, directory)


def _nats(logits, steps, batch: Batch):
  """Sum of -log p(text), and the number of utterances."""
  behind = jnp.arange(logits.shape[1])[None] >= steps[:, None]
  unsaid = jnp.arange(batch.labels.shape[1])[None]
  unsaid = unsaid >= batch.label_lengths[:, None]
  nats = optax.ctc_loss(
    logits,
    behind.astype(logits.dtype),
    batch.labels,
    unsaid.astype(logits.dtype),
    blank_id=BLANK,
  )
  # Without a step there is nothing to learn from, and no text.
  nats = jnp.where((batch.weights > 0) & (steps > 0), nats, 0.0)
  return (batch.weights * nats).sum(), batch.weights.sum()


def _likeliest(log_probs: np.ndarray) -> tuple[tuple[int, ...], float]:
  """The likeliest alignment, read, and its log-probability."""
  found = ctc.Collapser(BLANK).push(log_probs.argmax(axis=-1))
  return tuple(symbol for symbol, _ in found), float(log_probs.max(-1).sum())
