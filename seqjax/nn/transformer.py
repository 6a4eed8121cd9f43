"""A Transformer block, which is a layer like any other.

Causal, it is a step like a cell's: its carry is the keys and values of the last
W steps, so that windows, streaming, sampling and beam search run it as they run
an LSTM.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from seqjax.cells import attention, base, checks
from seqjax.cells.attention_kinds import glorot
from seqjax.cells.dot_product import (
  attention_weights,
  dot_product_attention,
  heads_of,
  visible,
)
from seqjax.cells.positions import check_even, rotary
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layer_norm import NormParams, norm_params, normalize
from seqjax.nn.layers import Layer, valid_only
from seqjax.nn.parameters import Parameters
from seqjax.nn.positional import last_reset, position_after, positions_in
from seqjax.recurrence import length_mask

NORMS = "pre", "post"
ACTIVATIONS = {
  "relu": jax.nn.relu,
  # x Phi(x), and its approximation by a tanh (Hendrycks and Gimpel 2016).
  "gelu": lambda x: jax.nn.gelu(x, approximate=False),
  "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
}
ROTARY = {"rotary": "half", "rotary_interleaved": "interleaved"}
POSITIONS = "none", "sinusoidal", "learned", *ROTARY
# A causal sequence is attended to in blocks of so many queries at least, and in
# so many blocks at most: each is a piece of program of its own.
LEAST_BLOCK, MOST_BLOCKS = 64, 8
# A step reads as many quarters of a cache as any row has filled, on a CPU and
# of so many slots at least: elsewhere a branch costs more than the reading.
LEAST_QUARTERED = 128


@dataclasses.dataclass(frozen=True)
class Transformer:
  """What makes a Transformer what it is, but for its size.

  Attributes:
    heads: a divisor of the size.
    feed_forward: inner features; 0 is four times the size.
    norm: "pre", before each part, with one more norm behind the last block; or
      "post", behind each sum (Vaswani et al. 2017). Xiong et al. 2020, "On
      layer normalization in the Transformer architecture".
    activation: "relu", "gelu" (exact) or "gelu_tanh" (its approximation).
    positions: "rotary", "rotary_interleaved" in every block; "sinusoidal",
      "learned" added to the inputs; or "none".
    window: W. A step sees itself and the W - 1 before it.
    max_length: of learned positions.
    scale_inputs: whether inputs are multiplied by sqrt(size).
    attention_dropout: rate, of the weights.

  Raises:
    ValueError: an option is out of range.
  """

  heads: int = 4
  feed_forward: int = 0
  norm: str = "pre"
  activation: str = "gelu"
  positions: str = "rotary"
  window: int = 256
  max_length: int = 1024
  scale_inputs: bool = False
  attention_dropout: float = 0.0

  def __post_init__(self):
    for name in ("heads", "window", "max_length"):
      base.check_size(name, getattr(self, name))
    if self.feed_forward:
      base.check_size("feed_forward", self.feed_forward)
    base.check_choice("norm", self.norm, NORMS)
    base.check_choice("activation", self.activation, ACTIVATIONS)
    base.check_choice("positions", self.positions, POSITIONS)
    base.check_rate("attention_dropout", self.attention_dropout)


class AttentionParams(NamedTuple):
  input_kernel: jax.Array  # [size, 3 * size]: queries, keys, values
  input_bias: jax.Array  # [3 * size]
  output_kernel: jax.Array  # [size, size]
  output_bias: jax.Array  # [size]


class CrossParams(NamedTuple):
  query_kernel: jax.Array  # [size, size]
  query_bias: jax.Array  # [size]
  memory_kernel: jax.Array  # [memory_size, 2 * size]: keys, values
  memory_bias: jax.Array  # [2 * size]
  output_kernel: jax.Array  # [size, size]
  output_bias: jax.Array  # [size]


class FeedForwardParams(NamedTuple):
  input_kernel: jax.Array  # [size, feed_forward]
  input_bias: jax.Array  # [feed_forward]
  output_kernel: jax.Array  # [feed_forward, size]
  output_bias: jax.Array  # [size]


class BlockParams(NamedTuple):
  self_attention: AttentionParams
  feed_forward: FeedForwardParams
  norms: tuple[NormParams, ...]  # in the order of their use
  cross: CrossParams | None = None  # of a decoder


class BlockCarry(NamedTuple):
  """The last W keys and values in a ring: position p is in slot p mod W."""

  keys: jax.Array  # [*batch, heads, W, size / heads]
  values: jax.Array  # [*batch, heads, W, size / heads]
  position: jax.Array  # int32 [*batch], of the next step
  # Of a decoder: where the last step looked, the mean of its heads.
  attention: jax.Array | None = None  # [*batch, source]


class Remembered(NamedTuple):
  """A memory, projected."""

  keys: jax.Array  # [*batch, heads, source, size / heads]
  values: jax.Array  # [*batch, heads, source, size / heads]
  mask: jax.Array  # [*batch, source], 1 or 0


class TransformerBlock(Layer[Any]):
  """Self-attention, attention to a memory, and two layers at every step.

    x <- x + attention(norm(x))             norm "pre"; "post": norm(x + ...)
    x <- x + attention(norm(x), memory)     of a decoder
    x <- x + W_2 activation(W_1 norm(x) + b_1) + b_2

  Vaswani et al. 2017, section 3. `torch.nn.TransformerEncoderLayer`, and with a
  memory `torch.nn.TransformerDecoderLayer`, are the same (see `convert`).
  Dropout acts on what is added, and inside of the last part.

  A causal block sees a window: of a sequence longer than W a step sees the W
  that end with it, in one call as well as step by step. Its carry is
  `BlockCarry`; that of a block that is not causal is empty, and there a reset
  parts the row: neither side sees the other.

  Initialisation: kernels Glorot uniform, queries, keys and values each on their
  own; biases zero; norms the identity.

  Attributes:
    options: what kind of block.
    output_size: as of the inputs.
    causal: whether a step sees none behind it.
    memory_size: features of what a decoder attends to; 0: no decoder.
    dropout: rate, in [0, 1).
    residual_scale: of the initial kernels whose outputs are added up.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive, the heads do not divide it, a rate is
      out of range.
  """

  residual = True
  # What is remembered, in a layer that `attend` has returned.
  memory: Any = None

  def __init__(
    self,
    options: Transformer,
    size: int,
    *,
    causal: bool = True,
    memory_size: int = 0,
    dropout: float = 0.0,
    residual_scale: float = 1.0,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    base.check_size("size", size)
    base.check_rate("dropout", dropout)
    checks.check_compute_dtype(compute_dtype)
    if size % options.heads:
      raise ValueError(
        f"heads is {options.heads}, expected a divisor of the size, {size}"
      )
    if options.positions in ROTARY:
      check_even(size // options.heads)
    self.options, self.output_size, self.causal = options, size, causal
    self.memory_size, self.dropout = memory_size, dropout
    self.compute_dtype = compute_dtype
    self.params = Parameters(
      _init(one_key(key, rngs), options, size, memory_size, residual_scale)
    )

  def initial_carry(self, batch_shape) -> Any:
    if not self.causal:
      return ()
    batch_shape = tuple(batch_shape)
    heads = self.options.heads
    each = self.options.window, self.output_size // heads
    shape = (*batch_shape, heads, *each)
    dtype = self.params.get_value().norms[0].scale.dtype
    return BlockCarry(
      jnp.zeros(shape, dtype),
      jnp.zeros(shape, dtype),
      jnp.zeros(batch_shape, jnp.int32),
      self._unlooked(batch_shape),
    )

  def remember(self, memory, lengths=None):
    if not self.memory_size:
      return ()
    if memory.shape[-1] != self.memory_size:
      raise ValueError(
        f"memory has {memory.shape[-1]} features, expected memory_size,"
        f" {self.memory_size}"
      )
    if lengths is None:
      lengths = jnp.full(memory.shape[:-2], memory.shape[-2])
    mask = attention.source_mask(lengths, memory.shape[-2], memory.dtype)
    cross = self._cross()
    memory = jnp.where(mask[..., None] > 0, memory, 0)
    both = self._affine(memory, cross.memory_kernel, cross.memory_bias)
    keys, values = map(self._split, jnp.split(both, 2, axis=-1))
    return base.Rows(Remembered(keys, values, mask))

  def attend(self, remembered):
    if not self.memory_size:
      return self
    attending = nnx.clone(self)
    attending.memory = Parameters(remembered)
    return attending

  def __call__(
    self, inputs, carry=None, *, lengths=None, resets=None, key=None
  ):
    keys = [base.subkey(key, part) for part in range(3)]
    x = valid_only(inputs, lengths)
    last: Any = ()
    attend = lambda x: self._attend_all(x, carry, lengths, resets, keys[0])
    x, last = self._residual(x, 0, attend, keys[0])
    if self.memory_size:
      looks = lambda x: self._read_all(x, keys[1])
      x, query = self._residual(x, 1, looks, keys[1])
      if self.causal:
        last = last._replace(attention=self._looked(query, carry, lengths))
    x, _ = self._residual(x, -1, lambda x: self._feed(x, keys[2]), keys[2])
    return last, valid_only(x, lengths)

  def looks(
    self, inputs: jax.Array, lengths: jax.Array | None = None
  ) -> jax.Array:
    """Where each step looks in self-attention, without noise.

    Args:
      inputs: as for the call.
      lengths: likewise; what is behind neither looks nor is looked at.

    Returns:
      `[batch, heads, time, time]`, the steps that look by those looked at.
    """
    x = valid_only(inputs, lengths)
    if self.options.norm == "pre":
      x = normalize(self.params.get_value().norms[0], x)
    steps = jnp.arange(x.shape[1], dtype=jnp.int32)[None]
    query, keys, _ = (x.swapaxes(1, 2) for x in self._project(x, steps))
    ends = jnp.full((1,), x.shape[1]) if lengths is None else lengths
    there = length_mask(ends, x.shape[1])
    mask = there[:, :, None] & there[:, None]
    if self.causal:
      mask = mask & visible(steps, steps, self.options.window)
    query, keys = self._cast(query), self._cast(keys)
    return attention_weights(query, keys, mask[:, None])

  def step(self, carry, inputs):
    if not self.causal:
      return super().step(carry, inputs)
    attend = lambda x: self._attend_one(x, carry)
    x, carry = self._residual(inputs, 0, attend, None)
    if self.memory_size:
      x, weights = self._residual(x, 1, self._read_one, None)
      carry = carry._replace(attention=weights)
    x, _ = self._residual(x, -1, lambda x: self._feed(x, None), None)
    return carry, x

  def _residual(self, x, part: int, function, key):
    """`x` with what a part adds, and what else the part returns."""
    norm = self.params.get_value().norms[part]
    pre = self.options.norm == "pre"
    added, more = function(normalize(norm, x) if pre else x)
    x = x + drop(added, self.dropout, base.subkey(key, 0))
    return x if pre else normalize(norm, x), more

  def _project(self, x, positions) -> list[jax.Array]:
    """Queries, keys and values `[..., heads, d]`, turned if rotary."""
    params = self.params.get_value().self_attention
    parts = self._affine(x, params.input_kernel, params.input_bias)
    query, keys, values = (
      heads_of(part, self.options.heads)
      for part in jnp.split(parts, 3, axis=-1)
    )
    layout = ROTARY.get(self.options.positions)
    if layout is None:
      return [query, keys, values]
    turn = lambda x: rotary(x, positions, layout=layout)
    return [turn(query), turn(keys), values]

  def _split(self, x: jax.Array) -> jax.Array:
    """`[..., time, size]` as `[..., heads, time, d]`."""
    return heads_of(x, self.options.heads).swapaxes(-2, -3)

  def _attend_all(self, x, carry, lengths, resets, key) -> tuple[Any, Any]:
    """`(added, carry)` of self-attention over a sequence."""
    batch, time, _ = x.shape
    before: Any = carry
    if self.causal and carry is None:
      before = self.initial_carry((batch,))
    start = before.position if self.causal else jnp.zeros((batch,), jnp.int32)
    # Without anything that tells rows apart positions are the same for all.
    same = carry is None and resets is None
    within = positions_in(start[:1] if same else start, time, resets)
    query, keys, values = (x.swapaxes(1, 2) for x in self._project(x, within))
    begin = None if resets is None else last_reset(resets)
    if not self.causal:
      ends = jnp.full((1,), time) if lengths is None else lengths
      mask = jnp.repeat(length_mask(ends, time)[:, None], time, axis=1)
      if begin is not None:
        mask = mask & (begin[:, :, None] == begin[:, None, :])
      attend_key = base.subkey(key, 1)
      mask = mask[:, None]
      return self._out(
        self._contexts(query, keys, values, mask, attend_key)
      ), ()
    context = self._causal(query, keys, values, carry, begin, key)
    after = position_after(start, within, lengths)
    # Where position 0 of what the cache then holds is among the steps.
    origin = -start
    if begin is not None and time:
      ends = jnp.full((batch,), time) if lengths is None else lengths
      last = jnp.maximum(ends - 1, 0)[:, None]
      last = jnp.take_along_axis(begin, last, axis=1)[:, 0]
      origin = jnp.where((last >= 0) & (ends > 0), last, origin)
    return self._out(context), BlockCarry(
      self._kept(before.keys, keys, after, origin),
      self._kept(before.values, values, after, origin),
      after,
      before.attention,
    )

  def _causal(self, query, keys, values, carry, begin, key):
    """Contexts of a sequence, each of itself and what came before it.

    Block by block of queries, over the keys up to their end: half of all
    scores, with a short window most of them, are never computed.
    """
    time, window = query.shape[2], self.options.window
    steps = jnp.arange(time, dtype=jnp.int32)
    size = max(LEAST_BLOCK, -(-time // MOST_BLOCKS))
    contexts = []
    for index, first in enumerate(range(0, max(time, 1), size)):
      block, low = slice(first, first + size), max(0, first - window + 1)
      seen = slice(low, min(first + size, time))
      mask = visible(steps[None, block], steps[None, seen], window)
      if begin is not None:
        mask = mask & (begin[:, block, None] <= steps[None, None, seen])
      own_keys, own_values = keys[:, :, seen], values[:, :, seen]
      if carry is not None and first < window:
        held = _held(carry.position, window)
        there = visible(
          carry.position[:, None] + steps[None, block], held, window
        )
        if begin is not None:
          there = there & (begin[:, block, None] < 0)
        mask = jnp.broadcast_to(mask, (len(there), *mask.shape[1:]))
        mask = jnp.concatenate([there, mask], axis=-1)
        own_keys, own_values = (
          jnp.concatenate([old.astype(new.dtype), new], axis=2)
          for old, new in ((carry.keys, own_keys), (carry.values, own_values))
        )
      block_key = base.subkey(key, index + 1)
      contexts.append(
        self._contexts(
          query[:, :, block], own_keys, own_values, mask[:, None], block_key
        )
      )
    return jnp.concatenate(contexts, axis=2)

  def _kept(self, ring, steps, after, origin):
    """The keys or values in their slots of the ring after a sequence."""
    if not steps.shape[2]:
      return ring
    there = lambda x: x[:, None, :, None]
    held = _held(after, self.options.window)
    index = held + origin[:, None]
    place = there(jnp.clip(index, 0, steps.shape[2] - 1))
    kept = jnp.take_along_axis(steps, place, axis=2).astype(ring.dtype)
    kept = jnp.where(there(index >= 0), kept, ring)
    return jnp.where(there(held >= 0), kept, 0)

  def _attend_one(self, x, carry):
    """`(added, carry)` of self-attention of one step `[*batch, size]`."""
    query, key, value = self._project(x, carry.position)
    # A cache may be narrower, for so few steps that it is never full.
    window, position = carry.keys.shape[-2], carry.position
    keys, values = (
      _put(ring, new, position % window)
      for ring, new in ((carry.keys, key), (carry.values, value))
    )
    there = _held(position + 1, window) >= 0
    context = self._filled(
      position + 1, query[..., None, :], keys, values, there
    )
    carry = carry._replace(keys=keys, values=values, position=position + 1)
    return self._out(context)[..., 0, :], carry

  def _filled(self, count, query, keys, values, there):
    """The context of a query, from as much of the ring as may be filled."""
    window = keys.shape[-2]

    def read(query, keys, values, there, width=window):
      return self._contexts(
        query,
        keys[..., :width, :],
        values[..., :width, :],
        there[..., None, None, :width],
        None,
      )

    arguments = query, keys, values, there
    large = window >= LEAST_QUARTERED and jax.default_backend() == "cpu"
    if not large or not count.size:
      return read(*arguments)
    widths = [-(-window * quarter // 4) for quarter in (1, 2, 3, 4)]
    reads = [functools.partial(read, width=width) for width in widths]
    return lax.switch((count.max() * 4 - 1) // window, reads, *arguments)

  def _out(self, context):
    """What self-attention adds, of contexts `[..., heads, time, d]`."""
    params = self.params.get_value().self_attention
    context = self._joined(context)
    return self._affine(context, params.output_kernel, params.output_bias)

  def _joined(self, context):
    """The inverse of `_split`."""
    context = context.swapaxes(-2, -3)
    return context.reshape(*context.shape[:-2], self.output_size)

  def _contexts(self, query, keys, values, mask, key):
    context = dot_product_attention(
      self._cast(query),
      self._cast(keys),
      self._cast(values),
      mask,
      rate=self.options.attention_dropout,
      key=key,
    )
    return context.astype(query.dtype)

  def _read_all(self, x, key):
    """`(added, queries)` of attention to the memory."""
    memory, query = self._remembered(), self._queries(x)
    context = self._contexts(
      query, memory.keys, memory.values, _seen(memory), base.subkey(key, 1)
    )
    return self._after_memory(self._joined(context)), query

  def _read_one(self, x):
    """`(added, weights)` of one step's attention to the memory."""
    memory, query = self._remembered(), self._queries(x[..., None, :])
    context = self._contexts(
      query, memory.keys, memory.values, _seen(memory), None
    )
    added = self._after_memory(self._joined(context)[..., 0, :])
    return added, self._weights(query)

  def _queries(self, x):
    """Of the memory, `[..., heads, time, d]`."""
    cross = self._cross()
    return self._split(self._affine(x, cross.query_kernel, cross.query_bias))

  def _weights(self, query):
    """Where one step looks, `[*batch, source]`, the mean of its heads."""
    memory = self._remembered()
    weights = attention_weights(query, memory.keys, _seen(memory))
    return weights[..., 0, :].mean(axis=-2)

  def _after_memory(self, context):
    """A row without memory reads nothing, no bias either."""
    memory, cross = self._remembered(), self._cross()
    added = self._affine(context, cross.output_kernel, cross.output_bias)
    there = memory.mask.max(axis=-1, initial=0) > 0
    there = there.reshape(*there.shape, *(1,) * (added.ndim - there.ndim))
    return jnp.where(there, added, 0)

  def _looked(self, query, carry, lengths):
    """Where each row's last step looked: `[batch, source]`."""
    batch, _, time, _ = query.shape
    before = self._unlooked((batch,)) if carry is None else carry.attention
    if not time:
      return before
    if lengths is None:
      return self._weights(query[:, :, -1:])
    end = jnp.maximum(lengths - 1, 0)[:, None, None, None]
    weights = self._weights(jnp.take_along_axis(query, end, axis=2))
    return jnp.where((lengths > 0)[:, None], weights, before)

  def _unlooked(self, batch_shape) -> Any:
    if not self.memory_size:
      return None
    mask = self._remembered().mask
    return jnp.zeros((*batch_shape, mask.shape[-1]), mask.dtype)

  def _feed(self, x, key):
    params = self.params.get_value().feed_forward
    inner = self._affine(x, params.input_kernel, params.input_bias)
    inner = ACTIVATIONS[self.options.activation](inner)
    inner = drop(inner, self.dropout, base.subkey(key, 1))
    return self._affine(inner, params.output_kernel, params.output_bias), None

  def _affine(self, x, kernel, bias):
    return base.affine(x, kernel, bias, self.compute_dtype)

  def _cast(self, x):
    return x if self.compute_dtype is None else x.astype(self.compute_dtype)

  def _cross(self) -> CrossParams:
    cross = self.params.get_value().cross
    assert cross is not None
    return cross

  def _remembered(self) -> Remembered:
    if self.memory is None:
      raise ValueError(
        "the memory is None, expected TransformerBlock.attend to have put it"
        " in: call it before the run"
      )
    return self.memory.get_value().value


