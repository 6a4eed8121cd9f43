"""From what a caller passes to what a method runs, with all checks."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base
from seqjax.recurrence import lengths as lengths_lib
from seqjax.recurrence.scan import Steps


class Sequence(NamedTuple):
  """Checked arguments, time axis first; None where not in use."""

  inputs: jax.Array  # [time, *batch, features]
  lengths: jax.Array | None  # [*batch]
  resets: jax.Array | None  # bool [time, *batch]
  initial_carry: base.Carry | None
  key: jax.Array | None


def check(
  cell: base.Cell,
  params,
  inputs,
  lengths,
  resets,
  initial_carry,
  key,
  time_major: bool,
) -> Sequence:
  """Checks the arguments of `unroll` and puts time first.

  Raises:
    ValueError: an argument has the wrong rank, size, dtype or structure.
  """
  inputs = jnp.asarray(inputs)
  if inputs.ndim < 2:
    raise ValueError(
      f"inputs has shape {inputs.shape}, expected [*batch, time, features]"
    )
  if not jnp.issubdtype(inputs.dtype, jnp.floating):
    raise ValueError(
      f"inputs has dtype {inputs.dtype}, expected a floating dtype (embed or"
      " one-hot encode integers first)"
    )
  base.check_params(cell, params)
  input_size = cell.input_size(params)
  if inputs.shape[-1] != input_size:
    raise ValueError(
      f"inputs has {inputs.shape[-1]} features, expected {input_size}, the"
      f" input_size that params were made for"
    )
  if not time_major:
    inputs = jnp.moveaxis(inputs, -2, 0)
  time, *batch = inputs.shape[:-1]
  batch_shape = tuple(batch)
  if resets is not None:
    flags = (time, *batch) if time_major else (*batch, time)
    lengths_lib.check_resets(resets, flags)
    resets = jnp.asarray(resets)
    resets = resets if time_major else jnp.moveaxis(resets, -1, 0)
  if lengths is not None:
    lengths_lib.check_lengths(lengths, batch_shape, time)
    lengths = jnp.asarray(lengths)
  if initial_carry is not None:
    expected = jax.eval_shape(
      functools.partial(cell.initial_carry, batch_shape=batch_shape), params
    )
    base.check_like("initial_carry", initial_carry, expected, f"{cell}")
  return Sequence(inputs, lengths, resets, initial_carry, key)


def prepare(cell: base.Cell, params, sequence: Sequence):
  """Draws what is constant over the sequence, makes masks and keys.

  Returns:
    `(params, carry, fresh_carry, steps)`, the arguments of a method's `run`:
    `carry` is what the sequence starts from, `fresh_carry` what a reset puts in
    its place.
  """
  inputs, lengths, resets, carry, key = sequence
  time, *batch = inputs.shape[:-1]
  valid = keys = prepare_key = None
  if lengths is not None:
    valid = jnp.moveaxis(lengths_lib.length_mask(lengths, time), -1, 0)
    # A NaN in the padding would survive `where` in the gradient.
    inputs = lengths_lib.select(valid, inputs, jnp.zeros_like(inputs))
    if resets is not None:
      resets = resets & valid
  if key is not None:
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(time))
    prepare_key = jax.random.fold_in(key, base.PREPARE_POSITION)
  params = cell.prepare(params, tuple(batch), key=prepare_key)
  fresh_carry = cell.initial_carry(params, tuple(batch))
  if carry is None:
    carry = fresh_carry
  return params, carry, fresh_carry, Steps(inputs, valid, resets, keys)
