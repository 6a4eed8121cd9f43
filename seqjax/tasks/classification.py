"""One label for a whole input: a text, a name, DNA, an image, a table row."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax import config as settings
from seqjax import files, nn
from seqjax.data import batching, formats
from seqjax.data.examples import (
  Splits,
  check_several,
  held_out,
  label_ids,
)
from seqjax.errors import extra
from seqjax.models import layers
from seqjax.models.many_to_one import POOLS, ManyToOne
from seqjax.tasks import base

_ZERO: Any = 0  # of a class that nothing was found of


class Batch(NamedTuple):
  """Padded examples; rows without one have weight 0."""

  inputs: Any  # int32 [batch, time] or float32 [batch, time, features]
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
    settings.one_of(config, POOLS, "model.pool")
    self._format = formats.find(config.data.format)
    self._make = layers.create(config.model)

  @functools.cached_property
  def splits(self) -> Splits:
    """The examples of each part."""
    return self._format.load(self.config.data, self.config.seed)

  @functools.cached_property
  def encoder(self) -> Any:
    """From an input to an array."""
    if self.saved:
      return self._format.Encoder(**self.saved["encoder"])
    return self._format.Encoder.fit(
      self.splits.train, self.config.data, self.config.seed
    )

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
      known[reads] = self.encoder.state
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
      dropout=model.dropout,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  @functools.cached_property
  def _encoded(self) -> dict[str, tuple[list[np.ndarray], np.ndarray]]:
    """Arrays and labels of each part; a mistake in one is found at once."""
    return {
      name: (
        [self.encoder.encode(example.inputs) for example in part],
        label_ids(name, part, self.labels),
      )
      for name, part in self.splits._asdict().items()
    }

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    return {name: self._loader(*part) for name, part in self._encoded.items()}

  def _loader(self, arrays: list[np.ndarray], labels: Any) -> batching.Loader:
    def collate(members, rows, padded):
      chosen = [arrays[i] for i in members]
      counts = [len(array) for array in chosen]
      return Batch(
        batching.pad(chosen, rows, padded),
        batching.fill(counts, rows, np.int32),
        batching.fill(labels[members], rows, np.int32),
        batching.fill(np.ones(len(members)), rows, np.float32),
        batching.fill(members, rows, np.int32),
      )

    return batching.Loader(
      [len(array) for array in arrays],
      collate,
      self.config.batch_size,
      num_buckets=self.config.num_buckets,
      seed=self.config.seed,
    )

  def train_batches(self):
    _sklearn_metrics()  # evaluation needs them: said now, not after a while
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

  @functools.cached_property
  def _logistic_regression(self) -> Any:
    """scikit-learn's; None where inputs are sequences, longer than a step."""
    arrays, labels = self._encoded["train"]
    if self.encoder.vocab_size or len(arrays[0]) != 1:
      return None
    with extra():
      from sklearn import linear_model

    baseline = linear_model.LogisticRegression(max_iter=2_000)
    return baseline.fit(np.concatenate(arrays), labels)

  def scores(self, outputs, split):
    """The mean recall of all classes, and logistic regression's accuracy.

    `balanced_accuracy` counts no class for more than another.
    `logistic_regression` is scikit-learn's by the same arrays, where each is
    one vector.
    """
    if not outputs:
      return {}
    rows, true = _in_order(outputs)
    # The mean over the classes that there are, as scikit-learn has it; that
    # warns of predictions of a class that is not among them.
    recall = _sklearn_metrics().recall_score(
      true,
      rows.argmax(-1),
      labels=np.unique(true),
      average="macro",
      zero_division=_ZERO,
    )
    values = {"balanced_accuracy": float(recall)}
    if self._logistic_regression:
      arrays, labels = self._encoded[split]
      score = self._logistic_regression.score(np.concatenate(arrays), labels)
      values["logistic_regression"] = float(score)
    return values

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

  def predict(self, params, inputs: Sequence[Any]) -> np.ndarray:
    """Probabilities `[inputs, classes]`, the classes those of `labels`.

    Args:
      params: the model's parameters.
      inputs: texts, names, sequences; of a table `{column: value}`; images,
        uint8 `[height, width]`.

    Raises:
      InputError: a text alone, expected a list of them.
    """
    check_several("inputs", inputs)
    if not len(inputs):
      return np.zeros((0, len(self.labels)), np.float32)
    arrays = [self.encoder.encode(one) for one in inputs]
    loader = self._loader(arrays, np.zeros(len(arrays), np.int32))
    batches = loader.few_shapes(self.config.eval_batch_size)
    return _in_order(self.outputs(params, batches))[0]

  def predict_mode(self, params, *, input: str = "-") -> str:
    """A line for each input, in their order: the label and its probability.

    Args:
      params: the model's parameters.
      input: a file without labels, "-" is standard input: texts, names or
        sequences a line each, a CSV with a header, or an IDX file.
    """
    rows = self.predict(params, self.encoder.read(input))
    return "\n".join(
      f"{self.labels[row.argmax()]}\t{row.max():.4f}" for row in rows
    )

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Confusion matrix, table of classes, surest mistakes."""
    from seqjax.show import classes

    name = held_out(self.splits)
    examples = getattr(self.splits, name)
    _, outputs = self.evaluate_split(params, name)
    rows, true = _in_order(outputs)
    said, picture = rows.argmax(-1), directory / "confusion.png"
    matrix = _sklearn_metrics().confusion_matrix(
      true, said, labels=range(len(self.labels))
    )
    classes.draw_confusion(matrix, self.labels, picture, name)
    lines = [classes.report(name, true, said, self.labels)]
    shown = [self._format.show(example.inputs) for example in examples]
    lines += classes.surest_mistakes(shown, rows, true, self.labels)
    if made_up := getattr(self._format, "SHOWN", ()):
      lines.append("Examples made up to tell:")
      found = self.predict(params, [example.inputs for example in made_up])
      for example, row in zip(made_up, found, strict=True):
        label, is_ = self.labels[row.argmax()], example.label
        shown = self._format.show(example.inputs)
        is_ = is_ if is_ in self.labels else None
        lines.append("  " + classes.prediction(shown, label, row.max(), is_))
    if self.config.model.pool == "attention" and self.encoder.vocab_size:
      path = directory / "attention.html"
      self._write_attention(params, examples[:20], path)
      lines.append(f"What the pooling attends to: {path}")
    written = "\n".join(lines)
    files.write(directory / "classes.txt", written + "\n")
    return f"{written}\nConfusion matrix: {picture}"

  @functools.cached_property
  def _attend(self):
    """Probabilities, and what the pooling attends to; jitted."""

    @jax.jit
    def attend(params, batch: Batch):
      logits, weights = self._logits(params, batch, method="read")
      return jax.nn.softmax(logits), weights

    return attend

  def _write_attention(self, params, examples, path: pathlib.Path) -> None:
    """A page of texts on a background as dark as each word is attended to."""
    from seqjax.show import attention

    arrays = [self.encoder.encode(example.inputs) for example in examples]
    loader = self._loader(arrays, np.zeros(len(arrays), np.int32))
    found = []
    for batch in loader.few_shapes(len(arrays)):
      rows = zip(*map(np.asarray, self._attend(params, batch)), strict=True)
      found.append((list(rows), batch.indices, batch.weights))
    pairs = batching.in_order(*zip(*found, strict=True))
    attention.write(
      path,
      [example.inputs for example in examples],
      [weights for _, weights in pairs],
      [self.labels[int(row.argmax())] for row, _ in pairs],
      [float(row.max()) for row, _ in pairs],
      [example.label for example in examples],
    )


def _sklearn_metrics() -> Any:
  """Takes a second to import, and is no use to a prediction."""
  with extra():
    from sklearn import metrics
  return metrics


def _in_order(outputs) -> tuple[np.ndarray, np.ndarray]:
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
