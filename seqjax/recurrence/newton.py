"""Nonlinear cells in parallel over time, by Newton's method on trajectories.

The states of a sequence solve s_t - f_t(s_(t-1)) = 0 for all t at once.
Newton's method on this system linearises every step about the last guess g and
solves

  s_t = J_t s_(t-1) + (f_t(g_(t-1)) - J_t g_(t-1)),  J_t = f_t'(g_(t-1)),

a linear recurrence: a parallel prefix. Lim, Zhu, Selfridge, Kasim 2024,
"Parallelizing non-linear sequential models over the sequence length" (DEER);
Gonzalez, Warrington, Smith, Linderman 2024, "Towards scalable and stable
parallelization of nonlinear RNNs" (quasi-DEER: the diagonal of J alone, and why
iterations diverge where the dynamics are not stable).

Where it wins: long sequences, small states, small batches, on an accelerator
with cores to spare, and dynamics that forget. Where it loses: on a few CPU
cores, always (an iteration costs more than the loop); at large states, for
dense Jacobians take `time * batch * N^2` numbers and N^3 work a step, N being
the size of the whole carry; on chaotic dynamics, where it does not converge and
falls back to the loop.
"""

import dataclasses
import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base, checks, wrappers
from seqjax.recurrence import arguments, masks, rows
from seqjax.recurrence.linear_scan import apply, linear_scan, shift
from seqjax.recurrence.scan import Steps


class NewtonReport(NamedTuple):
  """How the iterations went."""

  iterations: jax.Array  # int: how many were made
  residual: jax.Array  # max over t of |s_t - f_t(s_(t-1))| / (1 + |s_t|)
  converged: jax.Array  # bool: if not, the result is that of the loop


@dataclasses.dataclass(frozen=True)
class Newton:
  """Newton iterations on the whole trajectory, then the loop if need be.

  Every iteration checks its residual. After `max_iterations`, or when the
  residual is no longer finite, the compiled program falls back to the loop, so
  the result is right in any case; `newton_report` says what happened.

  Gradients are those of the exact trajectory: its tangent obeys the same linear
  recurrence, solved once with dense Jacobians. With "diagonal" that would undo
  the saving, so there the tangent runs step after step. All orders, forward and
  reverse mode.

  Agreement with "scan": relative error below 1e-5 in float32 for contracting
  dynamics (tests/recurrence/unroll_test.py).

  Attributes:
    max_iterations: bound on the iterations.
    jacobian: "dense", or "diagonal" for quasi-Newton steps: linear convergence,
      but O(time * batch * N) memory.
    tolerance: residual to reach; 0 is 32 times the machine epsilon.

  Raises:
    ValueError: an unknown Jacobian or a bound below 1.
  """

  max_iterations: int = 20
  jacobian: str = "dense"
  tolerance: float = 0.0

  def __post_init__(self):
    base.check_size("max_iterations", self.max_iterations)
    base.check_choice("jacobian", self.jacobian, ("dense", "diagonal"))

  def check(self, cell: base.Cell) -> None:
    """Any cell will do: a carry is floating-point by contract."""
    del cell

  def run(
    self, cell: base.Cell, params, carry, fresh_carry, steps: Steps, reverse
  ):
    """See `Scan.run`."""
    system, variables, start = _system(
      cell, params, carry, fresh_carry, steps, reverse
    )
    states = _trajectory(self, system, variables, start)
    before = shift(states, start, reverse)
    _, outputs = system.advance(variables, before)
    last = system.carry(states[0 if reverse else -1])
    return jax.tree.map(
      lambda x, old: x.astype(old.dtype), last, carry
    ), outputs


def newton_report(
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
  method: Newton | None = None,
) -> NewtonReport:
  """Iterations and residual of `unroll(..., method=Newton(...))`.

  Args:
    cell: a single cell; the layers of a stack have a report each.
    params: as for `unroll`, and so are `inputs`, `lengths`, `resets`,
      `initial_carry`, `key`, `reverse` and `time_major`.
    method: default `Newton()`.

  Raises:
    ValueError: as `unroll`; `cell` is a stack or an outer wrapper.
  """
  if isinstance(cell, wrappers.Stack | wrappers.Outer):
    raise ValueError(
      f"cell is {cell}, expected a single cell: ask for a report layer by layer"
    )
  checks.check_flag("reverse", reverse)
  sequence = arguments.check(
    cell, params, inputs, lengths, resets, initial_carry, key, time_major
  )
  method = method or Newton()
  if not isinstance(method, Newton):
    raise ValueError(f"method is {method!r}, expected Newton() or None")

  def report(params, sequence):
    problem = arguments.prepare(cell, params, sequence)
    system, variables, start = _system(cell, *problem, reverse)
    return _iterate(method, system, variables, start)[1]

  run = functools.partial(rows.left_to_compiler, report, split=False)
  return jax.jit(run)(params, sequence)


