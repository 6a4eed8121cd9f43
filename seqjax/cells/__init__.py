"""Cells: the mathematics of one time step, pure functions, no Flax."""

from seqjax.cells.base import Cell as Cell
from seqjax.cells.base import FactoredCell as FactoredCell
from seqjax.cells.elman import Elman as Elman
from seqjax.cells.elman import ElmanCarry as ElmanCarry
from seqjax.cells.elman import ElmanParams as ElmanParams
from seqjax.cells.gru import GRU as GRU
from seqjax.cells.gru import GRUCarry as GRUCarry
from seqjax.cells.gru import GRUParams as GRUParams
from seqjax.cells.gru import OriginalGRUParams as OriginalGRUParams
from seqjax.cells.lstm import LSTM as LSTM
from seqjax.cells.lstm import LSTMCarry as LSTMCarry
from seqjax.cells.lstm import LSTMParams as LSTMParams
from seqjax.cells.wrappers import Stack as Stack
