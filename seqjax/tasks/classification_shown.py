"""What a person looks at when a classifier has been trained."""

import functools
import pathlib
from collections import Counter
from typing import Any

import jax
import numpy as np

from seqjax import files
from seqjax.data.examples import held_out
from seqjax.models import layers
from seqjax.tasks import calibration
from seqjax.tasks.classification import in_order, sklearn_metrics

_PICTURES = 2  # of self-attention


def show(task: Any, params: Any, directory: pathlib.Path) -> str:
  """Confusion matrix, table of classes, baselines, surest mistakes, trust.

  Args:
    task: a `Classification`.
    params: the model's parameters.
    directory: where `classes.txt` and the pictures are written.

  Returns:
    What is in `classes.txt`.
  """
  from seqjax.show import classes  # pictures are no use to a prediction

  name = held_out(task.splits)
  examples = getattr(task.splits, name)
  _, outputs = task.evaluate_split(params, name)
  rows, true = in_order(outputs)
  said, picture = rows.argmax(-1), directory / "confusion.png"
  matrix = sklearn_metrics().confusion_matrix(
    true, said, labels=range(len(task.labels))
  )
  classes.draw_confusion(matrix, task.labels, picture, name)
  lines = [classes.report(name, true, said, task.labels)]
  lines += classes.beside(float((said == true).mean()), task.baselines(name))
  shown = [task.format.show(example.inputs) for example in examples]
  lines += classes.surest_mistakes(shown, rows, true, task.labels)
  if made_up := getattr(task.format, "SHOWN", ()):
    lines.append("Examples made up to tell:")
    found = task.predict(params, [example.inputs for example in made_up])
    for example, row in zip(made_up, found, strict=True):
      label, is_ = task.labels[row.argmax()], example.label
      line = task.format.show(example.inputs)
      is_ = is_ if is_ in task.labels else None
      lines.append("  " + classes.prediction(line, label, row.max(), is_))
  lines.append(_reliability(task, params, rows, true, name, directory))
  if task.config.model.pool == "attention" and hasattr(task.format, "steps"):
    path = _attention(task, params, examples, directory)
    lines.append(f"What the pooling attends to: {path}")
  if layers.is_transformer(task.config.model):
    paths = _self_attention(task, params, examples, directory)
    lines += [f"What is looked at in the last block: {path}" for path in paths]
  written = "\n".join(lines)
  files.write(directory / "classes.txt", written + "\n")
  return f"{written}\nConfusion matrix: {picture}"


def _reliability(task, params, rows, true, part, directory) -> str:
  """Draws how far to trust the model, and tells what would mend it."""
  from seqjax.show import reliability

  found = {"as trained": calibration.reliability(rows, true)}
  line = f"Expected calibration error {found['as trained'].error:.3f}"
  if task.splits.validation:
    temperature = task.temperature(params)
    name = f"with temperature {temperature:.2f}"
    tempered = calibration.temper(rows, temperature)
    found[name] = calibration.reliability(tempered, true)
    line += f", {name} (fitted on validation) {found[name].error:.3f}"
  path = directory / "reliability.png"
  reliability.draw(path, found, part)
  return f"{line}: {path}"


def _attention(task, params, examples, directory) -> pathlib.Path:
  """Words on a page, or numbers in a picture; some of each class."""
  from seqjax.show import attention, signals

  seen: Counter[str] = Counter()
  chosen = []
  for example in examples:
    if seen[example.label] < max(3, 20 // len(task.labels)):
      chosen.append(example)
    seen[example.label] += 1
  inputs = [example.inputs for example in chosen]
  pairs = task.look(params, inputs)
  steps = [task.format.steps(one) for one in inputs]
  numbers = isinstance(steps[0], np.ndarray)
  path = directory / ("attention.png" if numbers else "attention.html")
  write = signals.draw if numbers else attention.write
  write(
    path,
    steps,
    [weights for _, weights in pairs],
    [task.labels[int(row.argmax())] for row, _ in pairs],
    [float(row.max()) for row, _ in pairs],
    [example.label for example in chosen],
  )
  return path


def _self_attention(task, params, examples, directory) -> list[pathlib.Path]:
  """Pictures of the last block, each of the first input of another class."""
  firsts: dict[str, Any] = {}
  for example in examples:
    if len(example.inputs):
      firsts.setdefault(example.label, example)
  chosen, paths = list(firsts.values())[:_PICTURES], []
  looks = jax.jit(functools.partial(task.apply, method="self_attention"))
  found = task.look(params, [example.inputs for example in chosen])
  for example, (row, pooled) in zip(chosen, found, strict=True):
    weights = looks(params, task.encoder.encode(example.inputs)[None])[-1][0]
    said = f"→ {task.labels[row.argmax()]} {row.max():.0%}, is {example.label}"
    path = directory / f"self_attention_{len(paths) + 1}.png"
    if getattr(task.encoder, "patch", 0):
      _on_the_image(task, example.inputs, np.asarray(weights), said, path)
    else:
      _step_by_step(task, example.inputs, weights, said, pooled, path)
    paths.append(path)
  return paths


def _step_by_step(task, inputs, weights, said, pooled, path) -> None:
  """Which step looks at which; where there are no symbols, by their number."""
  from seqjax.show import attention

  steps = getattr(task.format, "steps", task.encoder.encode)(inputs)
  if isinstance(steps, np.ndarray):
    steps = [f"{number}" for number in range(1, len(steps) + 1)]
  token = ["class"] if task.config.model.pool == "class_token" else []
  attention.draw(path, [*token, *steps], weights, said, pooled)


def _on_the_image(task, image, weights, said, path) -> None:
  """At which patches the class token looks, or all of them in the mean."""
  from seqjax.show import captions

  if task.config.model.pool == "class_token":
    weights = weights[:, 0, 1:]
  else:
    weights = weights.mean(axis=1)
  if image.ndim == 2:
    image = image[..., None].repeat(3, -1)
  heads = [f"head {number + 1}" for number in range(len(weights))]
  rows = task.encoder.shape[0] // task.encoder.patch
  captions.draw(image, heads, weights, path, title=said, rows=rows)
