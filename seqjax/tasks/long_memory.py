"""Problems that only memory solves: adding, copying, recalling a word."""

import functools
import pathlib
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax import config as settings
from seqjax import files
from seqjax.data import batching, long_memory
from seqjax.models import layers
from seqjax.models.language_model import LanguageModel
from seqjax.models.many_to_one import ManyToOne
from seqjax.tasks import base

# Evaluation batches come from other keys than any training step.
_SPLITS = {"validation": 1, "test": 2}


class LongMemory(base.Task):
  """See `data.long_memory` for the problems.

  Every batch is new, so there is nothing to overfit to. `baseline` beside the
  loss is what a model without memory reaches.
  """

  unit = "steps"

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.one_of(config, long_memory.GENERATORS, "data.name")
    name, distance = config.data.name, config.data.distance
    settings.at_least(config, long_memory.SHORTEST[name], "data.distance")
    settings.at_least(config, 1, "eval_batch_size", "eval_batches")
    self._name, self._distance = name, distance
    self.loss_unit = "mean squared error" if name == "adding" else "nats"
    self.baseline = long_memory.BASELINES[name](distance)
    self._make = layers.create(config.model)

  @functools.cached_property
  def items_per_step(self):
    one = jax.eval_shape(lambda: self.draw(jax.random.key(0), 1))
    return self.config.batch_size * one.inputs.shape[1]

  def build(self, key):
    model = self.config.model
    common = {
      "compute_dtype": model.compute_dtype,
      "dropout": model.dropout,
      "key": key,
    }
    if self._name == "adding":
      return ManyToOne(self._make, 1, input_size=2, **common)
    return LanguageModel(
      long_memory.NUM_SYMBOLS[self._name], self._make, embed_size=0, **common
    )

  def draw(self, key: jax.Array, batch_size: int) -> long_memory.Examples:
    """A batch, inside a compiled program or outside."""
    return long_memory.GENERATORS[self._name](key, batch_size, self._distance)

  @functools.cached_property
  def _draw(self):
    """A function (stream, step, batch size) to a NumPy batch."""
    seed = jax.random.key(self.config.seed)

    @functools.partial(jax.jit, static_argnums=2)
    def draw(stream, step, batch_size):
      key = jax.random.fold_in(jax.random.fold_in(seed, stream), step)
      return self.draw(key, batch_size)

    return lambda *args: jax.tree.map(np.asarray, draw(*args))

  def train_batches(self):
    return batching.endless(
      lambda step: self._draw(0, step, self.config.batch_size)
    )

  def loss(self, params, batch: long_memory.Examples, carry, key):
    metrics = self._metrics(params, batch, key)
    return metrics["loss"], metrics, carry

  def evaluation_batches(self, split: str) -> Iterable[long_memory.Examples]:
    for step in range(self.config.eval_batches):
      yield self._draw(_SPLITS[split], step, self.config.eval_batch_size)

  def evaluate(self, params, batch: long_memory.Examples, carry):
    return self._metrics(params, batch), carry, ()

  def _metrics(self, params, batch, key=None):
    if self._name == "adding":
      outputs = self.apply(params, batch.inputs, key=key)[:, 0]
      losses = (outputs - batch.targets) ** 2
      return {"loss": (losses.sum(), batch.weights.sum())}
    _, logits = self.apply(params, batch.inputs, key=key)
    nats = optax.softmax_cross_entropy_with_integer_labels(
      logits, batch.targets
    )
    right = (logits.argmax(-1) == batch.targets).astype(jnp.float32)
    # The blanks that all of the copying ends after tell nothing.
    asked = batch.weights * (batch.targets != long_memory.BLANK)
    if self._name == "recall":
      asked = batch.weights
    return {
      "loss": ((batch.weights * nats).sum(), batch.weights.sum()),
      "accuracy": ((asked * right).sum(), asked.sum()),
    }

  def gradient_norms(self, params, batch: long_memory.Examples, carry):
    del carry
    if self._name == "adding":
      loss = lambda outputs: (outputs[:, 0] - batch.targets) ** 2
      arguments = batch.inputs, loss
    else:
      arguments = batch.inputs, batch.targets, None
    return self.apply(params, *arguments, method="gradient_norms"), None

  def summarize(self, means: dict[str, float]) -> dict[str, float]:
    return {"loss": means["loss"], "baseline": self.baseline, **means}

  def showcase(self, params, directory: pathlib.Path) -> str:
    batch = self._draw(_SPLITS["test"], 0, self.config.eval_batch_size)
    metrics = jax.jit(self._metrics)(params, batch)
    loss = float(metrics["loss"][0] / metrics["loss"][1])
    lines = [
      f"{self._name} over {self._distance} steps: loss {loss:.4g}"
      f" {self.loss_unit}, without memory {self.baseline:.4g}"
    ]
    rows = jax.tree.map(lambda leaf: leaf[:5], batch)
    apply = jax.jit(self.apply)
    if self._name == "adding":
      for row, output in enumerate(apply(params, rows.inputs)[:, 0]):
        numbers, marked = rows.inputs[row].T
        terms = " + ".join(f"{n:.3f}" for n in numbers[marked > 0])
        lines.append(
          f"  {terms} = {rows.targets[row]:.3f}, the model says {output:.3f}"
        )
    else:
      probabilities = jax.nn.softmax(apply(params, rows.inputs)[1])
      for row, told in enumerate(np.asarray(probabilities)):
        lines.append("  " + self._tell(rows, row, told))
    text = "\n".join(lines)
    files.write(directory / "examples.txt", text + "\n")
    return text

  def _tell(self, rows, row, told) -> str:
    """One example in words or symbols; `told` is `[time, symbols]`."""
    if self._name == "copy":
      asked = rows.targets[row] != long_memory.BLANK
      seen = "".join(map(str, rows.inputs[row][: long_memory.COPIED]))
      written = "".join(map(str, told.argmax(-1)[asked]))
      return f"shown {seen}, {self._distance} steps later: {written}"
    words = [long_memory.WORDS[i] for i in rows.inputs[row]]
    if len(words) > 16:
      words = [*words[:9], "...", *words[-6:]]
    best = np.argsort(-told[-1])[:3]
    ranked = ", ".join(
      f"{long_memory.WORDS[i]} {told[-1, i]:.0%}" for i in best
    )
    return f"{' '.join(words)} ___: {ranked}"
