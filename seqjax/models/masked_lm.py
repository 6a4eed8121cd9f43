"""What stands at some places of a sentence, seen from both sides."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from seqjax.nn.keys import one_key
from seqjax.nn.layer_norm import LayerNorm
from seqjax.nn.layers import Layer
from seqjax.nn.read_out import affine, many_logits


class MaskedLanguageModel(nnx.Module):
  """Embedding, layers, and the embedding again as a read-out.

    x_t = E[token_t]
    y_1 .. y_T = layers(x_1 .. x_T)
    z_k = norm(gelu(y_(place_k) U + d))
    logits_k = z_k E[words]^T + b

  Devlin, Chang, Lee, Toutanova 2019, "BERT: pre-training of deep bidirectional
  transformers for language understanding", section 3.1 and, for z, their code.
  Only the places that are asked for are read out, of the words alone: no
  special symbol can be said. `ManyToOne` has the embedding and the layers
  under the same names.

  Attributes:
    vocab_size: V, ids that a text has; the first words are special ones.
    mask: the id that stands for a masked word, V; E has V + 1 rows.
    first_word: the first id that is a word.
  """

  def __init__(
    self,
    make: Callable[[int, jax.Array], Layer],
    vocab_size: int,
    first_word: int,
    *,
    embed_size: int,
    compute_dtype: str = "float32",
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    keys = jax.random.split(one_key(key, rngs), 3)
    embed_key, rnn_key, transform_key = keys
    self.vocab_size, self.mask, self.first_word = (
      vocab_size,
      vocab_size,
      first_word,
    )
    self.compute_dtype = compute_dtype
    rngs = nnx.Rngs(embed_key)
    self.embed = nnx.Embed(vocab_size + 1, embed_size, rngs=rngs)
    self.rnn = make(embed_size, rnn_key)
    rngs = nnx.Rngs(transform_key)
    self.transform = nnx.Linear(self.rnn.output_size, embed_size, rngs=rngs)
    self.norm = LayerNorm(embed_size)
    self.bias = nnx.Param(jnp.zeros((vocab_size - first_word,)))

  def __call__(
    self,
    tokens: jax.Array,
    places: jax.Array,
    *,
    lengths: jax.Array | None = None,
    key: jax.Array | None = None,
  ) -> jax.Array:
    """Scores every word at some places.

    Args:
      tokens: int `[batch, time]`.
      places: int `[batch, places]`, each below `time`.
      lengths: int `[batch]`; default all full.
      key: randomness of dropout; None turns it off.

    Returns:
      logits `[batch, places, vocab_size - first_word]`.
    """
    _, outputs = self.rnn(self.embed(tokens), key=key, lengths=lengths)
    there = jnp.take_along_axis(outputs, places[..., None], axis=1)
    hidden = affine(self.transform, there, self.compute_dtype)
    _, hidden = self.norm(jax.nn.gelu(hidden, approximate=False))
    table = self.embed.embedding.get_value()[self.first_word : self.mask]
    return many_logits(hidden, table, self.bias.get_value())


class Masked(NamedTuple):
  """A sentence as it is read, and what is asked of it."""

  tokens: jax.Array  # int [time]
  places: jax.Array  # int [most]
  chosen: jax.Array  # bool [most]; other places are not asked for
  words: jax.Array  # int [most], the ids that stood there


def mask_words(
  key: jax.Array,
  tokens: jax.Array,
  *,
  rate: float,
  mask_share: float,
  random_share: float,
  first_word: int,
  vocab_size: int,
  width: int,
) -> Masked:
  """Chooses places of a sentence, and hides what stands there.

  Of n words max(1, floor(rate n + u)) are chosen, u uniform in [0, 1): `rate`
  of them on average, but of a short sentence at least one, of one without words
  none. Of these, `mask_share` read as the mask, `random_share` as a word drawn
  at random, the rest as they are (Devlin et al. 2019, section 3.1: .15, .8,
  .1). Special ids and padding are never chosen, and never drawn.

  The choice is the same however much the sentence is padded.

  Args:
    key: of the draws.
    tokens: int `[time]`.
    rate: share of the words, in (0, 1).
    mask_share: of the chosen.
    random_share: likewise.
    first_word: ids below it are special ones, padding too.
    vocab_size: the mask is this id, the words are those before it.
    width: of the draws, at least `time`.
  """
  time = len(tokens)
  place_key, count_key, kind_key, word_key = jax.random.split(key, 4)
  draw = lambda key: jax.random.uniform(key, (width,))[:time]
  ordinary = tokens >= first_word
  n = ordinary.sum()
  count = jnp.floor(rate * n.astype("float32") + jax.random.uniform(count_key))
  count = jnp.minimum(jnp.maximum(count.astype("int32"), 1), n)
  most = max(1, math.floor(rate * time) + 1)
  scores = jnp.where(ordinary, draw(place_key), -1.0)
  places = lax.top_k(scores, most)[1]
  chosen = jnp.arange(most) < count
  words, kind = tokens[places], draw(kind_key)[places]
  others = jax.random.randint(word_key, (width,), first_word, vocab_size)
  read = jnp.where(kind < mask_share + random_share, others[places], words)
  read = jnp.where(kind < mask_share, vocab_size, read).astype(tokens.dtype)
  read = jnp.where(chosen, read, words)
  return Masked(tokens.at[places].set(read), places, chosen, words)
