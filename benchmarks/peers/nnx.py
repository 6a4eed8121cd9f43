"""Flax NNX: `nnx.RNN`, split once, so that JAX's own transformations are used.

With its initial carry given: drawn from the module's own random state it cannot
be differentiated once the module is split.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from benchmarks.peers.runner import Model

CELLS = {
  "lstm": nnx.OptimizedLSTMCell,
  "gru": nnx.GRUCell,
  "elman": nnx.SimpleCell,
}


class Network(nnx.Module):
  def __init__(self, case, rngs):
    size, dtype = case["hidden_size"], case["dtype"]
    wide = "float64" if dtype == "float64" else "float32"
    options = {"dtype": dtype, "param_dtype": wide, "rngs": rngs}
    self.embed = nnx.Embed(case["vocab"], size, **options)
    self.rnns = nnx.List(
      nnx.RNN(CELLS[case["cell"]](size, size, **options))
      for _ in range(case["num_layers"])
    )
    self.head = nnx.Linear(size, case["vocab"], **options)
    self.lstm = case["cell"] == "lstm"

  def __call__(self, tokens):
    x = self.embed(tokens)
    for rnn in self.rnns:
      zeros = jnp.zeros((x.shape[0], x.shape[-1]), x.dtype)
      x = rnn(x, initial_carry=(zeros, zeros) if self.lstm else zeros)
    return self.head(x)


def model(case: dict) -> Model:
  network = Network(case, nnx.Rngs(0))
  graphdef, params, rest = nnx.split(network, nnx.Param, ...)
  values = nnx.to_pure_dict(params)

  def apply(params, tokens):
    return nnx.merge(graphdef, params, rest)(tokens)

  return Model(lambda key: jax.tree.map(jnp.copy, values), apply)
