"""An LSTM by NVIDIA's own kernel."""

import dataclasses

import jax
import jax.numpy as jnp
from jax.experimental import rnn
from jax.experimental.layout import Layout, with_layout_constraint

from seqjax.cells import base
from seqjax.cells.lstm import LSTM, LSTMParams
from seqjax.recurrence import masks
from seqjax.recurrence.scan import Steps

# The kernel; the tests put the pure reference in its place.
kernel = rnn.lstm


@dataclasses.dataclass(frozen=True)
class Cudnn:
  """cuDNN's LSTM through `jax.experimental.rnn`: one kernel for all steps.

  For a plain `LSTM` in float32 on an NVIDIA GPU, rows of any length, both
  directions, without resets. Reverse mode only and no `jax.vmap`: the kernel
  has no rule for either; batch axes of any number do without.

  For who wants NVIDIA's kernel: on an H200 it was slower than "fused" at every
  size, by 1.6 to 2.5 (docs/performance.md).

  Agreement with "scan": relative error below 1e-5 in float32, in value and
  gradient, with a pure stand-in for the kernel. On an H200 the kernel agreed in
  value and not in gradient, for what `_row_major` mends; its effect is tested,
  not yet measured there (tests/recurrence/cudnn_test.py). To compare, run
  "scan" under `jax.default_matmul_precision("highest")`: by default recent GPUs
  multiply in TF32.

  Attributes:
    exact: products in full float32; if not, in TF32 with its 10 bits of
      mantissa, where the GPU has it.
  """

  exact: bool = True

  def check(self, cell: base.Cell) -> None:
    """Raises ValueError unless cuDNN is there and has such a cell."""
    if not isinstance(cell, LSTM) or cell.peepholes or cell.projection_size:
      raise ValueError(
        "method 'cudnn' needs an LSTM without peepholes or projection, which"
        f" {cell} is not; use method 'scan'"
      )
    if cell.compute_dtype not in (None, "float32"):
      raise ValueError(
        f"method 'cudnn' needs compute_dtype 'float32', not"
        f" {cell.compute_dtype!r}; use method 'scan'"
      )
    from jax.extend import backend as jax_backend  # brings Pallas along

    backend = jax.default_backend()
    # To JAX an AMD device is a GPU too; its library orders the gates otherwise.
    if "rocm" in jax_backend.get_backend().platform_version:
      backend = "rocm"
    if backend != "gpu":
      raise ValueError(
        f"method 'cudnn' needs an NVIDIA GPU, but JAX runs on {backend}; use"
        " method 'scan'"
      )

  def run(self, cell: LSTM, params, carry, fresh_carry, steps: Steps, reverse):
    """See `Scan.run`.

    Raises:
      ValueError: there are resets, or the parameters are not float32.
    """
    del fresh_carry
    if steps.reset is not None:
      raise ValueError(
        "method 'cudnn' has no resets; use method 'scan', or a row for every"
        " sequence"
      )
    dtype = params.recurrent_kernel.dtype
    if dtype != jnp.float32:
      raise ValueError(
        f"method 'cudnn' needs float32 params, not {dtype}; use method 'scan'"
      )
    time, *batch, features = steps.inputs.shape
    size = cell.hidden_size
    inputs = steps.inputs.reshape(time, -1, features).swapaxes(0, 1)
    rows = inputs.shape[0]
    count = jnp.full((rows,), time, jnp.int32)
    if steps.valid is not None:
      count = steps.valid.reshape(time, rows).sum(axis=0).astype(jnp.int32)
    valid = masks.length_mask(count, time)
    # What cuDNN writes into the padding's gradient is not documented.
    inputs = masks.select(valid, inputs, jnp.zeros_like(inputs))
    if reverse:
      inputs = masks.reverse_rows(inputs, count)
    inputs = _row_major(inputs)
    h, c = (x.reshape(1, rows, size).astype(jnp.float32) for x in carry)
    outputs, new_h, new_c = kernel(
      inputs.astype(jnp.float32),
      h,
      c,
      pack_weights(params),
      jnp.maximum(count, 1),  # cuDNN fails on empty rows (jax issue 17966)
      features,
      size,
      1,  # layers
      0.0,  # dropout
      False,  # bidirectional
      jax.lax.Precision.HIGHEST if self.exact else jax.lax.Precision.HIGH,
    )
    outputs = _row_major(outputs)
    outputs = masks.select(valid, outputs, jnp.zeros_like(outputs))
    if reverse:
      outputs = masks.reverse_rows(outputs, count)
    new_carry = type(carry)(
      *(
        masks.select(count > 0, new[0].reshape(-1, size), old.reshape(-1, size))
        .reshape(old.shape)
        .astype(old.dtype)
        for new, old in zip((new_h, new_c), carry, strict=True)
      )
    )
    return new_carry, outputs.swapaxes(0, 1).reshape(time, *batch, size)


@jax.custom_vjp
def _row_major(x: jax.Array) -> jax.Array:
  """`x`, and its gradient, as they stand in memory when nobody says otherwise.

  XLA makes a `swapaxes` a matter of layout where it can; the call of the kernel
  asks for no layout, so that it would read `[time, batch]` for `[batch, time]`.
  """
  return with_layout_constraint(x, Layout(tuple(range(x.ndim))))


_row_major.defvjp(
  lambda x: (_row_major(x), None), lambda _, g: (_row_major(g),)
)


def pack_weights(params: LSTMParams) -> jax.Array:
  """CuDNN's flat vector: W_x^T, W_h^T, b_x, b_h, gates in the order i, f, g, o.

  The layout is that of `jax.experimental.rnn.unpack_lstm_weights`. Of the two
  biases, which are only ever added, the second is zero.

  Args:
    params: of an `LSTM` without peepholes or projection.

  Returns:
    `[4 * H * (D + H + 2)]`, a differentiable function of `params`.
  """
  return jnp.concatenate(
    [
      params.input_kernel.T.reshape(-1),
      params.recurrent_kernel.T.reshape(-1),
      params.bias,
      jnp.zeros_like(params.bias),
    ]
  )
