"""The exceptions that the launcher says in one line."""

import contextlib
from collections.abc import Iterator

# What the extra `train` brings, by the names under which it is imported.
EXTRA = {
  "grain": "grain",
  "matplotlib": "matplotlib",
  "pooch": "pooch",
  "seqeval": "seqeval",
  "sklearn": "scikit-learn",
  "tensorboardX": "tensorboardX",
}


class InputError(ValueError):
  """The input is wrong, not the code: a flag, a config, a file, a directory.

  The message is one line that names the argument, its value and the remedy;
  the launcher prints it alone, without a traceback, and exits with code 2.
  """


class TrainingDiverged(RuntimeError):
  """The loss or the gradient is not finite any more."""


@contextlib.contextmanager
def extra() -> Iterator[None]:
  """Around the imports of what comes with the extra `train` alone.

  Raises:
    InputError: one of them is not installed.
  """
  try:
    yield
  except ModuleNotFoundError as error:
    missing = EXTRA.get((error.name or "").partition(".")[0])
    if missing is None:
      raise
    raise InputError(
      f"{missing} is not installed; it comes with the extra of training: pip"
      " install 'seqjax[train]'"
    ) from error
