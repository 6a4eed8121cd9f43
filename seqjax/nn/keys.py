"""What a layer draws its parameters from."""

import jax
from flax import nnx


def one_key(key: jax.Array | None, rngs: nnx.Rngs | None) -> jax.Array:
  """The key of a layer that takes either: `key`, or `rngs` as Flax's own do.

  Raises:
    ValueError: both are given, or neither.
  """
  if key is not None and rngs is None:
    return key
  if rngs is not None and key is None:
    return rngs.params()
  raise ValueError(
    f"key and rngs are {'neither' if key is None else 'both'} given, expected"
    " exactly one: key=jax.random.key(0) or rngs=nnx.Rngs(0)"
  )
