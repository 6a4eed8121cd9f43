"""Weights to and from other frameworks; NumPy arrays, no foreign import.

What is converted are the params of one cell, the NamedTuple that `cell.init`
returns. A layer has it as `layer.params.get_value()` and takes it as
`layer.params = nn.Parameters(params)`; from the nested dicts of a saved run it
is `LSTMParams(**params["rnn"]["layers"][0]["params"])`.
"""

from seqjax.convert import flax as flax
from seqjax.convert import keras as keras
from seqjax.convert import torch as torch
from seqjax.convert import torch_transformer as torch_transformer
