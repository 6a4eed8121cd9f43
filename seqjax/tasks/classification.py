"""One label for a whole input: a text, a name, DNA, an image, a table row."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax import config as settings
from seqjax import files, nn
from seqjax.data import baselines, batching, formats
from seqjax.data.examples import Splits, check_several, label_ids
from seqjax.errors import InputError, extra
from seqjax.models import layers
from seqjax.models.many_to_one import POOLS, ManyToOne
from seqjax.nn.patches import ConvStem
from seqjax.tasks import base, calibration

_ZERO: Any = 0  # of a class that nothing was found of


class Batch(NamedTuple):
  """Padded examples; rows without one have weight 0."""

  # int32 [batch, time]; float32, or bytes, [batch, time, features]
  inputs: Any
  lengths: Any  # int32 [batch]
  labels: Any  # int32 [batch]
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the example's place in its split


class Classification(base.Task):
  """Inputs of a format, see `data.formats`, and the class of each.

  A format is read by its file under `data/`, turned into arrays by an encoder
  that knows the training part alone, and classified by `ManyToOne`.
  """

  modes = ("predict",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "eval_batch_size", "num_buckets")
    rates = "dropout", "input_dropout", "word_dropout", "label_smoothing"
    settings.rate(config, *(f"model.{rate}" for rate in rates))
    settings.at_least(config, 0, "model.embed_size")
    settings.at_least(config, 0.0, "model.input_noise")
    settings.one_of(config, POOLS, "model.pool")
    self.format = formats.find(config.data.format)
    self._make = layers.create(config.model)
    self._beside: dict[str, dict[str, float]] = {}  # see `baselines`

  @functools.cached_property
  def splits(self) -> Splits:
    """The examples of each part."""
    return self.format.load(self.config.data, self.config.seed)

  @functools.cached_property
  def encoder(self) -> Any:
    """From an input to an array."""
    if self.saved:
      return self.format.Encoder(**self.saved["encoder"])
    fitted = self.format.Encoder.fit(
      self.splits.train, self.config.data, self.config.seed
    )
    words = fitted.state.get("words")
    if words is None or not self.config.init_from:
      return fitted
    # Words of the run that is begun from, too: it knows what they are, where
    # this training part lacks them.
    path = pathlib.Path(self.config.init_from, base.STATE_FILE)
    known = files.read_json(path).get("encoder", {}) if path.exists() else {}
    words = [*words, *known.get("words", [])]
    return self.format.Encoder(**{**fitted.state, "words": words})

  @functools.cached_property
  def labels(self) -> list[str]:
    """The names of the classes."""
    if self.saved:
      return self.saved["labels"]
    return sorted({example.label for example in self.splits.train})

  def state(self):
    return {"encoder": self.encoder.state, "labels": self.labels}

  def vocabularies(self):
    known: dict[str, Any] = {"head": self.labels}
    if self.encoder.vocab_size:
      # One-hot symbols are the rows of the first layer.
      reads = "embed" if self.config.model.embed_size else "rnn.layers.0"
      known[reads] = getattr(self.encoder, "names", self.encoder.state)
    return known

  def build(self, key):
    model, encoder = self.config.model, self.encoder
    return ManyToOne(
      self._make,
      len(self.labels),
      vocab_size=encoder.vocab_size,
      input_size=encoder.input_size,
      embed_size=model.embed_size,
      pool=model.pool,
      input_dropout=model.input_dropout,
      input_noise=model.input_noise,
      dropout=model.dropout,
      stem=self._stem(),
      compute_dtype=model.compute_dtype,
      key=key,
    )

  def _stem(self) -> Callable[[jax.Array], ConvStem] | None:
    """Convolutions in front of patches, where the config asks for some."""
    model, encoder = self.config.model, self.encoder
    channels = model.get("channels", ())
    if getattr(encoder, "patch", 0):
      height, width, _ = encoder.shape
      patches = height * width // encoder.patch**2
      token = model.pool == "class_token"
      layers.check_steps(model, {"the number of patches": patches + token})
    elif channels:
      raise InputError(
        f"config.model.channels is {tuple(channels)}, expected () but for"
        " config.data.order=patches"
      )
    if not channels:
      return None
    return lambda key: ConvStem(
      encoder.shape,
      encoder.patch,
      channels,
      model.strides,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  def _arrays(self, inputs: Sequence[Any]) -> list[np.ndarray]:
    """What the encoder makes of each, together where it can."""
    if together := getattr(self.encoder, "encode_all", None):
      return together(inputs)
    return [self.encoder.encode(one) for one in inputs]

  @functools.cached_property
  def _encoded(self) -> dict[str, tuple[list[np.ndarray], np.ndarray]]:
    """Arrays and labels of each part; a mistake in one is found at once."""
    return {
      name: (
        self._arrays([example.inputs for example in part]),
        label_ids(name, part, self.labels),
      )
      for name, part in self.splits._asdict().items()
    }

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    changes = {"train": self._augment}
    return {
      name: self._loader(*part, change=changes.get(name))
      for name, part in self._encoded.items()
    }

  @functools.cached_property
  def _augment(self) -> Callable[[np.ndarray, int], list[np.ndarray]] | None:
    """`(examples of training, step)` to arrays, never twice the same."""
    make = getattr(self.format, "augmentation", lambda data: None)
    augment, examples = make(self.config.data), self.splits.train
    if augment is None:
      return None

    def change(members, step):
      rng = np.random.default_rng((self.config.seed, step))
      return self._arrays(augment([examples[i].inputs for i in members], rng))

    return change

  def _loader(
    self, arrays: list[np.ndarray], labels: Any, change: Any = None
  ) -> batching.Loader:
    def collate(members, rows, padded, step=None):
      if change and step is not None:
        chosen = change(members, step)
      else:
        chosen = [arrays[i] for i in members]
      counts = [len(array) for array in chosen]
      return Batch(
        batching.pad(chosen, rows, padded),
        batching.fill(counts, rows, np.int32),
        batching.fill(labels[members], rows, np.int32),
        batching.fill(np.ones(len(members)), rows, np.float32),
        batching.fill(members, rows, np.int32),
      )

    lengths = [len(array) for array in arrays]
    if change and hasattr(self.format, "room"):
      lengths = self.format.room(lengths, self.config.data)
    return batching.Loader(
      lengths,
      collate,
      self.config.batch_size,
      num_buckets=self.config.num_buckets,
      seed=self.config.seed,
      vary=collate,
    )

  def train_batches(self):
    sklearn_metrics()  # evaluation needs them: said now, not after a while
    return self._loaders["train"].train()

  def evaluation_batches(self, split):
    return self._loaders[split].once(self.config.eval_batch_size)

  def _logits(self, params, batch: Batch, **kwargs):
    return self.apply(params, batch.inputs, lengths=batch.lengths, **kwargs)

  def loss(self, params, batch: Batch, carry, key):
    model = self.config.model
    if model.word_dropout and self.encoder.vocab_size:
      key, drop_key = jax.random.split(key)
      inputs = nn.drop_tokens(
        drop_key, batch.inputs, model.word_dropout, self.encoder.unknown
      )
      batch = batch._replace(inputs=inputs)
    logits = self._logits(params, batch, key=key)
    smoothed = optax.smooth_labels(
      jax.nn.one_hot(batch.labels, len(self.labels)), model.label_smoothing
    )
    nats = optax.softmax_cross_entropy(logits, smoothed)
    total = (batch.weights * nats).sum(), batch.weights.sum()
    return total, _metrics(logits, batch), carry

  def evaluate(self, params, batch: Batch, carry):
    logits = self._logits(params, batch)
    found = jax.nn.softmax(logits), batch.labels, batch.indices, batch.weights
    return _metrics(logits, batch), carry, found

  def baselines(self, split: str) -> dict[str, float]:
    """The accuracies of what needs no network, in a part that is not empty.

    `majority` is always the commonest class of training; the others are those
    of the format, see `data.baselines`.
    """
    if split not in self._beside:
      others = getattr(self.format, "BASELINES", {})
      arrays, labels = self._encoded[split]
      said = {
        name: classify(*self._encoded["train"], arrays)
        for name, classify in {"majority": baselines.majority, **others}.items()
      }
      self._beside[split] = {
        name: float((predicted == labels).mean())
        for name, predicted in said.items()
        if predicted is not None
      }
    return self._beside[split]

  def scores(self, outputs, split):
    """The mean recall of all classes, calibration, and baselines.

    `balanced_accuracy` counts no class for more than another;
    `calibration_error` is the expected one, see `calibration`; the rest are
    accuracies, see `baselines`.
    """
    if not outputs:
      return {}
    rows, true = in_order(outputs)
    # The mean over the classes that there are, as scikit-learn has it; that
    # warns of predictions of a class that is not among them.
    recall = sklearn_metrics().recall_score(
      true,
      rows.argmax(-1),
      labels=np.unique(true),
      average="macro",
      zero_division=_ZERO,
    )
    return {
      "balanced_accuracy": float(recall),
      "calibration_error": calibration.reliability(rows, true).error,
      **self.baselines(split),
    }

  def gradient_norms(self, params, batch: Batch, carry):
    del carry
    norms = self.apply(
      params,
      batch.inputs,
      lambda logits: optax.softmax_cross_entropy_with_integer_labels(
        logits, batch.labels
      ),
      batch.lengths,
      method="gradient_norms",
    )
    return norms, batch.lengths

  def predict(
    self, params, inputs: Sequence[Any], *, calibrated: bool = False
  ) -> np.ndarray:
    """Probabilities `[inputs, classes]`, the classes those of `labels`.

    Args:
      params: the model's parameters.
      inputs: texts, names, sequences; of a table `{column: value}`; images,
        uint8 `[height, width]`; signals, `[time, columns]`; `wav.Sound`.
      calibrated: whether to mend how sure they are by a temperature, which is
        fitted on the validation part; the data is read for it.

    Raises:
      InputError: a text alone, expected a list of them; `calibrated` without a
        validation part.
    """
    check_several("inputs", inputs)
    temperature = self.temperature(params) if calibrated else 1.0
    if not len(inputs):
      return np.zeros((0, len(self.labels)), np.float32)
    arrays = self._arrays(inputs)
    loader = self._loader(arrays, np.zeros(len(arrays), np.int32))
    batches = loader.few_shapes(self.config.eval_batch_size)
    found = in_order(self.outputs(params, batches))[0]
    return calibration.temper(found, temperature) if calibrated else found

  def temperature(self, params) -> float:
    """What the validation part asks for, see `calibration.fit_temperature`."""
    batches = self.evaluation_batches("validation")
    if not (outputs := self.outputs(params, batches)):
      raise InputError(
        "calibrated is True, expected a run with a validation part, which the"
        " temperature is fitted on"
      )
    return calibration.fit_temperature(*in_order(outputs))

  def predict_mode(
    self,
    params,
    *,
    input: str = "-",
    probabilities: bool = False,
    calibrated: bool = False,
  ) -> str:
    """A line for each input, in their order: the label and its probability.

    Args:
      params: the model's parameters.
      input: a file without labels, "-" is standard input: texts, names or
        sequences a line each, a CSV with a header, an IDX file, signals, WAV.
      probabilities: whether to write those of all classes, a column each, below
        a line with their names.
      calibrated: whether to mend how sure they are by the validation part.
    """
    inputs = self.encoder.read(input)
    rows = self.predict(params, inputs, calibrated=calibrated)
    lines = []
    if probabilities:
      names = (" ".join(label.split()) for label in self.labels)
      lines.append("\t".join(["label", *names]))
    for row in rows:
      shown = row if probabilities else [row.max()]
      shares = (f"{share:.4f}" for share in shown)
      lines.append("\t".join([self.labels[row.argmax()], *shares]))
    return "\n".join(lines)

  def showcase(self, params, directory: pathlib.Path) -> str:
    """See `classification_shown`."""
    from seqjax.tasks import classification_shown

    return classification_shown.show(self, params, directory)

  @functools.cached_property
  def _look(self):
    @jax.jit
    def look(params, batch: Batch):
      logits, weights = self._logits(params, batch, method="read")
      return jax.nn.softmax(logits), weights

    return look

  def look(self, params, inputs: Sequence[Any]) -> list[tuple[Any, Any]]:
    """For each input its probabilities `[classes]`, and what is attended to.

    `[time]` or longer, the weights of the steps; None but by attention pooling.
    """
    arrays = self._arrays(inputs)
    loader = self._loader(arrays, np.zeros(len(arrays), np.int32))
    found = []
    for batch in loader.few_shapes(self.config.eval_batch_size):
      shares, weights = jax.device_get(self._look(params, batch))
      weights = [None] * len(shares) if weights is None else weights
      rows = list(zip(shares, weights, strict=True))
      found.append((rows, batch.indices, batch.weights))
    return batching.in_order(*zip(*found, strict=True))


def sklearn_metrics() -> Any:
  """Takes a second to import, and is no use to a prediction."""
  with extra():
    from sklearn import metrics
  return metrics


def in_order(outputs) -> tuple[np.ndarray, np.ndarray]:
  """`(probabilities, labels)` of all batches, in the order of the examples."""
  rows, labels, indices, weights = zip(*outputs, strict=True)
  return (
    np.array(batching.in_order(rows, indices, weights)),
    np.array(batching.in_order(labels, indices, weights)),
  )


def _metrics(logits, batch: Batch):
  nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
  right = (logits.argmax(-1) == batch.labels).astype(jnp.float32)
  count = batch.weights.sum()
  return {
    "loss": ((batch.weights * nats).sum(), count),
    "accuracy": ((batch.weights * right).sum(), count),
  }
