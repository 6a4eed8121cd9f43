"""Thin Flax modules over two cells, one in each direction."""

from collections.abc import Sequence

import jax
from flax import nnx

from seqjax.cells import base
from seqjax.nn.rnn import RNN
from seqjax.recurrence.bidirectional import MERGES, bidirectional


class Bidirectional(nnx.Module):
  """Two cells, one in each direction; see `recurrence.bidirectional`.

  Attributes:
    forward: `RNN` from the first step to the last.
    backward: `RNN` from each row's own last valid step to the first.
    merge: "concat", "sum" or "average" of the two outputs.
    output_size: features of the merged output.
  """

  def __init__(
    self,
    forward: base.Cell,
    backward: base.Cell,
    input_size: int,
    *,
    merge: str = "concat",
    key: jax.Array,
  ):
    base.check_choice("merge", merge, MERGES)
    sizes = forward.output_size, backward.output_size
    if merge != "concat" and sizes[0] != sizes[1]:
      raise ValueError(
        f"merge is {merge!r}, expected 'concat' for outputs of different sizes,"
        f" {sizes[0]} and {sizes[1]}"
      )
    keys = jax.random.split(key)
    self.forward = RNN(forward, input_size, key=keys[0])
    self.backward = RNN(backward, input_size, key=keys[1])
    self.merge = merge
    self.output_size = sum(sizes) if merge == "concat" else sizes[0]

  def initial_carry(self, batch_shape: Sequence[int]) -> tuple:
    return (
      self.forward.initial_carry(batch_shape),
      self.backward.initial_carry(batch_shape),
    )

  def __call__(self, inputs: jax.Array, carry=None, **kwargs):
    """`((forward carry, backward carry), outputs)`, as `bidirectional`."""
    return bidirectional(
      self.forward.cell,
      self.backward.cell,
      (self.forward.params.get_value(), self.backward.params.get_value()),
      inputs,
      initial_carry=carry,
      merge=self.merge,
      **kwargs,
    )
