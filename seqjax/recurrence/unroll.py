"""Running a cell over time: the one public function."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, wrappers
from seqjax.recurrence import arguments, rows
from seqjax.recurrence.associative import Associative
from seqjax.recurrence.auto import Auto
from seqjax.recurrence.checkpointed import Checkpointed
from seqjax.recurrence.cudnn import Cudnn
from seqjax.recurrence.fused import Fused
from seqjax.recurrence.newton import Newton
from seqjax.recurrence.pallas import Pallas
from seqjax.recurrence.quadratic import Quadratic
from seqjax.recurrence.scan import Scan

# One entry a way to evaluate a recurrence; all agree with "scan".
METHODS = {
  "auto": Auto(),
  "scan": Scan(),
  "fused": Fused(),
  "checkpointed": Checkpointed(),
  "associative": Associative(),
  "quadratic": Quadratic(),
  "newton": Newton(),
  "cudnn": Cudnn(),
  "pallas": Pallas(),
}


def unroll[Params, Carry](
  cell: base.Cell[Params, Carry],
  params: Params,
  inputs: jax.Array,
  *,
  lengths: jax.Array | None = None,
  resets: jax.Array | None = None,
  initial_carry: Carry | None = None,
  key: jax.Array | None = None,
  reverse: bool = False,
  time_major: bool = False,
  method: Any = "auto",
) -> tuple[Carry, jax.Array]:
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
    method: how: "auto", "scan", "fused", "checkpointed", "associative",
      "quadratic", "newton", "cudnn", "pallas", or an object with options such
      as `Checkpointed(segment=64)`; each module of this folder says what it is
      good for, `auto.py` what is chosen when. A `Stack` and the wrappers that
      leave the recurrence as it is run the cells inside of them by `method`.

  Returns:
    `(carry, outputs)`: the carry after each row's own last processed step, and
    outputs laid out as the inputs, `[*batch, time, output_size]`.

  Raises:
    ValueError: an argument has the wrong rank, size, dtype or structure, or the
      method cannot run the cell.
  """
  checks.check_flag("reverse", reverse)
  sequence = arguments.check(
    cell, params, inputs, lengths, resets, initial_carry, key, time_major
  )
  method = resolve_method(method)
  check_method(method, cell)
  carry, outputs = _unroll(cell, method, reverse, params, sequence)
  return carry, outputs if time_major else jnp.moveaxis(outputs, 0, -2)


def resolve_method(method: Any) -> Any:
  """The method object for a name, or `method` itself if it is one.

  Raises:
    ValueError: the name is unknown.
  """
  if isinstance(method, str):
    base.check_choice("method", method, METHODS)
    return METHODS[method]
  if isinstance(method, type) or not hasattr(method, "run"):
    raise ValueError(
      f"method is {method!r}, expected a name or an object such as Scan()"
    )
  return method


def check_method(method: Any, cell: base.Cell[Any, Any]) -> None:
  """Raises ValueError if `method` cannot run a cell inside of `cell`."""
  match cell:
    case wrappers.Stack():
      for layer in cell.layers:
        check_method(method, layer)
    case wrappers.Outer():
      check_method(method, cell.cell)
    case _:
      method.check(cell)


# Jitted so that a call outside of any trace compiles once, not every time.
@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _unroll(cell, method, reverse, params, sequence):
  def evaluate(params, sequence):
    problem = arguments.prepare(cell, params, sequence)
    return run(cell, method, *problem, reverse)

  return rows.left_to_compiler(evaluate, params, sequence)


def run(cell, method, params, carry, fresh_carry, steps, reverse):
  """A stack layer after layer, inside of wrappers, any other cell by `method`.

  Args and returns as `Scan.run`.
  """
  inner_run = functools.partial(run, method=method, reverse=reverse)
  match cell:
    case wrappers.Stack():
      last_carry, keys = [], steps.key
      for index, layer in enumerate(cell.layers):
        layer_carry, outputs = inner_run(
          layer,
          params=params[index],
          carry=carry[index],
          fresh_carry=fresh_carry[index],
          steps=steps._replace(key=_subkeys(keys, index)),
        )
        last_carry.append(layer_carry)
        steps = steps._replace(inputs=outputs)
      return tuple(last_carry), steps.inputs
    case wrappers.Outer():
      inputs, keys = steps.inputs, steps.key
      over_time = lambda f, *args: jax.vmap(
        functools.partial(f, params), [None if a is None else 0 for a in args]
      )(*args)
      fed = over_time(cell.before, inputs, _subkeys(keys, 1))
      carry, outputs = inner_run(
        cell.cell,
        params=cell.inner(params),
        carry=carry,
        fresh_carry=fresh_carry,
        steps=steps._replace(inputs=fed, key=_subkeys(keys, 0)),
      )
      return carry, over_time(cell.after, inputs, outputs, _subkeys(keys, 2))
    case _:
      if steps.inputs.shape[0] == 0:
        method = Scan()  # no steps: nothing to choose
      whole = functools.partial(method.run, cell, reverse=reverse)
      if rows.splits(cell, steps):
        whole = functools.partial(rows.row_by_row, whole)
      return whole(params, carry, fresh_carry, steps)


def _subkeys(keys, index):
  """`base.subkey` of the key of every step."""
  return None if keys is None else jax.vmap(base.subkey, (0, None))(keys, index)
