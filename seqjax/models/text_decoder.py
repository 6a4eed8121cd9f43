"""A decoder that writes a text about what it was shown."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from seqjax.cells import base
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.layers import Layer, check_causal
from seqjax.nn.read_out import affine, many_logits, tied_logits
from seqjax.nn.transformer import BlockCarry

BRIDGES = "copy", "learned", "none"
# What a carry says of where a decoder looked, and what a Transformer has seen,
# rather than of what is known by now.
_NO_STATE = {"attention", "coverage", "fed", *BlockCarry._fields}


class Encoded(NamedTuple):
  """What was read, as the decoder takes it; all leaves are `[batch, ...]`."""

  memory: Any  # what the decoder remembers of it
  carry: Any  # what the decoder starts from


class TextDecoder(nnx.Module):
  """The half of a model that writes, symbol by symbol.

    carry_0 = bridge(what the encoder ends with)
    (carry_t, y_t) = decoder(carry_(t-1), x_t; m)     x_t = embed(target_(t-1))
    logits_t = tanh([y_t, x_t] W + b) E^T + c         with a deep output
             = y_t E^T + c                            without

  The deep output (Pascanu et al. 2014, "How to construct deep recurrent neural
  networks") sees the symbol before, too, as in Bahdanau, Cho, Bengio 2015 and
  Xu et al. 2015 (there with a maxout, or a plain layer; tanh as in Sennrich et
  al. 2017, "Nematus"). The plain one is that of Vaswani et al. 2017.

  The bridge: "copy", what the encoder ends with as it is; "learned", tanh of an
  affine map of all of it, when the two are not alike; or "none": the decoder
  starts from its own initial carry, and must attend. A Transformer's carry is
  no state that something could be copied to, nor from.

  Dropout is by one mask a sequence: on embeddings `embed_dropout`, on what E
  reads `dropout`.

  Attributes:
    decoder: a causal layer.
    bridge: "copy", "learned" or "none".
    deep_output: whether there is a layer between the decoder and E.
    tie_embeddings: whether the read-out's E is the embedding.

  Raises:
    ValueError: the decoder is not causal, an option is unknown, what is to be
      copied is not alike, nothing goes from the encoder to the decoder, or what
      a tied E is to read has not as many features.
  """

  def __init__(
    self,
    make_decoder: Callable[[int, int, jax.Array], Layer[Any]],
    target_size: int,
    memory_size: int,
    ends: Sequence[Any],
    *,
    embed_size: int,
    tie_embeddings: bool,
    bridge: str,
    deep_output: bool,
    embed_dropout: float,
    dropout: float,
    compute_dtype: str | None,
    keys: Sequence[jax.Array],
  ):
    """Draws the parameters.

    Args:
      make_decoder: from `(input_size, memory_size, key)`.
      target_size: symbols.
      memory_size: features of what is attended to.
      ends: shapes `[1, features]` of what the encoder ends with.
      embed_size: features of an embedding, and of the deep output.
      tie_embeddings: see above, as for all that follow.
      bridge: likewise.
      deep_output: likewise.
      embed_dropout: likewise.
      dropout: likewise.
      compute_dtype: of the products of bridge and read-out.
      keys: of embedding, decoder, bridge, deep output and read-out.
    """
    base.check_choice("bridge", bridge, BRIDGES)
    self.bridge, self.compute_dtype = bridge, compute_dtype
    self.deep_output = deep_output
    self.embed_dropout, self.dropout = embed_dropout, dropout
    self.tie_embeddings = tie_embeddings
    self.target_embed = nnx.Embed(
      target_size, embed_size, rngs=nnx.Rngs(keys[0])
    )
    self.decoder = make_decoder(embed_size, memory_size, keys[1])
    check_causal(self.decoder)
    starts = jax.eval_shape(lambda: self._starts(memory_size))
    _check_bridge(bridge, ends, *starts)
    if bridge == "learned":
      size = lambda leaves: sum(leaf.size for leaf in leaves)
      self.bridge_map = nnx.Linear(
        size(ends), size(starts[0]), rngs=nnx.Rngs(keys[2])
      )
    size = self.decoder.output_size
    if deep_output:
      self.inner = nnx.Linear(
        size + embed_size, embed_size, rngs=nnx.Rngs(keys[3])
      )
      size = embed_size
    if tie_embeddings and size != embed_size:
      raise ValueError(
        f"deep_output is False for a decoder of {size} features and tied"
        f" embeddings of {embed_size}, expected as many, or True"
      )
    self.read_size = size  # of what E reads
    if tie_embeddings:
      self.bias = nnx.Param(jnp.zeros((target_size,)))
    else:
      self.head = nnx.Linear(size, target_size, rngs=nnx.Rngs(keys[4]))

  def begin(self, memory: jax.Array, lengths: Any, ends: Any) -> Encoded:
    """What the decoder starts from.

    Args:
      memory: `[batch, source, features]`.
      lengths: int `[batch]`, of the memory.
      ends: arrays `[batch, features]`, or a carry: what comes over the bridge.
    """
    remembered = self.decoder.remember(memory, lengths)
    fresh = self.decoder.attend(remembered).initial_carry(memory.shape[:1])
    return Encoded(remembered, self._cross(ends, fresh))

  def write(
    self,
    encoded: Encoded,
    inputs: jax.Array,
    lengths: jax.Array,
    *,
    key: jax.Array | None = None,
    sampling: float = 0.0,
  ) -> tuple[Any, jax.Array]:
    """Scores every next symbol of the target, given those before it.

    Args:
      encoded: of `encode`.
      inputs: int `[batch, time]`, the target behind a start symbol: teacher
        forcing.
      lengths: int `[batch]`, of the inputs.
      key: randomness of dropout and of the sampling; None turns them off.
      sampling: probability that an input but the first is not that symbol but
        what the model itself found likeliest in the step before (Bengio et al.
        2015, "Scheduled sampling for sequence prediction with recurrent neural
        networks"): one draw for every step of every row. The choice has no
        gradient; noise of the decoder's cells and dropout between its layers
        are off then, and it runs on past the lengths, which the loss must
        leave out. 0 is teacher forcing.

    Returns:
      `(carry, logits)`, logits `[batch, time, target_size]`.
    """
    keys = keys_or_none(key, 4)
    decoder = self.decoder.attend(encoded.memory)
    dropped = lambda x: drop(x, self.embed_dropout, keys[0], same_over=1)
    if sampling and key is not None:
      return self._sampled(
        decoder, encoded.carry, inputs, dropped, keys[1:3], sampling
      )
    embedded = dropped(self.target_embed(inputs))
    # A cache that is known to be empty need not be looked at.
    start = None if self.bridge == "none" else encoded.carry
    carry, outputs = decoder(embedded, start, lengths=lengths, key=keys[3])
    return carry, self._read(outputs, embedded, keys[2])

  def step(
    self, memory: Any, carry: Any, tokens: jax.Array
  ) -> tuple[Any, jax.Array]:
    """One symbol a row, `[rows]`: `(carry, logits [rows, target_size])`.

    Args:
      memory: of `Encoded`.
      carry: of `Encoded`, or of the step before.
      tokens: int `[rows]`, the symbols before; the start symbol at first.
    """
    embedded = self.target_embed(tokens)
    carry, output = self.decoder.attend(memory).step(carry, embedded)
    return carry, self._read(output, embedded, None)

  def _sampled(self, decoder, carry, inputs, dropped, keys, rate):
    batch, time = inputs.shape
    draw_key, read_key = keys
    own = jax.random.bernoulli(draw_key, rate, (time, batch))
    own = own.at[0].set(False)
    # One mask for all steps: a step is a sequence of one.
    ones = jnp.ones((batch, 1, self.read_size))
    mask = drop(ones, self.dropout, read_key)

    def body(state, step):
      carry, likeliest = state
      given, own = step
      tokens = jnp.where(own, likeliest, given)
      embedded = dropped(self.target_embed(tokens)[:, None])[:, 0]
      carry, output = decoder.step(carry, embedded)
      logits = self._logits(self._inner(output, embedded) * mask[:, 0])
      return (carry, logits.argmax(axis=-1).astype(inputs.dtype)), logits

    start = for_steps(carry, time), inputs[:, 0]
    (carry, _), logits = lax.scan(body, start, (inputs.T, own))
    return carry, jnp.moveaxis(logits, 0, 1)

  def _inner(self, outputs, embedded) -> jax.Array:
    if not self.deep_output:
      return outputs
    seen = jnp.concatenate([outputs, embedded], axis=-1)
    return jnp.tanh(affine(self.inner, seen, self.compute_dtype))

  def _read(self, outputs, embedded, key) -> jax.Array:
    inner = self._inner(outputs, embedded)
    return self._logits(drop(inner, self.dropout, key, same_over=1))

  def _logits(self, inner: jax.Array) -> jax.Array:
    if not self.tie_embeddings:
      return affine(self.head, inner, self.compute_dtype)
    table = self.target_embed.embedding.get_value()
    bias = self.bias.get_value()
    # Its bias is a column of E, which bfloat16 would round.
    if self.compute_dtype in (None, "float32"):
      return many_logits(inner, table, bias)
    return tied_logits(inner, table, bias, self.compute_dtype)

  def _cross(self, ends: Any, fresh: Any) -> Any:
    """The decoder's first carry: `fresh`, with what came over the bridge."""
    if self.bridge == "none":
      return fresh
    paths, structure = jax.tree_util.tree_flatten_with_path(fresh)
    arrays = states(ends)
    if self.bridge == "learned":
      flat = [x.reshape(len(x), -1) for x in arrays]  # matrix states, too
      said = jnp.concatenate(flat, axis=-1)
      crossed = jnp.tanh(affine(self.bridge_map, said, self.compute_dtype))
      shapes = [leaf.shape for path, leaf in paths if _is_state(path)]
      cuts = np.cumsum([math.prod(shape[1:]) for shape in shapes])[:-1]
      parts = jnp.split(crossed, cuts, axis=-1)
      arrays = [
        x.reshape(shape) for x, shape in zip(parts, shapes, strict=True)
      ]
    came = iter(arrays)
    leaves = [
      next(came).astype(leaf.dtype) if _is_state(path) else leaf
      for path, leaf in paths
    ]
    return jax.tree.unflatten(structure, leaves)

  def _starts(self, memory_size: int) -> tuple[list[jax.Array], Any]:
    """What the decoder starts from and what it remembers, of one row."""
    remembered = self.decoder.remember(jnp.zeros((1, 1, memory_size)))
    carry = self.decoder.attend(remembered).initial_carry((1,))
    return states(carry), remembered


def looked_at(carry: Any, layer: int = -1) -> jax.Array | None:
  """The last weights `[rows, source]` in a decoder's carry, if it attends.

  Args:
    carry: of the decoder.
    layer: of several layers that attend, which; those of the last.
  """
  found = [
    leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(carry)
    if _name(path[-1:]) == "attention"
  ]
  return found[layer] if found else None


def states(carry: Any) -> list[jax.Array]:
  """The arrays of a carry that may cross a bridge."""
  paths = jax.tree_util.tree_leaves_with_path(carry)
  return [leaf for path, leaf in paths if _is_state(path)]


def for_steps(carry: Any, steps: int) -> Any:
  """A carry from which no more than `steps` will be made, one by one.

  The caches in it are empty, and hold no more than is needed: a beam copies
  them at every step.
  """

  def cut(node):
    if not isinstance(node, BlockCarry):
      return node
    keys, values = (ring[..., :steps, :] for ring in (node.keys, node.values))
    return node._replace(keys=keys, values=values)

  is_cache = lambda node: isinstance(node, BlockCarry)
  return jax.tree.map(cut, carry, is_leaf=is_cache)


def _check_bridge(bridge: str, ends: Any, starts: Any, remembered: Any) -> None:
  """Raises ValueError if not as much can cross as is to."""
  if bridge == "none":
    if not jax.tree.leaves(remembered):
      raise ValueError(
        "bridge is 'none', expected 'copy' or 'learned' for a decoder that does"
        " not attend: it would know nothing of what was read"
      )
    return
  for told, arrays in (
    ("the encoder ends with", ends),
    ("the decoder starts from", starts),
  ):
    if not arrays:
      raise ValueError(
        f"bridge is {bridge!r}, expected 'none': {told} no state"
      )
  if bridge == "copy" and [x.shape for x in ends] != [x.shape for x in starts]:
    sizes = lambda leaves: ", ".join(str(x.size) for x in leaves)
    raise ValueError(
      "bridge is 'copy', expected 'learned': the encoder ends with arrays of"
      f" {sizes(ends)} features, the decoder starts from {sizes(starts)}"
    )


def _name(path: Any) -> str:
  return jax.tree_util.keystr(path, simple=True)


def _is_state(path: Any) -> bool:
  return not any(_name((entry,)) in _NO_STATE for entry in path)


def keys_or_none(key: jax.Array | None, count: int) -> Any:
  """So many keys, or as many None."""
  return (None,) * count if key is None else jax.random.split(key, count)
