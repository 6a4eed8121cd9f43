"""Flax NNX modules on top of cells: parameter containers, explicit keys."""

from seqjax.nn.bidirectional import Bidirectional as Bidirectional
from seqjax.nn.functional import count_params as count_params
from seqjax.nn.functional import functionalize as functionalize
from seqjax.nn.read_out import affine as affine
from seqjax.nn.read_out import tied_logits as tied_logits
from seqjax.nn.recurrent import StackedRNN as StackedRNN
from seqjax.nn.recurrent import dropout as dropout
from seqjax.nn.rnn import RNN as RNN
