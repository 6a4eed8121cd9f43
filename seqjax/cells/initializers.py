"""Initialisers of packed kernels, one gate at a time.

A packed kernel `[fan_in, k * hidden_size]` holds k gates side by side. An
orthogonal draw of the whole block would leave no gate orthogonal, so each gate
is drawn on its own and the k blocks are joined.
"""

import jax
import jax.numpy as jnp

from seqjax.cells import base

_BY_NAME = {
  # Q of a QR decomposition: all singular values are 1 (Saxe et al. 2014,
  # "Exact solutions to the nonlinear dynamics of learning in deep linear
  # neural networks"): the linear recurrence keeps the norm of the gradient.
  "orthogonal": jax.nn.initializers.orthogonal(),
  # With zero bias and ReLU this is the IRNN (Le, Jaitly, Hinton 2015, "A
  # simple way to initialize recurrent networks of rectified linear units").
  "identity": lambda key, shape, dtype: jnp.eye(*shape, dtype=dtype),
  # U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).
  "glorot_uniform": jax.nn.initializers.glorot_uniform(),
  # N(0, 1 / fan_in), truncated (LeCun et al. 1998).
  "lecun_normal": jax.nn.initializers.lecun_normal(),
  "zeros": jax.nn.initializers.zeros,
}

NAMES = tuple(_BY_NAME)


def packed_kernel(
  name: str, key: jax.Array, fan_in: int, hidden_size: int, gates: int
) -> jax.Array:
  """A kernel `[fan_in, gates * hidden_size]`, each gate drawn by `name`.

  Args:
    name: one of `NAMES`.
    key: a `jax.random` key.
    fan_in: rows.
    hidden_size: columns of one gate.
    gates: how many gates lie side by side.

  Raises:
    ValueError: `name` is unknown.
  """
  base.check_choice("initializer", name, NAMES)
  draw = _BY_NAME[name]
  return jnp.concatenate(
    [
      draw(gate_key, (fan_in, hidden_size), jnp.float32)
      for gate_key in jax.random.split(key, gates)
    ],
    axis=-1,
  )
