"""Weights of Keras 3's SimpleRNN, LSTM and GRU, in and out, as NumPy arrays.

Keras is not imported: a layer's weights are the list `layer.get_weights()`,
[kernel, recurrent_kernel, bias], kernels `[in, gates * hidden]` as ours. The
order of gates is i, f, g, o in the LSTM as here, but z, r, n in the GRU. With
`reset_after=True` the GRU's bias is `[2, 3 * hidden]`, one row for the inputs,
one for the state; of the second only the candidate's part differs in effect
from the first, so `from_keras` adds the others to the first row and `to_keras`
writes zeros for them.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from seqjax.cells import GRU, LSTM, Elman
from seqjax.cells.elman import ElmanParams
from seqjax.cells.gru import GRUParams, OriginalGRUParams
from seqjax.cells.lstm import LSTMParams


def from_keras(cell: Elman | LSTM | GRU, weights: Sequence[np.ndarray]):
  """Parameters of `cell` from a Keras layer.

  Args:
    cell: `Elman`, `LSTM` or `GRU` (either `reset_after`) of the layer's size.
    weights: `layer.get_weights()`; the bias may be absent (`use_bias=False`).

  Returns:
    What `cell.init` would return.

  Raises:
    ValueError: a weight has the wrong shape, or Keras has no such cell.
  """
  gates = _gates(cell)
  size = cell.hidden_size
  rows = 2 if isinstance(cell, GRU) and cell.reset_after else 1
  shape = (2, 3 * size) if rows == 2 else (gates * size,)
  if len(weights) == 2:
    weights = [*weights, np.zeros(shape, np.float32)]
  shapes = [np.shape(w) for w in weights]
  wanted = [(*shapes[0][:1], gates * size), (size, gates * size), shape]
  if shapes != wanted:
    raise ValueError(
      f"weights has shapes {shapes}, expected (input_size, {gates * size}),"
      f" {(size, gates * size)} and {shape} for {cell}"
    )
  kernel_x, kernel_h, bias = (jnp.asarray(w) for w in weights)
  match cell:
    case LSTM():
      return LSTMParams(kernel_x, kernel_h, bias)
    case Elman():
      return ElmanParams(kernel_x, kernel_h, bias)
  kernel_x, kernel_h = _swap(kernel_x, jnp), _swap(kernel_h, jnp)
  if not cell.reset_after:
    return OriginalGRUParams(kernel_x, kernel_h, _swap(bias, jnp))
  of_x, of_h = _swap(bias[0], jnp), _swap(bias[1], jnp)
  outside = jnp.where(jnp.arange(3 * size) < 2 * size, of_h, 0)
  return GRUParams(kernel_x, kernel_h, of_x + outside, of_h[2 * size :])


def to_keras(cell: Elman | LSTM | GRU, params) -> list[np.ndarray]:
  """What `layer.set_weights` takes, the inverse of `from_keras`.

  Raises:
    ValueError: Keras has no such cell.
  """
  _gates(cell)
  weights = [np.asarray(p) for p in params[:3]]
  if not isinstance(cell, GRU):
    return weights
  weights = [_swap(w, np) for w in weights]
  if cell.reset_after:
    of_h = np.zeros_like(weights[2])
    of_h[2 * cell.hidden_size :] = params.candidate_bias
    weights[2] = np.stack([weights[2], of_h])
  return weights


def _swap(packed, numpy):
  """From z, r, n to r, z, n and back."""
  first, second, candidate = numpy.split(packed, 3, axis=-1)
  return numpy.concatenate([second, first, candidate], axis=-1)


def _gates(cell) -> int:
  match cell:
    case LSTM(peepholes=False, projection_size=0):
      return 4
    case GRU():
      return 3
    case Elman():
      return 1
  raise ValueError(
    f"cell is {cell}, expected Elman, GRU, or LSTM without peepholes or"
    " projection: Keras has no other"
  )
