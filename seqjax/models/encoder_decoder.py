"""An encoder and a decoder: one sequence in, another of another length out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from seqjax.cells import base
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, check_causal
from seqjax.nn.read_out import affine, many_logits, tied_logits
from seqjax.recurrence.masks import reverse_rows

BRIDGES = "copy", "learned"
# What a decoder's carry says of where it looked, rather than of what it knows.
_LOOKED = {"attention", "coverage", "fed"}


class Encoded(NamedTuple):
  """A source as the decoder takes it; all leaves are `[batch, ...]`."""

  memory: Any  # what the decoder remembers of the encoder's outputs
  carry: Any  # what the decoder starts from


class EncoderDecoder(nnx.Module):
  """Reads a source, then writes a target symbol by symbol.

    m_1 .. m_S = encoder(embed(source))
    carry_0 = bridge(the encoder's last carry)
    (carry_t, y_t) = decoder(carry_(t-1), x_t; m)     x_t = embed(target_(t-1))
    logits_t = tanh([y_t, x_t] W + b) E^T + c

  Sutskever, Vinyals, Le 2014, "Sequence to sequence learning with neural
  networks", where all that the decoder knows of the source comes over the
  bridge; with a decoder that attends, Bahdanau, Cho, Bengio 2015. The read-out
  sees the symbol before, too, as in both of these papers' sources (there with a
  maxout layer; tanh as in Sennrich et al. 2017, "Nematus").

  The bridge: "copy", the encoder's carry as it is; or "learned", tanh of an
  affine map of all of it, when the two are not alike (a source that is read
  both ways).

  Dropout is by one mask a sequence: on embeddings `embed_dropout`, on m and on
  the read-out's inner layer `dropout`.

  Attributes:
    encoder: layers; `decoder`: causal ones.
    reverse: whether the source is read from its end. m is in its order.
    bridge: "copy" or "learned".
    share_embeddings: whether source and target have one embedding.
    tie_embeddings: whether the read-out's E is the target's embedding.

  Raises:
    ValueError: the decoder is not causal, the encoder has no state, an option
      is unknown, or what is to be copied or shared is not alike.
  """

  def __init__(
    self,
    make_encoder: Callable[[int, jax.Array], Layer[Any]],
    make_decoder: Callable[[int, int, jax.Array], Layer[Any]],
    source_size: int,
    target_size: int,
    *,
    embed_size: int,
    share_embeddings: bool = False,
    tie_embeddings: bool = False,
    bridge: str = "learned",
    reverse: bool = False,
    embed_dropout: float = 0.0,
    dropout: float = 0.0,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      make_encoder: from `(input_size, key)`.
      make_decoder: from `(input_size, memory_size, key)`.
      source_size: symbols of the source.
      target_size: of the target.
      embed_size: features of an embedding, and of the read-out's inner layer.
      share_embeddings: see above, as for all that follow.
      tie_embeddings: likewise.
      bridge: likewise.
      reverse: likewise.
      embed_dropout: likewise.
      dropout: likewise.
      compute_dtype: of the products of bridge and read-out.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    base.check_choice("bridge", bridge, BRIDGES)
    if share_embeddings and source_size != target_size:
      raise ValueError(
        f"share_embeddings is True for {source_size} and {target_size} symbols,"
        " expected one vocabulary of both sides"
      )
    keys = jax.random.split(one_key(key, rngs), 7)
    self.bridge, self.reverse = bridge, reverse
    self.embed_dropout, self.dropout = embed_dropout, dropout
    self.compute_dtype = compute_dtype
    self.share_embeddings = share_embeddings
    self.tie_embeddings = tie_embeddings
    embed = lambda size, key: nnx.Embed(size, embed_size, rngs=nnx.Rngs(key))
    self.target_embed = embed(target_size, keys[0])
    if not share_embeddings:
      self.source_embed = embed(source_size, keys[1])
    self.encoder = make_encoder(embed_size, keys[2])
    self.decoder = make_decoder(embed_size, self.encoder.output_size, keys[3])
    check_causal(self.decoder)
    ends, starts = jax.eval_shape(self._carries)
    if not ends:
      raise ValueError(
        "encoder ends with no state, expected a recurrent one: the decoder"
        " starts from it"
      )
    if bridge == "learned":
      size = lambda leaves: sum(leaf.shape[-1] for leaf in leaves)
      self.bridge_map = nnx.Linear(
        size(ends), size(starts), rngs=nnx.Rngs(keys[4])
      )
    elif [x.shape for x in ends] != [x.shape for x in starts]:
      sizes = lambda leaves: ", ".join(str(x.shape[-1]) for x in leaves)
      raise ValueError(
        f"bridge is 'copy', expected 'learned': the encoder ends with arrays of"
        f" {sizes(ends)} features, the decoder starts from {sizes(starts)}"
      )
    size = self.decoder.output_size + embed_size
    self.inner = nnx.Linear(size, embed_size, rngs=nnx.Rngs(keys[5]))
    if tie_embeddings:
      self.bias = nnx.Param(jnp.zeros((target_size,)))
    else:
      self.head = nnx.Linear(embed_size, target_size, rngs=nnx.Rngs(keys[6]))

  def encode(
    self,
    source: jax.Array,
    lengths: jax.Array,
    *,
    key: jax.Array | None = None,
  ) -> Encoded:
    """Reads sources.

    Args:
      source: int `[batch, source]`.
      lengths: int `[batch]`.
      key: randomness of dropout; None turns it off.
    """
    keys = _split(key, 3)
    table = self.target_embed if self.share_embeddings else self.source_embed
    embedded = drop(table(source), self.embed_dropout, keys[0], same_over=1)
    turn = lambda x: reverse_rows(x, lengths) if self.reverse else x
    ends, memory = self.encoder(turn(embedded), lengths=lengths, key=keys[1])
    memory = drop(turn(memory), self.dropout, keys[2], same_over=1)
    remembered = self.decoder.remember(memory, lengths)
    fresh = self.decoder.attend(remembered).initial_carry(lengths.shape)
    return Encoded(remembered, self._cross(ends, fresh))

  def __call__(
    self,
    source: jax.Array,
    source_lengths: jax.Array,
    inputs: jax.Array,
    lengths: jax.Array,
    *,
    key: jax.Array | None = None,
    sampling: float = 0.0,
  ) -> tuple[Any, jax.Array]:
    """Scores every next symbol of the target, given those before it.

    Args:
      source: int `[batch, source]`.
      source_lengths: int `[batch]`.
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
    keys = _split(key, 5)
    encoded = self.encode(source, source_lengths, key=keys[0])
    decoder = self.decoder.attend(encoded.memory)
    dropped = lambda x: drop(x, self.embed_dropout, keys[1], same_over=1)
    if sampling and key is not None:
      return self._sampled(
        decoder, encoded.carry, inputs, dropped, keys[2:4], sampling
      )
    embedded = dropped(self.target_embed(inputs))
    carry, outputs = decoder(
      embedded, encoded.carry, lengths=lengths, key=keys[4]
    )
    return carry, self._read(outputs, embedded, keys[3])

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
    ones = jnp.ones((batch, 1, self.inner.out_features))
    mask = drop(ones, self.dropout, read_key)

    def body(state, step):
      carry, likeliest = state
      given, own = step
      tokens = jnp.where(own, likeliest, given)
      embedded = dropped(self.target_embed(tokens)[:, None])[:, 0]
      carry, output = decoder.step(carry, embedded)
      logits = self._logits(self._inner(output, embedded) * mask[:, 0])
      return (carry, logits.argmax(axis=-1).astype(inputs.dtype)), logits

    start = carry, inputs[:, 0]
    (carry, _), logits = lax.scan(body, start, (inputs.T, own))
    return carry, jnp.moveaxis(logits, 0, 1)

  def _inner(self, outputs, embedded) -> jax.Array:
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
    paths, structure = jax.tree_util.tree_flatten_with_path(fresh)
    arrays = jax.tree.leaves(ends)
    if self.bridge == "learned":
      said = jnp.concatenate(arrays, axis=-1)
      crossed = jnp.tanh(affine(self.bridge_map, said, self.compute_dtype))
      sizes = [leaf.shape[-1] for path, leaf in paths if _is_state(path)]
      cuts = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
      arrays = jnp.split(crossed, cuts, axis=-1)
    came = iter(arrays)
    leaves = [
      next(came).astype(leaf.dtype) if _is_state(path) else leaf
      for path, leaf in paths
    ]
    return jax.tree.unflatten(structure, leaves)

  def _carries(self) -> tuple[list[jax.Array], list[jax.Array]]:
    """What the encoder ends with and the decoder starts from, of one row."""
    ends = self.encoder.initial_carry((1,))
    memory = jnp.zeros((1, 1, self.encoder.output_size))
    decoder = self.decoder.attend(self.decoder.remember(memory))
    starts = jax.tree_util.tree_leaves_with_path(decoder.initial_carry((1,)))
    return jax.tree.leaves(ends), [
      leaf for path, leaf in starts if _is_state(path)
    ]


def looked_at(carry: Any) -> jax.Array | None:
  """The last weights `[rows, source]` in a decoder's carry, if it attends.

  Of several layers that attend, those of the last.
  """
  found = None
  for path, leaf in jax.tree_util.tree_leaves_with_path(carry):
    if _name(path[-1:]) == "attention":
      found = leaf
  return found


def _name(path: Any) -> str:
  return jax.tree_util.keystr(path, simple=True)


def _is_state(path: Any) -> bool:
  return not any(_name((entry,)) in _LOOKED for entry in path)


def _split(key: jax.Array | None, count: int) -> Any:
  return (None,) * count if key is None else jax.random.split(key, count)
