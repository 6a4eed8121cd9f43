"""What the gates of a cell do over time: why its gradient fades or stays."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import GRU, LSTM, MGU, MinGRU, MinLSTM, base, gru, lstm

# A gate below the one or above the other counts as saturated.
SATURATED = 0.05, 0.95


class GateStatistics(NamedTuple):
  """Over all units and rows, `[time]` each."""

  mean: jax.Array
  saturated: jax.Array  # share of values below 0.05 or above 0.95


def gate_statistics[Params](
  cell: base.Cell[Params, Any], params: Params, inputs: jax.Array
) -> dict[str, GateStatistics]:
  """Mean and saturation of every gate at every step.

  Args:
    cell: `LSTM` (gates i, f, o), `GRU` (r, z), `MGU` (f), `MinGRU` (z) or
      `MinLSTM` (f, i).
    params: its parameters.
    inputs: `[batch, time, features]`.

  Raises:
    ValueError: the cell has no gates that are known here.
  """
  names = gate_values(cell, params, None, None)

  def body(carry, x):
    gates = gate_values(cell, params, carry, x)
    carry, _ = cell.step(params, carry, x)
    return carry, {name: _summary(gate) for name, gate in gates.items()}

  carry = cell.initial_carry(params, inputs.shape[:1])
  _, statistics = lax.scan(body, carry, jnp.moveaxis(inputs, 1, 0))
  return {name: statistics[name] for name in names}


def gate_values(
  cell: base.Cell[Any, Any], params: Any, carry: Any, inputs: Any
) -> dict[str, Any]:
  """The gates of one step, unit by unit; in a scan those of a whole text.

  Args:
    cell: as for `gate_statistics`.
    params: its parameters.
    carry: what the step starts from.
    inputs: `[*batch, features]`; None for the names alone.

  Returns:
    `{name: [*batch, hidden_size]}`, values in (0, 1).

  Raises:
    ValueError: the cell has no gates that are known here.
  """
  names: tuple[str, ...]
  match cell:
    case LSTM():
      names = lstm.GATE_ORDER
    case GRU():
      names = gru.GATE_ORDER
    case MGU():
      names = ("f", "n")
    case MinGRU():
      names = ("z", "n")
    case MinLSTM():
      names = ("f", "i", "n")
    case _:
      raise ValueError(
        f"cell is {cell}, expected LSTM, GRU, MGU, MinGRU or MinLSTM"
      )
  gates = [name for name in names if name not in ("g", "n")]
  if inputs is None:
    return dict.fromkeys(gates)
  z = base.affine(inputs, params.input_kernel, params.bias, cell.compute_dtype)
  if hasattr(params, "recurrent_kernel"):
    z += base.matmul(carry.h, params.recurrent_kernel, cell.compute_dtype)
  parts: dict[str, jax.Array] = dict(
    zip(names, jnp.split(z, len(names), axis=-1), strict=True)
  )
  if isinstance(cell, LSTM) and cell.peepholes:
    new_carry, _ = cell.step(params, carry, inputs)
    p_i, p_f, p_o = jnp.split(params.peephole, 3)
    parts["i"] += base.align(p_i, carry.c) * carry.c
    parts["f"] += base.align(p_f, carry.c) * carry.c
    parts["o"] += base.align(p_o, carry.c) * new_carry.c
  return {name: jax.nn.sigmoid(parts[name]) for name in gates}


def _summary(gate: jax.Array) -> GateStatistics:
  low, high = SATURATED
  return GateStatistics(gate.mean(), ((gate < low) | (gate > high)).mean())
