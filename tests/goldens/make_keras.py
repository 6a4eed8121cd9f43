"""Writes keras.npz: what Keras's recurrent layers compute.

Run once, in an environment of its own with keras 3 and jax:

  KERAS_BACKEND=jax python tests/goldens/make_keras.py

Weights and biases are random, no bias is zero, rows are ragged (masked). For
each layer: weights, outputs, final states, and the gradient of a weighted sum
of them with respect to the weights and the inputs.
"""

import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np

B, T, D, H = 3, 5, 4, 5
LENGTHS = np.array([5, 2, 3])
LAYERS = {
  "elman": lambda: keras.layers.SimpleRNN(
    H, return_sequences=True, return_state=True
  ),
  "lstm": lambda: keras.layers.LSTM(
    H, return_sequences=True, return_state=True
  ),
  "gru": lambda: keras.layers.GRU(
    H, return_sequences=True, return_state=True, reset_after=True
  ),
  "gru_original": lambda: keras.layers.GRU(
    H, return_sequences=True, return_state=True, reset_after=False
  ),
}


def main():
  rng = np.random.default_rng(0)
  draw = lambda *shape: rng.normal(0, 0.7, shape).astype(np.float32)
  inputs = draw(B, T, D)
  mask = np.arange(T) < LENGTHS[:, None]
  found = {"inputs": inputs, "lengths": LENGTHS}
  for name, build in LAYERS.items():
    layer = build()
    layer.build((B, T, D))
    layer.set_weights([draw(*w.shape) for w in layer.get_weights()])
    variables = [v.value for v in layer.trainable_variables]
    weights = draw(B, T, H) * mask[..., None]
    state_weights = [draw(B, H) for _ in range(2 if name == "lstm" else 1)]

    def run(variables, inputs, layer=layer):
      results, _ = layer.stateless_call(
        variables,
        [v.value for v in layer.non_trainable_variables],
        inputs,
        mask=mask,
      )
      return results[0], results[1:]

    def loss(variables, inputs, weights=weights, state_weights=state_weights):
      outputs, states = run(variables, inputs)
      total = (weights * outputs).sum()
      return total + sum(
        (w * s).sum() for w, s in zip(state_weights, states, strict=True)
      )

    outputs, states = run(variables, inputs)
    grads, d_inputs = jax.grad(loss, (0, 1))(variables, inputs)
    found[f"{name}/outputs"] = outputs
    found[f"{name}/loss.outputs"] = weights
    found[f"{name}/inputs.grad"] = d_inputs
    for index, weight in enumerate(layer.get_weights()):
      found[f"{name}/weight{index}"] = weight
      found[f"{name}/grad{index}"] = grads[index]
    for index, state in enumerate(states):
      found[f"{name}/state{index}"] = state
      found[f"{name}/loss.state{index}"] = state_weights[index]
  path = pathlib.Path(__file__).with_name("keras.npz")
  np.savez_compressed(path, **{k: np.asarray(v) for k, v in found.items()})
  print(f"keras {keras.__version__}: {path.name}, {path.stat().st_size} bytes")


if __name__ == "__main__":
  main()