def _held(position: jax.Array, window: int) -> jax.Array:
  """The position in each slot, `[*batch, W]`, before `position`; < 0: none."""
  newest = position[..., None] - 1
  slots = base.align(jnp.arange(window, dtype=newest.dtype), newest)
  return newest - (newest - slots) % window


def _put(ring: jax.Array, new: jax.Array, slot: jax.Array) -> jax.Array:
  """`ring` `[*batch, heads, W, d]` with `new` `[*batch, heads, d]` at slots."""
  flat = ring.reshape(slot.size, *ring.shape[-3:])
  new = new.reshape(slot.size, *new.shape[-2:]).astype(ring.dtype)
  flat = flat.at[jnp.arange(slot.size), :, slot.ravel()].set(new)
  return flat.reshape(ring.shape)


def _seen(memory: Remembered) -> jax.Array:
  """The mask of a memory for `dot_product_attention`."""
  return memory.mask[..., None, None, :] > 0


def _init(
  key: jax.Array,
  options: Transformer,
  size: int,
  memory_size: int,
  residual_scale: float,
) -> BlockParams:
  keys = iter(jax.random.split(key, 10))
  draw = lambda rows, columns: glorot(next(keys), rows, columns, jnp.float32)
  several = lambda rows, count: jnp.concatenate(
    [draw(rows, size) for _ in range(count)], axis=-1
  )
  added = lambda rows: draw(rows, size) * residual_scale
  zeros = lambda count: jnp.zeros((count,), jnp.float32)
  inner = options.feed_forward or 4 * size
  own = AttentionParams(
    several(size, 3), zeros(3 * size), added(size), zeros(size)
  )
  feed = FeedForwardParams(
    draw(size, inner), zeros(inner), added(inner), zeros(size)
  )
  cross = None
  if memory_size:
    cross = CrossParams(
      draw(size, size),
      zeros(size),
      several(memory_size, 2),
      zeros(2 * size),
      added(size),
      zeros(size),
    )
  norms = tuple(norm_params(size) for _ in range(3 if memory_size else 2))
  return BlockParams(own, feed, norms, cross)
