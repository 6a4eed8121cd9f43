"""Checkpoints with Orbax: written in the background, verified when read."""

import pathlib
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint.experimental.v1 as ocp

from seqjax.errors import InputError
from seqjax.train.state import TrainState


class Writer:
  """Writes the checkpoints of one run; use as a context manager.

  A checkpoint is the whole `TrainState` plus a JSON dict `extra` (position of
  the data, time spent). Orbax writes into a temporary folder and renames it, so
  a killed write leaves nothing that looks like a checkpoint; a CRC-32 over all
  arrays, kept beside them, finds damage that happens later.
  """

  def __init__(self, directory: pathlib.Path, keep: int):
    # Typed Any: Orbax's own policies do not fit its annotations.
    latest: Any = ocp.training.preservation_policies.LatestN(keep)
    self._checkpointer = ocp.training.Checkpointer(
      str(directory.absolute()),
      preservation_policy=latest,
      cleanup_tmp_directories=True,  # of killed writes
    )

  def __enter__(self) -> "Writer":
    return self

  def __exit__(self, *_) -> None:
    self._checkpointer.close()

  def save(self, state: TrainState, extra: dict[str, Any]) -> None:
    """Starts writing; waits for the write before, if that is under way.

    A checkpoint of the same step is replaced: training repeats a step only
    where that checkpoint was found damaged.
    """
    self._checkpointer.save_async(
      int(state.step),
      state,
      force=True,
      overwrite=True,
      custom_metadata={"crc32": _crc32(state), "extra": extra},
    )

  def wait(self) -> None:
    """Returns when what was saved is on disk."""
    self._checkpointer.wait()


def restore_latest(
  directory: pathlib.Path, target: TrainState, warn: Callable[[str], None]
) -> tuple[TrainState, dict[str, Any]] | None:
  """The newest checkpoint that is whole, or None if there is none at all.

  Only reads, so that one may look at a run that is being trained.

  Args:
    directory: the folder of a `Writer`.
    target: abstract arrays with shardings, see `abstract`.
    warn: told about each damaged checkpoint.

  Raises:
    InputError: checkpoints exist, but every one is damaged.
  """
  found = directory.iterdir() if directory.is_dir() else ()
  # A checkpoint is named by its step; a write under way has another name.
  steps = sorted((int(p.name) for p in found if p.name.isdigit()), reverse=True)
  for step in steps:
    path = str(directory.absolute() / str(step))
    try:
      state: Any = ocp.load(path, target)
      metadata: Any = ocp.metadata(path).custom_metadata
      if not metadata or _crc32(state) != metadata["crc32"]:
        raise ValueError("its CRC-32 is not the one on record")
      return state, metadata["extra"]
    except Exception as error:  # damage has many faces
      reason = str(error).strip().splitlines()[0][:200] if str(error) else ""
      warn(
        f"checkpoint of step {step} is damaged"
        f" ({type(error).__name__}: {reason}); trying the one before"
      )
  if steps:
    raise InputError(
      f"{directory}: no checkpoint can be read; remove this folder to start"
      " afresh"
    )
  return None


def abstract(state: TrainState, shardings: TrainState) -> TrainState:
  """Shapes, dtypes and shardings of `state`, the target of a restore."""
  return jax.tree.map(
    lambda leaf, sharding: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=sharding
    ),
    state,
    shardings,
  )


def _crc32(state: TrainState) -> int:
  crc = 0
  for path, leaf in jax.tree_util.tree_leaves_with_path(state):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      leaf = jax.random.key_data(leaf)
    array = np.ascontiguousarray(jax.device_get(leaf))
    crc = zlib.crc32(jax.tree_util.keystr(path).encode(), crc)
    crc = zlib.crc32(array.tobytes(), crc)
  return crc
