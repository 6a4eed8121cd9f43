"""What a Transformer does with its inputs before the first block."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base, checks
from seqjax.cells.positions import sinusoidal
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, valid_only
from seqjax.nn.read_out import affine

POSITIONS = "none", "sinusoidal", "learned"


class PositionCarry(NamedTuple):
  position: jax.Array  # int32 [*batch], of the next step


def positions_in(
  position: jax.Array, time: int, resets: jax.Array | None
) -> jax.Array:
  """The position of every step, int32 `[batch, time]`; a reset's is 0.

  Args:
    position: int32 `[batch]`, of the first step.
    time: steps.
    resets: bool `[batch, time]`, or None.
  """
  steps = jnp.arange(time, dtype=jnp.int32)
  plain = position[:, None] + steps[None]
  if resets is None:
    return plain
  begin = last_reset(resets)
  return jnp.where(begin >= 0, steps[None] - begin, plain)


def last_reset(resets: jax.Array) -> jax.Array:
  """The last step at or before each with a reset, -1 without any.

  int32 `[batch, time]`, of bool `[batch, time]`.
  """
  steps = jnp.arange(resets.shape[1], dtype=jnp.int32)
  return jax.lax.cummax(jnp.where(resets, steps[None], -1), axis=1)


def position_after(
  position: jax.Array, within: jax.Array, lengths: jax.Array | None
) -> jax.Array:
  """The position of the step behind each row's last valid one, `[batch]`.

  Args:
    position: int32 `[batch]`, before the first step.
    within: of `positions_in`, `[batch, time]`.
    lengths: int `[batch]`, or None.
  """
  if within.shape[1] == 0:
    return position
  if lengths is None:
    return jnp.broadcast_to(within[:, -1] + 1, position.shape)
  end = jnp.maximum(lengths - 1, 0)[:, None]
  last = jnp.take_along_axis(within, end, axis=1)[:, 0]
  return jnp.where(lengths > 0, last + 1, position)


class PositionalInput(Layer[PositionCarry]):
  """Inputs at the size of the blocks, with their positions.

    y_t = dropout(scale (x_t W + b) + e_t)

  Vaswani et al. 2017, sections 3.4 and 3.5. W and b are left out where the
  sizes are alike; e_t is zero ("none"), `positions.sinusoidal`, or a learned
  vector for each of the first `max_length` positions (NaN behind them).

  Initialisation: W LeCun normal, b zero, learned vectors normal with the
  standard deviation .02 (Radford et al. 2018, "Improving language understanding
  by generative pre-training", section 4.1).

  Attributes:
    positions: "none", "sinusoidal" or "learned".
    scale: of inputs: sqrt(size) for embeddings that are also a read-out.
    dropout: rate, in [0, 1).
    compute_dtype: dtype of the matrix product; None is the parameters'.

  Raises:
    ValueError: a size is not positive, a name is unknown, the rate is out of
      range; from the call, more steps than learned positions, and no lengths.
  """

  def __init__(
    self,
    input_size: int,
    size: int,
    *,
    positions: str = "none",
    max_length: int = 1024,
    scale: float = 1.0,
    dropout: float = 0.0,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    base.check_size("input_size", input_size)
    base.check_size("size", size)
    base.check_size("max_length", max_length)
    base.check_choice("positions", positions, POSITIONS)
    base.check_rate("dropout", dropout)
    checks.check_compute_dtype(compute_dtype)
    linear_key, table_key = jax.random.split(one_key(key, rngs))
    self.positions, self.scale, self.dropout = positions, scale, dropout
    self.output_size, self.compute_dtype = size, compute_dtype
    self.projects = input_size != size
    if self.projects:
      self.linear = nnx.Linear(input_size, size, rngs=nnx.Rngs(linear_key))
    if positions == "learned":
      shape = (max_length, size)
      drawn = 0.02 * jax.random.normal(table_key, shape, jnp.float32)
      self.table = nnx.Param(drawn)

  def initial_carry(self, batch_shape):
    return PositionCarry(jnp.zeros(tuple(batch_shape), jnp.int32))

  def __call__(
    self, inputs, carry=None, *, lengths=None, resets=None, key=None
  ):
    batch, time, _ = inputs.shape
    if self.positions == "learned" and lengths is None:
      most = len(self.table.get_value())
      if time > most:
        raise ValueError(
          f"inputs has {time} steps, expected at most max_length, {most}, of"
          " learned positions"
        )
    (start,) = self.initial_carry((batch,)) if carry is None else carry
    # The same for all rows, as long as nothing tells them apart.
    same = carry is None and resets is None
    within = positions_in(start[:1] if same else start, time, resets)
    outputs = self._at(valid_only(inputs, lengths), within)
    outputs = valid_only(drop(outputs, self.dropout, key), lengths)
    return PositionCarry(position_after(start, within, lengths)), outputs

  def step(self, carry, inputs):
    outputs = self._at(inputs, carry.position)
    return PositionCarry(carry.position + 1), outputs

  def _at(self, inputs: jax.Array, positions: jax.Array) -> jax.Array:
    if self.projects:
      inputs = affine(self.linear, inputs, self.compute_dtype)
    if self.scale != 1.0:
      inputs = inputs * self.scale
    if self.positions == "none":
      return inputs
    if self.positions == "learned":
      told = jnp.take(self.table.get_value(), positions, axis=0)
    else:
      told = sinusoidal(positions, self.output_size)
    return inputs + told.astype(inputs.dtype)
