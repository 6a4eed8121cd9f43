"""Which evaluation was the best so far, and how long ago that was."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.tasks import base


class Best(NamedTuple):
  """The best evaluation by `config.best_metric`; part of every checkpoint.

  Being there, it goes back with the state when a killed run repeats steps.
  """

  step: int = 0  # 0: none yet
  value: float = 0.0
  since: int = 0  # evaluations after it

  def after(self, step: int, value: float, mode: str) -> "Best":
    """With one more evaluation; as good as the best, or NaN, is not better."""
    sign = 1 if mode == "max" else -1
    first = not self.step
    if math.isfinite(value) and (first or sign * value > sign * self.value):
      return Best(step, value)
    return self._replace(since=self.since + 1)

  def waited(self, patience: int) -> bool:
    """Whether `patience` evaluations, if not 0, brought nothing better."""
    return 0 < patience <= self.since


def measure(config: Config, values: dict[str, float]) -> float:
  """The metric that `config.best_metric` names.

  Raises:
    InputError: it is none of `values`.
  """
  if config.best_metric not in values:
    raise InputError(
      f"config.best_metric is {config.best_metric!r}, expected one of"
      f" {', '.join(values)}"
    )
  return float(values[config.best_metric])


def check(
  config: Config,
  task: base.Task,
  params: Any,
  place: Callable[[Any], Any],
  begun: bool,
) -> str:
  """Looks, before training, whether there is something to measure.

  What only `task.scores` knows is looked for in a whole evaluation.

  Args:
    config: of the experiment.
    task: built from it.
    params: before the first step.
    place: puts a batch on devices.
    begun: whether the run was; its metric is known to be one.

  Returns:
    What to tell the user, if anything.

  Raises:
    InputError: there is no such metric, or patience without an evaluation.
  """
  batch = next(iter(task.evaluation_batches("validation")), None)
  if batch is None:
    if config.patience:
      raise InputError(
        f"config.patience is {config.patience}, expected 0: there is no"
        " validation part to measure"
      )
    return "no validation part: the last checkpoint counts as the best"
  if begun:
    return ""
  carry = jax.eval_shape(task.evaluation_carry, params)
  metrics, *_ = jax.eval_shape(task.evaluate, params, batch, carry)
  known = task.summarize(dict.fromkeys(metrics, 1.0))
  if config.best_metric not in known:
    known, _ = task.evaluate_split(params, "validation", place)
  measure(config, known)
  return ""
