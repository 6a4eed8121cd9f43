"""What a user writes against the installed package: user_script.py WORKDIR."""

import sys
from typing import cast

import jax
import optax
from flax import nnx

import seqjax
from seqjax.cells import LSTMCarry, LSTMParams

# A cell over time, and a gradient of it.
cell = seqjax.LSTM(8)
params = cell.init(jax.random.key(0), input_size=3)
inputs = jax.random.normal(jax.random.key(1), (2, 10, 3))
carry, outputs = seqjax.unroll(cell, params, inputs)
state = carry.h[0]


def loss(params: LSTMParams) -> jax.Array:
  return (seqjax.unroll(cell, params, inputs)[1] ** 2).mean()


grads = cast(LSTMParams, jax.grad(loss)(params))
largest = abs(grads.recurrent_kernel).max()

# A layer in a loop of Flax.
layer = seqjax.nn.RNN(cell, 3, rngs=nnx.Rngs(0))
optimizer = nnx.Optimizer(layer, optax.adam(1e-2), wrt=nnx.Param)


def squares(layer: seqjax.nn.RNN[LSTMParams, LSTMCarry]) -> jax.Array:
  return (layer(inputs)[1] ** 2).mean()


losses: list[float] = []
for _ in range(5):
  value, change = nnx.value_and_grad(squares)(layer)
  optimizer.update(layer, change)
  losses.append(float(value))
assert losses[-1] < losses[0], losses

# What a run has learned.
run = seqjax.load(sys.argv[1])
texts = run.generate(prompt="The ", num_tokens=10)

# The gradient laboratory.
norms = seqjax.gradients.hidden_gradient_norms(
  cell, params, inputs, lambda outputs: outputs[..., 0]
)
over_lag = seqjax.gradients.by_lag(norms.c)
verdict = seqjax.gradients.verdict(over_lag)
print(texts[0], verdict.word, seqjax.gradients.memory_horizon(over_lag))
