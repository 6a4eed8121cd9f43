"""Layers without memory."""

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base, checks
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, valid_only
from seqjax.nn.read_out import affine


class EveryStep(Layer[tuple[()]]):
  """A layer whose every step is on its own: `step` is all there is to write.

  Its carry is empty.
  """

  def initial_carry(self, batch_shape):
    del batch_shape
    return ()

  def __call__(
    self, inputs, carry=None, *, lengths=None, resets=None, key=None
  ):
    del carry, resets, key
    # A NaN in the padding would survive `where` in the gradient.
    _, outputs = self.step((), valid_only(inputs, lengths))
    return (), valid_only(outputs, lengths)


class FeedForward(EveryStep):
  """A layer of a multilayer perceptron, every step on its own.

    y_t = tanh(x_t W + b)

  Initialisation: W LeCun normal, b zero.

  Attributes:
    compute_dtype: dtype of the matrix product; None is the parameters'.

  Raises:
    ValueError: a size is not positive.
  """

  def __init__(
    self,
    input_size: int,
    hidden_size: int,
    *,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    base.check_size("input_size", input_size)
    base.check_size("hidden_size", hidden_size)
    checks.check_compute_dtype(compute_dtype)
    rngs = nnx.Rngs(one_key(key, rngs))
    self.linear = nnx.Linear(input_size, hidden_size, rngs=rngs)
    self.output_size, self.compute_dtype = hidden_size, compute_dtype

  def step(self, carry, inputs):
    del carry
    return (), jnp.tanh(affine(self.linear, inputs, self.compute_dtype))
