"""Which method is used when none is asked for."""

import dataclasses
from typing import Any

import jax

from seqjax.cells import base
from seqjax.recurrence.associative import Associative
from seqjax.recurrence.scan import Scan, Steps

# A parallel prefix does about twice the work of a loop in log2(T) rounds: it
# pays where the device is wider than the batch, not on a few CPU cores.
PARALLEL_FROM = 64


@dataclasses.dataclass(frozen=True)
class Auto:
  """Chooses by cell, backend and number of steps.

    linear cell, GPU or TPU, 64 steps or more   "associative"
    anything else                               "scan"

  Each layer of a stack is chosen for on its own. "scan" is the fastest on CPU
  (docs/performance.md) and the only one that every transformation of JAX works
  on. "fused", "checkpointed", "newton" and "cudnn" are for who asks for them.
  """

  def check(self, cell: base.Cell) -> None:
    """Every cell has a method."""
    del cell

  def choose(self, cell: base.Cell, backend: str, time: int) -> Any:
    """The method object for `cell` on `backend` over `time` steps."""
    parallel = backend in ("gpu", "tpu") and time >= PARALLEL_FROM
    if parallel and isinstance(cell, base.LinearCell):
      return Associative()
    return Scan()

  def run(
    self, cell: base.Cell, params, carry, fresh_carry, steps: Steps, reverse
  ):
    """See `Scan.run`."""
    method = self.choose(cell, jax.default_backend(), steps.inputs.shape[0])
    return method.run(cell, params, carry, fresh_carry, steps, reverse)
