"""A look at the gradients of the model in training, at some steps."""

import pathlib
from typing import Any

import jax

from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.gradients.norms import by_lag
from seqjax.gradients.verdict import geometric_mean, memory_horizon, verdict
from seqjax.show.gradients import save_curves
from seqjax.tasks import base
from seqjax.train import metrics
from seqjax.train.train_state import TrainState


class GradientProbe:
  """Every `config.probes.gradients_every` steps: |dL/dcarry| over the lag.

  On the batch of that step, with the parameters after it; an image of each goes
  to TensorBoard and to `showcase/`, rate and memory horizon of every layer to
  the metrics. Nothing is computed on the steps between.
  """

  def __init__(self, config: Config, task: base.Task, directory: pathlib.Path):
    self._every = config.probes.gradients_every
    self._task: Any = task.gradient_norms
    self._norms = jax.jit(lambda *args: _by_lag(*self._task(*args)))
    self._directory = directory / "showcase"

  def check(self, state: TrainState, batch: Any) -> None:
    """Raises InputError if the task, as it is built, cannot be looked at."""
    if not self._every:
      return
    reason = "the task has none"
    if self._task is not None:
      try:
        jax.eval_shape(self._norms, state.params, batch, state.carry)
        return
      except ValueError as error:
        reason = str(error)
    raise InputError(
      f"config.probes.gradients_every is {self._every}, expected 0: there are"
      f" no gradients over time to look at here ({reason})"
    )

  def due(self, step: int) -> bool:
    """Whether this step is looked at."""
    return self._every > 0 and step % self._every == 0

  def run(
    self,
    step: int,
    params: Any,
    batch: Any,
    carry: Any,
    clipped_share: float,
    writer: metrics.Writer,
  ) -> str:
    """Measures, draws and writes; returns a line to print.

    Args:
      step: steps done.
      params: the model's parameters.
      batch: of this step.
      carry: where a batch starts from.
      clipped_share: of the steps up to this one, for the record.
      writer: of the records.
    """
    norms, lengths = jax.device_get(self._norms(params, batch, carry))
    curves = {name: geometric_mean(n, lengths) for name, n in norms.items()}
    values = {"clipped_share": clipped_share}
    for name, curve in curves.items():
      values[f"{name} horizon"] = memory_horizon(curve)
      # A rate needs three points; a batch may have shorter rows alone.
      if (curve > 0).sum() >= 3:
        values[f"{name} rate"] = verdict(curve).rate
    writer.write("gradients", step, values)
    self._directory.mkdir(exist_ok=True)
    path = self._directory / f"gradients_{step:07}.png"
    writer.image("gradients", step, save_curves(curves, path))
    horizons = ", ".join(f"{n} {values[f'{n} horizon']}" for n in curves)
    return f"step {step}: gradient horizon in steps: {horizons}; see {path}"


def _by_lag(norms, lengths):
  return {name: by_lag(n, lengths) for name, n in norms.items()}, lengths
