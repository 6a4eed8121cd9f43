"""What studies have in common, and how one is run in its directory."""

import pathlib
import types

from seqjax import config as settings
from seqjax import studies
from seqjax.cells.base import Cell
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.train import runtime, workdir


class Stopped(Exception):
  """A signal ended a training early; its state is saved.

  Attributes:
    signal: its number.
  """

  def __init__(self, signal: int):
    super().__init__(signal)
    self.signal = signal


def run(config: Config, directory: pathlib.Path) -> int:
  """Runs the study that `config.study` names: its `check`, then its `run`.

  A study may say which fields do not matter to what its directory holds,
  `MAY_CHANGE`, and with `batch_size(config)` that it trains with batches.

  Args:
    config: what an experiment file returns.
    directory: of the study; `config.json` is written there.

  Returns:
    0, or the number of the signal that ended a training early.

  Raises:
    InputError: the config or the directory is not fit.
  """
  with workdir.locked(directory), settings.missing_fields():
    study = _find(config)
    config = resolve(config)
    study.check(config)
    if workdir.begun(directory):
      may_change = getattr(study, "MAY_CHANGE", ())
      workdir.check_config(directory, config, may_change)
    workdir.save_config(directory, config)
    try:
      study.run(config, directory)
    except Stopped as stopped:
      return stopped.signal
  return 0


def cpu_devices(config: Config) -> int:
  """Into how many devices to split the CPU: as many as can share a batch.

  One for a study that has no batches.

  Raises:
    InputError: the config is not fit.
  """
  study = _find(config)
  if not hasattr(study, "batch_size"):
    return 1
  with settings.missing_fields():
    return runtime.cpu_devices(study.batch_size(config))


def _find(config: Config) -> types.ModuleType:
  return settings.find_module(
    "config.study", config.study, studies.__name__, ["check", "run"]
  )


def cells(config: Config) -> dict[str, Cell]:
  """Label to cell, as `config.cells` names them.

  Each entry has a `label` and a `cell`, a name or a call; sizes are those of
  `config.model`.

  Raises:
    InputError: there are none, one is no cell, or two have one label.
  """
  if not config.cells:
    raise InputError("config.cells is empty, expected at least one cell")
  found = {}
  for name, entry in config.cells.items():
    label = entry.label or name
    if label in found:
      raise InputError(
        f"config.cells.{name}.label is {label!r}, expected one that no other"
        " cell has"
      )
    found[label] = layers.cell(
      entry.cell,
      hidden_size=config.model.hidden_size,
      compute_dtype=config.model.compute_dtype,
    )
  return found


def resolve(config: Config) -> Config:
  """A copy of a config with every option of its expressions spelt out."""
  resolved = config.copy_and_resolve_references()
  if "cells" not in resolved:
    return resolved
  with resolved.unlocked():
    for entry in resolved.cells.values():
      model = config.model.copy_and_resolve_references()
      with model.unlocked():
        model.cell = entry.cell
      entry.cell = layers.resolve(model).cell
    for entry in resolved.get("layers", {}).values():
      entry.layer = layers.resolve(entry).layer
    resolved.model = layers.resolve(resolved.model)
  return resolved
