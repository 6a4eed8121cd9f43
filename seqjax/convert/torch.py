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
  gates = _gates(cell)
  size = cell.hidden_size
  kernel_x = _get(state, f"weight_ih_{suffix}")
  kernel_h = _get(state, f"weight_hh_{suffix}")
  if kernel_h.shape != (gates * size, size) or kernel_x.shape[:-1] != (
    gates * size,
  ):
    raise ValueError(
      f"weight_ih_{suffix} is {kernel_x.shape} and weight_hh_{suffix} is"
      f" {kernel_h.shape}, expected ({gates * size}, input_size) and"
      f" {(gates * size, size)} for {cell}"
    )
  kernels = kernel_x.T, kernel_h.T
  zeros = jnp.zeros(gates * size)
  bias_x = jnp.asarray(state.get(f"bias_ih_{suffix}", zeros))
  bias_h = jnp.asarray(state.get(f"bias_hh_{suffix}", zeros))
  if isinstance(cell, GRU):
    outside = jnp.where(jnp.arange(3 * size) < 2 * size, bias_h, 0)
    return GRUParams(*kernels, bias_x + outside, bias_h[2 * size :])
  params = LSTMParams if isinstance(cell, LSTM) else ElmanParams
  return params(*kernels, bias_x + bias_h)


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
  return {
    f"weight_ih_{suffix}": np.ascontiguousarray(np.asarray(params[0]).T),
    f"weight_hh_{suffix}": np.ascontiguousarray(np.asarray(params[1]).T),
    f"bias_ih_{suffix}": bias,
    f"bias_hh_{suffix}": hidden_bias,
  }


def _gates(cell: Elman | LSTM | GRU) -> int:
  match cell:
    case LSTM(peepholes=False, projection_size=0):
      return 4
    case GRU(reset_after=True):
      return 3
    case Elman(activation="tanh" | "relu"):
      return 1
  raise ValueError(
    f"cell is {cell}, expected LSTM without peepholes or projection,"
    " GRU(reset_after=True) or Elman with tanh or relu"
  )


def _get(state: Mapping[str, np.ndarray], name: str) -> jax.Array:
  if name not in state:
    raise ValueError(
      f"{name} is not in the state dict, which has {', '.join(state)}"
    )
  return jnp.asarray(state[name])
