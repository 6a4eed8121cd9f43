"""The past of a series in, its next values out, or quantiles of them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.nn import quantiles as curves
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, check_causal
from seqjax.nn.read_out import affine


class Forecaster(nnx.Module):
  """Segments through causal layers, all of the future at once.

    past    = window - its last value                       (`subtract_last`)
    x_i     = relu(segment_i W + b), i = 1 .. lookback / S
    carry   = layers(x_1 .. x_n)
    y_j     = step(carry, position_j), j = 1 .. horizon / S
    segment = y_j V + c, + the last value

  Lin et al. 2023, "SegRNN: segment recurrent neural network for long-term time
  series forecasting": S steps at once make the recurrence S times shorter, and
  every segment of the future is one step from the past's carry, so that no
  error is fed back. Each column is forecast on its own by the same weights; a
  learned vector tells which it is.

  Attributes:
    lookback: steps of the past.
    horizon: steps of the future.
    segment: S, divides both.
    embed_size: features of x.
    dropout: rate on y, used only where a key is given.
    subtract_last: whether levels are relative to the window's last value, for
      series that drift.
    quantiles: so many are foretold of each value, in order, see
      `nn.quantiles`; 0 is the value itself.

  Raises:
    ValueError: S does not divide the lookback and the horizon; the layers are
      not causal.
  """

  def __init__(
    self,
    make: Callable[[int, jax.Array], Layer],
    *,
    lookback: int,
    horizon: int,
    segment: int,
    columns: int,
    embed_size: int,
    dropout: float,
    subtract_last: bool,
    quantiles: int = 0,
    compute_dtype: str,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    if lookback % segment or horizon % segment:
      raise ValueError(
        f"segment is {segment}, expected to divide lookback {lookback} and"
        f" horizon {horizon}"
      )
    keys = jax.random.split(one_key(key, rngs), 5)
    self.lookback, self.horizon, self.segment = lookback, horizon, segment
    self.dropout, self.subtract_last = dropout, subtract_last
    self.quantiles, self.compute_dtype = quantiles, compute_dtype
    self.embed = nnx.Linear(segment, embed_size, rngs=nnx.Rngs(keys[0]))
    self.rnn = make(embed_size, keys[1])
    check_causal(self.rnn)
    half = embed_size // 2
    self.position = nnx.Param(
      jax.random.normal(keys[2], (horizon // segment, half))
    )
    self.column = nnx.Param(
      jax.random.normal(keys[3], (columns, embed_size - half))
    )
    self.head = nnx.Linear(
      self.rnn.output_size,
      segment * max(1, quantiles),
      rngs=nnx.Rngs(keys[4]),
    )

  def __call__(
    self, past: jax.Array, *, key: jax.Array | None = None
  ) -> jax.Array:
    """Forecasts.

    Args:
      past: `[batch, lookback, columns]`, standardised.
      key: randomness of dropout; None turns it off.

    Returns:
      `[batch, horizon, columns]`, with quantiles `[batch, horizon, columns,
      quantiles]`.
    """
    batch, _, columns = past.shape
    last = past[:, -1:] if self.subtract_last else jnp.zeros_like(past[:, -1:])
    rows = (past - last).swapaxes(1, 2).reshape(batch * columns, -1)
    segments = rows.reshape(len(rows), -1, self.segment)
    vectors = jax.nn.relu(affine(self.embed, segments, self.compute_dtype))
    carry, _ = self.rnn(vectors)
    # One step from the carry for each segment of the future.
    position, column = self.position.get_value(), self.column.get_value()
    count = len(position)
    asked = jnp.concatenate(
      [
        jnp.broadcast_to(
          position[None, None], (batch, columns, *position.shape)
        ),
        jnp.broadcast_to(
          column[None, :, None], (batch, columns, count, column.shape[1])
        ),
      ],
      axis=-1,
    ).reshape(len(rows), count, -1)
    spread = jax.tree.map(
      lambda leaf: jnp.broadcast_to(
        leaf[:, None], (len(leaf), count, *leaf.shape[1:])
      ),
      carry,
    )
    _, outputs = self.rnn.step(spread, asked)
    future = affine(
      self.head, drop(outputs, self.dropout, key), self.compute_dtype
    )
    if not self.quantiles:
      return future.reshape(batch, columns, -1).swapaxes(1, 2) + last
    future = future.reshape(batch, columns, self.horizon, self.quantiles)
    return curves.ordered(future).swapaxes(1, 2) + last[..., None]
