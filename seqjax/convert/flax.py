"""Weights of Flax's cells, Linen and NNX, in and out, as nested dicts.

Flax is not imported: what goes in and comes out is the plain dict of arrays,
`variables["params"]` of a Linen cell, `nnx.to_pure_dict(nnx.state(cell,
nnx.Param))` of an NNX cell. Layouts, all kernels `[in, out]`:

  Linen SimpleCell            i: kernel, bias    h: kernel
  Linen LSTMCell, Optimized-  i_: kernel         h_: kernel, bias   _ = i f g o
  Linen GRUCell               i_: kernel, bias   h_: kernel         _ = r z n,
                                                 hn: bias
  NNX LSTMCell                as Linen's, "if_" for "if"
  NNX SimpleCell, GRUCell,    dense_i, dense_h: kernels packed as ours; the bias
      OptimizedLSTMCell       is dense_h's in the LSTM, dense_i's elsewhere

NNX's GRUCell has no bias inside the reset gate's reach: `to_nnx` refuses one
that is not zero. Flax's carries are (c, h) where ours is LSTMCarry(h, c).
"""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from seqjax.cells import GRU, LSTM, Elman, gru, lstm
from seqjax.cells.elman import ElmanParams
from seqjax.cells.gru import GRUParams
from seqjax.cells.lstm import LSTMParams


def from_linen(cell: Elman | LSTM | GRU, params: Mapping):
  """Parameters of `cell` from a Linen cell.

  Args:
    cell: `Elman` for SimpleCell, `LSTM` for LSTMCell and OptimizedLSTMCell,
      `GRU` (`reset_after=True`) for GRUCell, of its size.
    params: its `variables["params"]`.

  Returns:
    What `cell.init` would return.

  Raises:
    ValueError: a weight is missing or has the wrong shape, or Flax has no such
      cell.
  """
  match _check_cell(cell):
    case Elman():
      of_x, of_h = ("i",), ("h",)
      bias = _get(params, "i", "bias")
    case LSTM():
      of_x, of_h = _names(lstm.GATE_ORDER)
      bias = _pack(params, of_h, "bias")
    case GRU():
      of_x, of_h = _names(gru.GATE_ORDER)
      bias = _pack(params, of_x, "bias")
  kernels = _pack(params, of_x, "kernel"), _pack(params, of_h, "kernel")
  candidate = _get(params, "hn", "bias") if isinstance(cell, GRU) else None
  return _build(cell, *kernels, bias, candidate)


def to_linen(cell: Elman | LSTM | GRU, params) -> dict:
  """The params of the Linen cell, the inverse of `from_linen`.

  Raises:
    ValueError: Flax has no such cell.
  """
  match _check_cell(cell):
    case Elman():
      return {
        "i": {"kernel": params.input_kernel, "bias": params.bias},
        "h": {"kernel": params.recurrent_kernel},
      }
    case LSTM():
      of_x, of_h = _names(lstm.GATE_ORDER)
      biased = of_h
    case GRU():
      of_x, of_h = _names(gru.GATE_ORDER)
      biased = of_x
  result = {}
  for names, kernel in (
    (of_x, params.input_kernel),
    (of_h, params.recurrent_kernel),
  ):
    for name, part in zip(
      names, jnp.split(kernel, len(names), -1), strict=True
    ):
      result[name] = {"kernel": part}
  for name, part in zip(
    biased, jnp.split(params.bias, len(biased)), strict=True
  ):
    result[name]["bias"] = part
  if isinstance(cell, GRU):
    result["hn"]["bias"] = params.candidate_bias
  return result


def from_nnx(cell: Elman | LSTM | GRU, params: Mapping):
  """Parameters of `cell` from an NNX cell, LSTMCell or Optimized- alike.

  Args and raises as `from_linen`.
  """
  _check_cell(cell)
  if "ii" in params:
    return from_linen(cell, {"if": params.get("if_"), **params})
  biased = "dense_h" if isinstance(cell, LSTM) else "dense_i"
  candidate = None
  if isinstance(cell, GRU):
    candidate = jnp.zeros((cell.hidden_size,))
  return _build(
    cell,
    _get(params, "dense_i", "kernel"),
    _get(params, "dense_h", "kernel"),
    _get(params, biased, "bias"),
    candidate,
  )


def to_nnx(cell: Elman | LSTM | GRU, params, *, optimized: bool = True) -> dict:
  """The params of the NNX cell, the inverse of `from_nnx`.

  Args:
    cell: as for `from_linen`.
    params: its parameters.
    optimized: OptimizedLSTMCell rather than LSTMCell, for an `LSTM`.

  Raises:
    ValueError: Flax has no such cell, or nowhere to put the candidate's bias.
  """
  _check_cell(cell)
  if isinstance(cell, LSTM) and not optimized:
    separate = to_linen(cell, params)
    return {"if_": separate.pop("if"), **separate}
  if isinstance(cell, GRU) and np.any(params.candidate_bias):
    raise ValueError(
      "candidate_bias is not zero, expected zeros: NNX's GRUCell has no bias"
      " inside the reset gate's reach (Linen's has, see to_linen)"
    )
  result = {
    "dense_i": {"kernel": params.input_kernel},
    "dense_h": {"kernel": params.recurrent_kernel},
  }
  biased = "dense_h" if isinstance(cell, LSTM) else "dense_i"
  result[biased]["bias"] = params.bias
  return result


def _check_cell(cell):
  match cell:
    case LSTM(peepholes=False, projection_size=0):
      return cell
    case GRU(reset_after=True) | Elman():
      return cell
  raise ValueError(
    f"cell is {cell}, expected Elman, GRU(reset_after=True), or LSTM without"
    " peepholes or projection: Flax has no other"
  )


def _build(cell, kernel_x, kernel_h, bias, candidate_bias):
  gates = {Elman: 1, GRU: 3, LSTM: 4}[type(cell)]
  size = cell.hidden_size
  right = (
    kernel_x.shape == (kernel_x.shape[0], gates * size)
    and kernel_h.shape == (size, gates * size)
    and bias.shape == (gates * size,)
  )
  if not right:
    raise ValueError(
      f"params has kernels {kernel_x.shape} and {kernel_h.shape} and a bias"
      f" {bias.shape}, expected (input_size, {gates * size}),"
      f" {(size, gates * size)} and ({gates * size},) for {cell}"
    )
  match cell:
    case LSTM():
      return LSTMParams(kernel_x, kernel_h, bias)
    case GRU():
      if candidate_bias.shape != (size,):
        raise ValueError(
          f"hn.bias is {candidate_bias.shape}, expected ({size},) for {cell}"
        )
      return GRUParams(kernel_x, kernel_h, bias, candidate_bias)
    case _:
      return ElmanParams(kernel_x, kernel_h, bias)


def _names(gates: tuple[str, ...]):
  return tuple(f"i{g}" for g in gates), tuple(f"h{g}" for g in gates)


def _pack(params, names, kind):
  parts = {name: _get(params, name, kind) for name in names}
  shapes = {f"{name}.{kind}": part.shape for name, part in parts.items()}
  if len(set(shapes.values())) > 1 or not parts[names[0]].shape:
    raise ValueError(f"params has {shapes}, expected gates of one shape")
  return jnp.concatenate(list(parts.values()), axis=-1)


def _get(params: Mapping, name: str, kind: str):
  if name not in params or kind not in params[name]:
    raise ValueError(
      f"{name}.{kind} is not in params, which has {', '.join(params)}"
    )
  return jnp.asarray(params[name][kind])
