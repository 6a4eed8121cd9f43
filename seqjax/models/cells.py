"""From config fields to cells."""

from seqjax import cells
from seqjax.cells import Cell
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.recurrence.unroll import check_method, resolve_method

# Each takes the config and what all cells have in common.
CELLS = {
  "elman": lambda c, **common: cells.Elman(
    activation=c.activation, recurrent_init=c.recurrent_init, **common
  ),
  "indrnn": lambda c, **common: cells.IndRNN(activation=c.activation, **common),
  "lstm": lambda c, **common: cells.LSTM(
    forget_bias=c.forget_bias, recurrent_init=c.recurrent_init, **common
  ),
  "gru": lambda c, **common: cells.GRU(
    reset_after=c.reset_after, recurrent_init=c.recurrent_init, **common
  ),
  "mgu": lambda c, **common: cells.MGU(
    recurrent_init=c.recurrent_init, **common
  ),
  "layer_norm_lstm": lambda c, **common: cells.LayerNormLSTM(
    forget_bias=c.forget_bias, recurrent_init=c.recurrent_init, **common
  ),
  "layer_norm_gru": lambda c, **common: cells.LayerNormGRU(
    recurrent_init=c.recurrent_init, **common
  ),
  "linear_rnn": lambda c, **common: cells.LinearRNN(**common),
  "min_gru": lambda c, **common: cells.MinGRU(**common),
  "min_lstm": lambda c, **common: cells.MinLSTM(
    forget_bias=c.forget_bias, **common
  ),
  "lru": lambda c, **common: cells.LRU(output_size=c.hidden_size, **common),
}


def create(config: Config) -> list[Cell]:
  """The layers that a model config asks for, from the bottom up.

  Args:
    config: `cell`, `num_layers`, `hidden_size`, `compute_dtype`, `method`, and
      what belongs to some cells: `recurrent_init` (all with a recurrent
      kernel), `activation` (elman, indrnn), `forget_bias` (lstm,
      layer_norm_lstm, min_lstm), `reset_after` (gru).

  Raises:
    InputError: a name is unknown, a size is not positive, or the method cannot
      run the cell.
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
      compute_dtype=config.compute_dtype,
    )
    check_method(resolve_method(config.method), cell)
  except ValueError as error:
    raise InputError(f"config.model: {error}") from error
  return [cell] * config.num_layers


def stack(config: Config) -> Cell:
  """The layers that a model config asks for as one cell; see `create`."""
  layers = create(config)
  return layers[0] if len(layers) == 1 else cells.Stack(tuple(layers))
