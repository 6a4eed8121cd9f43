"""A recurrent language model: tokens in, a score for every next token out."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, check_causal
from seqjax.nn.read_out import affine, tied_logits


class LanguageModel(nnx.Module):
  """Embedding, causal layers, linear read-out.

    x_t = embed(token_t)                       (or one-hot, `embed_size=0`)
    (carry_t, y_t) = layers(carry_(t-1), x_t)
    logits_t = y_t W + b
    p(token_(t+1) | token_0, ..., token_t) = softmax(logits_t)

  With `tie_embeddings` W is the transpose of the embedding, see `tied_logits`.

  Attributes:
    vocab_size: V.
    embed_size: size of the learned embedding; 0 is one-hot.
    dropout: rate before the read-out, used only where a key is given.
    tie_embeddings: whether the read-out shares the embedding's weights.

  Raises:
    ValueError: the layers are not causal; tied, but the last one is not as wide
      as the embedding.
  """

  def __init__(
    self,
    vocab_size: int,
    make: Callable[[int, jax.Array], Layer],
    *,
    embed_size: int,
    dropout: float,
    compute_dtype: str,
    tie_embeddings: bool = False,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    keys = jax.random.split(one_key(key, rngs), 3)
    embed_key, rnn_key, head_key = keys
    self.vocab_size = vocab_size
    self.embed_size = embed_size
    self.dropout = dropout
    self.compute_dtype = compute_dtype
    if embed_size:
      self.embed = nnx.Embed(vocab_size, embed_size, rngs=nnx.Rngs(embed_key))
    self.rnn = make(embed_size or vocab_size, rnn_key)
    check_causal(self.rnn)
    self.tie_embeddings = tie_embeddings
    if not tie_embeddings:
      self.head = nnx.Linear(
        self.rnn.output_size, vocab_size, rngs=nnx.Rngs(head_key)
      )
    elif self.rnn.output_size != embed_size:
      raise ValueError(
        f"embed_size is {embed_size}, expected {self.rnn.output_size}, the last"
        " layer's output_size, to tie the embeddings"
      )
    else:
      self.bias = nnx.Param(jnp.zeros((vocab_size,)))

  def initial_carry(self, batch_size: int):
    """The carry before the first token."""
    return self.rnn.initial_carry((batch_size,))

  def __call__(
    self,
    tokens: jax.Array,
    carry=None,
    *,
    key: jax.Array | None = None,
    **kwargs,
  ):
    """Scores the next token at every position.

    Args:
      tokens: int `[batch, time]`.
      carry: where the sequences start from; default the initial carry.
      key: randomness of dropout; None turns it off.
      **kwargs: `lengths`, `resets` as for `unroll`.

    Returns:
      `(carry, logits)`, logits `[batch, time, vocab_size]`.
    """
    rnn_key = head_key = None
    if key is not None:
      rnn_key, head_key = jax.random.split(key)
    if self.embed_size and self.rnn.reads_tokens:
      kwargs["embedding"] = self.embed.embedding.get_value()
    else:
      tokens = self._embed(tokens)
    carry, outputs = self.rnn(tokens, carry, key=rnn_key, **kwargs)
    return carry, self._read(drop(outputs, self.dropout, head_key))

  def gradient_norms(self, tokens, targets, carry, lengths=None):
    """|dL/dcarry_t| of every layer, L the loss of each row's last token.

    Arguments as for the call, `targets` like `tokens`. Returns
    `{"layer 0": [batch, time], ...}`, all leaves of a layer's carry together.
    """

    def step_loss(outputs):
      return optax.softmax_cross_entropy_with_integer_labels(
        self._read(outputs), targets.T
      )

    return self.rnn.gradient_norms(
      self._embed(tokens), step_loss, carry=carry, lengths=lengths
    )

  def step(self, carry, tokens: jax.Array):
    """One token a row, `[batch]`: `(carry, logits [batch, vocab_size])`."""
    carry, output = self.rnn.step(carry, self._embed(tokens))
    return carry, self._read(output)

  def _embed(self, tokens: jax.Array) -> jax.Array:
    if self.embed_size:
      return self.embed(tokens)
    return jax.nn.one_hot(tokens, self.vocab_size)

  def _read(self, outputs: jax.Array) -> jax.Array:
    if self.tie_embeddings:
      return tied_logits(
        outputs,
        self.embed.embedding.get_value(),
        self.bias.get_value(),
        self.compute_dtype,
      )
    return affine(self.head, outputs, self.compute_dtype)
