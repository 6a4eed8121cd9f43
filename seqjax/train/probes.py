"""A look at the gradients of the model in training, at some steps."""

import pathlib
from typing import Any

import jax
import numpy as np

from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.gradients import plot
from seqjax.gradients.norms import by_lag, together
from seqjax.gradients.verdict import memory_horizon, verdict
from seqjax.tasks import base
from seqjax.train import metrics


class GradientProbe:
  """Every `config.probes.gradients_every` steps: |dL/dcarry| over the lag.

  On the batch of that step, with the parameters after it; an image of each goes
  to TensorBoard and to `showcase/`, rate and memory horizon of every layer to
  the metrics. Nothing is computed on the steps between.

  Raises:
    InputError: the period is negative.
  """

  def __init__(
    self,
    config: Config,
    task: base.Task,
    directory: pathlib.Path,
    writer: metrics.Writer,
  ):
    self._every = config.probes.gradients_every
    if self._every < 0:
      raise InputError(
        f"config.probes.gradients_every is {self._every}, expected 0 (off) or a"
        " number of steps"
      )
    self._norms = jax.jit(
      lambda *args: [together(n) for n in task.gradient_norms(*args)]
    )
    self._directory = directory / "showcase"
    self._writer = writer

  def due(self, step: int) -> bool:
    """Whether this step is looked at."""
    return self._every > 0 and step % self._every == 0

  def run(self, step: int, params: Any, batch: Any, carry: Any) -> str:
    """Measures, draws and writes; returns a line to print."""
    layers = jax.device_get(self._norms(params, batch, carry))
    curves = {
      f"layer {index}": np.asarray(by_lag(norms))
      for index, norms in enumerate(layers)
    }
    values = {}
    for name, norms in curves.items():
      values[f"{name} horizon"] = memory_horizon(norms)
      values[f"{name} rate"] = verdict(norms).rate
    self._writer.write("gradients", step, values)
    self._directory.mkdir(exist_ok=True)
    path = self._directory / f"gradients_{step:07}.png"
    self._writer.image("gradients", step, plot.save_curves(curves, path))
    horizons = ", ".join(f"{n} {values[f'{n} horizon']}" for n in curves)
    return f"step {step}: gradient horizon in steps: {horizons}; see {path}"
