"""A batch that is split over the devices of a mesh.

Who splits it: `row_by_row`, the caller's own `jax.shard_map`, or the types of
arrays on a mesh with explicit axes. A loop asks that its carry keep its type
from step to step, so in the last two cases all that goes into it is made alike.
"""

from typing import Any

import jax
from jax import lax
from jax.sharding import NamedSharding
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


def varying(problem: Any) -> Any:
  """`problem` whose leaves all vary over the axes that one of them varies over.

  Inside of `jax.shard_map`, where it is part of an array's type. The gradient
  of what was the same on all devices is then summed over them once, not in the
  loop, and no method or cell has to know of it.
  """
  leaves = jax.tree.leaves(problem)
  axes = frozenset().union(*map(_axes, leaves))
  return jax.tree.map(
    lambda x: lax.pcast(x, tuple(sorted(axes - _axes(x))), to="varying"),
    problem,
  )


def _axes(x: jax.Array) -> frozenset[str]:
  return jax.typeof(x).manual_axis_type.varying


def left_to_compiler(run, params, sequence, split: bool = True):
  """`run(params, sequence)`, without explicit axes of a mesh on the inside.

  There they are axes whose use XLA chooses, as on any other mesh. The results
  `(carry, outputs)` are split over time and batch as the inputs are, or all of
  them are whole on every device.
  """
  shardings = [
    jax.typeof(x).sharding for x in jax.tree.leaves((params, sequence))
  ]
  meshes = [s.mesh for s in shardings if s.mesh.explicit_axes]
  if not meshes:
    return run(params, sequence)
  on = lambda *axes: NamedSharding(meshes[0], P(*axes))
  time, *batch, _ = jax.typeof(sequence.inputs).sharding.spec
  results = (on(*batch), on(time, *batch)) if split else on()
  whole: Any = jax.sharding.auto_axes(
    run, axes=meshes[0].explicit_axes, out_sharding=results
  )
  return whole(params, sequence)
