"""Masks for rows of different length."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import core


def length_mask(lengths: jax.Array, time: int) -> jax.Array:
  """True where a step is valid.

  Args:
    lengths: `[*batch]` integers.
    time: T.

  Returns:
    bool `[*batch, time]`, `mask[b, t] = t < lengths[b]`.
  """
  steps = jnp.arange(time).reshape((1,) * jnp.ndim(lengths) + (time,))
  return steps < jnp.expand_dims(lengths, -1)


def reverse_rows(x: jax.Array, lengths: jax.Array) -> jax.Array:
  """Each row reversed within its own length; what is past it stays.

  Args:
    x: `[batch, time, features]`.
    lengths: `[batch]` integers.
  """
  steps = jnp.arange(x.shape[1])[None, :]
  index = lengths[:, None] - 1 - steps
  index = jnp.where(index >= 0, index, steps)
  return jnp.take_along_axis(x, index[:, :, None], axis=1)


def select(mask: jax.Array, on_true, on_false):
  """`where(mask, on_true, on_false)` over every leaf `[*mask.shape, ...]`.

  Leaves keep the dtype of `on_false`, so a carry does not drift.
  """

  def choose(a, b):
    shape = mask.shape + (1,) * (b.ndim - mask.ndim)
    return jnp.where(mask.reshape(shape), a.astype(b.dtype), b)

  return jax.tree.map(choose, on_true, on_false)


def check_lengths(lengths, batch_shape: tuple[int, ...], time: int) -> None:
  """Raises ValueError unless `lengths` are integers `[*batch]` in 0..T.

  The range is checked where the values are known, that is outside of a trace.
  """
  dtype, shape = jnp.result_type(lengths), jnp.shape(lengths)
  if not jnp.issubdtype(dtype, jnp.integer):
    raise ValueError(f"lengths has dtype {dtype}, expected an integer dtype")
  if shape != batch_shape:
    raise ValueError(
      f"lengths has shape {shape}, expected the batch shape {batch_shape}"
    )
  if not isinstance(lengths, core.Tracer):
    values = np.asarray(lengths)
    if values.size and (values.min() < 0 or values.max() > time):
      raise ValueError(
        f"lengths spans {values.min()} to {values.max()}, expected values from"
        f" 0 to {time}, the number of time steps"
      )


def check_resets(resets, shape: tuple[int, ...]) -> None:
  """Raises ValueError unless `resets` are bool `[*batch, time]`."""
  if jnp.result_type(resets) != jnp.bool_:
    raise ValueError(
      f"resets has dtype {jnp.result_type(resets)}, expected bool"
    )
  if jnp.shape(resets) != shape:
    raise ValueError(
      f"resets has shape {jnp.shape(resets)}, expected {shape}, a flag for"
      " every position of the inputs"
    )
