"""Quantiles of what comes: in order by construction, their loss, intervals.

Levels are symmetric, such as (.1, .5, .9): the median stands in the middle, and
each pair from the outside inwards is an interval, here one of 80 %.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np


def check(levels: Sequence[float]) -> None:
  """Raises ValueError unless the levels are symmetric and increasing."""
  numbers = all(isinstance(level, (int, float)) for level in levels)
  if numbers and len(levels) % 2:
    bounds = 0.0, *levels, 1.0
    rising = all(a < b for a, b in zip(bounds, bounds[1:], strict=False))
    pairs = zip(levels, reversed(levels), strict=True)
    if rising and all(abs(a + b - 1) < 1e-9 for a, b in pairs):
      return
  raise ValueError(
    f"quantiles is {tuple(levels)}, expected increasing shares between 0 and 1"
    " with .5 in the middle and 1 - q for each q, such as (.1, .5, .9)"
  )


def shares(levels: Sequence[float]) -> list[float]:
  """What each interval is said to cover, the outermost first."""
  half = len(levels) // 2
  return [levels[-1 - i] - levels[i] for i in range(half)]


def ordered(raw: jax.Array) -> jax.Array:
  """Quantiles that cannot cross, of any numbers.

    q_m     = r_m                          (the middle)
    q_{k+1} = q_k + softplus(r_{k+1})      above it
    q_{k-1} = q_k - softplus(r_{k-1})      below

  Args:
    raw: `[..., K]`, K odd.

  Returns:
    `[..., K]`, never decreasing.
  """
  half = raw.shape[-1] // 2
  steps, middle = jax.nn.softplus(raw), raw[..., half : half + 1]
  below = jnp.cumsum(steps[..., :half][..., ::-1], axis=-1)[..., ::-1]
  above = jnp.cumsum(steps[..., half + 1 :], axis=-1)
  return jnp.concatenate([middle - below, middle, middle + above], axis=-1)


def pinball(
  found: jax.Array, true: jax.Array, levels: Sequence[float]
) -> jax.Array:
  """The mean over the quantiles of max(q e, (q - 1) e), e = true - found.

  Koenker and Bassett 1978, "Regression quantiles": smallest where a share q of
  what comes lies below. For the median alone it is half the absolute error.

  Args:
    found: `[..., K]`.
    true: `[...]`.
    levels: the K shares q.

  Returns:
    `[...]`.
  """
  errors = true[..., None] - found
  q = jnp.asarray(levels, errors.dtype).reshape((1,) * true.ndim + (-1,))
  return jnp.maximum(q * errors, (q - 1) * errors).mean(axis=-1)


def bounds(found: jax.Array) -> tuple[jax.Array, jax.Array]:
  """`(low, high)` of each interval, `[..., K // 2]`, the outermost first."""
  half = found.shape[-1] // 2
  return found[..., :half], found[..., :half:-1]


def outside(found: jax.Array, true: jax.Array) -> jax.Array:
  """How far what came lies outside of each interval; within, below 0.

  Args:
    found: quantiles `[..., K]`.
    true: `[...]`.

  Returns:
    `[..., K // 2]`, the outermost first.
  """
  low, high = bounds(found)
  return jnp.maximum(low - true[..., None], true[..., None] - high)


def needed(share: float) -> int:
  """So many scores `conformal` wants for an interval that covers `share`."""
  return math.ceil(share / (1 - share) - 1e-9)


def conformal(scores: np.ndarray, shares: Sequence[float]) -> np.ndarray:
  """By how much each interval is to be widened to cover its share.

  Split conformal prediction with quantiles (Romano, Patterson and Candes 2019,
  "Conformalized quantile regression", equation 8): the ceil((n + 1) share)-th
  smallest of n scores on data that training has not seen. Were those and what
  is to come exchangeable, the widened interval would cover its share or more;
  a series that drifts promises nothing.

  Args:
    scores: `outside` of each, `[n, ..., intervals]`.
    shares: of the intervals.

  Returns:
    `[..., intervals]`; negative where the interval is too wide.

  Raises:
    ValueError: there are too few scores.
  """
  count, widest = len(scores), max(map(needed, shares), default=0)
  if count < widest:
    raise ValueError(
      f"{count} scores for an interval of {max(shares):.1%}, expected {widest}"
      " or more"
    )
  ranks = [math.ceil((count + 1) * share - 1e-9) for share in shares]
  found = [
    np.partition(scores[..., i], rank - 1, axis=0)[rank - 1]
    for i, rank in enumerate(ranks)
  ]
  return np.stack(found, axis=-1)


def widen(found: jax.Array, by: jax.Array) -> jax.Array:
  """Each bound moved away from the median; still in order.

  An interval ends at the median at least, and is no narrower than those in it.

  Args:
    found: quantiles `[..., K]`.
    by: `[..., K // 2]`, the outermost first; shapes agree or broadcast.
  """
  half = found.shape[-1] // 2
  low, high = bounds(found)
  middle = found[..., half : half + 1]

  def move(distance):
    """Innermost first while none may be narrower than the one before."""
    distance = jnp.maximum(distance + by, 0)[..., ::-1]
    return jax.lax.cummax(distance, axis=distance.ndim - 1)

  below, above = move(middle - low), move(high - middle)
  return jnp.concatenate(
    [middle - below[..., ::-1], middle, middle + above], axis=-1
  )