class _Variables(NamedTuple):
  """What the steps depend on besides the state."""

  params: base.Params
  fresh: jax.Array  # [*batch, N]
  inputs: jax.Array  # [time, *batch, D], projected where the cell factors
  valid: jax.Array | None
  reset: jax.Array | None
  key: jax.Array | None  # raw key data: it has no tangent to worry about


@dataclasses.dataclass(frozen=True)
class _System:
  """f_t and its Jacobian for all t at once, on states `[time, *batch, N]`."""

  cell: Any  # a Cell, factored or not
  reverse: bool
  treedef: Any
  shapes: tuple[tuple[int, ...], ...]  # of the carry's leaves, without batch
  dtype: Any  # of the state

  def carry(self, state):
    ends = list(itertools.accumulate(map(math.prod, self.shapes)))[:-1]
    parts = jnp.split(state, ends, axis=-1)
    return self.treedef.unflatten(
      part.reshape(*state.shape[:-1], *shape)
      for part, shape in zip(parts, self.shapes, strict=True)
    )

  def state(self, carry):
    flat = (
      leaf.reshape(*leaf.shape[: leaf.ndim - len(shape)], -1).astype(self.dtype)
      for leaf, shape in zip(jax.tree.leaves(carry), self.shapes, strict=True)
    )
    return jnp.concatenate(list(flat), axis=-1)

  def advance(self, variables: _Variables, before: jax.Array):
    """`(s_t, output_t)` from s_(t-1), each step by itself."""

    def one(inputs, valid, reset, key, state):
      if reset is not None:
        state = masks.select(reset, variables.fresh, state)
      carry = self.carry(state)
      if self.cell.factored:
        new, output = self.cell.update(
          variables.params,
          carry,
          inputs,
          self.cell.recur(variables.params, carry),
        )
      else:
        if key is not None:
          key = jax.random.wrap_key_data(key)
        new, output = self.cell.step(variables.params, carry, inputs, key=key)
      new = self.state(new)
      if valid is not None:
        new = masks.select(valid, new, state)
        output = masks.select(valid, output, jnp.zeros_like(output))
      return new, output

    per_step = variables[2:]
    axes = [None if x is None else 0 for x in per_step]
    return jax.vmap(one, (*axes, 0))(*per_step, before)

  def jacobian(self, variables: _Variables, before: jax.Array, diagonal: bool):
    """`[time, *batch, N, N]` (out, in), or its diagonal `[time, *batch, N]`."""
    if self.cell.factored and self.cell.pointwise:
      return self._pointwise_jacobian(variables, before, diagonal)
    basis = _eye(before.shape[-1], before)
    run = lambda state: self.advance(variables, state)[0]
    column = lambda unit: jax.jvp(
      run, (before,), (jnp.broadcast_to(unit, before.shape),)
    )[1]
    if diagonal:
      columns = lax.map(lambda unit: column(unit) @ unit, basis)
    else:
      columns = jax.vmap(column)(basis)
    return jnp.moveaxis(columns, 0, -1)

  def _pointwise_jacobian(self, variables, before, diagonal):
    # Unit j of `update` sees unit j of each leaf of the carry and of each part
    # of recur(carry), so J is a sum of diagonals times constant matrices: a
    # few tangents of `update` instead of N tangents of the step.
    cell, params = self.cell, variables.params
    size = before.shape[-1]
    (hidden,) = self.shapes[0]
    eye = _eye(size, before)
    recur = lambda state: cell.recur(params, self.carry(state))
    # [in, parts * hidden]: what a state adds, without a bias.
    _, kernel = jax.jvp(recur, (jnp.zeros_like(eye),), (eye,))
    kernel = kernel.astype(eye.dtype)
    leaves, parts = size // hidden, kernel.shape[-1] // hidden
    state = before
    if variables.reset is not None:
      fresh = base.align(variables.fresh, before)
      state = masks.select(variables.reset, fresh, before)
    recurred = recur(state)

    def run(state, recurred):
      carry = self.carry(state)
      new, _ = cell.update(params, carry, variables.inputs, recurred)
      return self.state(new)

    def slopes(of_state, of_recurred):
      tangents = (
        jnp.broadcast_to(jnp.repeat(of_state, hidden), state.shape),
        jnp.broadcast_to(
          jnp.repeat(of_recurred, hidden).astype(recurred.dtype), recurred.shape
        ),
      )
      return jax.jvp(run, (state, recurred), tangents)[1]

    selectors = _eye(leaves + parts, before)
    factors = jax.vmap(slopes)(selectors[:, :leaves], selectors[:, leaves:])
    # Row (leaf l', unit j) of the constant matrix of leaf l picks unit j of l,
    # that of part k is the column of the kernel for unit j of k.
    picks = jnp.tile(eye.reshape(leaves, hidden, size), (1, leaves, 1))
    columns = jnp.moveaxis(kernel.reshape(size, parts, hidden), 0, -1)
    matrices = jnp.concatenate([picks, jnp.tile(columns, (1, leaves, 1))])
    if diagonal:
      matrices = jnp.diagonal(matrices, axis1=1, axis2=2)
      result = jnp.einsum("m...i,mi->...i", factors, matrices)
      identity = jnp.ones((size,), before.dtype)
    else:
      result = jnp.einsum("m...i,mij->...ij", factors, matrices)
      identity = eye
    identity = jnp.broadcast_to(identity, result.shape)
    if variables.reset is not None:
      zeros = jnp.zeros_like(result)
      result = masks.select(variables.reset, zeros, result)
    if variables.valid is not None:
      result = masks.select(variables.valid, result, identity)
    return result


