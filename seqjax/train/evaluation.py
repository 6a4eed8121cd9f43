"""A saved run measured on its data: what `--mode=evaluate` does."""

import pathlib
from typing import Any

from seqjax import files
from seqjax.tasks import base
from seqjax.train import restore, workdir


def evaluate(
  task: base.Task, params: Any, step: int, directory: pathlib.Path
) -> None:
  """Prints the metrics of both parts and writes `evaluation.json`.

  Args:
    task: as `restore.load` returns it, and so are `params` and `step`.
    params: the parameters.
    step: of their checkpoint.
    directory: of the run.
  """
  which = restore.which(directory, step)
  print(f"checkpoint of step {step}, the {which}")
  results = {}
  for split in ("validation", "test"):
    values, outputs = task.evaluate_split(params, split)
    if values:
      values = {**values, **task.thorough_scores(params, split)}
      results[split] = values
      for name, value in values.items():
        print(f"{split} {name}: {value:.4f}")
      if task.context:
        print(f"{split}: {task.context}")
      if text := task.report(params, outputs, split):
        print(text)
  found = {"step": step, "checkpoint": which, **results}
  files.write_json(directory / workdir.EVALUATION_FILE, found)
