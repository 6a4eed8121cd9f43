"""Where arrays live while training: a mesh with one axis, that of the batch."""

from typing import Any, NamedTuple

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from seqjax.errors import InputError
from seqjax.recurrence.rows import DATA


class Shardings(NamedTuple):
  """Where arrays live on the mesh: batches are split, the rest is copied."""

  replicated: NamedSharding
  batch: NamedSharding

  @property
  def mesh(self) -> Mesh:
    """The devices; the recurrence looks at it, see `jax.set_mesh`."""
    assert isinstance(self.batch.mesh, Mesh)
    return self.batch.mesh

  def of_state(self, state: Any) -> Any:
    """A tree of shardings for a `TrainState`."""
    whole = jax.tree.map(lambda _: self.replicated, state)
    return whole._replace(carry=jax.tree.map(lambda _: self.batch, state.carry))

  def place(self, batch):
    """Puts a batch on the devices; split if they can share it evenly."""
    rows = {leaf.shape[0] for leaf in jax.tree.leaves(batch)}
    even = all(n % self.mesh.size == 0 for n in rows)
    return jax.device_put(batch, self.batch if even else self.replicated)


def make_shardings(batch_size: int, devices=None) -> Shardings:
  """A mesh with one axis, "data", over `devices`; default all.

  Raises:
    InputError: the batch cannot be split evenly.
  """
  devices = devices or jax.devices()
  count = len(devices)
  if batch_size % count:
    raise InputError(
      f"config.batch_size is {batch_size}, which {count} devices cannot share"
      f" evenly; use a multiple of {count}"
    )
  mesh = jax.make_mesh(
    (count,), (DATA,), axis_types=(AxisType.Auto,), devices=devices
  )
  return Shardings(
    NamedSharding(mesh, PartitionSpec()),
    NamedSharding(mesh, PartitionSpec(DATA)),
  )
