"""What was seen in, positions out, each fed back for the next."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, check_causal
from seqjax.nn.read_out import affine


class RollOut(nnx.Module):
  """An encoder over what is observed, a decoder that sees its own positions.

    carry = encoder(relu(o_1 W + b), ..., relu(o_n W + b))
    m_t   = p_t - p_(t-1)
    carry, y_t = decoder(carry, [p_t, m_t])
    p_(t+1) = p_t + m_t + y_t V + c

  The decoder tells how a ball does *not* fly straight on. Trained through the
  whole roll-out it learns from its own errors; nothing is teacher-forced.

  Attributes:
    observed_size: features of an observation: 2, or pixels of an image.
    embed_size: features of an embedded observation.

  Raises:
    ValueError: the layers are not causal.
  """

  def __init__(
    self,
    make: Callable[[int, jax.Array], Layer],
    observed_size: int,
    *,
    embed_size: int,
    compute_dtype: str,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    keys = jax.random.split(one_key(key, rngs), 5)
    self.compute_dtype = compute_dtype
    self.embed = nnx.Linear(observed_size, embed_size, rngs=nnx.Rngs(keys[0]))
    self.encoder = make(embed_size, keys[1])
    check_causal(self.encoder)
    size = self.encoder.output_size
    self.locate = nnx.Linear(size, 4, rngs=nnx.Rngs(keys[2]))
    self.decoder = make(4, keys[3])
    self.head = nnx.Linear(self.decoder.output_size, 2, rngs=nnx.Rngs(keys[4]))

  def __call__(
    self,
    observed: jax.Array,
    steps: int,
    positions: jax.Array | None = None,
  ) -> jax.Array:
    """Rolls out.

    Args:
      observed: `[batch, time, observed_size]`.
      steps: positions to add.
      positions: `[batch, time, 2]` of what is observed; if None, as with
        images, the last two are read off the encoder's last output.

    Returns:
      Positions `[batch, steps, 2]`.
    """
    vectors = jax.nn.relu(affine(self.embed, observed, self.compute_dtype))
    carry, outputs = self.encoder(vectors)
    if positions is None:
      located = affine(self.locate, outputs[:, -1], self.compute_dtype)
      position, move = jnp.split(located, 2, axis=-1)
    else:
      position = positions[:, -1]
      move = position - positions[:, -2]

    def step(state, _):
      carry, position, move = state
      seen = jnp.concatenate([position, move], axis=-1)
      carry, output = self.decoder.step(carry, seen)
      move = move + affine(self.head, output, self.compute_dtype)
      position = position + move
      return (carry, position, move), position

    _, found = lax.scan(step, (carry, position, move), length=steps)
    return found.swapaxes(0, 1)
