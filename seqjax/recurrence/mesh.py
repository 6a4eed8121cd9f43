"""A batch that is split over the devices of a mesh."""

from typing import Any

import jax
from jax.sharding import PartitionSpec as P

from seqjax.cells import base
from seqjax.recurrence.scan import Steps

# The axis of the mesh over which batches are split, see `train.state`.
DATA = "data"


def splits(cell: base.Cell, params, carry, steps: Steps) -> bool:
  """Whether every device is to run its own rows from first to last step.

  Under a mesh with an axis "data" (`jax.set_mesh`) whose devices can share the
  rows evenly. Left alone, XLA would add up the gradient of the weights over all
  devices at every step of the loop. Not with noise: drawn for all rows at once
  it is the same on any number of devices.
  """
  mesh, batch = jax.sharding.get_abstract_mesh(), steps.inputs.shape[1:-1]
  count = mesh.shape.get(DATA, 1)
  return (
    count > 1
    and not mesh.manual_axes
    and bool(batch)
    and batch[0] % count == 0
    and base.same_shapes(cell, params)  # no mask with an entry for each row
    and not _draws(cell, params, carry, steps)
  )


def _draws(cell, params, carry, steps) -> bool:
  """Whether a step makes use of its key."""
  if steps.key is None:
    return False
  step = lambda key: cell.step(params, carry, steps.inputs[0], key=key)
  jaxpr: Any = jax.make_jaxpr(step)(steps.key[0]).jaxpr
  key = jaxpr.invars[0]
  return any(key is v for eqn in jaxpr.eqns for v in eqn.invars)


def row_by_row(run, params, carry, fresh_carry, steps: Steps):
  """`run(params, carry, fresh_carry, steps)` on each device's rows alone."""
  rows, over_time = P(DATA), P(None, DATA)
  split = jax.shard_map(
    run,
    mesh=jax.sharding.get_abstract_mesh(),
    in_specs=(P(), rows, rows, over_time),
    out_specs=(rows, over_time),
    check_vma=False,
  )
  # Keys are those of steps, not of rows, and nothing is drawn from them.
  return split(params, carry, fresh_carry, steps._replace(key=None))
