"""Running a cell over time: the one public function."""

import functools

import jax
import jax.numpy as jnp

from seqjax.cells import base, wrappers
from seqjax.recurrence import checkpointed, fused, scan
from seqjax.recurrence import lengths as lengths_lib

# One entry a way to evaluate a recurrence; all agree with "scan".
METHODS = {
  "scan": scan.Scan(),
  "fused": fused.Fused(),
  "checkpointed": checkpointed.Checkpointed(),
}


def unroll(
  cell: base.Cell,
  params,
  inputs: jax.Array,
  *,
  lengths: jax.Array | None = None,
  resets: jax.Array | None = None,
  initial_carry=None,
  key: jax.Array | None = None,
  reverse: bool = False,
  time_major: bool = False,
  method="auto",
):
  """Runs `cell` over the time axis of `inputs`.

    carry_(-1) = initial_carry
    carry_t, output_t = cell.step(params, carry_(t-1), inputs_t)

  Args:
    cell: what to run.
    params: its parameters, from `cell.init`.
    inputs: `[*batch, time, features]`, or `[time, *batch, features]` if
      `time_major`. Any number of batch axes, also none.
    lengths: `[*batch]` integers in 0..time. Steps at or past a row's length
      leave its carry as it was and their outputs are exactly zero, whatever
      the inputs hold there. Default: all steps are valid.
    resets: bool `[*batch, time]` (`[time, *batch]` if `time_major`). Where set,
      the carry is replaced by the cell's own initial carry before that position
      is processed, also in reverse; no gradient crosses.
    initial_carry: what the sequence starts from; default the cell's own.
    key: randomness. Step t gets `fold_in(key, t)`, so the noise at a position
      depends neither on the length nor on the method. Without it the run is
      deterministic.
    reverse: process from the last valid step to the first, each row within its
      own length. Outputs stay aligned with the positions of the inputs.
    time_major: see `inputs`.
    method: "scan", "fused", "checkpointed", or an object with options such as
      `Checkpointed(segment=64)`; each module of this folder says what it is
      good for. "auto" is "scan".

  Returns:
    `(carry, outputs)`: the carry after each row's own last processed step, and
    outputs laid out as the inputs, `[*batch, time, output_size]`.

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

  method = resolve_method(method)
  _check_method(method, cell)
  carry, outputs = _unroll(
    cell,
    method,
    reverse,
    params,
    inputs,
    lengths,
    resets,
    initial_carry,
    key,
  )
  return carry, outputs if time_major else jnp.moveaxis(outputs, 0, -2)


def resolve_method(method):
  """The method object for a name, or `method` itself if it is one.

  Raises:
    ValueError: the name is unknown.
  """
  if method == "auto":
    return METHODS["scan"]
  if isinstance(method, str):
    base.check_choice("method", method, ("auto", *METHODS))
    return METHODS[method]
  if not hasattr(method, "run"):
    raise ValueError(
      f"method is {method!r}, expected a name or an object such as Scan()"
    )
  return method


def _check_method(method, cell):
  if isinstance(cell, wrappers.Stack):
    for layer in cell.layers:
      _check_method(method, layer)
  else:
    method.check(cell)


# Jitted so that a call outside of any trace compiles once, not every time.
@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _unroll(
  cell, method, reverse, params, inputs, lengths, resets, initial_carry, key
):
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
  carry = fresh_carry if initial_carry is None else initial_carry
  steps = scan.Steps(inputs, valid, resets, keys)
  return _run(cell, method, params, carry, fresh_carry, steps, reverse)


def _run(cell, method, params, carry, fresh_carry, steps, reverse):
  """A stack layer after layer, any other cell by `method`."""
  if not isinstance(cell, wrappers.Stack):
    return method.run(cell, params, carry, fresh_carry, steps, reverse)
  last_carry, keys = [], steps.key
  for index, layer in enumerate(cell.layers):
    if keys is not None:
      layer_keys = jax.vmap(wrappers.layer_key, (0, None))(keys, index)
      steps = steps._replace(key=layer_keys)
    layer_carry, outputs = _run(
      layer,
      method,
      params[index],
      carry[index],
      fresh_carry[index],
      steps,
      reverse,
    )
    last_carry.append(layer_carry)
    steps = steps._replace(inputs=outputs)
  return tuple(last_carry), steps.inputs
