"""Attention after the recurrence, for all steps at once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import attention, base
from seqjax.cells.attend import attentional
from seqjax.cells.attention_kinds import Kind, Memory, Past, glorot
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, check_causal, valid_only
from seqjax.nn.parameters import Parameters


class LuongCarry(NamedTuple):
  layer: Any  # the carry of the layer below
  attention: jax.Array  # [*batch, source], the weights of the last step


class LuongAttention(Layer[LuongCarry]):
  """Reads a memory with the outputs of a causal layer.

    h_1 .. h_T = layer(x_1 .. x_T)
    context_t = attention(h_t)
    y_t = tanh([context_t, h_t] W)

  Luong, Pham, Manning 2015, section 3.1, without input feeding: what is read is
  not handed on, so all steps are products of a few matrices. Training is as
  fast as that of the layer alone, almost; `cells.InputFeeding` is the slower
  one.

  Attributes:
    layer: the recurrence, causal.
    kind: how the memory is read; it may not look at the step before.
    memory_size: features of the memory.
    output_size: of y.
    compute_dtype: dtype of the product with W; None is W's.

  Raises:
    ValueError: the layer is not causal, or the kind looks back.
  """

  # What is remembered, in a layer that `attend` has returned.
  memory: Any = None

  def __init__(
    self,
    layer: Layer[Any],
    kind: Kind[Any],
    memory_size: int,
    output_size: int,
    *,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    check_causal(layer)
    if kind.sees_past:
      raise ValueError(
        f"attention is {kind}, which sees where was looked before, expected one"
        " that does not: all steps attend at once"
      )
    keys = jax.random.split(one_key(key, rngs))
    self.layer, self.kind, self.memory_size = layer, kind, memory_size
    self.output_size, self.compute_dtype = output_size, compute_dtype
    self.attention = Parameters(
      kind.init(keys[0], layer.output_size, memory_size)
    )
    rows = kind.context_size(memory_size) + layer.output_size
    self.kernel = nnx.Param(glorot(keys[1], rows, output_size, jnp.float32))

  def remember(self, memory, lengths=None):
    if lengths is None:
      lengths = jnp.full(memory.shape[:-2], memory.shape[-2])
    mask = attention.source_mask(lengths, memory.shape[-2], memory.dtype)
    params = self.attention.get_value()
    return base.Rows(self.kind.remember(params, memory, mask))

  def attend(self, remembered):
    attending = nnx.clone(self)
    attending.memory = Parameters(remembered)
    return attending

  def initial_carry(self, batch_shape):
    mask = self._remembered().mask
    return LuongCarry(
      self.layer.initial_carry(batch_shape),
      jnp.zeros((*batch_shape, mask.shape[-1]), mask.dtype),
    )

  def __call__(
    self, inputs, carry=None, *, lengths=None, resets=None, key=None, **kwargs
  ):
    start = None if carry is None else carry.layer
    last, h = self.layer(
      inputs, start, lengths=lengths, resets=resets, key=key, **kwargs
    )
    read = jax.vmap(self._read, (None, 1), 1)
    y, weights = read(self._remembered(), h)
    before = self.initial_carry(h.shape[:1]) if carry is None else carry
    # The weights of each row's own last step, those before it without any.
    there = super().last(weights, lengths)
    if lengths is not None:
      there = jnp.where((lengths > 0)[:, None], there, before.attention)
    return LuongCarry(last, there), valid_only(y, lengths)

  def step(self, carry, inputs):
    below, h = self.layer.step(carry.layer, inputs)
    y, weights = self._read(self._remembered(), h)
    return LuongCarry(below, weights), y

  def _read(self, memory: Memory, h: jax.Array) -> tuple[jax.Array, jax.Array]:
    past = Past(jnp.zeros_like(memory.mask))
    params = self.attention.get_value()
    context, weights = self.kind(params, h, memory, past)
    kernel = self.kernel.get_value()
    return attentional(kernel, h, context, self.compute_dtype), weights

  def _remembered(self) -> Memory:
    if self.memory is None:
      raise ValueError(
        "the memory is None, expected LuongAttention.attend to have put it in:"
        " call it before the run"
      )
    return self.memory.get_value().value
