"""A cell that attends as a layer: it remembers a memory, then runs."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.cells.attend import Attending
from seqjax.nn.layers import RNN
from seqjax.nn.parameters import Parameters


class AttendingRNN(RNN[Any, Any]):
  """`RNN` of a cell that attends: a decoder.

    layer = decoder.attend(decoder.remember(memory, lengths))
    carry, outputs = layer(inputs, carry)

  Arguments, attributes and errors are those of `RNN`; the params of what
  `attend` returns hold `base.Rows`.
  """

  cell: Attending

  def remember(self, memory, lengths=None):
    if lengths is None:
      lengths = jnp.full(memory.shape[:-2], memory.shape[-2])
    params = self.cell.attend(self.params.get_value(), memory, lengths)
    return base.map_params(params, weights=lambda _: None)

  def attend(self, remembered):
    params = jax.tree.map(
      lambda rows, weight: weight if rows is None else rows,
      remembered,
      self.params.get_value(),
      is_leaf=lambda node: node is None or isinstance(node, base.Rows),
    )
    attending = nnx.clone(self)
    attending.params = Parameters(params)
    return attending
