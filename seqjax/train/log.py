"""From the numbers of each step to the records of a run."""

import math
import time
from typing import Any

from seqjax.config import Config
from seqjax.errors import TrainingDiverged
from seqjax.tasks import base
from seqjax.train import metrics, progress


class Log:
  """Adds up metrics, writes them every `log_every` steps, guards the run."""

  def __init__(
    self,
    config: Config,
    task: base.Task,
    writer: metrics.Writer,
    bar: progress.Progress,
  ):
    self._every, self._task = config.log_every, task
    self._writer, self._bar = writer, bar
    self._mean, self._steps, self._step = base.Means(), 0, 0
    self._last_finite = math.nan
    self.last: dict[str, float] = {}  # what was written last
    self.restart_clock()

  def restart_clock(self, untimed_steps: int = 0) -> None:
    """Leaves out of the rate what was no training.

    Args:
      untimed_steps: so many of the steps yet to be added are over already.
    """
    self._clock, self._timed_steps = time.monotonic(), -untimed_steps

  def add(self, step: int, step_metrics: dict[str, tuple[Any, Any]]) -> None:
    """Takes in the metrics of a step that the device has done.

    Raises:
      TrainingDiverged: loss or gradient norm is not finite.
    """
    means = self._mean.add(step_metrics)
    loss, norm = means["loss"], means["grad_norm"]
    if not (math.isfinite(loss) and math.isfinite(norm)):
      raise TrainingDiverged(
        f"step {step}: loss is {loss}, gradient norm {norm}; the last finite"
        f" loss was {self._last_finite:.4f}. Lower"
        " --config.optimizer.learning_rate or --config.optimizer.clip_norm; the"
        " last good checkpoint is kept"
      )
    self._last_finite = loss
    self._step = step
    self._steps += 1
    self._timed_steps += 1
    self._bar.step(step)
    if step % self._every == 0:
      self.flush()

  def flush(self) -> None:
    """Writes what has been added since the last time."""
    if not self._steps:
      return
    elapsed = max(time.monotonic() - self._clock, 1e-9)
    rate = self._timed_steps * self._task.items_per_step / elapsed
    unit = f"{self._task.unit}_per_second"
    values = {**self._task.summarize(self._mean.means()), unit: rate}
    self._writer.write("train", self._step, values)
    self.last = values
    self._bar.report(
      self._step,
      f"loss {values['loss']:.4f}  gradient norm {values['grad_norm']:.3f}"
      f"  {rate:,.0f} {self._task.unit}/s",
    )
    self._mean, self._steps = base.Means(), 0
    self.restart_clock()
