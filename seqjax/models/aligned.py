"""A tag for every token: words and their letters, both ways, and a CRF."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.models.many_to_one import ManyToOne
from seqjax.nn.crf import CRF
from seqjax.nn.crf import init as init_crf
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer
from seqjax.nn.parameters import Parameters
from seqjax.nn.read_out import affine


class Tagger(nnx.Module):
  """BiLSTM-CRF with character LSTM (Lample et al. 2016, sections 2 and 4).

    x_t = [embed(word_t), embed(shape_t), chars(letters of word_t)]
    y_1 .. y_T = layers(x_1 .. x_T), in the paper in both directions
    emissions_t = y_t W + b
    p(tags) = CRF(emissions), see `nn.crf`

  Lample et al., "Neural architectures for named entity recognition". `chars`
  is a `ManyToOne` over the letters: what a word that was never seen looks like;
  its shape, "Xx" for "Jim", says so once more, for where there is little to
  learn from.

  Attributes:
    char_size: features of `chars`.
    dropout: rate on x and y, used only where a key is given.
  """

  def __init__(
    self,
    make: Callable[[int, jax.Array], Layer],
    char_make: Callable[[int, jax.Array], Layer],
    num_tags: int,
    *,
    num_words: int,
    num_shapes: int,
    num_chars: int,
    embed_size: int,
    shape_embed_size: int,
    char_embed_size: int,
    char_size: int,
    dropout: float,
    compute_dtype: str,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    keys = jax.random.split(one_key(key, rngs), 5)
    embed_key, shape_key, char_key, rnn_key, head_key = keys
    self.dropout, self.compute_dtype = dropout, compute_dtype
    self.embed = nnx.Embed(num_words, embed_size, rngs=nnx.Rngs(embed_key))
    self.shape_embed = nnx.Embed(
      num_shapes, shape_embed_size, rngs=nnx.Rngs(shape_key)
    )
    self.chars = ManyToOne(
      char_make,
      char_size,
      vocab_size=num_chars,
      embed_size=char_embed_size,
      compute_dtype=compute_dtype,
      key=char_key,
    )
    self.rnn = make(embed_size + shape_embed_size + char_size, rnn_key)
    self.head = nnx.Linear(
      self.rnn.output_size, num_tags, rngs=nnx.Rngs(head_key)
    )
    self.crf = Parameters(init_crf(num_tags))

  def __call__(
    self,
    words: jax.Array,
    shapes: jax.Array,
    letters: jax.Array,
    letter_counts: jax.Array,
    *,
    lengths: jax.Array,
    key: jax.Array | None = None,
  ) -> tuple[CRF, jax.Array]:
    """Scores every tag of every token.

    Args:
      words: int `[batch, time]`.
      shapes: int `[batch, time]`.
      letters: int `[batch, time, letters]`.
      letter_counts: int `[batch, time]`.
      lengths: int `[batch]`.
      key: randomness of dropout; None turns it off.

    Returns:
      `(crf, emissions)`, emissions `[batch, time, num_tags]`.
    """
    keys = (None,) * 3 if key is None else jax.random.split(key, 3)
    batch, time, width = letters.shape
    spelled = self.chars(
      letters.reshape(-1, width), lengths=letter_counts.reshape(-1)
    )
    vectors = jnp.concatenate(
      [
        self.embed(words),
        self.shape_embed(shapes),
        spelled.reshape(batch, time, -1),
      ],
      axis=-1,
    )
    _, outputs = self.rnn(
      drop(vectors, self.dropout, keys[0]), key=keys[1], lengths=lengths
    )
    outputs = drop(outputs, self.dropout, keys[2])
    return self.crf.get_value(), affine(self.head, outputs, self.compute_dtype)
