"""Where the blocks of a Transformer look, as pictures ask for it."""

import jax

from seqjax.nn.layers import Layer
from seqjax.nn.sequential import Sequential
from seqjax.nn.transformer import TransformerBlock


def self_attention(
  layer: Layer, inputs: jax.Array, lengths: jax.Array | None = None
) -> list[jax.Array]:
  """The weights of each block, from the bottom up, without noise.

  Args:
    layer: blocks, and what stands between them.
    inputs: `[batch, time, input_size]`.
    lengths: int `[batch]`; default all steps are valid.

  Returns:
    `[batch, heads, time, time]` each, see `TransformerBlock.looks`; none of
    layers without blocks.
  """
  found = []
  for one in layer.layers if isinstance(layer, Sequential) else [layer]:
    if isinstance(one, TransformerBlock):
      found.append(one.looks(inputs, lengths))
    _, inputs = one(inputs, lengths=lengths)
  return found
