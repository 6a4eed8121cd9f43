"""Checkpoints with Orbax: written in the background, verified when read."""

import contextlib
import json
import pathlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint.experimental.v1 as ocp
from absl import logging

from seqjax.errors import InputError
from seqjax.nn.trees import leaf_name

FOLDER = "checkpoints"  # in the run directory


class Writer:
  """Writes the checkpoints of one run; use as a context manager.

  A checkpoint is the whole `TrainState` plus a JSON dict `extra` (position of
  the data, time spent) and the step that is the best so far. Orbax writes into
  a temporary folder and renames it, so a killed write leaves nothing that looks
  like a checkpoint; what is not kept any more is removed after that. A CRC-32
  over each field of the state and each file it needs, kept beside the arrays,
  finds damage that happens later.
  """

  def __init__(self, directory: pathlib.Path, keep: int, *needed: pathlib.Path):
    """Makes the folder `directory` if need be.

    Args:
      directory: of the checkpoints.
      keep: how many, the newest; the best is kept beside them.
      *needed: files without which the arrays mean nothing, a vocabulary say.
    """
    self._needed = {path.name: _crc32_of_file(path) for path in needed}
    self._best = _Best()
    policies = ocp.training.preservation_policies
    # Typed Any: Orbax's own policies do not fit its annotations.
    latest: Any = policies.LatestN(keep)
    either: Any = policies.AnyPreservationPolicy([latest, self._best])
    self._checkpointer = ocp.training.Checkpointer(
      str(directory.absolute()),
      preservation_policy=either,
      cleanup_tmp_directories=True,  # of killed writes
    )

  def __enter__(self) -> "Writer":
    return self

  def __exit__(self, *_) -> None:
    self._checkpointer.close()

  def save(self, state: Any, extra: dict[str, Any], best: int = 0) -> None:
    """Starts writing; waits for the write before, if that is under way.

    A checkpoint of the same step is replaced: training repeats a step only
    where that checkpoint was found damaged.

    Args:
      state: a `TrainState`.
      extra: see above.
      best: the step of the best checkpoint so far, this one or one before; 0 if
        there is none.
    """
    parts = _parts(state)
    record = {
      "crc32": {name: _crc32(tree) for name, tree in parts.items()},
      "needed": self._needed,
      "structure": _structure(parts),
      "best": best,
      "extra": extra,
    }
    text = json.dumps(record)
    metadata: Any = {"record": text, "crc32": zlib.crc32(text.encode())}
    self._best.step = best
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


class _Best:
  """A preservation policy of Orbax: keeps one step."""

  step = 0

  def should_preserve(self, checkpoints, *, context) -> list[bool]:
    del context
    return [found.step == self.step for found in checkpoints]


def restore_latest(
  directory: pathlib.Path, target: Any, warn: Callable[[str], None]
) -> tuple[Any, dict[str, Any]] | None:
  """`(state, extra)` of the newest checkpoint that is whole; None without any.

  Only reads, so that one may look at a run that is being trained.

  Args:
    directory: the folder of a `Writer`.
    target: abstract arrays with shardings of a `TrainState`, see `abstract`.
    warn: told about each damaged checkpoint.

  Raises:
    InputError: checkpoints exist, but every one is damaged, or the newest that
      is not holds other arrays than `target`.
  """
  steps = saved_steps(directory)
  if not steps:
    return None
  parts, metadata, _ = _first_whole(
    directory, steps, lambda _: _parts(target), warn
  )
  return target._replace(**parts), metadata["extra"]


def restore_params(
  directory: pathlib.Path,
  target: Any,
  choice: str,
  warn: Callable[[str], None],
) -> tuple[Any, int]:
  """`(params, step)`: those to evaluate, averaged ones if there are any.

  Nothing else of a checkpoint is read.

  Args:
    directory: the folder of a `Writer`, with a checkpoint in it.
    target: abstract arrays with shardings of the parameters.
    choice: "best" or "last". The last is taken for the best where none was
      measured; where the best is damaged or gone, that is told.
    warn: told about each damaged checkpoint.

  Raises:
    InputError: as `restore_latest`.
  """
  steps = saved_steps(directory)
  if choice == "best" and (best := best_step(directory)):
    if best in steps:
      steps = [best, *(step for step in steps if step != best)]
    else:
      warn(f"checkpoint of step {best}, the best, is gone; trying the last")

  def evaluated(metadata):
    averaged = "average" in metadata["crc32"]
    return {"average" if averaged else "params": target}

  parts, _, step = _first_whole(directory, steps, evaluated, warn)
  (params,) = parts.values()
  return params, step


