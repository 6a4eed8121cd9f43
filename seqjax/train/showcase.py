"""What a person looks at when a run has ended."""

import pathlib
import traceback
from collections.abc import Callable
from typing import Any

import jax

from seqjax import files
from seqjax.config import Config
from seqjax.show import training
from seqjax.tasks import base
from seqjax.train import checkpoint, metrics, progress
from seqjax.train.restore import warn


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


def params(
  last: Any,
  step: int,
  folder: pathlib.Path,
  best: int,
  bar: progress.Progress,
) -> Any:
  """The parameters to show: those of the best checkpoint, if there is one.

  Args:
    last: the ones at the end of training.
    step: of these.
    folder: of the checkpoints.
    best: step of the best; 0 if none was measured.
    bar: is told if they are not the last.
  """
  if best in (0, step):
    return last
  layout = jax.tree.map(lambda leaf: leaf.sharding, last)
  target = checkpoint.abstract(last, layout)
  found, of_step = checkpoint.restore_params(folder, target, "best", warn)
  if of_step == best:
    bar.say(f"the showcase is of the best, step {best}")
  return found
