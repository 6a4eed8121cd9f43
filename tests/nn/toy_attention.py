"""A layer that attends: the proof that the contract carries one."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from seqjax import nn
from seqjax.recurrence import length_mask


class Attention(nn.Layer):
  """Causal self-attention over the last W steps, the present one included.

    q_t, k_t, v_t = x_t W;  y_t = sum over s of softmax(q_t . k_s) v_s

  The carry is the last W keys and values, and which of them there are (1.0 or
  0.0): `[*batch, W, H]` twice and `[*batch, W]`.
  """

  def __init__(self, input_size, hidden_size, window, *, key):
    self.kernel = nnx.Param(
      jax.random.normal(key, (input_size, 3 * hidden_size)) / input_size**0.5
    )
    self.output_size, self.window = hidden_size, window

  def initial_carry(self, batch_shape):
    shape = (*batch_shape, self.window, self.output_size)
    return jnp.zeros(shape), jnp.zeros(shape), jnp.zeros(shape[:-1])

  def step(self, carry, inputs):
    keys, values, there = carry
    q, k, v = jnp.split(inputs @ self.kernel.get_value(), 3, axis=-1)
    push = lambda old, new: jnp.concatenate(
      [old[..., 1:, :], new[..., None, :]], axis=-2
    )
    keys, values = push(keys, k), push(values, v)
    there = push(there[..., None], jnp.ones_like(q[..., :1]))[..., 0]
    scores = jnp.einsum("...h,...wh->...w", q, keys)
    weights = jax.nn.softmax(scores, axis=-1, where=there > 0)
    output = jnp.einsum("...w,...wh->...h", weights, values)
    return (keys, values, there), output

  def __call__(
    self, inputs, carry=None, *, lengths=None, resets=None, key=None
  ):
    del key
    batch, time, _ = inputs.shape
    fresh = self.initial_carry((batch,))
    if lengths is None:
      lengths = jnp.full((batch,), time)
    if resets is None:
      resets = jnp.zeros((batch, time), bool)
    valid = length_mask(lengths, time)
    inputs = jnp.where(valid[..., None], inputs, 0.0)

    def choose(mask, a, b):
      shape = lambda x: mask.reshape(mask.shape + (1,) * (x.ndim - 1))
      return jax.tree.map(lambda a, b: jnp.where(shape(a), a, b), a, b)

    def body(carry, step):
      x, here, reset = step
      carry = choose(here & reset, fresh, carry)
      new_carry, output = self.step(carry, x)
      output = jnp.where(here[:, None], output, 0.0)
      return choose(here, new_carry, carry), output

    steps = jax.tree.map(
      lambda x: jnp.moveaxis(x, 1, 0), (inputs, valid, resets)
    )
    carry, outputs = lax.scan(body, fresh if carry is None else carry, steps)
    return carry, jnp.moveaxis(outputs, 0, 1)
