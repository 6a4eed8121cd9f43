"""The run directory: who may write into it, and which config made it."""

import contextlib
import fcntl
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import ml_collections

from seqjax.config import Config
from seqjax.errors import InputError

CONFIG_FILE = "config.json"
# May differ when a run goes on: how far it goes does not change the steps
# already made (the schedule has its own length, optimizer.decay_steps).
_MAY_CHANGE = ("steps",)


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


def check_config(workdir: pathlib.Path, config: Config) -> None:
  """Raises InputError if another config made `workdir`; names the fields."""
  ours = flatten(json.loads(config.to_json()))
  theirs = flatten(_read(workdir / CONFIG_FILE))
  differences = [
    f"{name} was {theirs.get(name)!r} and is {ours.get(name)!r}"
    for name in sorted(ours.keys() | theirs.keys())
    if ours.get(name) != theirs.get(name) and name not in _MAY_CHANGE
  ]
  if differences:
    raise InputError(
      f"--workdir={workdir} was made by another config:"
      f" {'; '.join(differences)}; use a new --workdir or the old values"
    )


def save_config(workdir: pathlib.Path, config: Config) -> None:
  """Writes `config.json`."""
  content = config.to_json(indent=2, sort_keys=True) + "\n"
  write_atomically(workdir / CONFIG_FILE, content)


def load_config(workdir: pathlib.Path) -> Config:
  """The config that made `workdir`.

  Raises:
    InputError: there is none.
  """
  if not begun(workdir):
    raise InputError(
      f"--workdir={workdir} holds no {CONFIG_FILE}; train with this --workdir"
      " first"
    )
  return ml_collections.ConfigDict(_read(workdir / CONFIG_FILE)).lock()


def write_atomically(path: pathlib.Path, content: str) -> None:
  """Replaces a file in one go: a reader sees the old or the new text."""
  temporary = path.with_name(path.name + ".tmp")
  temporary.write_text(content, "utf-8")
  temporary.replace(path)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
  """`{"a": {"b": 1}}` to `{"a.b": 1}`."""
  flat = {}
  for name, value in tree.items():
    if isinstance(value, dict):
      flat.update(flatten(value, f"{prefix}{name}."))
    else:
      flat[prefix + name] = value
  return flat


def _read(path: pathlib.Path) -> dict[str, Any]:
  try:
    return json.loads(path.read_text("utf-8"))
  except (OSError, ValueError) as error:
    raise InputError(f"{path} cannot be read ({error})") from error
