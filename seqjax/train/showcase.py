"""What a person looks at when a run has ended."""

import pathlib
import traceback
from collections.abc import Callable
from typing import Any

from seqjax import files
from seqjax.config import Config
from seqjax.show import training
from seqjax.tasks import base
from seqjax.train import metrics, progress


def show(
  config: Config,
  task: base.Task,
  params_to_show: Callable[[], Any],
  directory: pathlib.Path,
  writer: metrics.Writer,
  bar: progress.Progress,
) -> None:
  """Pictures and the task's showcase. The run is done, whatever happens here.

  Args:
    config: of the experiment.
    task: built from it.
    params_to_show: reads the parameters.
    directory: of the run.
    writer: of the records.
    bar: says what was made, and where.
  """
  folder = directory / "showcase"
  folder.mkdir(exist_ok=True)
  picture, trace = folder / "training.png", folder / "error.txt"
  trace.unlink(missing_ok=True)
  try:
    if training.draw(
      files.read_records(directory),
      picture,
      task.loss_unit,
      config.optimizer.clip_norm,
    ):
      bar.say(f"Loss and gradient norm over steps: {picture}")
    if text := task.showcase(params_to_show(), folder):
      writer.text("showcase", config.steps, text)
      bar.say(f"\n{text}")
  except Exception as error:  # of any kind: it must not cost the run
    trace.write_text(traceback.format_exc(), "utf-8")
    reason = (str(error).strip() or repr(error)).splitlines()[0][:200]
    bar.say(
      f"the showcase failed ({type(error).__name__}: {reason}); where: {trace}"
    )
