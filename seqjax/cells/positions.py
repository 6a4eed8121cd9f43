"""Where in a sequence something stands, as numbers that attention can use.

Attention itself has no order. Either the inputs say their position (sinusoidal,
learned), or queries and keys are turned by it (rotary), so that their product
depends on the distance alone.
"""

import jax
import jax.numpy as jnp

from seqjax.cells import base

LAYOUTS = "half", "interleaved"


def sinusoidal(
  positions: jax.Array, size: int, longest: float = 10_000.0
) -> jax.Array:
  """The fixed encoding of positions p.

    e_(p, 2 i) = sin(p / longest^(2 i / size))
    e_(p, 2 i + 1) = cos(p / longest^(2 i / size))

  Vaswani et al. 2017, "Attention is all you need", section 3.5.

  Args:
    positions: integers, any shape.
    size: features, of an odd number the last sine has no cosine.
    longest: wavelength of the slowest, over 2 pi.

  Returns:
    `[*positions.shape, size]`, floating.
  """
  angles = _angles(positions, size, longest)
  pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
  pairs = pairs.reshape(*positions.shape, 2 * angles.shape[-1])
  return pairs[..., :size]


def rotary(
  x: jax.Array,
  positions: jax.Array,
  *,
  longest: float = 10_000.0,
  layout: str = "half",
) -> jax.Array:
  """Queries or keys, turned by their positions, pair by pair of features.

    (a, b) -> (a cos(p w) - b sin(p w), a sin(p w) + b cos(p w))
    w_i = longest^(-2 i / d), i the number of the pair

  The product of a query at i and a key at j depends on i - j alone. Su et al.
  2021, "RoFormer: Enhanced transformer with rotary position embedding",
  equations 14, 15 and 34.

  Args:
    x: `[..., heads, d]`, d even.
    positions: integers `[...]`, those of the rows of heads. Angles are computed
      in float32 at least: of a position p they are off by p / 10^7 or so.
    longest: wavelength of the slowest pair, over 2 pi.
    layout: which features make a pair. "half": i and i + d/2 (GPT-NeoX, Llama
      as Hugging Face stores it); "interleaved": 2 i and 2 i + 1 (RoFormer,
      Llama as Meta stores it). Weights of one are those of the other with their
      columns in another order, see `interleaved_to_half`.

  Raises:
    ValueError: d is odd; no such layout.
  """
  base.check_choice("layout", layout, LAYOUTS)
  size = x.shape[-1]
  check_even(size)
  angles = _angles(positions, size, longest)[..., None, :]
  cos, sin = jnp.cos(angles).astype(x.dtype), jnp.sin(angles).astype(x.dtype)
  if layout == "half":
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
  a, b = x[..., ::2], x[..., 1::2]
  turned = jnp.stack([a * cos - b * sin, a * sin + b * cos], axis=-1)
  return turned.reshape(x.shape)


def interleaved_to_half(x: jax.Array, heads: int) -> jax.Array:
  """Columns of a query's or key's kernel or bias, in the other layout's order.

  With them `rotary` of layout "half" gives the scores that "interleaved" gives
  with `x`.

  Args:
    x: `[..., heads * d]`.
    heads: of the projection.
  """
  pairs = x.reshape(*x.shape[:-1], heads, -1, 2)
  return jnp.moveaxis(pairs, -1, -2).reshape(x.shape)


def half_to_interleaved(x: jax.Array, heads: int) -> jax.Array:
  """The inverse of `interleaved_to_half`."""
  halves = x.reshape(*x.shape[:-1], heads, 2, -1)
  return jnp.moveaxis(halves, -1, -2).reshape(x.shape)


def check_even(size: int) -> None:
  """Raises ValueError unless the features of a head make pairs."""
  if size % 2:
    raise ValueError(
      f"a head has {size} features, expected an even number for rotary"
      " positions"
    )


def _angles(positions: jax.Array, size: int, longest: float) -> jax.Array:
  """Angles p w_i, `[*positions.shape, (size + 1) // 2]`."""
  floating = jnp.result_type(float)  # JAX's default
  rates = longest ** -(jnp.arange(0, size, 2, dtype=floating) / size)
  positions = positions[..., None].astype(floating)
  return positions * base.align(rates, positions)
