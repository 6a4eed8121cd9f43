"""What studies of cells have in common."""

from seqjax.cells.base import Cell
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.models import layers


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
  with resolved.unlocked():
    for entry in resolved.cells.values():
      model = config.model.copy_and_resolve_references()
      with model.unlocked():
        model.cell = entry.cell
      entry.cell = layers.resolve(model).cell
    resolved.model = layers.resolve(resolved.model)
  return resolved
