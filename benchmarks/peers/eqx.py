"""Equinox: its cells under `jax.lax.scan`, `jax.vmap` over the batch."""

import equinox as eqx
import jax
import jax.numpy as jnp

from benchmarks.peers.runner import Model

CELLS = {"lstm": eqx.nn.LSTMCell, "gru": eqx.nn.GRUCell}


def model(case: dict) -> Model:
  if case["cell"] not in CELLS:
    raise NotImplementedError("it has no simple RNN cell")
  if case["dtype"] == "bfloat16":
    raise NotImplementedError("no compute dtype beside the parameters'")
  size, dtype = case["hidden_size"], jnp.dtype(case["dtype"])

  def build(key):
    keys = jax.random.split(key, case["num_layers"] + 2)
    cells = [
      CELLS[case["cell"]](size, size, key=k, dtype=dtype) for k in keys[2:]
    ]
    return (
      eqx.nn.Embedding(case["vocab"], size, key=keys[0], dtype=dtype),
      cells,
      eqx.nn.Linear(size, case["vocab"], key=keys[1], dtype=dtype),
    )

  _, static = eqx.partition(build(jax.random.key(0)), eqx.is_array)

  def one(network, tokens):
    embed, cells, head = network
    x = jax.vmap(embed)(tokens)
    for cell in cells:
      zeros = jnp.zeros((size,), dtype)
      carry = (zeros, zeros) if case["cell"] == "lstm" else zeros

      def step(carry, x, cell=cell):
        carry = cell(x, carry)
        return carry, carry[0] if case["cell"] == "lstm" else carry

      _, x = jax.lax.scan(step, carry, x)
    return jax.vmap(head)(x)

  return Model(
    lambda key: eqx.partition(build(key), eqx.is_array)[0],
    lambda params, tokens: jax.vmap(one, (None, 0))(
      eqx.combine(params, static), tokens
    ),
  )
