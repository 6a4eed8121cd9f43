"""Runs from Python: what the command line does, in a notebook or a program.

run = seqjax.fit(config, "runs/mine")  # trains, or goes on
run = seqjax.load("runs/mine")  # what was trained; no data is needed
run.generate(prompt="The ", seed=1)  # what the task offers
run.apply(run.params, ids)  # the model itself
"""

import contextlib
import functools
import os
import pathlib
import signal
from collections.abc import Callable, Sequence
from typing import Any

import jax
import ml_collections
import numpy as np
import numpy.typing as npt

from seqjax import config as settings
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.nn.trees import count_params
from seqjax.tasks import base
from seqjax.train import restore, runtime
from seqjax.train.workdir import task_config

_PARTS = "validation", "test"


class Run:
  """A trained model, and what its task makes of it.

  The functions that the task offers are methods of the run: `generate` and
  `complete` of a language model, `predict` of a classifier, `tag`, `translate`,
  `caption`, `forecast`, `roll_out`, and those of a task of your own, named in
  its `modes`. They are the task's methods of that name without their first
  argument, the parameters: `help(run.generate)` tells their options, `dir(run)`
  which there are. Each compiles its program once for inputs of about the same
  size, whatever the other options.

  Attributes:
    config: every field of the experiment.
    params: the parameters, nested dicts of arrays.
    step: after so many steps of training.
    task: a `seqjax.tasks.base.Task`, which knows what the numbers mean: the
      classes of a classifier are `run.task.labels`, ids of a text
      `run.task.tokens.encode(text)`.
    directory: of the run.
  """

  config: Config
  params: Any
  step: int
  task: Any
  directory: pathlib.Path

  # Of the tasks that are here; a run has those of its own task.
  generate: Callable[..., list[str]]
  complete: Callable[..., list[tuple[str, float]]]
  fill: Callable[..., list[list[list[tuple[str, float]]]]]
  predict: Callable[..., npt.NDArray[np.float32]]
  tag: Callable[..., list[list[str]]]
  translate: Callable[..., list[Any]]
  caption: Callable[..., list[Any]]
  forecast: Callable[..., npt.NDArray[np.floating[Any]]]
  roll_out: Callable[..., npt.NDArray[np.floating[Any]]]

  def __init__(
    self, task: base.Task, params: Any, step: int, directory: pathlib.Path
  ):
    self.config, self.params, self.step = task.config, params, step
    self.task, self.directory = task, directory

  @property
  def apply(self) -> Callable[..., Any]:
    """The model as a pure function of its parameters.

    `apply(params, ..., method="__call__")`: for `jax.jit`, `jax.grad` and
    parameters of your own; `run.params` are those of the run. A language model
    has `method="initial_carry"` and `method="step"` as well: a `lax.scan` over
    them collects its states, character by character (notebook 4).
    """
    return self.task.apply

  def evaluate(self, split: str = "test") -> dict[str, float]:
    """The metrics of a part of the data, which is read for it.

    Args:
      split: "validation" or "test".

    Returns:
      Values by name; none where that part is empty.

    Raises:
      InputError: there is no such part, or the data is not there.
    """
    if split not in _PARTS:
      raise InputError(
        f"split is {split!r}, expected one of {', '.join(_PARTS)}"
      )
    values, _ = self.task.evaluate_split(self.params, split)
    if not values:
      return values
    return {**values, **self.task.thorough_scores(self.params, split)}

  def __getattr__(self, name: str) -> Callable[..., Any]:
    # A copy asks for names before it has a task.
    task = self.__dict__.get("task")
    modes = () if task is None else task.modes
    if name not in modes:
      known = ", ".join(["apply", "evaluate", *modes])
      raise AttributeError(
        f"{name!r} is nothing that this run offers, expected one of {known}",
        name=name,
        obj=self,
      )
    function = getattr(task, name, None) or getattr(task, f"{name}_mode")
    bound = functools.partial(function, self.params)
    bound.__doc__ = function.__doc__
    return bound

  def __dir__(self) -> list[str]:
    return sorted({*super().__dir__(), *self.task.modes})

  def __repr__(self) -> str:
    offers = ", ".join(["apply", "evaluate", *self.task.modes])
    return (
      f"<Run {self.directory}: {self.config.task}, step {self.step},"
      f" {count_params(self.params):,} parameters; {offers}>"
    )


def load(workdir: str | os.PathLike[str], checkpoint: str = "best") -> Run:
  """A run as it was saved, on one device. Its data is not read.

  Args:
    workdir: the run directory.
    checkpoint: which: the "best" by `config.best_metric`, or the "last".

  Returns:
    The run.

  Raises:
    InputError: there is none, or it is of another format.
  """
  directory = pathlib.Path(workdir)
  task_config(directory)  # a study is refused
  return Run(*restore.load(directory, checkpoint), directory)


def fit(config: Config, workdir: str | os.PathLike[str]) -> Run:
  """Trains as `python -m seqjax.launch` does, or goes on; returns the best.

  The run directory is the same, so that either goes on where the other was.
  Ctrl-C saves the step and is raised then; the same call goes on.

  It takes the devices that there are, or one where they cannot share the
  batch. Has JAX not looked for any yet, the CPU is split into as many as train
  fastest, as the command line does. In another thread than the main one
  training cannot be interrupted.

  Args:
    config: an `ml_collections.ConfigDict` as `get_config()` of an experiment
      returns it; left as it is.
    workdir: the run directory, which need not exist.

  Returns:
    The run, as `load` gives it.

  Raises:
    InputError: the config, the data or the directory is not fit.
    TrainingDiverged: a loss or gradient is not finite.
    KeyboardInterrupt: Ctrl-C; the state is saved.
  """
  if not isinstance(config, ml_collections.ConfigDict):
    raise InputError(
      f"config is {type(config).__name__}, expected an ml_collections"
      ".ConfigDict as an experiment's get_config() returns it"
    )
  if "study" in config:
    raise InputError(
      f"config.study is {config.study!r}, which leaves no run to load, expected"
      " a config with a task; a study is for python -m seqjax.launch"
    )
  base.find(config)
  from seqjax.train import loop  # what trains is of no use to what was trained

  directory = pathlib.Path(workdir)
  settings.at_least(config, 1, "batch_size")
  devices = _devices(
    settings.get(config, "batch_size"), settings.recurrent(config)
  )
  with settings.missing_fields():
    ended_by = loop.train(config, directory, devices)
  if ended_by:
    signal.raise_signal(ended_by)
  return load(directory)


def _devices(batch_size: int, recurrent: bool) -> Sequence[Any]:
  """All, or the first, if they cannot share the batch."""
  chosen = "xla_force_host_platform_device_count" in os.getenv("XLA_FLAGS", "")
  if jax.config.jax_num_cpu_devices < 0 and not chosen:
    with contextlib.suppress(RuntimeError):  # they are in use
      count = runtime.cpu_devices(batch_size, recurrent=recurrent)
      jax.config.update("jax_num_cpu_devices", count)
  devices = jax.devices()
  return devices if batch_size % len(devices) == 0 else devices[:1]
