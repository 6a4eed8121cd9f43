"""Checks of arguments that are no sizes: dtypes, flags, random keys."""

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.cells import base

# Dtypes of the factors of products.
COMPUTE_DTYPES = ("float32", "bfloat16", "float16", "float64")


def check_compute_dtype(value) -> None:
  """Raises ValueError unless `value` is None or a dtype for products."""
  try:
    name = None if value is None else jnp.dtype(value).name
  except TypeError:
    name = value
  if name is not None:
    base.check_choice("compute_dtype", name, COMPUTE_DTYPES)


def check_flag(argument: str, value) -> None:
  """Raises ValueError unless `value` is True or False when compiling."""
  if not isinstance(value, bool | np.bool_):
    raise ValueError(
      f"{argument} is {value!r}, expected True or False: it is part of the"
      " program (static_argnames of jax.jit), not an array"
    )


def check_key(key) -> None:
  """Raises ValueError unless `key` is None or one random key."""
  dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
  typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)
  raw = dtype == jnp.uint32 and shape is not None and len(shape) == 1
  if key is not None and not (typed and shape == ()) and not raw:
    raise ValueError(
      f"key is {key if shape is None else f'an array of {dtype}{list(shape)}'},"
      " expected a random key, such as jax.random.key(0)"
    )
