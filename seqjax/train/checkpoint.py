"""Checkpoints with Orbax: written in the background, verified when read."""

import contextlib
import pathlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint.experimental.v1 as ocp
from absl import logging

from seqjax.errors import InputError
from seqjax.train.train_state import TrainState


class Writer:
  """Writes the checkpoints of one run; use as a context manager.

  A checkpoint is the whole `TrainState` plus a JSON dict `extra` (position of
  the data, time spent). Orbax writes into a temporary folder and renames it, so
  a killed write leaves nothing that looks like a checkpoint; a CRC-32 over all
  arrays and the files they need, kept beside them, finds damage that happens
  later.
  """

  def __init__(self, directory: pathlib.Path, keep: int, *needed: pathlib.Path):
    """Makes the folder `directory` if need be.

    Args:
      directory: of the checkpoints.
      keep: how many, the newest.
      *needed: files without which the arrays mean nothing, a vocabulary say.
    """
    self._needed = {path.name: _crc32_of_file(path) for path in needed}
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
    metadata: Any = {
      "crc32": _crc32(state),
      "needed": self._needed,
      "structure": _structure(state),
      "extra": extra,
    }
    self._checkpointer.save_async(
      int(state.step),
      state,
      force=True,
      overwrite=True,
      custom_metadata=metadata,
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
    InputError: checkpoints exist, but every one is damaged, or the newest that
      is not holds other arrays than `target`.
  """
  steps = saved_steps(directory)
  for step in steps:
    path = str(directory.absolute() / str(step))
    try:
      metadata = _metadata(path)
    except Exception as error:  # damage has many faces
      _tell_damage(step, error, warn)
      continue
    _check_structure(directory, step, metadata["structure"], target)
    try:
      with _quiet():
        state: Any = ocp.load(path, target)
      if _crc32(state) != metadata["crc32"]:
        raise ValueError("its CRC-32 is not the one on record")
      return state, metadata["extra"]
    except Exception as error:
      _tell_damage(step, error, warn)
  if steps:
    raise InputError(
      f"{directory}: no checkpoint can be read, all are damaged; remove this"
      " folder to start afresh"
    )
  return None


def saved_steps(directory: pathlib.Path) -> list[int]:
  """The steps of all checkpoints, damaged ones too, the newest first."""
  found = directory.iterdir() if directory.is_dir() else ()
  # A checkpoint is named by its step; a write under way has another name.
  return sorted((int(p.name) for p in found if p.name.isdigit()), reverse=True)


def check_needed(directory: pathlib.Path, *needed: pathlib.Path) -> None:
  """Raises InputError unless files are those the checkpoints were made with.

  Args:
    directory: the folder of a `Writer`.
    *needed: as for the `Writer`.
  """
  for step in saved_steps(directory):
    try:
      expected = _metadata(str(directory.absolute() / str(step)))["needed"]
    except Exception:  # the next one may be whole
      continue
    for path in needed:
      if not path.exists() or _crc32_of_file(path) != expected[path.name]:
        raise InputError(
          f"{path} is damaged or missing: it is not the file that the"
          f" checkpoint of step {step} was made with; put the old one back, or"
          " use a new --workdir"
        )
    return


def _metadata(path: str) -> dict[str, Any]:
  with _quiet():
    found: Any = ocp.metadata(path).custom_metadata
  if not found:
    raise ValueError("it has no metadata")
  return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Without Orbax's own words on damage: pages of them, and we say it."""
  before = logging.get_verbosity()
  logging.set_verbosity(logging.FATAL)
  try:
    yield
  finally:
    logging.set_verbosity(before)


def _tell_damage(step, error, warn) -> None:
  reason = str(error).strip().splitlines()[0][:200] if str(error) else ""
  warn(
    f"checkpoint of step {step} is damaged ({type(error).__name__}: {reason});"
    " trying the one before"
  )


def _structure(state: TrainState) -> dict[str, str]:
  """Path to dtype and shape of every array."""
  return {
    jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}"
    for path, leaf in jax.tree_util.tree_leaves_with_path(state)
  }


def _check_structure(directory, step, saved, target) -> None:
  """A checkpoint of other arrays is whole, but not for this program."""
  expected = _structure(target)
  for name in sorted(saved.keys() | expected.keys()):
    if saved.get(name) != expected.get(name):
      raise InputError(
        f"{directory}: the checkpoint of step {step} was made by another"
        f" version of the model: {name} is {saved.get(name)} there and"
        f" {expected.get(name)} here; use the version that made it, or a new"
        " --workdir"
      )


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


def _crc32_of_file(path: pathlib.Path) -> int:
  return zlib.crc32(path.read_bytes())
