"""Keras 3 on JAX: `layers.LSTM` and so on, called statelessly."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

from benchmarks.peers.runner import Model

CELLS = {
  "lstm": keras.layers.LSTM,
  "gru": keras.layers.GRU,
  "elman": keras.layers.SimpleRNN,
}


def model(case: dict) -> Model:
  if case["dtype"] == "bfloat16":
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
  else:
    keras.config.set_floatx(case["dtype"])
  keras.utils.set_random_seed(0)
  size = case["hidden_size"]
  network = keras.Sequential(
    [
      keras.layers.Embedding(case["vocab"], size),
      *(
        CELLS[case["cell"]](size, return_sequences=True)
        for _ in range(case["num_layers"])
      ),
      keras.layers.Dense(case["vocab"]),
    ]
  )
  network(np.zeros((1, 2), np.int32))
  trained = [v.value for v in network.trainable_variables]
  rest = [v.value for v in network.non_trainable_variables]

  def apply(params, tokens):
    return network.stateless_call(params, rest, tokens)[0]

  return Model(lambda key: [v * 1 for v in trained], apply)
