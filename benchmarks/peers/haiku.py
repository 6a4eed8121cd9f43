"""Haiku: `dynamic_unroll`. Its GRU is the original one, reset before."""

import haiku as hk
import jax.numpy as jnp

from benchmarks.peers.runner import Model

CELLS = {"lstm": hk.LSTM, "gru": hk.GRU, "elman": hk.VanillaRNN}


def model(case: dict) -> Model:
  size, layers = case["hidden_size"], case["num_layers"]
  if case["dtype"] == "bfloat16":
    raise NotImplementedError("no compute dtype beside the parameters'")
  if case["dtype"] == "float64":
    raise NotImplementedError("its parameters are float32")

  def forward(tokens):
    x = hk.Embed(case["vocab"], size)(tokens)
    for _ in range(layers):
      core = CELLS[case["cell"]](size)
      start = core.initial_state(x.shape[0])
      x, _ = hk.dynamic_unroll(core, x, start, time_major=False)
    return hk.Linear(case["vocab"])(x)

  network = hk.without_apply_rng(hk.transform(forward))
  tokens = jnp.zeros((1, 2), jnp.int32)
  return Model(lambda key: network.init(key, tokens), network.apply)
