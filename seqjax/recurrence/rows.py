"""A batch that is split over the devices of a mesh."""

import jax
from jax.sharding import PartitionSpec as P

from seqjax.cells import base
from seqjax.recurrence.scan import Steps

# The axis of the mesh over which batches are split.
DATA = "data"


def splits(cell: base.Cell, steps: Steps) -> bool:
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
    and not (cell.noisy and steps.key is not None)
  )


def row_by_row(run, params, carry, fresh_carry, steps: Steps):
  """`run(params, carry, fresh_carry, steps)` on each device's rows alone."""
  rows, over_time = P(DATA), P(None, DATA)
  of_params = base.map_params(
    params, weights=lambda _: P(), rows=lambda _: rows
  )
  split = jax.shard_map(
    run,
    mesh=jax.sharding.get_abstract_mesh(),
    in_specs=(of_params, rows, rows, over_time),
    out_specs=(rows, over_time),
    check_vma=False,
  )
  # Keys are those of steps, not of rows, and nothing is drawn from them.
  return split(params, carry, fresh_carry, steps._replace(key=None))
