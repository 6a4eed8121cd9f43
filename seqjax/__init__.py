"""Recurrent sequence models in JAX: pure cells, one `unroll`, thin Flax."""

from seqjax.cells import GRU as GRU
from seqjax.cells import LSTM as LSTM
from seqjax.cells import Cell as Cell
from seqjax.cells import Elman as Elman
from seqjax.cells import Stack as Stack
from seqjax.recurrence import unroll as unroll

__version__ = "0.1.0"
