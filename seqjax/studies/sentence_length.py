"""How well sentences are translated, by their length, model against model.

`run` trains each model of the config in a run directory of its own, translates
the test part by beam search, and writes into the directory of the study
`lengths.tsv`, `metrics.jsonl` and `sentence_length` as PNG and SVG. What a run
directory holds already is not trained or translated again.
"""

import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from seqjax import command_line, files
from seqjax import config as settings
from seqjax.config import Config
from seqjax.data import bleu
from seqjax.data.pairs import Pair
from seqjax.errors import InputError
from seqjax.nn.trees import count_params
from seqjax.show import lengths
from seqjax.studies import bleu_by_length
from seqjax.studies.base import Stopped
from seqjax.studies.bleu_by_length import Row
from seqjax.tasks import base
from seqjax.tasks.translation import Translation
from seqjax.train import checkpoint, loop, restore, workdir
from seqjax.train.train_state import TrainState

METRICS = {"bleu": "BLEU", "bleu_lower": "BLEU in lower case"}
# What a run directory holds is checked by itself.
MAY_CHANGE = (
  "seed", "resamples", "metric", "bins", "mark", "baseline", "changes.",
  "models.",
)  # fmt: skip
TRANSLATIONS_FILE = "translations.json"  # in the directory of each run
TABLE_FILE = "lengths.tsv"


class Model(NamedTuple):
  """A trained model and what it wrote.

  Attributes:
    step: of its checkpoint, the best by validation.
    steps: that it was trained.
    parameters: how many numbers it has.
    seconds: that its training took, evaluations included.
    texts: a translation for each sentence of the test part.
  """

  step: int
  steps: int
  parameters: int
  seconds: float
  texts: list[str]


def check(config: Config) -> None:
  """Raises InputError if a bin, a model or one of its fields is not fit."""
  bins = tuple(config.bins)
  whole = all(type(edge) is int for edge in bins)
  if not whole or bins[:1] != (1,) or list(bins) != sorted(set(bins)):
    raise InputError(
      f"config.bins is {bins}, expected growing whole numbers, the first 1"
    )
  settings.at_least(config, 1, "resamples")
  settings.at_least(config, 0, "seed", "mark")
  settings.one_of(config, METRICS, "metric")
  if len(config.models) < 2:
    raise InputError(
      f"config.models has {len(config.models)} entries, expected 2 at least"
    )
  settings.one_of(config, config.models, "baseline")
  labels = list(_labels(config).values())
  if len(set(labels)) < len(labels):
    raise InputError(
      f"config.models has the labels {labels}, expected no two alike"
    )
  for name, model in _configs(config).items():
    if not issubclass(base.find(model), Translation):
      raise InputError(
        f"config.experiment is {config.experiment!r}, whose task is"
        f" {model.task!r}; expected one that translates"
      )
    try:
      base.create(base.resolve(model))
    except InputError as error:
      raise InputError(f"config.models.{name}: {error}") from error


def batch_size(config: Config) -> int:
  """The rows that devices may share: a divisor of each model's batches."""
  models = _configs(config).values()
  return math.gcd(*(settings.get(model, "batch_size") for model in models))


def run(config: Config, directory: pathlib.Path) -> list[Row]:
  """Trains what is not trained yet, translates and compares.

  Args:
    config: see `experiments/sentence_length.py`.
    directory: of the study; the run of `config.models.NAME` is in NAME there.

  Returns:
    A row for each bin that is not empty, and one for all sentences.

  Raises:
    InputError: see `check`; or there is no test part, or not the same one for
      all models. Found before hours are spent.
    Stopped: a signal ended a training early.
  """
  check(config)
  configs = _configs(config)
  pairs = _test_part(configs)
  found: dict[str, Model] = {}
  for name, label in _labels(config).items():
    model = configs[name]
    print(f"{label}: {directory / name}", flush=True)
    _train(model, directory / name)
    found[label] = _translated(directory / name, model, pairs)
  language = next(iter(configs.values())).data.target
  signature = bleu.signatures(language)[config.metric]
  texts = {label: model.texts for label, model in found.items()}
  rows = bleu_by_length.compare(
    pairs,
    texts,
    signature,
    bins=config.bins,
    resamples=config.resamples,
    seed=config.seed,
  )
  files.write_records(directory, _records(found, rows, signature))
  files.write(directory / TABLE_FILE, bleu_by_length.tabs(rows))
  print(bleu_by_length.aligned(rows))
  for label, model in found.items():
    print(
      f"{label}: {model.seconds / 60:.1f} minutes of training for"
      f" {model.steps} steps, checkpoint of step {model.step},"
      f" {model.parameters:,} parameters"
    )
  print(f"{config.metric}: {signature}")
  path = directory / "sentence_length.png"
  *of_bins, _ = rows
  labels = list(found)
  lengths.draw(
    {n: np.array([row.scores[n] for row in of_bins]) for n in labels},
    {n: np.array([row.differences[n] for row in of_bins]) for n in labels[1:]},
    path,
    words=[row.words for row in of_bins],
    bins=[row.name for row in of_bins],
    counts=[row.count for row in of_bins],
    metric=METRICS[config.metric],
    first=labels[0],
    mark=config.mark,
    svg=True,
  )
  print(f"Table: {directory / TABLE_FILE}\nBLEU by length: {path}")
  return rows


