"""Layers of cells, as `models.layers.create` makes them of a config."""

import jax

from seqjax import nn


def layers_of(*cells, dropout=0.0, bidirectional=False):
  """What models are built with: a function of `(input_size, key)`."""

  def make(input_size, key):
    made, size = [], input_size
    for index, cell in enumerate(cells):
      own = jax.random.fold_in(key, index)
      if bidirectional:
        made.append(nn.Bidirectional(cell, cell, size, key=own))
      else:
        made.append(nn.RNN(cell, size, key=own))
      size = made[-1].output_size
    return nn.Sequential(made, input_size, dropout)

  return make
