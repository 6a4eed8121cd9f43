"""A sequence in, one vector of scores or numbers out."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.gradients.norms import hidden_gradient_norms, together
from seqjax.nn.read_out import affine
from seqjax.nn.recurrent import StackedRNN, dropout
from seqjax.recurrence import length_mask, reverse_rows

POOLS = ("last", "mean", "attention")


class ManyToOne(nnx.Module):
  """Recurrent layers, pooled over time, and a linear read-out.

    y_1 .. y_T = rnn(x_1 .. x_T)
    last:       p = y_T, each row's own last valid step; of a backward
                direction the first step, where that one has seen all
    mean:       p = 1/T sum over t of y_t
    attention:  p = sum over t of a_t y_t, a = softmax(v . tanh(y_t U + b))
                (Yang et al. 2016, "Hierarchical attention networks", eq. 5-7)
    output = p W + c

  Attributes:
    vocab_size: number of tokens; 0 if the inputs are vectors.
    embed_size: size of the learned embedding; 0 is one-hot.
    pool: "last", "mean" or "attention".
    dropout: rate on the embedding, between the layers and before the read-out;
      used only where a key is given.
    method: how the recurrence is run, see `unroll`.

  Raises:
    ValueError: `pool` is none of the three.
  """

  def __init__(
    self,
    cells: Sequence[base.Cell],
    output_size: int,
    *,
    input_size: int = 0,
    vocab_size: int = 0,
    embed_size: int = 0,
    pool: str = "last",
    bidirectional: bool = False,
    dropout: float = 0.0,
    compute_dtype: str = "float32",
    method="auto",
    key: jax.Array,
  ):
    base.check_choice("pool", pool, POOLS)
    embed_key, rnn_key, pool_key, head_key = jax.random.split(key, 4)
    self.vocab_size, self.embed_size = vocab_size, embed_size
    self.pool, self.dropout = pool, dropout
    self.compute_dtype, self.method = compute_dtype, method
    if vocab_size and embed_size:
      rngs = nnx.Rngs(embed_key)
      self.embed = nnx.Embed(vocab_size, embed_size, rngs=rngs)
    self.rnn = StackedRNN(
      cells,
      (embed_size or vocab_size) if vocab_size else input_size,
      dropout=dropout,
      bidirectional=bidirectional,
      key=rnn_key,
    )
    size = self.rnn.output_size
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
      inputs: tokens, int `[batch, time]`, or vectors `[batch, time, features]`.
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
    vectors = dropout(self._vectors(inputs), self.dropout, keys[0])
    _, outputs = self.rnn(
      vectors, key=keys[1], lengths=lengths, method=self.method
    )
    pooled, weights = self._pool(outputs, lengths)
    return self._head(dropout(pooled, self.dropout, keys[2])), weights

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
    vectors = self._vectors(inputs)
    if not self.rnn.bidirectional:
      return self.rnn.gradient_norms(
        vectors,
        lambda outputs: jax.vmap(loss)(self._head(outputs)),
        lengths=lengths,
      )
    for layer in self.rnn.layers[:-1]:
      _, vectors = layer(vectors, lengths=lengths, method=self.method)
    top = self.rnn.layers[-1]
    _, outputs = top(vectors, lengths=lengths, method=self.method)
    halves = jnp.split(self._last(outputs, lengths), 2, axis=-1)
    if lengths is None:
      backwards = vectors[:, ::-1]
    else:
      backwards = reverse_rows(vectors, lengths)
    norms = {}
    for index, (name, rnn, inputs) in enumerate(
      (("forward", top.forward, vectors), ("backward", top.backward, backwards))
    ):

      def step_loss(outputs, index=index):
        pair = [jnp.broadcast_to(half, outputs.shape) for half in halves]
        pair[index] = outputs
        return jax.vmap(loss)(self._head(jnp.concatenate(pair, axis=-1)))

      norms[name] = together(
        hidden_gradient_norms(
          rnn.cell, rnn.params.get_value(), inputs, step_loss, lengths=lengths
        )
      )
    return norms

  def _vectors(self, inputs):
    if not self.vocab_size:
      return inputs
    if self.embed_size:
      return self.embed(inputs)
    return jax.nn.one_hot(inputs, self.vocab_size)

  def _pool(self, outputs, lengths):
    if self.pool == "last":
      return self._last(outputs, lengths), None
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

  def _last(self, outputs, lengths):
    """Where each direction has seen the whole row."""
    batch, time, size = outputs.shape
    if lengths is None:
      lengths = jnp.full((batch,), time)
    end = jnp.maximum(lengths - 1, 0)[:, None, None]
    last = jnp.take_along_axis(outputs, end, axis=1)[:, 0]
    if self.rnn.bidirectional:
      half = size // 2
      last = jnp.concatenate([last[:, :half], outputs[:, 0, half:]], axis=1)
    return last

  def _head(self, pooled):
    return affine(self.head, pooled, self.compute_dtype)
