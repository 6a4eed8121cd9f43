"""Recurrent sequence models in JAX: pure cells, one `unroll`, thin Flax.

Cells and `unroll` are here at once. What is made of them comes when it is first
asked for, so that who wants cells alone does not wait for Flax: the rooms `nn`,
`gradients` and `convert`, and `load` and `fit` of `seqjax.runs`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from seqjax.cells import GRU as GRU
from seqjax.cells import LRU as LRU
from seqjax.cells import LSTM as LSTM
from seqjax.cells import MGU as MGU
from seqjax.cells import Autoregressive as Autoregressive
from seqjax.cells import Cell as Cell
from seqjax.cells import Dropout as Dropout
from seqjax.cells import Elman as Elman
from seqjax.cells import IndRNN as IndRNN
from seqjax.cells import LayerNormGRU as LayerNormGRU
from seqjax.cells import LayerNormLSTM as LayerNormLSTM
from seqjax.cells import LearnedCarry as LearnedCarry
from seqjax.cells import LinearAttention as LinearAttention
from seqjax.cells import LinearRNN as LinearRNN
from seqjax.cells import MinGRU as MinGRU
from seqjax.cells import MinLSTM as MinLSTM
from seqjax.cells import OutputFeedback as OutputFeedback
from seqjax.cells import RecurrentDropout as RecurrentDropout
from seqjax.cells import Residual as Residual
from seqjax.cells import Stack as Stack
from seqjax.cells import WeightDrop as WeightDrop
from seqjax.cells import Zoneout as Zoneout
from seqjax.recurrence import bidirectional as bidirectional
from seqjax.recurrence import truncated_unroll as truncated_unroll
from seqjax.recurrence import unroll as unroll

if TYPE_CHECKING:
  from seqjax import convert as convert
  from seqjax import gradients as gradients
  from seqjax import nn as nn
  from seqjax.runs import fit as fit
  from seqjax.runs import load as load

__version__ = "0.1.0"

_ROOMS = "convert", "gradients", "nn"
_RUNS = "fit", "load"


def __getattr__(name: str) -> Any:
  if name in _ROOMS:
    return importlib.import_module(f"seqjax.{name}")
  if name in _RUNS:
    return getattr(importlib.import_module("seqjax.runs"), name)
  raise AttributeError(f"module 'seqjax' has no attribute {name!r}")


def __dir__() -> list[str]:
  return sorted({*globals(), *_ROOMS, *_RUNS})
