"""Cells of a user's own, written against public names alone."""

import dataclasses
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import pytest

import seqjax
from seqjax.cells import FactoredCell, LinearCell


class Params(NamedTuple):
  input_kernel: jax.Array
  recurrent_kernel: jax.Array
  bias: jax.Array


class Carry(NamedTuple):
  h: jax.Array


@dataclasses.dataclass(frozen=True)
class Leaky(FactoredCell[Params, Carry]):
  """h_t = (1 - rate) h_(t-1) + rate tanh(x_t W + h_(t-1) U + b)."""

  output_size: int
  rate: float = 0.3

  def init(self, key, input_size):
    draw, size = jax.nn.initializers.lecun_normal(), self.output_size
    kernel = draw(key, (input_size + size, size))
    return Params(kernel[:input_size], kernel[input_size:], jnp.ones(size))

  def initial_carry(self, params, batch_shape=()):
    return Carry(jnp.zeros((*batch_shape, self.output_size)))

  def project(self, params, inputs):
    return inputs @ params.input_kernel + params.bias

  def recur(self, params, carry):
    return carry.h @ params.recurrent_kernel

  def activate(self, params, carry, pre):
    x, h = jnp.split(pre, 2, axis=-1)
    h = (1 - self.rate) * carry.h + self.rate * jnp.tanh(x + h)
    return Carry(h), h


class AverageParams(NamedTuple):
  input_kernel: jax.Array


@dataclasses.dataclass(frozen=True)
class Average(LinearCell[AverageParams, Carry]):
  """h_t = (1 - rate) h_(t-1) + rate x_t W, the output its square."""

  output_size: int
  rate: float = 0.3

  def init(self, key, input_size):
    shape = input_size, self.output_size
    return AverageParams(jax.random.normal(key, shape))

  def initial_carry(self, params, batch_shape=()):
    return Carry(jnp.zeros((*batch_shape, self.output_size)))

  def coefficients(self, params, inputs):
    new = self.rate * inputs @ params.input_kernel
    return jnp.full_like(new, 1 - self.rate), new

  def readout(self, params, state, inputs):
    return state**2

  def to_state(self, carry):
    return carry.h

  def to_carry(self, state):
    return Carry(state)


ALWAYS = {"auto", "scan", "checkpointed", "newton"}
RUNS = {Leaky(4): {*ALWAYS, "fused"}, Average(4): {*ALWAYS, "associative"}}


@pytest.mark.parametrize("cell", RUNS, ids=lambda cell: type(cell).__name__)
def test_every_method_that_fits_runs_it(cell):
  params = cell.init(jax.random.key(0), 3)
  inputs = jax.random.normal(jax.random.key(1), (2, 6, 3))

  def loop(params, inputs):
    carry, outputs = cell.initial_carry(params, (2,)), []
    for t in range(inputs.shape[1]):
      carry, output = cell.step(params, carry, inputs[:, t])
      outputs.append(output)
    return carry, jnp.stack(outputs, axis=1)

  def loss(run):
    def total(params, inputs):
      carry, outputs = run(params, inputs)
      return (outputs**3).sum() + carry.h.sum(), outputs

    return jax.jit(jax.value_and_grad(total, (0, 1), has_aux=True))

  with jax.numpy_rank_promotion("allow"):  # as where a user runs it
    expected = loss(loop)(params, inputs)
    for method in (
      *ALWAYS,
      "fused",
      "associative",
      "quadratic",
      "cudnn",
      "pallas",
    ):
      run = lambda p, x, m=method: seqjax.unroll(cell, p, x, method=m)
      if method in RUNS[cell]:
        found = loss(run)(params, inputs)
        chex.assert_trees_all_close(found, expected, rtol=1e-5, atol=1e-5)
      else:
        with pytest.raises(ValueError, match=f"method '{method}'"):
          run(params, inputs)
