"""A vector in, a vector out: no sequence, to start from."""

from collections.abc import Sequence

import jax
from flax import nnx

from seqjax.nn.read_out import affine
from seqjax.nn.recurrent import dropout


class OneToOne(nnx.Module):
  """Logistic regression, or a multilayer perceptron.

    h_0 = x,  h_i = tanh(h_(i-1) W_i + b_i),  output = h_n W + c

  Attributes:
    dropout: rate on the hidden layers, used only where a key is given.
  """

  def __init__(
    self,
    input_size: int,
    hidden_sizes: Sequence[int],
    output_size: int,
    *,
    dropout: float = 0.0,
    key: jax.Array,
  ):
    sizes = [input_size, *hidden_sizes, output_size]
    self.dropout = dropout
    self.layers = nnx.List(
      [
        nnx.Linear(a, b, rngs=nnx.Rngs(jax.random.fold_in(key, i)))
        for i, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False))
      ]
    )

  def __call__(self, inputs: jax.Array, *, key: jax.Array | None = None):
    """`[batch, input_size]` to `[batch, output_size]`."""
    hidden = inputs
    for index, layer in enumerate(self.layers[:-1]):
      layer_key = None if key is None else jax.random.fold_in(key, index)
      hidden = dropout(
        jax.numpy.tanh(affine(layer, hidden)), self.dropout, layer_key
      )
    return affine(self.layers[-1], hidden)
