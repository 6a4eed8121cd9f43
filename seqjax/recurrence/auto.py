"""Which method is used when none is asked for."""

import dataclasses
from typing import Any

import jax

from seqjax.cells import base
from seqjax.cells.linear_attention import LinearAttention
from seqjax.cells.linear_cell import LinearCell
from seqjax.recurrence.associative import Associative
from seqjax.recurrence.fused import Fused
from seqjax.recurrence.quadratic import Quadratic
from seqjax.recurrence.scan import Scan, Steps

# A parallel prefix does about twice the work of a loop in log2(T) rounds: it
# pays where the device is wider than the batch, not on a few CPU cores.
PARALLEL_FROM = 64


@dataclasses.dataclass(frozen=True)
class Auto:
  """Chooses by cell, backend and number of steps.

    linear attention                            "quadratic"
    linear cell, GPU or TPU, 64 steps or more   "associative"
    factored cell, GPU                          "fused"
    factored cell, rows split over CPU devices  "fused"
    anything else                               "scan"

  Each layer of a stack is chosen for on its own. "scan" is the only one that
  every transformation of JAX works on (`jax.jvp`, second derivatives), on one
  CPU device as fast as any; on a GPU "fused" takes half its time
  (docs/performance.md). Split rows: see `rows.splits`. Linear attention has a
  matrix for each head: there a loop moves more than it computes. The others
  are for who asks for them.
  """

  def check(self, cell: base.Cell) -> None:
    """Every cell has a method."""
    del cell

  def choose(
    self, cell: base.Cell, backend: str, time: int, split: bool = False
  ) -> Any:
    """The method object for `cell` on `backend` over `time` steps."""
    if isinstance(cell, LinearAttention):
      return Quadratic()
    # In an export the number of steps may be symbolic.
    long = isinstance(time, int) and time >= PARALLEL_FROM
    parallel = backend in ("gpu", "tpu") and long
    if parallel and isinstance(cell, LinearCell):
      return Associative()
    if cell.factored and (backend == "gpu" or (backend == "cpu" and split)):
      return Fused()
    return Scan()

  def run(
    self, cell: base.Cell, params, carry, fresh_carry, steps: Steps, reverse
  ):
    """See `Scan.run`."""
    time, backend = steps.inputs.shape[0], jax.default_backend()
    split = bool(jax.sharding.get_abstract_mesh().manual_axes)
    method = self.choose(cell, backend, time, split)
    return method.run(cell, params, carry, fresh_carry, steps, reverse)
