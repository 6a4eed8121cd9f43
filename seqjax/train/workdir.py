"""The run directory: who may write into it, and which config made it."""

import contextlib
import fcntl
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import ml_collections

from seqjax import files
from seqjax.config import Config
from seqjax.errors import InputError

CONFIG_FILE = "config.json"
EVALUATION_FILE = "evaluation.json"
FOLDS_FILE = "cross_validation.json"  # beside the runs of the folds
# Which of its checkpoints is taken.
CHECKPOINTS = "best", "last"
# Of what a run directory holds; a run of another format is refused. 1 was
# without number, with a file of its own for each vocabulary and scaling; 2 had
# the parameters of a cell as one value.
FORMAT = 3
# Fields that change no step already made, or yet to be made: these may differ
# when a run goes on. (The schedule has its own length, optimizer.decay_steps.)
_MAY_CHANGE = (
  "steps",
  "log_every",
  "eval_every",
  "eval_batch_size",
  "checkpoint_every",
  "keep_checkpoints",
  "patience",
  "probes.",  # all of the section
  "showcase.",
)


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
  """Makes `workdir` and holds it; the lock ends with the process.

  Raises:
    InputError: another process holds it, or it cannot be made.
  """
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    handle = (workdir / ".lock").open("a+")
  except OSError as error:
    raise InputError(
      f"--workdir={workdir} cannot be written ({error.strerror})"
    ) from error
  with handle:
    try:
      fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      handle.seek(0)
      holder = handle.read().strip() or "unknown"
      raise InputError(
        f"--workdir={workdir} is in use by another run (process {holder});"
        " wait for it or choose another --workdir"
      ) from error
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    yield


def begun(workdir: pathlib.Path) -> bool:
  """Whether a run lives here: `config.json` is the last file of its start."""
  return (workdir / CONFIG_FILE).exists()


def check_config(
  workdir: pathlib.Path,
  config: Config,
  may_change: tuple[str, ...] = _MAY_CHANGE,
) -> None:
  """Raises InputError if another config made `workdir`; names the fields.

  Args:
    workdir: of the run.
    config: what it is to go on with.
    may_change: fields that may differ, and sections, which end in ".".
  """
  sections = tuple(name for name in may_change if name.endswith("."))
  ours = flatten(json.loads(config.to_json()))
  theirs = flatten(_read(workdir))
  differences = [
    f"{name} was {theirs.get(name)!r} and is {ours.get(name)!r}"
    for name in sorted(ours.keys() | theirs.keys())
    if ours.get(name) != theirs.get(name)
    and not (name in may_change or name.startswith(sections))
  ]
  if not differences:
    return
  # A decay that ends with the run is moved by more steps.
  tied = "optimizer.decay_steps"
  remedy = "the old values"
  if len(differences) == 1 and ours.get(tied) != theirs.get(tied):
    remedy = f"--config.{tied}={theirs.get(tied)} to go on longer"
  raise InputError(
    f"--workdir={workdir} was made by another config: {'; '.join(differences)};"
    f" use a new --workdir or {remedy}"
  )


def save_config(workdir: pathlib.Path, config: Config) -> None:
  """Writes `config.json`: the fields, and the number of the format."""
  fields = json.loads(config.to_json(sort_keys=True))
  if "format" in fields:
    raise InputError(
      "config.format is the number of the run's format, expected another name"
      " for a field of your own"
    )
  files.write_json(workdir / CONFIG_FILE, {"format": FORMAT, **fields})


def load_config(workdir: pathlib.Path) -> Config:
  """The config that made `workdir`.

  Raises:
    InputError: there is none, or it is of another format.
  """
  if not begun(workdir):
    raise InputError(
      f"--workdir={workdir} holds no {CONFIG_FILE}; train with this --workdir"
      " first"
    )
  return ml_collections.ConfigDict(_read(workdir)).lock()


def task_config(workdir: pathlib.Path) -> Config:
  """As `load_config`; a study is refused, it leaves no model to use."""
  config = load_config(workdir)
  if "study" in config:
    raise InputError(
      f"config.study is {config.study!r}, which has no modes; its results are"
      f" in {workdir}"
    )
  return config


def _read(workdir: pathlib.Path) -> dict[str, Any]:
  """The fields of `config.json`."""
  path = workdir / CONFIG_FILE
  content = files.read_json(path)
  if not isinstance(content, dict):
    raise InputError(f"{path} holds no object, expected a config")
  found = content.pop("format", 1)
  if found != FORMAT:
    raise InputError(
      f"--workdir={workdir} is of format {found}, this version of seqjax reads"
      f" format {FORMAT}; use the version that made it, or a new --workdir"
    )
  return content


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
  """`{"a": {"b": 1}}` to `{"a.b": 1}`."""
  flat = {}
  for name, value in tree.items():
    if isinstance(value, dict):
      flat.update(flatten(value, f"{prefix}{name}."))
    else:
      flat[prefix + name] = value
  return flat
