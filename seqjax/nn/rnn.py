"""A cell as a Flax module."""

from collections.abc import Sequence

import jax
from flax import nnx

from seqjax.cells import base
from seqjax.nn.embedding import look_up
from seqjax.recurrence.unroll import unroll


class RNN(nnx.Module):
  """A cell and its parameters, run over time by `unroll`.

  Attributes:
    cell: the cell (static).
    params: `nnx.Param` that holds the cell's whole NamedTuple.
    output_size: features of the output.
  """

  def __init__(self, cell: base.Cell, input_size: int, *, key: jax.Array):
    self.cell = cell
    self.params = nnx.Param(cell.init(key, input_size))
    self.output_size = cell.output_size

  def initial_carry(self, batch_shape: Sequence[int]):
    """The cell's own initial carry, arrays `[*batch, size]`."""
    return self.cell.initial_carry(self.params.get_value(), batch_shape)

  def __call__(
    self, inputs: jax.Array, carry=None, *, embedding=None, **kwargs
  ):
    """`(carry, outputs)`; `kwargs` are those of `unroll`.

    With an `embedding` `[V, input_size]` the inputs are tokens, int `[batch,
    time]`, that are looked up in it, see `look_up`.
    """
    params = self.params.get_value()
    if embedding is not None:
      params, inputs = look_up(self.cell, params, embedding, inputs)
    return unroll(self.cell, params, inputs, initial_carry=carry, **kwargs)

  def step(self, carry, inputs: jax.Array):
    """One step, for streaming: `(carry, output)`."""
    return self.cell.step(self.params.get_value(), carry, inputs)
