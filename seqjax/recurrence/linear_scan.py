"""The parallel prefix s_t = a_t s_(t-1) + b_t, differentiable to any order."""

import functools

import jax
import jax.numpy as jnp
from jax import lax


def linear_scan(
  a: jax.Array, b: jax.Array, start: jax.Array, *, reverse: bool = False
) -> jax.Array:
  """All states of a linear recurrence in O(log T) rounds.

    s_t = a_t s_(t-1) + b_t,  s_(-1) = start

  Args:
    a: `[time, *batch, N]` for a product entry by entry, or `[time, *batch, N,
      N]` for matrices.
    b: `[time, *batch, N]`, at least one step.
    start: `[*batch, N]`.
    reverse: from the last step to the first.

  Returns:
    s, `[time, *batch, N]`.
  """
  first = -1 if reverse else 0
  b = b.at[first].add(apply(a[first], start))
  return _prefix(reverse, a, b)


def apply(a: jax.Array, s: jax.Array) -> jax.Array:
  """A s: entry by entry, or as a matrix if `a` has one axis more."""
  if a.ndim == s.ndim:
    # An exact zero forgets even an infinite state: a reset after overflow.
    return jnp.where(a == 0, 0, a * s)
  return jnp.einsum("...ij,...j->...i", a, s)


def shift(s: jax.Array, start: jax.Array, reverse: bool) -> jax.Array:
  """s_(t-1) at every t: `s` one step later, `start` in front."""
  if reverse:
    return jnp.concatenate([s[1:], start[None]])
  return jnp.concatenate([start[None], s[:-1]])


def _scan(reverse: bool, a: jax.Array, b: jax.Array) -> jax.Array:
  def compose(earlier, later):
    a_1, b_1 = earlier
    a_2, b_2 = later
    if a.ndim == b.ndim:
      return apply(a_2, a_1), apply(a_2, b_1) + b_2
    return a_2 @ a_1, apply(a_2, b_1) + b_2

  _, states = lax.associative_scan(compose, (a, b), reverse=reverse)
  return states


# The derivative of the recurrence is the same recurrence, driven by db_t + da_t
# s_(t-1): nothing of the rounds has to be kept but the products of a.
@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _prefix(reverse, a, b):
  return _scan(reverse, a, b)


@_prefix.defjvp
def _prefix_jvp(reverse, primals, tangents):
  a, b = primals
  da, db = tangents
  states = _prefix(reverse, a, b)
  before = shift(states, jnp.zeros_like(states[0]), reverse)
  drive = db + (
    da * before
    if a.ndim == b.ndim
    else jnp.einsum("...ij,...j->...i", da, before)
  )
  return states, _scan(reverse, a, drive)
