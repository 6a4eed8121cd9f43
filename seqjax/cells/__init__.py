"""Cells: the mathematics of one time step, pure functions, no Flax."""

from seqjax.cells import serialization as serialization
from seqjax.cells.attend import Attending as Attending
from seqjax.cells.attend import AttendingCarry as AttendingCarry
from seqjax.cells.attend import AttendingParams as AttendingParams
from seqjax.cells.attend import Bahdanau as Bahdanau
from seqjax.cells.attend import Conditional as Conditional
from seqjax.cells.attend import InputFeeding as InputFeeding
from seqjax.cells.attention_kinds import Additive as Additive
from seqjax.cells.attention_kinds import Dot as Dot
from seqjax.cells.attention_kinds import General as General
from seqjax.cells.attention_kinds import LocationAware as LocationAware
from seqjax.cells.attention_kinds import Memory as Memory
from seqjax.cells.base import Cell as Cell
from seqjax.cells.base import FactoredCell as FactoredCell
from seqjax.cells.base import Rows as Rows
from seqjax.cells.elman import Elman as Elman
from seqjax.cells.elman import ElmanCarry as ElmanCarry
from seqjax.cells.elman import ElmanParams as ElmanParams
from seqjax.cells.feedback import Autoregressive as Autoregressive
from seqjax.cells.feedback import AutoregressiveCarry as AutoregressiveCarry
from seqjax.cells.feedback import AutoregressiveParams as AutoregressiveParams
from seqjax.cells.feedback import OutputFeedback as OutputFeedback
from seqjax.cells.feedback import OutputFeedbackCarry as OutputFeedbackCarry
from seqjax.cells.feedback import OutputFeedbackParams as OutputFeedbackParams
from seqjax.cells.gru import GRU as GRU
from seqjax.cells.gru import GRUCarry as GRUCarry
from seqjax.cells.gru import GRUParams as GRUParams
from seqjax.cells.gru import OriginalGRUParams as OriginalGRUParams
from seqjax.cells.indrnn import IndRNN as IndRNN
from seqjax.cells.indrnn import IndRNNCarry as IndRNNCarry
from seqjax.cells.indrnn import IndRNNParams as IndRNNParams
from seqjax.cells.layer_norm import LayerNormGRU as LayerNormGRU
from seqjax.cells.layer_norm import LayerNormGRUParams as LayerNormGRUParams
from seqjax.cells.layer_norm import LayerNormLSTM as LayerNormLSTM
from seqjax.cells.layer_norm import LayerNormLSTMParams as LayerNormLSTMParams
from seqjax.cells.linear import LRU as LRU
from seqjax.cells.linear import LinearCarry as LinearCarry
from seqjax.cells.linear import LinearRNN as LinearRNN
from seqjax.cells.linear import LinearRNNParams as LinearRNNParams
from seqjax.cells.linear import LRUCarry as LRUCarry
from seqjax.cells.linear import LRUParams as LRUParams
from seqjax.cells.linear import MinGRU as MinGRU
from seqjax.cells.linear import MinGRUParams as MinGRUParams
from seqjax.cells.linear import MinLSTM as MinLSTM
from seqjax.cells.linear import MinLSTMParams as MinLSTMParams
from seqjax.cells.linear_attention import LinearAttention as LinearAttention
from seqjax.cells.linear_attention import (
  LinearAttentionCarry as LinearAttentionCarry,
)
from seqjax.cells.linear_attention import (
  LinearAttentionParams as LinearAttentionParams,
)
from seqjax.cells.linear_cell import LinearCell as LinearCell
from seqjax.cells.lstm import LSTM as LSTM
from seqjax.cells.lstm import LSTMCarry as LSTMCarry
from seqjax.cells.lstm import LSTMParams as LSTMParams
from seqjax.cells.mgu import MGU as MGU
from seqjax.cells.mgu import MGUCarry as MGUCarry
from seqjax.cells.mgu import MGUParams as MGUParams
from seqjax.cells.multi_head import MultiHead as MultiHead
from seqjax.cells.noise import RecurrentDropout as RecurrentDropout
from seqjax.cells.noise import RecurrentDropoutParams as RecurrentDropoutParams
from seqjax.cells.noise import Zoneout as Zoneout
from seqjax.cells.wrappers import Dropout as Dropout
from seqjax.cells.wrappers import DropoutParams as DropoutParams
from seqjax.cells.wrappers import LearnedCarry as LearnedCarry
from seqjax.cells.wrappers import LearnedCarryParams as LearnedCarryParams
from seqjax.cells.wrappers import Residual as Residual
from seqjax.cells.wrappers import Stack as Stack
from seqjax.cells.wrappers import WeightDrop as WeightDrop
