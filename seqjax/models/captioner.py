"""An image in, a sentence out: one to many."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.models.text_decoder import Encoded, TextDecoder, keys_or_none
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer

POOLS = "none", "mean"


class Captioner(TextDecoder):
  """Looks at the regions of an image, and writes a sentence about it.

    m_1 .. m_R = regions(image)
    carry_0 = bridge(mean of m)

  and from there on as `TextDecoder`: Xu et al. 2015, "Show, attend and tell:
  neural image caption generation with visual attention". With `pool` "mean" the
  decoder sees their mean as the one region that there is, at every step: no
  more attention, all else alike. A decoder that does not attend sees nothing
  but its first carry, Vinyals et al. 2015, "Show and tell". A Transformer looks
  at the regions without a bridge.

  Nothing tells the decoder which region lies where but what is in it: regions
  in another order have their weights in that order.

  Dropout is by one mask a sequence: as in `TextDecoder`, on m `dropout`, the
  same features of all regions.

  Attributes:
    regions: from a batch of images to `[batch, cells, features]`; has
      `output_size`.
    pool: "none" or "mean".

  Raises:
    ValueError: as `TextDecoder`, or `pool` is unknown.
  """

  def __init__(
    self,
    make_regions: Callable[[jax.Array], Any],
    make_decoder: Callable[[int, int, jax.Array], Layer[Any]],
    target_size: int,
    *,
    embed_size: int,
    pool: str = "none",
    tie_embeddings: bool = False,
    bridge: str = "learned",
    deep_output: bool = True,
    embed_dropout: float = 0.0,
    dropout: float = 0.0,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      make_regions: from a key.
      make_decoder: from `(input_size, memory_size, key)`.
      target_size: symbols.
      embed_size: features of an embedding, and of the deep output.
      pool: see above, as for all that follow.
      tie_embeddings: likewise.
      bridge: likewise.
      deep_output: likewise.
      embed_dropout: likewise.
      dropout: likewise.
      compute_dtype: of the products of bridge and read-out.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    base.check_choice("pool", pool, POOLS)
    keys = jax.random.split(one_key(key, rngs), 6)
    regions = make_regions(keys[0])
    super().__init__(
      make_decoder,
      target_size,
      regions.output_size,
      [jax.ShapeDtypeStruct((1, regions.output_size), jnp.float32)],
      embed_size=embed_size,
      tie_embeddings=tie_embeddings,
      bridge=bridge,
      deep_output=deep_output,
      embed_dropout=embed_dropout,
      dropout=dropout,
      compute_dtype=compute_dtype,
      keys=list(keys[1:]),
    )
    self.regions, self.pool = regions, pool

  def encode(
    self, images: jax.Array, *, key: jax.Array | None = None
  ) -> Encoded:
    """Looks at images.

    Args:
      images: `[batch, ...]`, as `regions` takes them.
      key: randomness of dropout; None turns it off.
    """
    memory = drop(self.regions(images), self.dropout, key, same_over=1)
    mean = memory.mean(axis=1)
    if self.pool == "mean":
      memory = mean[:, None]
    lengths = jnp.full(memory.shape[:1], memory.shape[1])
    return self.begin(memory, lengths, (mean,))

  def __call__(
    self,
    images: jax.Array,
    inputs: jax.Array,
    lengths: jax.Array,
    *,
    key: jax.Array | None = None,
    sampling: float = 0.0,
  ) -> tuple[Any, jax.Array]:
    """Scores every next symbol of a caption, see `write`.

    Args:
      images: see `encode`.
      inputs: int `[batch, time]`, of the caption.
      lengths: int `[batch]`, of the inputs.
      key: randomness of dropout and of the sampling; None turns them off.
      sampling: see `write`.

    Returns:
      `(carry, logits)`, logits `[batch, time, target_size]`.
    """
    encode_key, key = keys_or_none(key, 2)
    encoded = self.encode(images, key=encode_key)
    return self.write(encoded, inputs, lengths, key=key, sampling=sampling)
