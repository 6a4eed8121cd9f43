"""Small LSTM, GRU and Elman layers as one GPU kernel for all time steps.

A loop of separate kernels fetches the recurrent kernel from the GPU's main
memory at every step. Here a program runs all steps of a few rows of the batch
and holds the recurrent kernel, or what of it fits, on the chip: "persistent
RNN" (Diamos et al. 2016, "Persistent RNNs: stashing recurrent weights
on-chip").
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base
from seqjax.cells.elman import Elman
from seqjax.cells.gru import GRU
from seqjax.cells.lstm import LSTM
from seqjax.recurrence import masks
from seqjax.recurrence.scan import Steps

SIZES = 16, 32, 64, 128, 256  # Triton's blocks are powers of 2, 16 or more


@dataclasses.dataclass(frozen=True)
class Pallas:
  """One Pallas (Triton) kernel forward and one backward, O(T) time and memory.

  For `LSTM` (without peepholes or projection), `GRU(reset_after=True)` and
  `Elman` of at most 256 units on an NVIDIA GPU; rows of any length, both
  directions, without resets. Meant for compute_dtype "bfloat16": a kernel of
  [H, 4 H] is then 128 KiB at H = 128. Products take `compute_dtype` factors and
  sum in float32, also those of the backward pass. Saved for the backward pass:
  the carries and the product with each. Reverse mode only.

  Agreement with "scan": relative error below 1e-5 in float32 and 2e-2 in
  bfloat16, in value and gradient, interpreted on the CPU
  (tests/recurrence/pallas_test.py). On an H200 the fastest method at 128 units,
  and slower than "fused" at 256, where the recurrent kernel does not fit on the
  chip (docs/performance.md). JAX 0.12 warns that Pallas's Triton backend
  will be removed one day.

  Attributes:
    rows: rows of the batch that one program runs, a multiple of 16.
    interpret: run the kernels by Pallas's interpreter, on any backend: slow,
      for tests.
  """

  rows: int = 16
  interpret: bool = False

  def __post_init__(self):
    base.check_size("rows", self.rows)
    if self.rows % 16:
      raise ValueError(f"rows is {self.rows}, expected a multiple of 16")

  def check(self, cell: base.Cell) -> None:
    """Raises ValueError unless the kernel has such a cell and runs here."""
    if not _has_kernel(cell):
      raise ValueError(
        "method 'pallas' needs an LSTM without peepholes or projection, a GRU"
        f" with reset_after or an Elman cell, which {cell} is not; use method"
        " 'scan'"
      )
    if cell.output_size not in SIZES:
      raise ValueError(
        f"method 'pallas' needs hidden_size to be one of {SIZES}, not"
        f" {cell.output_size}; use method 'scan'"
      )
    backend = jax.default_backend()
    if backend != "gpu" and not self.interpret:
      raise ValueError(
        f"method 'pallas' needs an NVIDIA GPU, but JAX runs on {backend}; use"
        " method 'scan'"
      )

  def run(self, cell, params, carry, fresh_carry, steps: Steps, reverse):
    """See `Scan.run`.

    Raises:
      ValueError: there are resets, or the parameters are not float32.
    """
    del fresh_carry
    if steps.reset is not None:
      raise ValueError(
        "method 'pallas' has no resets; use method 'scan', or a row for every"
        " sequence"
      )
    kernel = params.recurrent_kernel
    if kernel.dtype != jnp.float32 or kernel.ndim != 2:
      raise ValueError(
        "method 'pallas' needs float32 params, the same for all rows, not"
        f" {kernel.dtype}{list(kernel.shape)}; use method 'scan'"
      )
    time, *batch = steps.inputs.shape[:-1]
    size = cell.output_size
    # Affine in the carry: what it adds without one is a bias.
    zero = jax.tree.map(jnp.zeros_like, cell.initial_carry(params))
    bias = cell.recur(params, zero)
    valid = steps.valid
    if valid is None:
      valid = jnp.ones((time, *batch), bool)

    def pack(x, axes):
      """Batch axes merged and padded to whole programs."""
      x = x.reshape(*x.shape[:axes], -1, *x.shape[axes + len(batch) :])
      missing = -x.shape[axes] % self.rows
      return jnp.pad(
        x, [(0, missing if axis == axes else 0) for axis in range(x.ndim)]
      )

    turn = (lambda x: x[::-1]) if reverse else (lambda x: x)
    carries = _run(
      cell,
      self.rows,
      self.interpret,
      turn(pack(cell.project(params, steps.inputs), 1)),
      kernel,
      bias,
      turn(pack(valid, 1)).astype(jnp.float32),
      tuple(pack(leaf, 0) for leaf in carry),
    )
    count = valid[0].size
    last = (
      leaf[-1, :count].reshape(old.shape).astype(old.dtype)
      for leaf, old in zip(carries, carry, strict=True)
    )
    outputs = turn(carries[0])[:, :count].reshape(time, *batch, size)
    outputs = masks.select(valid, outputs, jnp.zeros_like(outputs))
    return type(carry)(*last), outputs


def _has_kernel(cell) -> bool:
  match cell:
    case LSTM():
      return not cell.peepholes and not cell.projection_size
    case GRU():
      return cell.reset_after
    case _:
      return isinstance(cell, Elman)


def _update(cell, carry, x, r):
  """`cell.update` with the gates apart: Triton cannot join or cut arrays.

  Args:
    cell: an LSTM, a GRU or an Elman cell.
    carry: leaves `[rows, H]`.
    x: `projected`, one `[rows, H]` a gate.
    r: `recurred`, likewise.

  Returns:
    The leaves of the new carry; the first is the output.
  """
  match cell:
    case LSTM():
      i, f, g, o = (a + b for a, b in zip(x, r, strict=True))
      c = jax.nn.sigmoid(f) * carry[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
      return jax.nn.sigmoid(o) * jnp.tanh(c), c
    case GRU():
      reset = jax.nn.sigmoid(x[0] + r[0])
      z = jax.nn.sigmoid(x[1] + r[1])
      n = jnp.tanh(x[2] + reset * r[2])
      return ((1 - z) * n + z * carry[0],)
    case _:
      return (base.ACTIVATIONS[cell.activation](x[0] + r[0]),)


def _step(cell, valid, carry, x, r):
  """`_update` where `valid` `[rows, 1]` is 1, the old carry where it is 0."""
  new = _update(cell, carry, x, r)
  return tuple(
    jnp.where(valid > 0, a, b) for a, b in zip(new, carry, strict=True)
  )


def _forward_kernel(cell, x_ref, kernel_ref, bias_ref, valid_ref, *refs):
  """All steps of some rows; see `_forward` for what the refs hold."""
  from jax.experimental import pallas as pl

  size = cell.output_size
  leaves = (len(refs) - 1) // 2
  carry_refs, r_ref, new_refs = (
    refs[:leaves],
    refs[leaves],
    refs[leaves + 1 :],
  )
  gates = [pl.ds(k * size, size) for k in range(kernel_ref.shape[1] // size)]

  def body(t, carry):
    h = carry[0].astype(kernel_ref.dtype)
    x = tuple(x_ref[t, :, gate] for gate in gates)
    r = tuple(
      _dot(h, kernel_ref[:, gate]) + bias_ref[gate].reshape(1, size)
      for gate in gates
    )
    for gate, value in zip(gates, r, strict=True):
      r_ref[t, :, gate] = value
    carry = _step(cell, valid_ref[t, :].reshape(-1, 1), carry, x, r)
    for ref, leaf in zip(new_refs, carry, strict=True):
      ref[t, :, :] = leaf
    return carry

  lax.fori_loop(0, x_ref.shape[0], body, tuple(ref[...] for ref in carry_refs))


def _backward_kernel(cell, x_ref, r_ref, turned_ref, valid_ref, *refs):
  """The gradient of all steps of some rows, last step first."""
  from jax.experimental import pallas as pl

  size, time = cell.output_size, x_ref.shape[0]
  leaves = (len(refs) - 2) // 3
  old_refs, d_new_refs = refs[:leaves], refs[leaves : 2 * leaves]
  d_x_ref, d_r_ref, *d_carry_refs = refs[2 * leaves :]
  gates = [pl.ds(k * size, size) for k in range(turned_ref.shape[0] // size)]

  def body(index, d_carry):
    t = time - 1 - index
    d_new = tuple(
      d + ref[t, :, :] for d, ref in zip(d_carry, d_new_refs, strict=True)
    )
    valid = valid_ref[t, :].reshape(-1, 1)
    _, pull = jax.vjp(
      functools.partial(_step, cell, valid),
      tuple(ref[t, :, :] for ref in old_refs),
      tuple(x_ref[t, :, gate] for gate in gates),
      tuple(r_ref[t, :, gate] for gate in gates),
    )
    d_carry, d_x, d_r = pull(d_new)
    d_h = d_carry[0]
    for gate, d_gate, d_x_gate in zip(gates, d_r, d_x, strict=True):
      d_x_ref[t, :, gate] = d_x_gate
      d_r_ref[t, :, gate] = d_gate
      d_h += _dot(d_gate.astype(turned_ref.dtype), turned_ref[gate, :])
    return d_h, *d_carry[1:]

  zeros = tuple(jnp.zeros(ref.shape, jnp.float32) for ref in d_carry_refs)
  d_carry = lax.fori_loop(0, time, body, zeros)
  for ref, leaf in zip(d_carry_refs, d_carry, strict=True):
    ref[...] = leaf


def _dot(a, b):
  """`a @ b` summed in float32; float32 factors are not cut to TF32."""
  precision = lax.Precision.HIGHEST if a.dtype == jnp.float32 else None
  return jnp.dot(a, b, precision=precision, preferred_element_type=jnp.float32)


def _call(kernel, rows, interpret, inputs, outputs):
  """`kernel` once for every `rows` rows.

  Args:
    kernel: takes a ref for each of the inputs and outputs.
    rows: see `Pallas`.
    interpret: see `Pallas`.
    inputs: pairs of an array and its batch axis, None for one that all rows
      share.
    outputs: pairs of a shape (float32) and its batch axis.
  """
  # Here, not above: whoever has no kernel need not wait for Pallas.
  from jax.experimental import pallas as pl
  from jax.experimental.pallas import triton

  def spec(shape, axis):
    block = tuple(rows if a == axis else n for a, n in enumerate(shape))
    return pl.BlockSpec(
      block, lambda i: tuple(i if a == axis else 0 for a in range(len(shape)))
    )

  first, axis = inputs[0]
  return pl.pallas_call(
    kernel,
    grid=(first.shape[axis] // rows,),
    in_specs=[spec(array.shape, axis) for array, axis in inputs],
    out_specs=[spec(shape, axis) for shape, axis in outputs],
    out_shape=[
      jax.ShapeDtypeStruct(shape, jnp.float32) for shape, _ in outputs
    ],
    compiler_params=triton.CompilerParams(num_warps=8, num_stages=1),
    interpret=interpret,
  )(*(array for array, _ in inputs))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _run(cell, rows, interpret, x, kernel, bias, valid, carry):
  """The carries after each step, leaves `[time, batch, H]`.

  Args:
    cell: an LSTM, a GRU or an Elman cell.
    rows: see `Pallas`.
    interpret: see `Pallas`.
    x: `cell.project` of all inputs, `[time, batch, k * H]`.
    kernel: `[H, k * H]`.
    bias: `[k * H]`, what `cell.recur` adds to the product with `kernel`.
    valid: `[time, batch]`, 1 or 0.
    carry: leaves `[batch, H]`.
  """
  return _forward(cell, rows, interpret, x, kernel, bias, valid, carry)[0]


def _forward(cell, rows, interpret, x, kernel, bias, valid, carry):
  time, batch = valid.shape
  state = (time, batch, cell.output_size), 1
  recurred, *carries = _call(
    functools.partial(_forward_kernel, cell),
    rows,
    interpret,
    [
      (x, 1),
      (kernel.astype(cell.compute_dtype), None),
      (bias, None),
      (valid, 1),
      *((leaf, 0) for leaf in carry),
    ],
    [(x.shape, 1), *(state for _ in carry)],
  )
  carries = tuple(carries)
  return carries, (x, recurred, kernel, valid, carry, carries)


def _backward(cell, rows, interpret, saved, d_carries):
  x, recurred, kernel, valid, carry, carries = saved
  old = tuple(
    jnp.concatenate([first[None], rest[:-1]])
    for first, rest in zip(carry, carries, strict=True)
  )
  d_x, d_r, *d_carry = _call(
    functools.partial(_backward_kernel, cell),
    rows,
    interpret,
    [
      (x, 1),
      (recurred, 1),
      (kernel.T.astype(cell.compute_dtype), None),
      (valid, 1),
      *((leaf, 1) for leaf in old),
      *((leaf, 1) for leaf in d_carries),
    ],
    [(x.shape, 1), (x.shape, 1), *((leaf.shape, 0) for leaf in carry)],
  )
  _, pull = jax.vjp(
    lambda kernel: base.matmul(old[0], kernel, cell.compute_dtype), kernel
  )
  return (
    d_x,
    *pull(d_r),
    d_r.sum(axis=(0, 1)),
    jnp.zeros_like(valid),
    tuple(d_carry),
  )


_run.defvjp(_forward, _backward)
