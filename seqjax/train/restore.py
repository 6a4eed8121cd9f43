"""A run as it was saved, to be used: without its data, on one device."""

import pathlib
import sys
from typing import Any

import jax

from seqjax import config as settings
from seqjax.errors import InputError
from seqjax.tasks import base
from seqjax.train import workdir
from seqjax.train.checkpoint import (
  FOLDER,
  abstract,
  best_step,
  check_needed,
  restore_params,
  saved_steps,
)


def load(
  directory: pathlib.Path, checkpoint: str = "best"
) -> tuple[base.Task, Any, int]:
  """The task and the parameters of a run; nothing else of it is read.

  Args:
    directory: of the run.
    checkpoint: which: the "best" by `config.best_metric`, or the "last".
      Without a validation part the last is the best.

  Returns:
    `(task, params, step)`: parameters of that checkpoint, or of the newest one
    where it is damaged, which is told; averaged ones if there are any.

  Raises:
    InputError: there is none, or it is of another format.
  """
  if checkpoint not in workdir.CHECKPOINTS:
    raise InputError(f"--checkpoint is {checkpoint!r}, expected best or last")
  config = workdir.load_config(directory)
  folder = directory / FOLDER
  if not saved_steps(folder):
    raise InputError(
      f"--workdir={directory} holds no checkpoint yet; train with this"
      " --workdir first"
    )
  check_needed(folder, directory / base.STATE_FILE)
  task = base.create(config, directory)
  with settings.missing_fields():
    shapes = task.shapes
  device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  target = abstract(shapes, device)
  return task, *restore_params(folder, target, checkpoint, warn)


def which(directory: pathlib.Path, step: int) -> str:
  """What the checkpoint of `step` is to the run: "best" or "last"."""
  best = best_step(directory / FOLDER)
  return "best" if step == best else "last"


def warn(message: str) -> None:
  """Says what is amiss and goes on."""
  print(f"warning: {message}", file=sys.stderr)
