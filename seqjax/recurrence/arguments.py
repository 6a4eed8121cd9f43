"""From what a caller passes to what a method runs, with all checks."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks
from seqjax.recurrence import masks, rows
from seqjax.recurrence.scan import Steps


class Sequence(NamedTuple):
  """Checked arguments, time axis first; None where not in use."""

  inputs: jax.Array  # [time, *batch, features]
  lengths: jax.Array | None  # [*batch]
  resets: jax.Array | None  # bool [time, *batch]
  initial_carry: Any
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
  if not isinstance(cell, base.Cell):
    raise ValueError(f"cell is {cell!r}, expected a cell, such as LSTM(128)")
  checks.check_flag("time_major", time_major)
  checks.check_key(key)
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
  batch_shape = inputs.shape[1:-1] if time_major else inputs.shape[:-2]
  check_params(cell, params, batch_shape)
  input_size = cell.input_size(params)
  if inputs.shape[-1] != input_size:
    raise ValueError(
      f"inputs has {inputs.shape[-1]} features, expected {input_size}, the"
      f" input_size that params were made for"
    )
  if not time_major:
    inputs = jnp.moveaxis(inputs, -2, 0)
  time = inputs.shape[0]
  if resets is not None:
    flags = (time, *batch_shape) if time_major else (*batch_shape, time)
    masks.check_resets(resets, flags)
    resets = jnp.asarray(resets)
    resets = resets if time_major else jnp.moveaxis(resets, -1, 0)
  if lengths is not None:
    masks.check_lengths(lengths, batch_shape, time)
    lengths = jnp.asarray(lengths)
  if initial_carry is not None:
    expected = jax.eval_shape(
      functools.partial(cell.initial_carry, batch_shape=batch_shape), params
    )
    check_like("initial_carry", initial_carry, expected, f"{cell}")
  return Sequence(inputs, lengths, resets, initial_carry, key)


def prepare(
  cell: base.Cell, params: Any, sequence: Sequence
) -> tuple[Any, Any, Any, Steps]:
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
    valid = jnp.moveaxis(masks.length_mask(lengths, time), -1, 0)
    # A NaN in the padding would survive `where` in the gradient.
    inputs = masks.select(valid, inputs, jnp.zeros_like(inputs))
    if resets is not None:
      resets = resets & valid
  if key is not None:
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(time))
    prepare_key = jax.random.fold_in(key, base.PREPARE_POSITION)
  params = cell.prepare(params, tuple(batch), key=prepare_key)
  fresh_carry = cell.initial_carry(params, tuple(batch))
  if carry is None:
    carry = fresh_carry
  steps = Steps(inputs, valid, resets, keys)
  problem = rows.varying((params, carry, fresh_carry, steps))
  params, carry, fresh_carry, steps = problem
  return params, carry, fresh_carry, steps


@functools.lru_cache(maxsize=256)
def _expected_params(cell: base.Cell, input_size: int) -> Any:
  return jax.eval_shape(
    lambda: cell.init(jax.random.key(0), input_size)  # shapes only, no work
  )


def check_params(
  cell: base.Cell, params: Any, batch_shape: tuple[int, ...]
) -> None:
  """Raises ValueError unless `params` have the shapes `cell.init` gives.

  And one dtype, of which products, carry and gradients then are.
  `Rows` among them are checked against the shape of the batch instead.
  """
  try:
    input_size = cell.input_size(params)
    expected = _expected_params(cell, input_size)
  except (AttributeError, IndexError, TypeError) as error:
    raise ValueError(
      f"params do not belong to {cell}: got {_describe(params)}"
    ) from error
  weights = base.map_params(params, rows=lambda value: None)
  check_like("params", weights, expected, f"{cell}")
  dtypes = sorted({str(leaf.dtype) for leaf in jax.tree.leaves(weights)})
  if len(dtypes) > 1:
    raise ValueError(
      f"params are of {' and '.join(dtypes)}, expected one dtype, as from"
      " cell.init(key, input_size, dtype)"
    )
  of_rows = base.map_params(params, weights=lambda value: None)
  for path, leaf in jax.tree_util.tree_leaves_with_path(of_rows):
    name = f"params{jax.tree_util.keystr(path)}"
    if jnp.shape(leaf)[: len(batch_shape)] != batch_shape:
      raise ValueError(
        f"{name} has shape {jnp.shape(leaf)}, expected {batch_shape} in front,"
        " the batch shape of the inputs"
      )
    if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
      raise ValueError(
        f"{name} has dtype {jnp.result_type(leaf)}, expected a floating dtype,"
        " for masks too"
      )


def check_like(argument: str, tree: Any, expected: Any, owner: str) -> None:
  """Raises ValueError unless both trees have one structure and its shapes."""
  if jax.tree.structure(tree) != jax.tree.structure(expected):
    raise ValueError(
      f"{argument} is {_describe(tree)}, expected {_describe(expected)}"
      f" for {owner}"
    )
  pairs = zip(
    jax.tree_util.tree_leaves_with_path(tree),
    jax.tree.leaves(expected),
    strict=True,
  )
  for (path, leaf), like in pairs:
    # Not jnp.shape, which some exporters replace by their own.
    shape = getattr(leaf, "shape", ())
    if shape != like.shape:
      raise ValueError(
        f"{argument}{jax.tree_util.keystr(path)} has shape {shape},"
        f" expected {like.shape} for {owner}"
      )


def _describe(tree: Any) -> str:
  return str(jax.tree.map(jnp.shape, tree))
