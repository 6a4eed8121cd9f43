"""Flax Linen: `RNN` over `OptimizedLSTMCell`, `GRUCell`, `SimpleCell`."""

import jax
import jax.numpy as jnp
from flax import linen

from benchmarks.peers.runner import Model

CELLS = {
  "lstm": linen.OptimizedLSTMCell,
  "gru": linen.GRUCell,
  "elman": linen.SimpleCell,
}


class Network(linen.Module):
  cell: str
  size: int
  layers: int
  vocab: int
  dtype: str

  def setup(self):
    options = {"dtype": self.dtype, "param_dtype": _param_dtype(self.dtype)}
    self.embed = linen.Embed(self.vocab, self.size, **options)
    self.cells = [
      CELLS[self.cell](self.size, **options) for _ in range(self.layers)
    ]
    self.rnns = [linen.RNN(cell) for cell in self.cells]
    self.head = linen.Dense(self.vocab, **options)

  def __call__(self, tokens):
    x = self.embed(tokens)
    for rnn in self.rnns:
      x = rnn(x)
    return self.head(x)

  def step(self, carries, tokens):
    x, new = self.embed(tokens), []
    for cell, carry in zip(self.cells, carries, strict=True):
      carry, x = cell(carry, x)
      new.append(carry)
    return new, self.head(x)

  def carry(self, batch):
    key = jax.random.key(0)
    return [
      cell.initialize_carry(key, (batch, self.size)) for cell in self.cells
    ]


def _param_dtype(dtype):
  return "float64" if dtype == "float64" else "float32"


def model(case: dict) -> Model:
  network = Network(
    case["cell"],
    case["hidden_size"],
    case["num_layers"],
    case["vocab"],
    case["dtype"],
  )
  tokens = jnp.zeros((1, 2), jnp.int32)
  return Model(
    lambda key: network.init(key, tokens),
    network.apply,
    lambda params, batch: network.apply(params, batch, method="carry"),
    lambda params, carry, tokens: network.apply(
      params, carry, tokens, method="step"
    ),
  )
