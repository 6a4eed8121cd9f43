"""Cross-validation: one run a fold, and what all of them say together."""

import pathlib

from seqjax import files
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.train import loop, restore, workdir


def cross_validate(config: Config, directory: pathlib.Path) -> int:
  """Trains on all folds but one, tests on that one, for each in turn.

  Args:
    config: what an experiment file returns; `data.num_folds` and `data.fold`
      are its fields. Left as it is.
    directory: holds `fold_0` and so on, a run directory each, and the result of
      the folds so far, `cross_validation.json`. A command given again goes on.

  Returns:
    0, or the number of the signal that ended the run early.

  Raises:
    InputError: the task has no folds, or config asks for less than two; the
      directory is in use.
  """
  count = config.get("data", {}).get("num_folds", 0)
  if count < 2:
    raise InputError(
      f"config.data.num_folds is {count}, expected at least 2 for"
      " --mode=cross_validate (and a task that has folds)"
    )
  results = []
  with workdir.locked(directory):
    for index in range(count):
      of_fold = config.copy_and_resolve_references()
      of_fold.data.fold = index
      fold = directory / f"fold_{index}"
      print(f"fold {index + 1} of {count}", flush=True)
      if ended_by := loop.train(of_fold, fold):
        return ended_by
      task, params, _ = restore.load(fold)
      results.append(task.evaluate_split(params, "test")[0])
      means = {
        name: sum(result[name] for result in results) / len(results)
        for name in results[0]
      }
      record = {"mean": means, "folds": results}
      files.write_json(directory / workdir.FOLDS_FILE, record)
  for name, value in means.items():
    each = " ".join(f"{result[name]:.3f}" for result in results)
    print(f"{name}: {value:.4f}, the mean of {each}")
  return 0