def _eye(size: int, like: jax.Array) -> jax.Array:
  """Tangents of what is of the type of `like`."""
  return rows.varying((like, jnp.eye(size, dtype=like.dtype)))[1]


def _system(cell, params, carry, fresh_carry, steps: Steps, reverse):
  leaves, treedef = jax.tree.flatten(carry)
  batch_axes = steps.inputs.ndim - 2
  shapes = tuple(leaf.shape[batch_axes:] for leaf in leaves)
  dtype = max(
    (base.wide(leaf.dtype) for leaf in leaves), key=lambda d: d.itemsize
  )
  system = _System(cell, reverse, treedef, shapes, dtype)
  inputs = steps.inputs
  if cell.factored:
    inputs = cell.project(params, inputs)
  key = None if steps.key is None else jax.random.key_data(steps.key)
  fresh = system.state(fresh_carry)
  variables = _Variables(params, fresh, inputs, steps.valid, steps.reset, key)
  return system, variables, system.state(carry)


def _iterate(method: Newton, system: _System, variables, start):
  """`(states, report)`; the states are right only if converged."""
  reverse = system.reverse
  diagonal = method.jacobian == "diagonal"
  tolerance = method.tolerance or 32 * jnp.finfo(start.dtype).eps
  advance = lambda states: system.advance(
    variables, shift(states, start, reverse)
  )

  # By comparisons, which no NaN passes: XLA's maximum on the CPU may lose one.
  def converged(states, new):
    close = jnp.abs(new - states) <= tolerance * (1 + jnp.abs(new))
    return jnp.all(close & jnp.isfinite(new))

  def unfinished(loop):
    count, states, new = loop
    return (
      (count < method.max_iterations)
      & ~converged(states, new)
      & jnp.isfinite(states).all()
    )

  def improve(loop):
    count, states, new = loop
    before = shift(states, start, reverse)
    jacobian = system.jacobian(variables, before, diagonal)
    offset = new - apply(jacobian, before)
    # What overflows here ends the iterations.
    states = linear_scan(jacobian, offset, start, reverse=reverse, guard=False)
    return count + 1, states, advance(states)[0]

  time = variables.inputs.shape[0]
  guess = jnp.broadcast_to(start, (time, *start.shape))
  loop = jnp.int32(0), guess, advance(guess)[0]
  count, states, new = lax.while_loop(unfinished, improve, loop)
  residual = jnp.max(jnp.abs(new - states) / (1 + jnp.abs(new)), initial=0.0)
  residual = jnp.where(jnp.isfinite(states).all(), residual, jnp.inf)
  return new, NewtonReport(count, residual, converged(states, new))


def _single(variables: _Variables, per_step) -> _Variables:
  """Those of one step, with a time axis of size 1."""
  single: Any = (None if x is None else x[None] for x in per_step)
  return _Variables(*variables[:2], *single)


def _loop(system: _System, variables: _Variables, start):
  """The same trajectory step after step."""

  def body(state, per_step):
    single = _single(variables, per_step)
    new = system.advance(single, state[None])[0][0].astype(state.dtype)
    return new, new

  _, states = lax.scan(body, start, variables[2:], reverse=system.reverse)
  return states


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _trajectory(method, system, variables, start):
  states, report = _iterate(method, system, variables, start)
  return lax.cond(
    report.converged,
    lambda: states,
    lambda: _loop(system, variables, start),
  )


@_trajectory.defjvp
def _trajectory_jvp(method, system, primals, tangents):
  variables, start = primals
  d_variables, d_start = tangents
  states = _trajectory(method, system, variables, start)
  before = shift(states, start, system.reverse)
  # ds_t = J_t ds_(t-1) + (what the step's own arguments contribute).
  floating = lambda v: (v.params, v.fresh, v.inputs)
  fixed = lambda params, fresh, inputs: system.advance(
    variables._replace(params=params, fresh=fresh, inputs=inputs), before
  )[0]
  _, drive = jax.jvp(fixed, floating(variables), floating(d_variables))
  if method.jacobian == "dense":
    jacobian = system.jacobian(variables, before, diagonal=False)
    options = {"reverse": system.reverse, "forget": variables.reset}
    return states, linear_scan(jacobian, drive, d_start, **options)

  def body(tangent, per_step):
    drive, state, *rest = per_step
    single = _single(variables, rest)
    run = lambda s: system.advance(single, s[None])[0][0]
    tangent = jax.jvp(run, (state,), (tangent,))[1] + drive
    return tangent, tangent

  _, d_states = lax.scan(
    body, d_start, (drive, before, *variables[2:]), reverse=system.reverse
  )
  return states, d_states
