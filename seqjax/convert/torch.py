"""Weights of `torch.nn.RNN`, `LSTM` and `GRU`, in and out, as NumPy arrays.

PyTorch is not imported: a state dict here is a dict of names to NumPy arrays,
`{name: tensor.numpy() for name, tensor in module.state_dict().items()}`.

PyTorch keeps kernels as `[k * hidden, in]`, the transpose of ours, in the same
order of gates, and two biases where only their sum matters. `from_torch` adds
them; `to_torch` writes the sum as `bias_ih` and zeros as `bias_hh`. The GRU's
candidate is the exception: its `bias_hh` stands inside the reset gate's reach
and is kept on its own.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.cells import GRU, LSTM, Elman
from seqjax.cells.elman import ElmanParams
from seqjax.cells.gru import GRUParams
from seqjax.cells.lstm import LSTMParams


def from_torch(
  cell: Elman | LSTM | GRU,
  state: Mapping[str, np.ndarray],
  *,
  suffix: str = "l0",
):
  """Parameters of one layer and direction.

  Args:
    cell: `Elman`, `LSTM` or `GRU` (`reset_after=True`) of the layer's size.
    state: the state dict; `bias_*` may be absent (`bias=False`).
    suffix: "l0", "l1", ..., with "_reverse" for the backward direction.

  Returns:
    What `cell.init` would return, float32 arrays.

  Raises:
    ValueError: a weight is missing or has the wrong shape; the cell has no
      counterpart in PyTorch.
  """
  gates, size = _gates(cell), cell.hidden_size
  rows, state_size = gates * size, cell.output_size
  kernel_x = _get(state, f"weight_ih_{suffix}", (rows, "input_size"), cell)
  kernel_h = _get(state, f"weight_hh_{suffix}", (rows, state_size), cell)
  biases = (
    _get(state, name, (rows,), cell) if name in state else jnp.zeros(rows)
    for name in (f"bias_ih_{suffix}", f"bias_hh_{suffix}")
  )
  kernels, (bias_x, bias_h) = (kernel_x.T, kernel_h.T), biases
  if isinstance(cell, GRU):
    outside = jnp.where(jnp.arange(3 * size) < 2 * size, bias_h, 0)
    return GRUParams(*kernels, bias_x + outside, bias_h[2 * size :])
  if isinstance(cell, Elman):
    return ElmanParams(*kernels, bias_x + bias_h)
  params = LSTMParams(*kernels, bias_x + bias_h)
  if not cell.projection_size:
    return params
  name = f"weight_hr_{suffix}"
  return params._replace(
    projection=_get(state, name, (state_size, size), cell).T
  )


def to_torch(cell: Elman | LSTM | GRU, params, *, suffix: str = "l0") -> dict:
  """The state dict entries of one layer and direction, NumPy arrays.

  Args:
    cell: as for `from_torch`.
    params: its parameters.
    suffix: as for `from_torch`.

  Raises:
    ValueError: the cell has no counterpart in PyTorch.
  """
  _gates(cell)
  bias = np.asarray(params.bias)
  hidden_bias = np.zeros_like(bias)
  if isinstance(cell, GRU):
    hidden_bias[2 * cell.hidden_size :] = np.asarray(params.candidate_bias)
  transpose = lambda kernel: np.ascontiguousarray(np.asarray(kernel).T)
  state = {
    f"weight_ih_{suffix}": transpose(params.input_kernel),
    f"weight_hh_{suffix}": transpose(params.recurrent_kernel),
    f"bias_ih_{suffix}": bias,
    f"bias_hh_{suffix}": hidden_bias,
  }
  if isinstance(cell, LSTM) and cell.projection_size:
    state[f"weight_hr_{suffix}"] = transpose(params.projection)
  return state


def _gates(cell: Elman | LSTM | GRU) -> int:
  match cell:
    case LSTM(peepholes=False):
      return 4
    case GRU(reset_after=True):
      return 3
    case Elman(activation="tanh" | "relu"):
      return 1
  raise ValueError(
    f"cell is {cell}, expected LSTM without peepholes, GRU(reset_after=True) or"
    " Elman with tanh or relu"
  )


def _get(
  state: Mapping[str, np.ndarray], name: str, shape: tuple, cell
) -> jax.Array:
  """An entry of the shape; a word in it stands for any size.

  Nothing is broadcast: that would hide a layer of another size.
  """
  if name not in state:
    raise ValueError(
      f"{name} is not in the state dict, which has {', '.join(state)}"
    )
  value = jnp.asarray(state[name])
  right = len(value.shape) == len(shape) and all(
    isinstance(want, str) or want == is_
    for want, is_ in zip(shape, value.shape, strict=True)
  )
  if not right:
    wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    raise ValueError(f"{name} is {value.shape}, expected ({wanted}) for {cell}")
  return value
