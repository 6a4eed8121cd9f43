"""A saved run opened again; nothing that trains is imported for it."""

import functools
import pathlib
from typing import Any

import jax

from seqjax import config as settings
from seqjax.errors import InputError
from seqjax.tasks import base
from seqjax.train import checkpoint, workdir
from seqjax.train.train_state import init_state, make_shardings

CHECKPOINTS = "checkpoints"


def load(directory: pathlib.Path) -> tuple[base.Task, Any, int]:
  """A run as it was saved last, on one device, without its data.

  Returns:
    `(task, params, step)`: of the newest whole checkpoint.

  Raises:
    InputError: there is none, or it is of another format.
  """
  config = workdir.load_config(directory)
  folder = directory / CHECKPOINTS
  if not checkpoint.saved_steps(folder):
    raise InputError(
      f"--workdir={directory} holds no checkpoint yet; train with this"
      " --workdir first"
    )
  checkpoint.check_needed(folder, directory / base.STATE_FILE)
  task = base.create(config, directory)
  shardings = make_shardings(config.batch_size, jax.devices()[:1])
  with settings.missing_fields():
    shapes = jax.eval_shape(functools.partial(init_state, task, config))
  target = checkpoint.abstract(shapes, shardings.of_state(shapes))
  restored = checkpoint.restore_latest(folder, target, warn)
  assert restored is not None  # there are checkpoints
  state, _ = restored
  return task, state.evaluated, int(state.step)


def warn(message: str) -> None:
  """Tells of what does not end a run."""
  print(f"warning: {message}", flush=True)
