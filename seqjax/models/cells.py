"""From config fields to cells."""

from seqjax.cells import GRU, LSTM, Cell, Elman
from seqjax.config import Config
from seqjax.errors import InputError


def _elman(config, **common) -> Cell:
  return Elman(activation=config.activation, **common)


def _lstm(config, **common) -> Cell:
  return LSTM(forget_bias=config.forget_bias, **common)


def _gru(config, **common) -> Cell:
  return GRU(reset_after=config.reset_after, **common)


CELLS = {"elman": _elman, "lstm": _lstm, "gru": _gru}


def create(config: Config) -> list[Cell]:
  """The layers that a model config asks for, from the bottom up.

  Args:
    config: `cell`, `num_layers`, `hidden_size`, `recurrent_init`,
      `compute_dtype`, and what belongs to one cell: `activation` (elman),
      `forget_bias` (lstm), `reset_after` (gru).

  Raises:
    InputError: a name is unknown or a size is not positive.
  """
  if config.cell not in CELLS:
    raise InputError(
      f"config.model.cell is {config.cell!r}, expected one of"
      f" {', '.join(CELLS)}"
    )
  if config.num_layers < 1:
    raise InputError(
      f"config.model.num_layers is {config.num_layers}, expected at least 1"
    )
  if config.compute_dtype not in ("float32", "bfloat16"):
    raise InputError(
      f"config.model.compute_dtype is {config.compute_dtype!r}, expected"
      " 'float32' or 'bfloat16'"
    )
  try:
    cell = CELLS[config.cell](
      config,
      hidden_size=config.hidden_size,
      recurrent_init=config.recurrent_init,
      compute_dtype=config.compute_dtype,
    )
  except ValueError as error:
    raise InputError(f"config.model: {error}") from error
  return [cell] * config.num_layers
