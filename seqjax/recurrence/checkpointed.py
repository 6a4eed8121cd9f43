"""Back-propagation through time in O(sqrt(T)) memory."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells import base
from seqjax.recurrence.fused import Fused
from seqjax.recurrence.scan import Scan, Steps


@dataclasses.dataclass(frozen=True)
class Checkpointed:
  """Keeps the carry at the segments' edges only, computes the rest again.

  The sequence is cut into segments. The forward pass stores one carry for each;
  the backward pass runs a segment again to get its intermediate values (Chen et
  al. 2016, "Training deep nets with sublinear memory cost"; for recurrent
  networks Gruslys et al. 2016). With segments of sqrt(T) steps the memory is
  O(sqrt(T)), the time about one more forward pass.

  Agreement with "scan": relative error below 1e-5 in float32
  (tests/recurrence/unroll_test.py).

  Attributes:
    segment: steps of a segment; 0 is ceil(sqrt(T)), or 64 where T is symbolic,
      as in an export.
    inner: how a segment is run, a method object; default `Fused()` for a cell
      that factors, which needs less memory and time, else `Scan()`.
  """

  segment: int = 0
  inner: Any = None

  def __post_init__(self):
    if not base.is_integer(self.segment) or self.segment < 0:
      raise ValueError(
        f"segment is {self.segment}, expected 0 (automatic) or more"
      )

  def check(self, cell: base.Cell) -> None:
    """Raises ValueError if the inner method cannot run the cell."""
    self._inner(cell).check(cell)

  def _inner(self, cell: base.Cell) -> Any:
    if self.inner is None:
      return Fused() if cell.factored else Scan()
    return self.inner

  def run(
    self, cell: base.Cell, params, carry, fresh_carry, steps: Steps, reverse
  ):
    """See `Scan.run`."""
    time, *batch = steps.inputs.shape[:-1]
    if isinstance(time, int):
      root = math.isqrt(max(time - 1, 0)) + 1  # the square root, rounded up
      segment = min(self.segment or root, max(time, 1))
    else:
      segment = self.segment or 64
    count = -(-time // segment)
    padding = count * segment - time
    if not isinstance(padding, int) or padding:
      # Steps that leave the carry as it is, behind the last one.
      if steps.valid is None:
        steps = steps._replace(valid=jnp.ones((time, *batch), bool))
      steps = jax.tree.map(lambda x: _pad(x, padding), steps)
    segments = jax.tree.map(
      lambda x: x.reshape(count, segment, *x.shape[1:]), steps
    )

    inner = self._inner(cell)

    @jax.checkpoint
    def body(carry, steps):
      return inner.run(cell, params, carry, fresh_carry, steps, reverse)

    carry, outputs = lax.scan(body, carry, segments, reverse=reverse)
    outputs = outputs.reshape(count * segment, *outputs.shape[2:])
    return carry, outputs[:time]


def _pad(x: jax.Array, padding: int) -> jax.Array:
  if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
    return jnp.concatenate([x, jnp.broadcast_to(x[-1:], (padding,))])
  return jnp.pad(x, [(0, padding)] + [(0, 0)] * (x.ndim - 1))
