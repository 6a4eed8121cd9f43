"""One label for a whole input: a text, a name, DNA, an image, a table row."""

import functools
import json
import pathlib
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import linear_model
from sklearn import metrics as sklearn_metrics

from seqjax import nn
from seqjax.config import Config
from seqjax.data import batching, dna, encoders, images, names, table, tsv
from seqjax.data.examples import Example, Splits, fold, split
from seqjax.data.vocabulary import UNKNOWN, read_saved
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.many_to_one import POOLS, ManyToOne
from seqjax.show import attention, classes

ENCODER_FILE = "encoder.json"
LABELS_FILE = "labels.json"

# What turns a format into arrays.
FORMATS: dict[str, Any] = {
  "tsv": encoders.Words,
  "names": encoders.Chars,
  "dna": encoders.DNA,
  "idx": encoders.Images,
  "students": encoders.Table,
}
_ZERO: Any = 0  # of a class that nothing was found of


class Batch(NamedTuple):
  """Padded examples; rows without one have weight 0."""

  inputs: Any  # int32 [batch, time] or float32 [batch, time, features]
  lengths: Any  # int32 [batch]
  labels: Any  # int32 [batch]
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the example's place in its split


def create(config: Config, saved: pathlib.Path | None) -> "Classification":
  return Classification(config, saved)


