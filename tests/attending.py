"""An attending LSTM: a cell with `Rows` that come from elsewhere."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import LSTM, base
from seqjax.cells.lstm import LSTMParams
from seqjax.recurrence import length_mask


class AttendingParams(NamedTuple):
  lstm: LSTMParams  # of inputs and context side by side
  query_kernel: jax.Array  # [hidden_size, memory_size]
  memory: base.Rows | None = None  # [*batch, source, memory_size]
  mask: base.Rows | None = None  # [*batch, source], 1 or 0


@dataclasses.dataclass(frozen=True)
class AttendingLSTM(base.Cell):
  """An LSTM that reads a memory by content at every step.

    s_j = (h_(t-1) W_q) . memory_j
    w_j = mask_j exp(s_j) / sum over k of mask_k exp(s_k)
    h_t, c_t = LSTM([x_t, sum over j of w_j memory_j], h_(t-1), c_(t-1))

  After Luong, Pham, Manning 2015, "Effective approaches to attention-based
  neural machine translation", section 3.1 ("general"). A row without memory
  reads zeros. `attend` puts memory and mask into the params.

  Attributes:
    hidden_size: H.
    memory_size: features of the memory.
  """

  hidden_size: int
  memory_size: int

  @property
  def lstm(self) -> LSTM:
    return LSTM(self.hidden_size)

  @property
  def output_size(self) -> int:
    return self.hidden_size

  def init(self, key, input_size, dtype=jnp.float32):
    key_lstm, key_query = jax.random.split(key)
    return AttendingParams(
      self.lstm.init(key_lstm, input_size + self.memory_size, dtype),
      jax.random.normal(key_query, (self.hidden_size, self.memory_size), dtype)
      / self.hidden_size**0.5,
    )

  def input_size(self, params):
    return self.lstm.input_size(params.lstm) - self.memory_size

  def initial_carry(self, params, batch_shape=()):
    return self.lstm.initial_carry(params.lstm, batch_shape)

  def attend(self, params, memory, lengths):
    """The params with a memory `[*batch, source, features]` of `[*batch]`."""
    mask = length_mask(lengths, memory.shape[-2]).astype(memory.dtype)
    return params._replace(memory=base.Rows(memory), mask=base.Rows(mask))

  def step(self, params, carry, inputs, *, key=None):
    memory = base.rows_of(self, params, "memory", "attend")
    mask = base.rows_of(self, params, "mask", "attend")
    query = base.matmul(carry.h, params.query_kernel)
    scores = jnp.einsum("...sf,...f->...s", memory, query)
    largest = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
    weights = mask * jnp.exp(scores - largest)
    total = weights.sum(axis=-1, keepdims=True)
    weights = weights / jnp.where(total > 0, total, 1)
    context = jnp.einsum("...s,...sf->...f", weights, memory)
    fed = jnp.concatenate([inputs, context], axis=-1)
    return self.lstm.step(params.lstm, carry, fed, key=key)
