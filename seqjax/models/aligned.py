"""A label for every step: words with their letters, or vectors, both ways."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.models.many_to_one import ManyToOne
from seqjax.nn.crf import CRF
from seqjax.nn.crf import init as init_crf
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, valid_only
from seqjax.nn.parameters import Parameters
from seqjax.nn.read_out import affine
from seqjax.nn.self_attention import self_attention

READ_OUTS = "softmax", "crf"


class Aligned(nnx.Module):
  """What each step is, seen from both sides if the layers are.

    x_t = [token_t, embed(shape_t), chars(letters of token_t)]
    x_t = relu(x_(t-n) W_(-n) + .. + x_(t+n) W_n + b)    with n neighbours
    y_1 .. y_T = layers(x_1 .. x_T)
    emissions_t = y_t W + b
    crf:      p(tags) = CRF(emissions), see `nn.crf`
    softmax:  p(tags) = product over t of softmax(emissions_t)[tag_t], the CRF
              whose own scores are zero

  A token is an id that is embedded or a vector; shapes and letters are read
  where there are any. With words, shapes and letters, bidirectional LSTMs and
  a CRF it is the tagger of Lample et al. 2016, "Neural architectures for named
  entity recognition", sections 2 and 4. `chars` is a `ManyToOne` over the
  letters: what a word that was never seen looks like; its shape, "Xx" for
  "Jim", says so once more, for where there is little to learn from. With
  neighbours alone, no layers and a softmax it is the network of Qian and
  Sejnowski 1988, "Predicting the secondary structure of globular proteins
  using neural network models", which sees a window; zeros stand for what is
  before the first step and behind the last.

  Attributes:
    neighbours: n, on each side; 0 is no convolution.
    read_out: "softmax" or "crf".
    dropout: rate on x and y, used only where a key is given.

  Raises:
    ValueError: `read_out` is neither.
  """

  def __init__(
    self,
    make: Callable[[int, jax.Array], Layer],
    num_tags: int,
    *,
    input_size: int = 0,
    embed: tuple[int, int] = (0, 0),
    shape_embed: tuple[int, int] = (0, 0),
    char_embed: tuple[int, int] = (0, 0),
    char_make: Callable[[int, jax.Array], Layer] | None = None,
    char_size: int = 0,
    neighbours: int = 0,
    filters: int = 0,
    read_out: str = "crf",
    dropout: float = 0.0,
    compute_dtype: str = "float32",
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      make: the layers.
      num_tags: how many labels.
      input_size: of tokens that are vectors.
      embed: how many tokens and features of each; none where they are vectors.
      shape_embed: of shapes, likewise.
      char_embed: of letters, likewise.
      char_make: the layers over the letters.
      char_size: features of `chars`.
      neighbours: n.
      filters: features of x with neighbours.
      read_out: "softmax" or "crf".
      dropout: see above.
      compute_dtype: of matrix products.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    base.check_choice("read_out", read_out, READ_OUTS)
    key = one_key(key, rngs)
    keys = jax.random.split(key, 5)
    embed_key, shape_key, char_key, rnn_key, head_key = keys
    self.neighbours, self.read_out = neighbours, read_out
    self.dropout, self.compute_dtype = dropout, compute_dtype
    self.embeds_tokens = embed[0] > 0
    size = input_size
    if self.embeds_tokens:
      self.embed = nnx.Embed(*embed, rngs=nnx.Rngs(embed_key))
      size += embed[1]
    if shape_embed[0]:
      self.shape_embed = nnx.Embed(*shape_embed, rngs=nnx.Rngs(shape_key))
      size += shape_embed[1]
    if char_make:
      self.chars = ManyToOne(
        char_make,
        char_size,
        vocab_size=char_embed[0],
        embed_size=char_embed[1],
        compute_dtype=compute_dtype,
        key=char_key,
      )
      size += char_size
    if neighbours:
      rngs = nnx.Rngs(jax.random.fold_in(key, len(keys)))
      self.window = nnx.Linear((2 * neighbours + 1) * size, filters, rngs=rngs)
      size = filters
    self.rnn = make(size, rnn_key)
    self.head = nnx.Linear(
      self.rnn.output_size, num_tags, rngs=nnx.Rngs(head_key)
    )
    if read_out == "crf":
      self.crf = Parameters(init_crf(num_tags))

  def __call__(
    self,
    tokens: jax.Array,
    shapes: jax.Array | None = None,
    letters: jax.Array | None = None,
    letter_counts: jax.Array | None = None,
    *,
    lengths: jax.Array,
    key: jax.Array | None = None,
  ) -> tuple[CRF, jax.Array]:
    """Scores every tag of every token.

    Args:
      tokens: int `[batch, time]`, or vectors `[batch, time, input_size]`.
      shapes: int `[batch, time]`.
      letters: int `[batch, time, letters]`.
      letter_counts: int `[batch, time]`.
      lengths: int `[batch]`.
      key: randomness of dropout; None turns it off.

    Returns:
      `(crf, emissions)`, emissions `[batch, time, num_tags]`.
    """
    keys = (None,) * 3 if key is None else jax.random.split(key, 3)
    vectors = self._vectors(tokens, shapes, letters, letter_counts, lengths)
    _, outputs = self.rnn(
      drop(vectors, self.dropout, keys[0]), key=keys[1], lengths=lengths
    )
    outputs = drop(outputs, self.dropout, keys[2])
    emissions = affine(self.head, outputs, self.compute_dtype)
    if self.read_out == "crf":
      return self.crf.get_value(), emissions
    return init_crf(emissions.shape[-1]), emissions

  def self_attention(
    self, tokens, shapes=None, letters=None, letter_counts=None, *, lengths
  ):
    """Where each step looks, see `nn.self_attention`; arguments of the call."""
    vectors = self._vectors(tokens, shapes, letters, letter_counts, lengths)
    return self_attention(self.rnn, vectors, lengths)

  def _vectors(self, tokens, shapes, letters, letter_counts, lengths):
    """What the layers read, `[batch, time, features]`."""
    parts = [self.embed(tokens) if self.embeds_tokens else tokens]
    if shapes is not None:
      parts.append(self.shape_embed(shapes))
    if letters is not None:
      parts.append(self._spell(letters, letter_counts))
    vectors = jnp.concatenate(parts, axis=-1)
    if not self.neighbours:
      return vectors
    seen = around(valid_only(vectors, lengths), self.neighbours)
    return jax.nn.relu(affine(self.window, seen, self.compute_dtype))

  def _spell(self, letters, counts) -> jax.Array:
    """What words look like, `[batch, time, char_size]`."""
    batch, time, width = letters.shape
    spelled = self.chars(letters.reshape(-1, width), lengths=counts.reshape(-1))
    return spelled.reshape(batch, time, -1)


def around(x: jax.Array, neighbours: int) -> jax.Array:
  """Each step with its neighbours: `[batch, time, (2 n + 1) features]`.

  Args:
    x: `[batch, time, features]`; zeros stand for what is outside.
    neighbours: n, on each side.
  """
  time = x.shape[1]
  wide = jnp.pad(x, ((0, 0), (neighbours, neighbours), (0, 0)))
  shifts = range(2 * neighbours + 1)
  return jnp.concatenate([wide[:, s : s + time] for s in shifts], axis=-1)
