"""An encoder and a decoder: one sequence in, another of another length out."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from seqjax.models.text_decoder import (
  Encoded,
  TextDecoder,
  keys_or_none,
  states,
)
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer
from seqjax.recurrence.masks import reverse_rows


class EncoderDecoder(TextDecoder):
  """Reads a source, then writes a target symbol by symbol.

    m_1 .. m_S = encoder(embed(source))
    carry_0 = bridge(the encoder's last carry)

  and from there on as `TextDecoder`. Sutskever, Vinyals, Le 2014, "Sequence to
  sequence learning with neural networks", where all that the decoder knows of
  the source comes over the bridge; with a decoder that attends, Bahdanau, Cho,
  Bengio 2015. The learned bridge is for a source that is read both ways. With
  Transformers on both sides and no bridge, Vaswani et al. 2017.

  Dropout is by one mask a sequence: as in `TextDecoder`, on the source's
  embeddings `embed_dropout`, on m `dropout`.

  Attributes:
    encoder: layers.
    reverse: whether the source is read from its end. m is in its order.
    share_embeddings: whether source and target have one embedding.

  Raises:
    ValueError: what is to be shared is not alike, or as `TextDecoder`.
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
    deep_output: bool = True,
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
      embed_size: features of an embedding, and of the deep output.
      share_embeddings: see above, as for all that follow.
      tie_embeddings: likewise.
      bridge: likewise.
      deep_output: likewise.
      reverse: likewise.
      embed_dropout: likewise.
      dropout: likewise.
      compute_dtype: of the products of bridge and read-out.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    if share_embeddings and source_size != target_size:
      raise ValueError(
        f"share_embeddings is True for {source_size} and {target_size} symbols,"
        " expected one vocabulary of both sides"
      )
    keys = jax.random.split(one_key(key, rngs), 7)
    encoder = make_encoder(embed_size, keys[2])
    ends = jax.eval_shape(lambda: encoder.initial_carry((1,)))
    super().__init__(
      make_decoder,
      target_size,
      encoder.output_size,
      states(ends),
      embed_size=embed_size,
      tie_embeddings=tie_embeddings,
      bridge=bridge,
      deep_output=deep_output,
      embed_dropout=embed_dropout,
      dropout=dropout,
      compute_dtype=compute_dtype,
      keys=[keys[i] for i in (0, 3, 4, 5, 6)],
    )
    self.encoder, self.reverse = encoder, reverse
    self.share_embeddings = share_embeddings
    if not share_embeddings:
      self.source_embed = nnx.Embed(
        source_size, embed_size, rngs=nnx.Rngs(keys[1])
      )

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
    keys = keys_or_none(key, 3)
    table = self.target_embed if self.share_embeddings else self.source_embed
    embedded = drop(table(source), self.embed_dropout, keys[0], same_over=1)
    turn = lambda x: reverse_rows(x, lengths) if self.reverse else x
    ends, memory = self.encoder(turn(embedded), lengths=lengths, key=keys[1])
    memory = drop(turn(memory), self.dropout, keys[2], same_over=1)
    return self.begin(memory, lengths, ends)

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
    """Scores every next symbol of the target, see `write`.

    Args:
      source: int `[batch, source]`.
      source_lengths: int `[batch]`.
      inputs: int `[batch, time]`, of the target.
      lengths: int `[batch]`, of the inputs.
      key: randomness of dropout and of the sampling; None turns them off.
      sampling: see `write`.

    Returns:
      `(carry, logits)`, logits `[batch, time, target_size]`.
    """
    encode_key, key = keys_or_none(key, 2)
    encoded = self.encode(source, source_lengths, key=encode_key)
    return self.write(encoded, inputs, lengths, key=key, sampling=sampling)
