"""The gradient of a batch in parts, for batches that memory does not hold."""

from typing import Any

import jax
import jax.numpy as jnp

from seqjax.errors import InputError
from seqjax.recurrence.rows import DATA
from seqjax.tasks import base


def gradient(
  task: base.Task,
  params: Any,
  batch: Any,
  carry: Any,
  key: jax.Array,
  parts: int,
) -> tuple[Any, base.Metrics, Any]:
  """`train_state.gradient`, one part of the batch after the other.

  The mean is that of the whole batch, however its valid steps are spread:

    g = (sum_i d sum_i / d params) / sum_i count_i

  Only one part's activations are in memory at a time.

  Args:
    task: whose `loss`.
    params: the model's parameters.
    batch: leaves `[batch, ...]`.
    carry: likewise.
    key: of the noise; part i draws from `fold_in(key, i)`, so that with noise
      other parts are another draw.
    parts: k; part i holds rows i, i + k, i + 2 k, ... Strided, because every
      device then has its share of each part where it is.

  Raises:
    InputError: the parts, or the devices' shares of them, are not even.
  """
  devices = jax.sharding.get_abstract_mesh().shape.get(DATA, 1)
  for leaf in jax.tree.leaves((batch, carry)):
    if leaf.shape[0] % (parts * devices):
      raise InputError(
        f"config.accumulation_steps is {parts}, which does not divide a batch"
        f" of {leaf.shape[0]} rows on {devices} device(s) evenly; use a"
        f" --config.batch_size that is a multiple of {parts * devices}"
      )

  def total(params, batch, carry, key):
    pair, metrics, carry = task.loss(params, batch, carry, key)
    return pair[0], (pair[1], {"loss": pair, **metrics}, carry)

  def add(grads, part):
    index, batch, carry = part
    more, out = jax.grad(total, has_aux=True)(
      params, batch, carry, jax.random.fold_in(key, index)
    )
    return jax.tree.map(jnp.add, grads, more), out

  # [batch, ...] to [parts, batch / parts, ...], and back.
  split = lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1)
  join = lambda x: x.swapaxes(0, 1).reshape(-1, *x.shape[2:])
  zeros = jax.tree.map(jnp.zeros_like, params)
  rows = jax.tree.map(split, (batch, carry))
  grads, out = jax.lax.scan(add, zeros, (jnp.arange(parts), *rows))
  count, metrics = jax.tree.map(lambda x: x.sum(axis=0), out[:2])
  grads = jax.tree.map(lambda g: g / count, grads)
  return grads, metrics, jax.tree.map(join, out[2])
