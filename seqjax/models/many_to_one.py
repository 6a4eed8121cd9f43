"""A sequence in, one vector of scores or numbers out."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer
from seqjax.nn.read_out import affine
from seqjax.nn.self_attention import self_attention
from seqjax.recurrence import length_mask

POOLS = ("last", "mean", "attention", "class_token")


class ManyToOne(nnx.Module):
  """Layers, pooled over time, and a linear read-out.

    y_1 .. y_T = layers(x_1 .. x_T)
    last:       p = y_T, each row's own last valid step; of a backward
                direction the first step, where that one has seen all
    mean:       p = 1/T sum over t of y_t
    attention:  p = sum over t of a_t y_t, a = softmax(v . tanh(y_t U + b))
                (Yang et al. 2016, "Hierarchical attention networks", eq. 5-7)
    class_token: p = y_0, of a learned x_0 put in front; layers that see what
                comes behind alone (Devlin et al. 2019; Dosovitskiy et al. 2021,
                "An image is worth 16x16 words", equations 1 and 4)
    output = p W + c

  Where there is no time, the rows of a table, a row is a sequence of one step.

  Attributes:
    vocab_size: number of tokens; 0 if the inputs are vectors.
    embed_size: size of the learned embedding; 0 is one-hot.
    pool: "last", "mean", "attention" or "class_token".
    dropout: rate before the read-out, used only where a key is given.
    input_dropout: rate on what the first layer reads, likewise.
    input_noise: standard deviation of noise on it, likewise (Bishop 1995,
      "Training with noise is equivalent to Tikhonov regularization").

  Raises:
    ValueError: `pool` is none of these, or a class token would see nothing.
  """

  def __init__(
    self,
    make: Callable[[int, jax.Array], Layer],
    output_size: int,
    *,
    input_size: int = 0,
    vocab_size: int = 0,
    embed_size: int = 0,
    pool: str = "last",
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    input_noise: float = 0.0,
    stem: Callable[[jax.Array], Any] | None = None,
    compute_dtype: str = "float32",
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      make: the layers, from the size of their input and a key.
      output_size: numbers or scores.
      input_size: of vectors.
      vocab_size: see the attributes, as for what follows.
      embed_size: likewise.
      pool: likewise.
      dropout: likewise.
      input_dropout: likewise.
      input_noise: likewise.
      stem: from a key, what turns vectors into those of `output_size` that the
        layers read; default they read them as they are.
      compute_dtype: of the matrix products.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    base.check_choice("pool", pool, POOLS)
    keys = jax.random.split(one_key(key, rngs), 4)
    embed_key, rnn_key, pool_key, head_key = keys
    self.vocab_size, self.embed_size = vocab_size, embed_size
    self.pool, self.compute_dtype = pool, compute_dtype
    self.dropout, self.input_dropout = dropout, input_dropout
    self.input_noise = input_noise
    if vocab_size and embed_size:
      rngs = nnx.Rngs(embed_key)
      self.embed = nnx.Embed(vocab_size, embed_size, rngs=rngs)
    self.stem = stem(jax.random.fold_in(embed_key, 1)) if stem else None
    if vocab_size:
      read_size = embed_size or vocab_size
    else:
      read_size = self.stem.output_size if self.stem else input_size
    self.rnn = make(read_size, rnn_key)
    size = self.rnn.output_size
    if pool == "class_token":
      if self.rnn.causal:
        raise ValueError(
          "pool is 'class_token', which stands in front of all that causal"
          " layers would tell it; expected layers that see ahead, such as"
          " transformer_encoder"
        )
      drawn = 0.02 * jax.random.normal(pool_key, (read_size,))
      self.class_token = nnx.Param(drawn)
    if pool == "attention":
      rngs = nnx.Rngs(pool_key)
      self.attend = nnx.Linear(size, size, rngs=rngs)
      self.query = nnx.Param(jax.random.normal(pool_key, (size,)) / size**0.5)
    self.head = nnx.Linear(size, output_size, rngs=nnx.Rngs(head_key))

  def __call__(
    self,
    inputs: jax.Array,
    *,
    lengths: jax.Array | None = None,
    key: jax.Array | None = None,
  ) -> jax.Array:
    """Reads whole sequences.

    Args:
      inputs: tokens, int `[batch, time]`, or vectors `[batch, time, features]`;
        of these bytes are read as -1 to 1.
      lengths: int `[batch]`; default all full.
      key: randomness of dropout; None turns it off.

    Returns:
      `[batch, output_size]`. A row of length 0 gives what zeros give.
    """
    return self.read(inputs, lengths=lengths, key=key)[0]

  def read(self, inputs, *, lengths=None, key=None):
    """As the call: `(output, attention)`, the weights a_t `[batch, time]`.

    They are None unless `pool` is "attention".
    """
    keys = (None,) * 3 if key is None else jax.random.split(key, 3)
    input_key = keys[0]
    vectors = drop(self._vectors(inputs), self.input_dropout, input_key)
    if input_key is not None and self.input_noise:
      noise_key = jax.random.fold_in(input_key, 1)
      noise = jax.random.normal(noise_key, vectors.shape, vectors.dtype)
      vectors = vectors + self.input_noise * noise
    vectors, lengths = self._behind_token(vectors, lengths)
    _, outputs = self.rnn(vectors, key=keys[1], lengths=lengths)
    pooled, weights = self._pool(outputs, lengths)
    return self._head(drop(pooled, self.dropout, keys[2])), weights

  def gradient_norms(self, inputs, loss, lengths=None):
    """|dL/dcarry_t| of every layer, as if the last step alone were read.

    What the layers themselves remember: with a mean or attention over time
    every step would be next to the loss. Of a bidirectional model the top layer
    is looked at, one direction with the other held constant; its backward
    direction has its last step where the sequence begins.

    Args:
      inputs: as for the call.
      loss: L `[batch]` from outputs `[batch, output_size]`.
      lengths: as for the call.

    Returns:
      `{"layer 0": [batch, time], ...}`, or `{"forward": ..., "backward": ...}`,
      all leaves of a carry together, each in the order in which it is run.
    """
    return self.rnn.gradient_norms(
      self._vectors(inputs),
      lambda outputs: jax.vmap(loss)(self._head(outputs)),
      lengths=lengths,
    )

  def self_attention(self, inputs, *, lengths=None):
    """Where each step looks, see `nn.self_attention`; a class token is first.

    Args:
      inputs: as for the call.
      lengths: as for the call.
    """
    vectors = self._behind_token(self._vectors(inputs), lengths)
    return self_attention(self.rnn, *vectors)

  def _behind_token(self, vectors, lengths):
    """`(vectors, lengths)`, with a class token in front if there is one."""
    if self.pool != "class_token":
      return vectors, lengths
    token = self.class_token.get_value().astype(vectors.dtype)
    first = jnp.broadcast_to(token, (len(vectors), 1, len(token)))
    vectors = jnp.concatenate([first, vectors], axis=1)
    return vectors, None if lengths is None else lengths + 1

  def _vectors(self, inputs):
    if self.stem:
      return self.stem(inputs)
    if not self.vocab_size:
      if inputs.dtype == jnp.uint8:
        return inputs.astype(jnp.float32) / 127.5 - 1.0
      return inputs
    if self.embed_size:
      return self.embed(inputs)
    return jax.nn.one_hot(inputs, self.vocab_size)

  def _pool(self, outputs, lengths):
    if self.pool == "class_token":
      return outputs[:, 0], None
    if self.pool == "last":
      return self.rnn.last(outputs, lengths), None
    batch, time, _ = outputs.shape
    if lengths is None:
      lengths = jnp.full((batch,), time)
    if self.pool == "mean":
      # Outputs past the end are zero.
      count = jnp.maximum(lengths, 1).astype(outputs.dtype)
      return outputs.sum(axis=1) / count[:, None], None
    hidden = affine(self.attend, outputs, self.compute_dtype)
    scores = jnp.tanh(hidden) @ self.query.get_value()
    mask = length_mask(lengths, time)
    weights = jax.nn.softmax(scores, axis=1, where=mask)
    return jnp.einsum("bt,bth->bh", weights, outputs), weights

  def _head(self, pooled):
    return affine(self.head, pooled, self.compute_dtype)
