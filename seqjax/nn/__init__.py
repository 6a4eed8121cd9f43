"""Flax NNX modules on top of cells: parameter containers, explicit keys.

For a user's own loop, or under `functionalize` for plain JAX; see docs/flax.md.
"""

from seqjax.nn.attending import AttendingRNN as AttendingRNN
from seqjax.nn.bidirectional import Bidirectional as Bidirectional
from seqjax.nn.cross_entropy import cross_entropy as cross_entropy
from seqjax.nn.dropout import drop_tokens as drop_tokens
from seqjax.nn.dropout import dropout as dropout
from seqjax.nn.feed_forward import FeedForward as FeedForward
from seqjax.nn.functional import functionalize as functionalize
from seqjax.nn.layer_norm import LayerNorm as LayerNorm
from seqjax.nn.layers import RNN as RNN
from seqjax.nn.layers import Layer as Layer
from seqjax.nn.luong import LuongAttention as LuongAttention
from seqjax.nn.parameters import Parameters as Parameters
from seqjax.nn.positional import PositionalInput as PositionalInput
from seqjax.nn.read_out import affine as affine
from seqjax.nn.read_out import tied_logits as tied_logits
from seqjax.nn.sequential import Sequential as Sequential
from seqjax.nn.transformer import Transformer as Transformer
from seqjax.nn.transformer import TransformerBlock as TransformerBlock
from seqjax.nn.trees import count_params as count_params