class Classification:
  """See `seqjax.tasks.base.Task` for the contract.

  A format is read by its file under `data/`, turned into arrays by an encoder
  that knows the training part alone, and classified by `ManyToOne`. A table row
  is a sequence of one step.
  """

  unit = "examples"
  loss_unit = "nats"

  def __init__(self, config: Config, saved: pathlib.Path | None):
    data, model = config.data, config.model
    if data.format not in FORMATS:
      raise InputError(
        f"config.data.format is {data.format!r}, expected one of"
        f" {', '.join(FORMATS)}"
      )
    for field in ("batch_size", "eval_batch_size", "num_buckets"):
      if config[field] < 1:
        raise InputError(f"config.{field} is {config[field]}, expected >= 1")
    for field in (
      "dropout",
      "input_dropout",
      "word_dropout",
      "label_smoothing",
    ):
      if not 0 <= (rate := model.get(field, 0.0)) < 1:
        raise InputError(
          f"config.model.{field} is {rate}, expected a rate in [0, 1)"
        )
    if "pool" in model and model.pool not in POOLS:
      raise InputError(
        f"config.model.pool is {model.pool!r}, expected one of"
        f" {', '.join(POOLS)}"
      )
    self._config, self._saved = config, saved
    self._cache: dict[str, tuple[list[np.ndarray], np.ndarray]] = {}
    self._kind = FORMATS[data.format]
    self._sequences = data.format != "students"
    self._make = layers.create(model)
    self.items_per_step = config.batch_size
    self.modes = {"predict": self.predict}

  # Data, encoder and model are made when first needed: prediction has no use
  # for the first, bad input is found before the last is built.

  @functools.cached_property
  def _splits(self) -> Splits:
    splits = load(self._config.data, self._config.seed)
    if not splits.train:
      raise InputError("config.data leaves no examples to train on")
    return splits

  @functools.cached_property
  def encoder(self) -> Any:
    if self._saved:
      path = self._saved / ENCODER_FILE
      try:
        return self._kind(**json.loads(path.read_text("utf-8")))
      except (OSError, ValueError, TypeError) as error:
        raise InputError(
          f"{path}: no readable encoder ({error}); use a new --workdir"
        ) from error
    data = self._config.data
    options = {
      "tsv": lambda: {"min_count": data.min_count, "lower": data.lower},
      "dna": lambda: {"aligned": data.aligned},
      "idx": lambda: {"order": data.order, "seed": self._config.seed},
    }.get(data.format, dict)()
    return self._kind.fit(self._splits.train, **options)

  @functools.cached_property
  def labels(self) -> list[str]:
    if self._saved:
      return read_saved(self._saved / LABELS_FILE, "labels")
    return sorted({example.label for example in self._splits.train})

  def save(self, directory: pathlib.Path) -> None:
    for name, content in (
      (ENCODER_FILE, self.encoder.state),
      (LABELS_FILE, {"labels": self.labels}),
    ):
      record = json.dumps(content, ensure_ascii=False) + "\n"
      (directory / name).write_text(record, "utf-8")

  @functools.cached_property
  def _functional(self):
    model, encoder = self._config.model, self.encoder
    build = lambda key: ManyToOne(
      self._make,
      len(self.labels),
      vocab_size=getattr(encoder, "vocab_size", 0),
      input_size=encoder.input_size,
      embed_size=model.embed_size,
      pool=model.pool,
      dropout=model.dropout,
      input_dropout=model.input_dropout,
      compute_dtype=model.compute_dtype,
      key=key,
    )
    return build, nn.functionalize(build(jax.random.key(0)))[1]

  def _apply(self, params, batch: Batch, **kwargs):
    return self._functional[1](
      params, batch.inputs, lengths=batch.lengths, **kwargs
    )

  def init(self, key):
    return nn.functionalize(self._functional[0](key))[0]

  def initial_carry(self, params):
    del params
    return ()

  evaluation_carry = initial_carry

  def _encoded(self, split: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Arrays and labels of "train", "validation" or "test"."""
    if split not in self._cache:
      self._cache[split] = self._encode(split)
    return self._cache[split]

  def _encode(self, split: str) -> tuple[list[np.ndarray], np.ndarray]:
    examples = getattr(self._splits, split)
    known = {label: i for i, label in enumerate(self.labels)}
    for example in examples:
      if example.label not in known:
        raise InputError(
          f"the {split} part holds the label {example.label!r}, which training"
          f" does not: it knows {', '.join(self.labels)}"
        )
    arrays = [self.encoder.encode(example.inputs) for example in examples]
    return arrays, np.array([known[e.label] for e in examples], np.int32)

  def _batch(self, arrays, labels, indices, length) -> Batch:
    present = indices[indices >= 0]
    rows = len(indices)
    chosen = [arrays[i] for i in present]
    fill = lambda values, dtype: np.pad(
      np.asarray(values, dtype), (0, rows - len(present))
    )
    if self._sequences:
      inputs = batching.pad(chosen, rows, length)
      lengths = fill([len(array) for array in chosen], np.int32)
    else:
      inputs = batching.pad(chosen, rows, self.encoder.input_size)[:, None]
      lengths = fill(np.ones(len(present)), np.int32)
    return Batch(
      inputs,
      lengths,
      fill(labels[present], np.int32),
      fill(np.ones(len(present)), np.float32),
      indices.astype(np.int32),
    )

  def train_batches(self):
    config = self._config
    for part in ("validation", "test"):
      self._encoded(part)  # a mistake there is found before training
    arrays, labels = self._encoded("train")
    buckets = batching.Buckets(
      self._lengths(arrays),
      config.batch_size,
      num_buckets=config.num_buckets,
      seed=config.seed,
    )
    return batching.endless(
      lambda step: self._batch(arrays, labels, *buckets[step])
    )

  def _lengths(self, arrays):
    return [len(array) if self._sequences else 1 for array in arrays]

  def _in_order(self, arrays, labels) -> Iterable[Batch]:
    if arrays:
      buckets = batching.Buckets(
        self._lengths(arrays),
        self._config.eval_batch_size,
        num_buckets=self._config.num_buckets,
      )
      for indices, length in buckets:
        yield self._batch(arrays, labels, indices, length)

  def evaluation_batches(self, split: str) -> Iterable[Batch]:
    return self._in_order(*self._encoded(split))

  def loss(self, params, batch: Batch, carry, key):
    model = self._config.model
    if rate := model.get("word_dropout", 0.0):
      key, drop_key = jax.random.split(key)
      inputs = nn.drop_tokens(drop_key, batch.inputs, rate, UNKNOWN)
      batch = batch._replace(inputs=inputs)
    logits = self._apply(params, batch, key=key)
    smoothed = optax.smooth_labels(
      jax.nn.one_hot(batch.labels, len(self.labels)), model.label_smoothing
    )
    nats = optax.softmax_cross_entropy(logits, smoothed)
    count = batch.weights.sum()
    loss = (batch.weights * nats).sum() / count
    return loss, _metrics(logits, batch), carry

  def evaluate(self, params, batch: Batch, carry):
    return _metrics(self._apply(params, batch), batch), carry

  def summarize(self, means: dict[str, float]) -> dict[str, float]:
    return {"loss": means["loss"], **means}

  def scores(self, params, split: str) -> dict[str, float]:
    """The mean recall of all classes; for tables, logistic regression too.

    `balanced_accuracy` counts no class for more than another;
    `logistic_regression` is the accuracy of scikit-learn's, by the same arrays.
    """
    arrays, labels = self._encoded(split)
    if not arrays:
      return {}
    found = self._probabilities(params, arrays, labels).argmax(-1)
    # The mean over the classes that there are, as scikit-learn has it; that
    # warns of predictions of a class that is not among them.
    recall = sklearn_metrics.recall_score(
      labels,
      found,
      labels=np.unique(labels),
      average="macro",
      zero_division=_ZERO,
    )
    values = {"balanced_accuracy": float(recall)}
    if not self._sequences:
      baseline = linear_model.LogisticRegression(max_iter=2_000)
      baseline.fit(*self._encoded("train"))
      values["logistic_regression"] = float(baseline.score(arrays, labels))
    return values

  @functools.cached_property
  def _predict(self):
    return jax.jit(lambda params, batch: self._apply(params, batch))

  def _probabilities(self, params, arrays, labels) -> np.ndarray:
    """`[examples, classes]`, in the order of the arrays."""
    found = np.zeros((len(arrays), len(self.labels)), np.float32)
    for batch in self._in_order(arrays, labels):
      present = batch.indices >= 0
      probabilities = jax.nn.softmax(self._predict(params, batch))
      found[batch.indices[present]] = np.asarray(probabilities)[present]
    return found

  def gradient_norms(self, params, batch: Batch, carry):
    del carry
    if not self._sequences:
      raise InputError(
        "config.probes.gradients_every is for sequences, expected 0 here: there"
        " is no time to look back over"
      )
    norms = self._functional[1](
      params,
      batch.inputs,
      lambda logits: optax.softmax_cross_entropy_with_integer_labels(
        logits, batch.labels
      ),
      batch.lengths,
      method="gradient_norms",
    )
    return norms, batch.lengths

  def predict(self, params, *, input: str = "-") -> str:
    """A line for each input, in their order: the label and its probability.

    Args:
      params: the model's parameters.
      input: a file without labels, "-" is standard input: texts, names or
        sequences a line each, a CSV with a header, or an IDX file.

    Raises:
      InputError: the input cannot be read.
    """
    if input == "-" and sys.stdin.isatty():
      print("reading standard input, end with Ctrl-D", file=sys.stderr)
    arrays = [self.encoder.encode(raw) for raw in self.encoder.read(input)]
    labels = np.zeros(len(arrays), np.int32)
    rows = self._probabilities(params, arrays, labels)
    return "\n".join(
      f"{self.labels[row.argmax()]}\t{row.max():.4f}" for row in rows
    )

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Confusion matrix, table of classes, surest mistakes; see the parts."""
    name = "test" if self._splits.test else "validation"
    if not getattr(self._splits, name):
      name = "train"
    arrays, labels = self._encoded(name)
    rows = self._probabilities(params, arrays, labels)
    said, examples = rows.argmax(-1), getattr(self._splits, name)
    matrix = sklearn_metrics.confusion_matrix(
      labels, said, labels=range(len(self.labels))
    )
    picture = directory / "confusion.png"
    classes.draw_confusion(matrix, self.labels, picture, name)
    lines = [classes.report(name, labels, said, self.labels)]
    lines += classes.surest_mistakes(
      [_show(example) for example in examples], rows, labels, self.labels
    )
    if self._config.data.format == "tsv":
      lines += self._tell_pairs(params)
      if self._config.model.pool == "attention":
        path = directory / "attention.html"
        self._write_attention(params, examples[:20], path)
        lines.append(f"What the pooling attends to: {path}")
    written = "\n".join(lines)
    (directory / "classes.txt").write_text(written + "\n", "utf-8")
    return f"{written}\nConfusion matrix: {picture}"

  def _tell_pairs(self, params) -> list[str]:
    """Pairs of the same words in another order, with their probabilities."""
    texts = [text for pair in tsv.PAIRS for text in pair]
    arrays = [self.encoder.encode(text.split()) for text in texts]
    rows = self._probabilities(params, arrays, np.zeros(len(texts), np.int32))
    # What is true of them can be said in the words of the made-up reviews.
    truth = ["positive", "negative"] * len(tsv.PAIRS)
    if set(self.labels) != set(truth):
      truth = [None] * len(texts)
    lines = ["The same words in another order:"]
    for text, row, fact in zip(texts, rows, truth, strict=True):
      said = self.labels[row.argmax()]
      lines.append(f"  {classes.prediction(text, said, row.max(), fact)}")
    return lines

  def _write_attention(self, params, examples, path: pathlib.Path) -> None:
    """Words on a background as dark as they are attended to."""
    arrays = [self.encoder.encode(example.inputs) for example in examples]
    longest = max(1, *(len(array) for array in arrays))
    labels = np.zeros(len(arrays), np.int32)
    batch = self._batch(arrays, labels, np.arange(len(arrays)), longest)
    logits, weights = self._apply(params, batch, method="read")
    rows = np.asarray(jax.nn.softmax(logits))
    attention.write(
      path,
      [example.inputs for example in examples],
      np.asarray(weights),
      [self.labels[row.argmax()] for row in rows],
      rows.max(-1),
      [example.label for example in examples],
    )


def load(data: Config, seed: int) -> Splits:
  """The data that a config names, in three parts.

  Raises:
    InputError: see the format's file; or folds are asked of data that brings
      its own parts.
  """
  path = pathlib.Path(data.path) if data.path else None
  if path is not None and not path.exists():
    raise InputError(f"config.data.path is {path}, which does not exist")
  found: Any = None
  match data.format:
    case "tsv":
      if path is None:
        found = tsv.generate(data.examples, seed)
      elif path.is_dir():
        found = tsv.read_folder(path)
      else:
        found = tsv.read(path)
    case "names":
      found = (
        names.read_folder(path) if path else names.generate(data.examples, seed)
      )
    case "dna":
      found = dna.read(path) if path else dna.generate(data.examples, seed)
    case "idx":
      if path:
        found = images.read_folder(path, data.validation, seed)
      else:
        found = images.generate(data.examples, seed)
    case "students":
      if path:
        found = table.read(path, data.grades)
      else:
        found = table.generate(data.examples, seed)
  if isinstance(found, Splits):
    if data.num_folds:
      raise InputError(
        f"config.data.num_folds is {data.num_folds}, expected 0: {path} brings"
        " its own training and test parts"
      )
    return found
  if data.num_folds:
    return fold(found, data.fold, data.num_folds, seed)
  return split(found, data.validation, data.test, seed)


def _metrics(logits, batch: Batch):
  nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
  right = (logits.argmax(-1) == batch.labels).astype(jnp.float32)
  count = batch.weights.sum()
  return {
    "loss": ((batch.weights * nats).sum(), count),
    "accuracy": ((batch.weights * right).sum(), count),
  }


def _show(example: Example) -> str:
  """An input in one line."""
  match example.inputs:
    case str():
      shown = example.inputs
    case list():
      shown = " ".join(example.inputs)
    case dict():
      shown = ", ".join(f"{k} {v}" for k, v in example.inputs.items())
    case _:
      shown = f"an image of {' x '.join(map(str, example.inputs.shape))}"
  return shown if len(shown) <= 70 else shown[:67] + "..."
