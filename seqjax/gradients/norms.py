"""Gradient norms over time, over lag and over the sequence's length."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from seqjax.cells import base
from seqjax.gradients.taps import tapped_unroll, zero_taps
from seqjax.recurrence import arguments, rows
from seqjax.recurrence.unroll import unroll

# Loss of every step from the outputs `[time, *batch, output_size]`: `[time,
# *batch]`.
StepLoss = Callable[[jax.Array], jax.Array]


def random_direction(key: jax.Array, output_size: int) -> StepLoss:
  """The loss v . y_t with a random unit vector v.

  Its gradient with respect to an output has norm 1 at every step, so that what
  is measured further back is the recurrence's doing, not the loss's.
  """
  v = jax.random.normal(key, (output_size,))
  v = v / jnp.linalg.norm(v)
  return lambda outputs: outputs @ v.astype(outputs.dtype)


def hidden_gradient_norms[Params, Carry](
  cell: base.Cell[Params, Carry],
  params: Params,
  inputs: jax.Array,
  step_loss: StepLoss,
  *,
  at: int | str = "last",
  lengths: jax.Array | None = None,
  resets: jax.Array | None = None,
  initial_carry: Carry | None = None,
  key: jax.Array | None = None,
) -> Carry:
  """|dL/dcarry_t| for every t, layer and leaf, from one backward pass.

  The derivative is the total one: how L changes when the leaf is moved after
  step t and everything later follows, the output of step t too where it is read
  from the carry (an LSTM's c is not moved through its h of the same step).

  Args:
    cell: what to run; the layers of a `Stack` have entries of their own.
    params: its parameters.
    inputs: `[*batch, time, features]`.
    step_loss: losses `[time, *batch]` from outputs `[time, *batch, features]`.
    at: which losses L is made of: "last", each row's last valid step; "sum",
      all valid steps; or a step's index.
    lengths: as for `unroll`, and so are `resets`, `initial_carry` and `key`.

  Returns:
    A tree like the carry, leaves `[*batch, time]`: Euclidean norms over all
    entries of a row, be its state a vector or a matrix. Exactly zero past a
    row's end and after the step `at`.

  Raises:
    ValueError: as `unroll`; `at` is no step of the sequence.
  """
  sequence = arguments.check(
    cell, params, inputs, lengths, resets, initial_carry, key, False
  )
  time, *batch = sequence.inputs.shape[:-1]
  if isinstance(at, str):
    base.check_choice("at", at, ("last", "sum"))
  elif not 0 <= at < time:
    raise ValueError(
      f"at is {at}, expected 'last', 'sum' or a step from 0 to {time - 1}"
    )
  steps = jnp.arange(time).reshape(-1, *(1,) * len(batch))
  ends = jnp.full((1, *batch), time)
  if sequence.lengths is not None:
    ends = sequence.lengths[None]
  if at == "last":
    weights = steps == ends - 1
  elif at == "sum":
    weights = steps < ends
  else:
    weights = (steps == at) & (steps < ends)

  def loss(taps):
    _, outputs = tapped_unroll(cell, params, sequence, taps)
    return jnp.where(weights, step_loss(outputs), 0.0).sum()

  zeros = zero_taps(cell, params, tuple(batch), time)
  # A tap belongs to a row, wherever that is.
  zeros = rows.varying((zeros, params, sequence))[0]
  grads = jax.grad(loss)(zeros)
  flat = lambda g: g.reshape(time, *batch, -1)
  return jax.tree.map(
    lambda g: jnp.moveaxis(vector_norm(flat(g)), 0, -1), grads
  )


def together(norms: Any) -> jax.Array:
  """The norm of all leaves as one vector, `[*batch, time]`.

  Args:
    norms: what `hidden_gradient_norms` returned, or the part of one layer.
  """
  return vector_norm(jnp.stack(jax.tree.leaves(norms), axis=-1))


def vector_norm(x: jax.Array) -> jax.Array:
  """Euclidean norm over the last axis, for entries as small as floats get.

  The square of 1e-30 is zero in float32, so the largest entry is taken out.
  """
  largest = jnp.abs(x).max(axis=-1, keepdims=True)
  scale = jnp.where(largest > 0, largest, 1)
  return scale[..., 0] * jnp.linalg.norm(x / scale, axis=-1)


def by_lag(norms: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
  """Norms over time `[*batch, time]` to norms over lag, lag 0 the last step.

  Args:
    norms: one leaf of `hidden_gradient_norms(..., at="last")`.
    lengths: those of the rows; default all full.

  Returns:
    `[*batch, time]`, entry k the norm at step `length - 1 - k`; NaN where a row
    is not that long.
  """
  time = norms.shape[-1]
  if lengths is None:
    return norms[..., ::-1]
  lags = jnp.arange(time).reshape((1,) * lengths.ndim + (time,))
  index = lengths[..., None] - 1 - lags
  picked = jnp.take_along_axis(norms, jnp.maximum(index, 0), axis=-1)
  return jnp.where(index >= 0, picked, jnp.nan)


class NormsOverLength(NamedTuple):
  """Norms of parameter gradients, one entry a length."""

  lengths: jax.Array  # [num_lengths]
  total: jax.Array  # [num_lengths], before clipping
  clipped: jax.Array  # [num_lengths], after
  was_clipped: jax.Array  # bool [num_lengths]
  parameters: Any  # a tree like params, leaves [num_lengths], before clipping


def gradient_norm_over_length(
  cell: base.Cell[Any, Any],
  params: Any,
  inputs: jax.Array,
  lengths: jax.Array,
  step_loss: StepLoss,
  *,
  clip_norm: float,
  key: jax.Array | None = None,
  method: Any = "auto",
) -> NormsOverLength:
  """The norm of the parameters' gradient as the sequence grows.

    L_n = mean over rows of the loss of step n - 1, for n in `lengths`

  One program for all lengths: each run goes over all of `inputs` with the rest
  masked.

  Args:
    cell: what to run.
    params: its parameters.
    inputs: `[*batch, time, features]`.
    lengths: `[num_lengths]` integers in 1..time.
    step_loss: as for `hidden_gradient_norms`.
    clip_norm: threshold of `optax.clip_by_global_norm`.
    key: randomness, as for `unroll`.
    method: as for `unroll`.
  """
  batch = inputs.shape[:-2]

  def one(length):
    def loss(params):
      _, outputs = unroll(
        cell,
        params,
        inputs,
        lengths=jnp.broadcast_to(length, batch),
        key=key,
        method=method,
      )
      losses = step_loss(jnp.moveaxis(outputs, -2, 0))
      return losses[length - 1].mean()

    grads = jax.grad(loss)(params)
    clip = optax.clip_by_global_norm(clip_norm)
    clipped, _ = clip.update(grads, clip.init(params))
    total = optax.tree.norm(grads)
    return NormsOverLength(
      length,
      total,
      optax.tree.norm(clipped),
      total > clip_norm,
      jax.tree.map(jnp.linalg.norm, jax.tree.map(jnp.ravel, grads)),
    )

  return lax.map(one, jnp.asarray(lengths))
