"""A look at the gradients of the model in training, at some steps."""

import pathlib
from typing import Any

import jax

from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.gradients.norms import by_lag
from seqjax.gradients.verdict import geometric_mean, memory_horizon, verdict
from seqjax.show import gradients
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
    self._norms = jax.jit(lambda *args: _by_lag(*task.gradient_norms(*args)))
    self._directory = directory / "showcase"
    self._writer = writer

  def due(self, step: int) -> bool:
    """Whether this step is looked at."""
    return self._every > 0 and step % self._every == 0

  def run(
    self, step: int, params: Any, batch: Any, carry: Any, clipped_share: float
  ) -> str:
    """Measures, draws and writes; returns a line to print.

    Args:
      step: steps done.
      params: the model's parameters.
      batch: of this step.
      carry: where a batch starts from.
      clipped_share: of the steps up to this one, for the record.
    """
    norms, lengths = jax.device_get(self._norms(params, batch, carry))
    curves = {name: geometric_mean(n, lengths) for name, n in norms.items()}
    values = {"clipped_share": clipped_share}
    for name, curve in curves.items():
      values[f"{name} horizon"] = memory_horizon(curve)
      # A rate needs three points; a batch may have shorter rows alone.
      if (curve > 0).sum() >= 3:
        values[f"{name} rate"] = verdict(curve).rate
    self._writer.write("gradients", step, values)
    self._directory.mkdir(exist_ok=True)
    path = self._directory / f"gradients_{step:07}.png"
    pixels = gradients.save_curves(curves, path)
    self._writer.image("gradients", step, pixels)
    horizons = ", ".join(f"{n} {values[f'{n} horizon']}" for n in curves)
    return f"step {step}: gradient horizon in steps: {horizons}; see {path}"


def _by_lag(norms, lengths):
  return {name: by_lag(n, lengths) for name, n in norms.items()}, lengths
