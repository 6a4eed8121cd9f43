"""Layer normalisation of every step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, layer_norm
from seqjax.nn.feed_forward import EveryStep
from seqjax.nn.parameters import Parameters


class NormParams(NamedTuple):
  scale: jax.Array  # [size]
  bias: jax.Array  # [size]


def norm_params(size: int) -> NormParams:
  """What leaves the normalised inputs as they are."""
  shape = (size,)
  return NormParams(jnp.ones(shape, jnp.float32), jnp.zeros(shape, jnp.float32))


def normalize(params: NormParams, x: jax.Array) -> jax.Array:
  """Zero mean and unit variance over the last axis, then scale and bias.

    scale (x - mean(x)) / sqrt(var(x) + 1e-5) + bias

  Ba, Kiros, Hinton 2016, "Layer normalization", equation 4.
  """
  return base.add_bias(layer_norm.normalize(x, params.scale), params.bias)


class LayerNorm(EveryStep):
  """`normalize` as a layer: the last one of a stack that normalises first."""

  def __init__(self, size: int):
    base.check_size("size", size)
    self.params = Parameters(norm_params(size))
    self.output_size = size

  def step(self, carry, inputs):
    del carry
    return (), normalize(self.params.get_value(), inputs)
