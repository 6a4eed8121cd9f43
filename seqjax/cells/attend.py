"""Cells that attend: decoders which read a memory at every step.

They differ in where the context comes in. All hold what they remember of the
memory as `Rows` in their params, put there by `attend`, and their carry has
`attention`, the weights of the last step. A cell of any kind with an `h` in its
carry is inside.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import attention as functions
from seqjax.cells import base, checks
from seqjax.cells.attention_kinds import Kind, Memory, Past, glorot


class AttendingParams(NamedTuple):
  """What is None is not in use, `memory` until `attend` has put it in."""

  cell: Any  # of the cell inside
  attention: Any  # of the kind of attention
  second: Any = None  # of the second cell inside, see `Conditional`
  kernel: Any = None  # see `InputFeeding`
  memory: base.Rows | None = None  # a `Memory`, [*batch, source, ...]


class AttendingCarry(NamedTuple):
  cell: Any  # the carry of the cell inside
  attention: jax.Array  # [*batch, source], the weights of the last step
  coverage: Any = None  # [*batch, source], see `Additive`
  fed: Any = None  # [*batch, output_size], see `InputFeeding`


class Attending(base.Cell[AttendingParams, AttendingCarry]):
  """What the cells of this file have in common.

    params = cell.attend(params, memory, lengths)       # once a sequence
    carry = cell.initial_carry(params, batch_shape)
    carry = carry._replace(cell=state)                  # the encoder's, say
    _, outputs = unroll(cell, params, inputs, initial_carry=carry)

  Attributes:
    cell: the recurrence; the query is the `h` of its carry, or its output.
    attention: how the memory is read, a kind of `attention_kinds`.
    memory_size: features of the memory.
  """

  cell: base.Cell[Any, Any]
  attention: Kind[Any]
  memory_size: int

  def __post_init__(self):
    base.check_cell("cell", self.cell)
    base.check_size("memory_size", self.memory_size)
    if not isinstance(self.attention, Kind):
      raise ValueError(
        f"attention is {self.attention!r}, expected a kind of attention, such"
        " as Additive(128)"
      )

  @property
  def context_size(self) -> int:
    """Features of what is read."""
    return self.attention.context_size(self.memory_size)

  @property
  def output_size(self) -> int:
    """Of the default output, [h_t, context_t]."""
    return self.cell.output_size + self.context_size

  @property
  def noisy(self) -> bool:
    return self.cell.noisy

  def attend(
    self, params: AttendingParams, memory: jax.Array, lengths: jax.Array
  ) -> AttendingParams:
    """The params with a memory: projected here, once a sequence.

    Args:
      params: from `init`.
      memory: `[*batch, source, memory_size]`; what it holds past the lengths is
        not read.
      lengths: int `[*batch]`.

    Raises:
      ValueError: the memory has other features than `memory_size`.
    """
    if memory.shape[-1] != self.memory_size:
      raise ValueError(
        f"memory has {memory.shape[-1]} features, expected memory_size,"
        f" {self.memory_size}"
      )
    mask = functions.source_mask(lengths, memory.shape[-2], memory.dtype)
    remembered = self.attention.remember(params.attention, memory, mask)
    return params._replace(memory=base.Rows(remembered))

  def initial_carry(self, params, batch_shape=()) -> AttendingCarry:
    mask = self._memory(params).mask
    shape = (*batch_shape, mask.shape[-1])
    zeros = lambda: jnp.zeros(shape, mask.dtype)
    return AttendingCarry(
      self.cell.initial_carry(params.cell, batch_shape),
      zeros(),
      zeros() if self.attention.covers else None,
    )

  def prepare(self, params, batch_shape=(), *, key=None):
    cell = self.cell.prepare(params.cell, batch_shape, key=base.subkey(key, 0))
    return params._replace(cell=cell)

  def _memory(self, params) -> Memory:
    return base.rows_of(self, params, "memory", "attend")

  def _look(
    self, params: AttendingParams, carry: AttendingCarry, query: jax.Array
  ) -> tuple[AttendingCarry, jax.Array]:
    """`(carry, context)`: where was looked is in the carry."""
    memory = self._memory(params)
    past = Past(carry.attention, carry.coverage)
    context, weights = self.attention(params.attention, query, memory, past)
    carry = carry._replace(attention=weights)
    if self.attention.covers:
      covered = carry.coverage + weights / memory.fertility
      carry = carry._replace(coverage=covered)
    return carry, context


@dataclasses.dataclass(frozen=True)
class Bahdanau(Attending):
  """Reads with the state before, and feeds what it read to the cell.

    context_t = attention(h_(t-1))
    h_t = cell([x_t, context_t], h_(t-1))

  Bahdanau, Cho, Bengio 2015, "Neural machine translation by jointly learning to
  align and translate", section 3.1 and appendix A.1.2. The output is
  [h_t, context_t]: their read-out sees both.

  Attributes:
    cell: with an `h` in its carry.
    attention: a kind of `attention_kinds`.
    memory_size: features of the memory.

  Raises:
    ValueError: of the wrong kind; from `init`, no `h` in the cell's carry.
  """

  cell: base.Cell[Any, Any]
  attention: Kind[Any]
  memory_size: int

  def init(self, key, input_size, dtype=jnp.float32):
    cell_key, attention_key = jax.random.split(key)
    size = input_size + self.context_size
    cell = self.cell.init(cell_key, size, dtype)
    _state(self.cell, self.cell.initial_carry(cell))
    attention = self.attention.init(
      attention_key, self.cell.output_size, self.memory_size, dtype
    )
    return AttendingParams(cell, attention)

  def input_size(self, params):
    return self.cell.input_size(params.cell) - self.context_size

  def step(self, params, carry, inputs, *, key=None):
    carry, context = self._look(params, carry, _state(self.cell, carry.cell))
    fed = jnp.concatenate([inputs, context], axis=-1)
    cell, h = self.cell.step(
      params.cell, carry.cell, fed, key=base.subkey(key, 0)
    )
    return carry._replace(cell=cell), jnp.concatenate([h, context], axis=-1)


@dataclasses.dataclass(frozen=True)
class Conditional(Attending):
  """Two transitions a step, with the reading between them.

    h'_t = cell(x_t, h_(t-1))
    context_t = attention(h'_t)
    h_t = second(context_t, h'_t)

  With GRUs the conditional GRU of Sennrich et al. 2017, "Nematus: a toolkit for
  neural machine translation", section 2. The output is [h_t, context_t].

  Attributes:
    cell: the first transition.
    second: the other, with a carry alike.
    attention: a kind of `attention_kinds`.
    memory_size: features of the memory.

  Raises:
    ValueError: of the wrong kind; from `init`, the carries differ.
  """

  cell: base.Cell[Any, Any]
  second: base.Cell[Any, Any]
  attention: Kind[Any]
  memory_size: int

  def __post_init__(self):
    super().__post_init__()
    base.check_cell("second", self.second)

  @property
  def output_size(self) -> int:
    return self.second.output_size + self.context_size

  @property
  def noisy(self) -> bool:
    return self.cell.noisy or self.second.noisy

  def init(self, key, input_size, dtype=jnp.float32):
    cell_key, attention_key, second_key = jax.random.split(key, 3)
    cell = self.cell.init(cell_key, input_size, dtype)
    second = self.second.init(second_key, self.context_size, dtype)
    shapes = [
      jax.tree.map(jnp.shape, one.initial_carry(params))
      for one, params in ((self.cell, cell), (self.second, second))
    ]
    if shapes[0] != shapes[1]:
      raise ValueError(
        f"second is {self.second}, expected a cell with the carry of"
        f" {self.cell}"
      )
    attention = self.attention.init(
      attention_key, self.cell.output_size, self.memory_size, dtype
    )
    return AttendingParams(cell, attention, second)

  def input_size(self, params):
    return self.cell.input_size(params.cell)

  def prepare(self, params, batch_shape=(), *, key=None):
    second = self.second.prepare(
      params.second, batch_shape, key=base.subkey(key, 1)
    )
    params = params._replace(second=second)
    return super().prepare(params, batch_shape, key=key)

  def step(self, params, carry, inputs, *, key=None):
    cell, h = self.cell.step(
      params.cell, carry.cell, inputs, key=base.subkey(key, 0)
    )
    carry, context = self._look(params, carry, h)
    cell, h = self.second.step(
      params.second, cell, context, key=base.subkey(key, 1)
    )
    return carry._replace(cell=cell), jnp.concatenate([h, context], axis=-1)


@dataclasses.dataclass(frozen=True)
class InputFeeding(Attending):
  """Reads with the new state, and feeds what came of it to the next step.

    h_t = cell([x_t, y_(t-1)], h_(t-1))
    context_t = attention(h_t)
    y_t = tanh([context_t, h_t] W)

  Luong, Pham, Manning 2015, "Effective approaches to attention-based neural
  machine translation", equation 5 and section 3.3. The output is y_t, the
  attentional vector; W Glorot uniform. Without the feeding all steps can attend
  at once: `nn.LuongAttention`.

  Attributes:
    cell: the recurrence.
    attention: a kind of `attention_kinds`.
    memory_size: features of the memory.
    size: of y.
    compute_dtype: dtype of the product with W; None is the parameters'.

  Raises:
    ValueError: of the wrong kind, or a size is not positive.
  """

  cell: base.Cell[Any, Any]
  attention: Kind[Any]
  memory_size: int
  size: int
  compute_dtype: str | None = None

  def __post_init__(self):
    super().__post_init__()
    base.check_size("size", self.size)
    checks.check_compute_dtype(self.compute_dtype)

  @property
  def output_size(self) -> int:
    return self.size

  def init(self, key, input_size, dtype=jnp.float32):
    cell_key, attention_key, kernel_key = jax.random.split(key, 3)
    cell = self.cell.init(cell_key, input_size + self.size, dtype)
    attention = self.attention.init(
      attention_key, self.cell.output_size, self.memory_size, dtype
    )
    rows = self.context_size + self.cell.output_size
    kernel = glorot(kernel_key, rows, self.size, dtype)
    return AttendingParams(cell, attention, kernel=kernel)

  def input_size(self, params):
    return self.cell.input_size(params.cell) - self.size

  def initial_carry(self, params, batch_shape=()):
    carry = super().initial_carry(params, batch_shape)
    fed = jnp.zeros((*batch_shape, self.size), params.kernel.dtype)
    return carry._replace(fed=fed)

  def step(self, params, carry, inputs, *, key=None):
    fed = jnp.concatenate([inputs, carry.fed], axis=-1)
    cell, h = self.cell.step(
      params.cell, carry.cell, fed, key=base.subkey(key, 0)
    )
    carry, context = self._look(params, carry, h)
    y = attentional(params.kernel, h, context, self.compute_dtype)
    return carry._replace(cell=cell, fed=y), y


def attentional(
  kernel: jax.Array,
  h: jax.Array,
  context: jax.Array,
  compute_dtype: str | None = None,
) -> jax.Array:
  """Luong's attentional vector, `[..., size]`: tanh([context, h] W).

  Args:
    kernel: W, `[context_size + output_size, size]`.
    h: `[..., output_size]`.
    context: `[..., context_size]`.
    compute_dtype: of the product; None is the kernel's.
  """
  both = jnp.concatenate([context, h], axis=-1)
  return jnp.tanh(base.matmul(both, kernel, compute_dtype))


def _state(cell: base.Cell[Any, Any], carry: Any) -> jax.Array:
  if not hasattr(carry, "h"):
    raise ValueError(f"cell is {cell}, expected one with h in its carry")
  return carry.h
