"""The parallel prefix s_t = a_t s_(t-1) + b_t, differentiable to any order."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.recurrence import masks


def linear_scan(
  a: jax.Array,
  b: jax.Array,
  start: jax.Array,
  *,
  reverse: bool = False,
  forget: jax.Array | None = None,
  guard: bool = True,
) -> jax.Array:
  """All states of a linear recurrence in O(log T) rounds.

    s_t = a_t s_(t-1) + b_t,  s_(-1) = start

  The rounds multiply a's of neighbouring steps. Where such a product overflows
  the states and derivatives may be finite all the same (infinity times what is
  zero), so there the compiled program takes the steps one by one.

  Args:
    a: `[time, *batch, N]` for a product entry by entry, or `[time, *batch, N,
      N]` for matrices.
    b: `[time, *batch, N]`, at least one step.
    start: `[*batch, N]`.
    reverse: from the last step to the first.
    forget: bool `[time, *batch]`, steps at which a is a constant zero: a reset.
      They forget an infinite state too, and have no derivative by a.
    guard: whether products are checked; needless where |a| <= 1.

  Returns:
    s, `[time, *batch, N]`.

  Raises:
    ValueError: the number of steps is symbolic, as in an export.
  """
  if not isinstance(a.shape[0], int):
    raise ValueError(
      f"the number of steps is {a.shape[0]}, expected a known one for a"
      " parallel prefix over time; use method 'scan'"
    )
  first = -1 if reverse else 0
  b = b.at[first].add(apply(a[first], start, _at(forget, first)))
  return _prefix(reverse, guard, a, b, forget)


def apply(
  a: jax.Array, s: jax.Array, forget: jax.Array | None = None
) -> jax.Array:
  """A s: entry by entry, or as a matrix if `a` has one axis more."""
  if a.ndim > s.ndim:
    return _zero(forget, jnp.einsum("...ij,...j->...i", a, s))
  return _zero(forget, a * s)


def shift(s: jax.Array, start: jax.Array, reverse: bool) -> jax.Array:
  """s_(t-1) at every t: `s` one step later, `start` in front."""
  if reverse:
    return jnp.concatenate([s[1:], start[None]])
  return jnp.concatenate([start[None], s[:-1]])


# The derivative of the recurrence is the same recurrence, driven by db_t + da_t
# s_(t-1): nothing of the rounds has to be kept but the products of a.
@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _prefix(reverse, guard, a, b, forget):
  return _run(reverse, guard, a, b, forget)


@_prefix.defjvp
def _prefix_jvp(reverse, guard, primals, tangents):
  a, b, forget = primals
  da, db, _ = tangents
  states = _prefix(reverse, guard, a, b, forget)
  before = shift(states, jnp.zeros_like(states[0]), reverse)
  drive = db + apply(da, before, forget)
  return states, _run(reverse, guard, a, drive, forget)


def _run(reverse, guard, a, b, forget):
  if reverse:
    flip = lambda x: jnp.flip(x, 0)
    return flip(_run(False, guard, *jax.tree.map(flip, (a, b, forget))))
  levels = _products(a, forget, a.ndim > b.ndim)
  if not guard:
    return _solve(levels, b)
  # Over time first, which is the faster way.
  finite = (jnp.isfinite((p * 0).sum(axis=0)).all() for p, _ in levels)
  sound = jnp.array(list(finite)).all()
  # Zeros, and outside of the branch, whose transpose would be 0 * infinity.
  states = _solve([(jnp.where(sound, p, 0), f) for p, f in levels], b)
  return lax.cond(sound, lambda: states, lambda: _loop(a, b, forget))


def _products(a, forget, matrices: bool):
  """`(a, forget)` of every step, of every two, of every four, and so on."""
  levels = []
  while len(a) > 1:
    levels.append((a, forget))
    pairs = len(a) // 2
    early, late = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    a = _zero(_at(forget, late), _product(matrices, a[late], a[early]))
    forget = None if forget is None else forget[late] | forget[early]
  return levels


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _product(matrices, late, early):
  return late @ early if matrices else late * early


@_product.defjvp
def _product_jvp(matrices, primals, tangents):
  # Where a factor has overflowed nothing depends on the product.
  late, early = (jnp.where(jnp.isfinite(x), x, 0) for x in primals)
  d_late, d_early = tangents
  times = jnp.matmul if matrices else jnp.multiply
  return times(*primals), times(d_late, early) + times(late, d_early)


def _solve(levels, b):
  """States from the products: pairs of steps first, then those between."""
  if not levels:
    return b
  (a, forget), *rest = levels
  pairs = len(b) // 2
  early, late = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
  drive = apply(a[late], b[early], _at(forget, late)) + b[late]
  odd = _solve(rest, drive)
  later = slice(2, None, 2)
  between = apply(a[later], odd[: len(b[later])], _at(forget, later))
  even = jnp.concatenate([b[:1], between + b[later]])
  if len(even) > len(odd):
    odd = jnp.concatenate([odd, odd[:1]])  # cut off below
  together = jnp.stack([even, odd], axis=1)
  return together.reshape(-1, *b.shape[1:])[: len(b)]


def _loop(a, b, forget):
  def body(state, per_step):
    a, b, forget = per_step
    state = apply(a, state, forget) + b
    return state, state

  # The first state is b alone: `start` is part of it.
  zero = jnp.zeros_like(b[0])
  return lax.scan(body, zero, (a, b, forget))[1]


def _at(forget, index):
  return None if forget is None else forget[index]


def _zero(forget, x):
  """Zeros in place of `x` where `forget` says so."""
  return x if forget is None else masks.select(forget, jnp.zeros_like(x), x)
