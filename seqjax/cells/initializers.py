"""Initialisers of packed kernels, one gate at a time, and of gate biases.

A packed kernel `[fan_in, k * hidden_size]` holds k gates side by side. An
orthogonal draw of the whole block would leave no gate orthogonal, so each gate
is drawn on its own and the k blocks are joined.

An initialiser is given by name, with a factor behind a colon if it is to be
scaled: "orthogonal", "orthogonal:0.9", "identity:0.01".
"""

from typing import Any

import jax
import jax.numpy as jnp

from seqjax.cells import base

_BY_NAME = {
  # Q of a QR decomposition: all singular values are 1 (Saxe et al. 2014,
  # "Exact solutions to the nonlinear dynamics of learning in deep linear
  # neural networks"): the linear recurrence keeps the norm of the gradient.
  "orthogonal": jax.nn.initializers.orthogonal(),
  # With zero bias and ReLU this is the IRNN (Le, Jaitly, Hinton 2015, "A
  # simple way to initialize recurrent networks of rectified linear units");
  # "identity:0.01" is its variant for tasks with little long-term structure.
  "identity": lambda key, shape, dtype: jnp.eye(*shape, dtype=dtype),
  # U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).
  "glorot_uniform": jax.nn.initializers.glorot_uniform(),
  # N(0, 1 / fan_in), truncated (LeCun et al. 1998).
  "lecun_normal": jax.nn.initializers.lecun_normal(),
  # N(0, 1 / fan_in): the random network of the theory of chaos in networks
  # (Sompolinsky, Crisanti, Sommers 1988), its gain g written "normal:g".
  "normal": jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal"),
  "zeros": jax.nn.initializers.zeros,
}

NAMES = tuple(_BY_NAME)


def check(argument: str, spec: str) -> tuple[str, float]:
  """Splits "name" or "name:factor" into its name and factor.

  Raises:
    ValueError: the name is unknown or the factor is no number.
  """
  name, colon, factor = str(spec).partition(":")
  base.check_choice(argument, name, NAMES)
  try:
    return name, float(factor) if colon else 1.0
  except ValueError:
    raise ValueError(
      f"{argument} is {spec!r}, expected a number behind the colon, as in"
      f" '{name}:0.5'"
    ) from None


def packed_kernel(
  spec: str,
  key: jax.Array,
  fan_in: int,
  hidden_size: int,
  gates: int,
  dtype: Any = jnp.float32,
) -> jax.Array:
  """A kernel `[fan_in, gates * hidden_size]`, each gate drawn by `spec`.

  Args:
    spec: one of `NAMES`, or such a name with a factor: "orthogonal:0.9".
    key: a `jax.random` key.
    fan_in: rows.
    hidden_size: columns of one gate.
    gates: how many gates lie side by side.
    dtype: of the kernel; drawn in float32 if it has 16 bits.

  Raises:
    ValueError: the name is unknown or the factor is no number.
  """
  name, factor = check("initializer", spec)
  draw = _BY_NAME[name]
  kernel = jnp.concatenate(
    [
      draw(gate_key, (fan_in, hidden_size), base.wide(dtype))
      for gate_key in jax.random.split(key, gates)
    ],
    axis=-1,
  )
  return (kernel if factor == 1.0 else factor * kernel).astype(dtype)


def chrono_bias(
  key: jax.Array, hidden_size: int, longest: int, dtype: Any = jnp.float32
) -> jax.Array:
  """log(U(1, longest - 1)): time constants spread over 1 to `longest` steps.

  A gate held at sigmoid(log(u - 1)) forgets with time constant u (Tallec and
  Ollivier 2018, "Can recurrent neural networks warp time?", equation 16).

  Args:
    key: a `jax.random` key.
    hidden_size: H.
    longest: the longest dependency expected, in steps, at least 3.
    dtype: of the bias.

  Returns:
    `[hidden_size]`, the bias of the forget gate; its negative is the input
    gate's.
  """
  constant = jax.random.uniform(
    key, (hidden_size,), base.wide(dtype), minval=1.0, maxval=longest - 1.0
  )
  return jnp.log(constant).astype(dtype)


def check_chrono(chrono: int) -> None:
  """Raises ValueError unless `chrono` is 0 (off) or at least 3."""
  if not base.is_integer(chrono) or (chrono != 0 and chrono < 3):
    raise ValueError(
      f"chrono is {chrono!r}, expected 0 (off) or the longest dependency in"
      " steps, at least 3"
    )