def _first_whole(directory, steps: Sequence[int], choose, warn):
  """`(parts, metadata, step)` of the first of `steps` that is whole.

  Args:
    directory: of the checkpoints.
    steps: to try, one after the other.
    choose: from the metadata of a checkpoint to the abstract parts to read.
    warn: told about damage.
  """
  for step in steps:
    path = directory.absolute() / str(step)
    try:
      metadata = _metadata(path)
    except Exception as error:  # damage has many faces
      _tell_damage(step, error, warn)
      continue
    target = choose(metadata)
    _check_structure(directory, step, metadata["structure"], target)
    try:
      with _quiet(), _partial():
        parts: Any = ocp.load(str(path), target)
      for name, tree in parts.items():
        if _crc32(tree) != metadata["crc32"][name]:
          raise ValueError(f"the CRC-32 of {name} is not the one on record")
      return parts, metadata, step
    except Exception as error:
      _tell_damage(step, error, warn)
  raise InputError(
    f"{directory}: no checkpoint can be read, all are damaged; remove this"
    " folder to start afresh"
  )


def saved_steps(directory: pathlib.Path) -> list[int]:
  """The steps of all checkpoints, damaged ones too, the newest first."""
  found = directory.iterdir() if directory.is_dir() else ()
  # A checkpoint is named by its step; a write under way has another name.
  return sorted((int(p.name) for p in found if p.name.isdigit()), reverse=True)


def best_step(directory: pathlib.Path) -> int:
  """The best one's step as the newest checkpoint has it; 0 without."""
  found = _newest_metadata(directory)
  return found["best"] if found else 0


def check_needed(directory: pathlib.Path, *needed: pathlib.Path) -> None:
  """Raises InputError unless files are those the checkpoints were made with.

  Args:
    directory: the folder of a `Writer`.
    *needed: as for the `Writer`.
  """
  if not (found := _newest_metadata(directory)):
    return
  for path in needed:
    expected = found["needed"][path.name]
    if not path.exists() or _crc32_of_file(path) != expected:
      raise InputError(
        f"{path} is damaged or missing: it is not the file that the"
        f" checkpoints in {directory} were made with; put the old one back, or"
        " use a new --workdir"
      )


def _newest_metadata(directory: pathlib.Path) -> dict[str, Any] | None:
  """Of the newest checkpoint whose metadata can be read."""
  for step in saved_steps(directory):
    with contextlib.suppress(Exception):  # the next one may be whole
      return _metadata(directory / str(step))
  return None


def _metadata(path: pathlib.Path) -> dict[str, Any]:
  """What `save` wrote beside the arrays.

  From Orbax's file itself: `ocp.metadata` opens every array of a checkpoint,
  which takes as long as reading them.
  """
  text = (path / "_CHECKPOINT_METADATA").read_text("utf-8")
  found = json.loads(text)["custom_metadata"]
  if zlib.crc32(found["record"].encode()) != found["crc32"]:
    raise ValueError("the CRC-32 of its metadata is not the one on record")
  return json.loads(found["record"])


def _partial() -> Any:
  """Orbax shall read what the target has, not all that there is."""
  options = ocp.options.PyTreeOptions
  return ocp.Context(
    pytree_options=options(loading=options.Loading(partial_load=True))
  )


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
    " trying another"
  )


def _parts(state: Any) -> dict[str, Any]:
  """The fields of a `TrainState`, but those without arrays."""
  fields = state._asdict().items()
  return {name: tree for name, tree in fields if jax.tree.leaves(tree)}


def _structure(parts: dict[str, Any]) -> dict[str, str]:
  """Path to dtype and shape of every array."""
  return {
    leaf_name(path): f"{leaf.dtype}{list(leaf.shape)}"
    for path, leaf in jax.tree_util.tree_leaves_with_path(parts)
  }


def _check_structure(directory, step, saved, target) -> None:
  """A checkpoint of other arrays is whole, but not for this program."""
  expected = _structure(target)
  if len(target) == 1:  # one field is asked for, never mind the others
    (field,) = target
    saved = {k: v for k, v in saved.items() if k.split(".")[0] == field}
  for name in sorted(saved.keys() | expected.keys()):
    if saved.get(name) != expected.get(name):
      raise InputError(
        f"{directory}: the checkpoint of step {step} was made by another"
        f" version of the model: {name} is {saved.get(name)} there and"
        f" {expected.get(name)} here; use the version that made it, or a new"
        " --workdir"
      )


def abstract(tree: Any, shardings: Any) -> Any:
  """Shapes and dtypes of `tree`, the target of a restore.

  Args:
    tree: of arrays or shapes.
    shardings: of each leaf, or one for all.
  """
  make = lambda leaf, sharding: jax.ShapeDtypeStruct(
    leaf.shape, leaf.dtype, sharding=sharding
  )
  if isinstance(shardings, jax.sharding.Sharding):
    return jax.tree.map(lambda leaf: make(leaf, shardings), tree)
  return jax.tree.map(make, tree, shardings)


def _crc32(tree: Any) -> int:
  crc = 0
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      leaf = jax.random.key_data(leaf)
    array = np.ascontiguousarray(jax.device_get(leaf))
    crc = zlib.crc32(leaf_name(path).encode(), crc)
    crc = zlib.crc32(array.tobytes(), crc)
  return crc


def _crc32_of_file(path: pathlib.Path) -> int:
  return zlib.crc32(path.read_bytes())