def _labels(config: Config) -> dict[str, str]:
  """Name of a model to what it is called, in one line; the baseline first."""
  names = sorted(config.models, key=lambda name: name != config.baseline)
  return {
    name: " ".join(str(config.models[name].label or name).split())
    for name in names
  }


def _configs(config: Config) -> dict[str, Config]:
  """Name of a model to the config of its run."""
  found = {}
  for name in _labels(config):
    try:
      model = command_line.load_experiment(config.experiment)
    except InputError as error:
      said = str(error).removeprefix("--config=")
      raise InputError(f"config.experiment: {said}") from error
    if config.data.path is not None:
      _change(model, {"data": {"path": config.data.path}}, "data")
    _change(model, config.changes.to_dict(), "changes")
    _change(
      model, config.models[name].changes.to_dict(), f"models.{name}.changes"
    )
    found[name] = model
  return found


def _change(model: Config, changes: dict[str, Any], field: str) -> None:
  """Sets fields, of which each must exist."""
  flat = workdir.flatten(changes)
  for name in flat:
    try:
      settings.get(model, name)
    except InputError as error:
      raise InputError(
        f"config.{field}.{name} is no field of config.experiment"
      ) from error
  try:
    model.update_from_flattened_dict(flat)
  except (TypeError, ValueError) as error:
    said = " ".join(str(error).split())
    raise InputError(f"config.{field}: {said}") from error


def _test_part(configs: dict[str, Config]) -> list[Pair]:
  """The pairs to translate.

  Raises:
    InputError: there are none, or those of two models differ.
  """
  parts = {}
  for name, model in configs.items():
    task = base.create(base.resolve(model))
    assert isinstance(task, Translation)
    parts[name] = list(task.splits.test)
  first, *others = parts
  if not parts[first]:
    raise InputError(
      f"config.experiment: config.data.test is"
      f" {configs[first].data.test}, which leaves nothing to translate"
    )
  for name in others:
    if parts[name] != parts[first]:
      raise InputError(
        f"config.models.{name} has another test part than"
        f" config.models.{first}; expected the same data and seed"
      )
  return parts[first]


def _train(model: Config, directory: pathlib.Path) -> None:
  """Trains, or goes on; looks only at the config of what is done."""
  steps = checkpoint.saved_steps(directory / checkpoint.FOLDER)
  if steps[:1] == [model.steps]:
    workdir.check_config(directory, base.resolve(model))
    return
  if ended_by := loop.train(model, directory):
    raise Stopped(ended_by)


def _translated(
  directory: pathlib.Path, model: Config, pairs: Sequence[Pair]
) -> Model:
  """The translations on file, if they are of this checkpoint and these pairs.

  Else those of a beam search, which are written there.
  """
  task, params, step = restore.load(directory)
  path = directory / TRANSLATIONS_FILE
  sources = [pair.source for pair in pairs]
  content = files.read_json(path) if path.exists() else {}
  kept = content.get("pairs", [])
  if content.get("step") != step or [p["source"] for p in kept] != sources:
    print(
      f"translating {len(pairs)} sentences, checkpoint of step {step}",
      flush=True,
    )
    assert isinstance(task, Translation)
    texts = task.translate(params, sources)
    kept = [
      {"source": pair.source, "target": pair.target, "translation": text}
      for pair, text in zip(pairs, texts, strict=True)
    ]
    files.write_json(path, {"step": step, "pairs": kept})
  return Model(
    step,
    model.steps,
    count_params(params),
    _seconds(directory),
    [pair["translation"] for pair in kept],
  )


def _seconds(directory: pathlib.Path) -> float:
  """What the last checkpoint says that the training took."""
  device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  fields: dict[str, Any] = dict.fromkeys(TrainState._fields, ())
  fields["step"] = jax.ShapeDtypeStruct((), "int32", sharding=device)
  found = checkpoint.restore_latest(
    directory / checkpoint.FOLDER, TrainState(**fields), restore.warn
  )
  assert found is not None
  return found[1]["seconds"]


def _records(
  found: dict[str, Model], rows: Sequence[Row], signature: str
) -> list[dict[str, Any]]:
  """What `metrics.jsonl` holds: of each model, and of each in each bin."""
  records: list[dict[str, Any]] = [
    {
      "kind": "model",
      "model": label,
      **model._asdict(),
      "signature": signature,
    }
    for label, model in found.items()
  ]
  for record in records:
    del record["texts"]
  ends = ("", "_low", "_high")
  for row in rows:
    for label, value in row.scores.items():
      record = {"kind": "bin", "bin": row.name, "model": label}
      record |= {"sentences": row.count, "words": row.words}
      record |= zip((f"bleu{end}" for end in ends), value, strict=True)
      if gained := row.differences.get(label):
        record |= zip((f"gain{end}" for end in ends), gained, strict=True)
      records.append(record)
  return records
