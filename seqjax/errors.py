"""The exceptions that the launcher says in one line."""

import contextlib
from collections.abc import Iterator

# What the extras bring, by the names under which it is imported.
EXTRA = {
  "PIL": "pillow",
  "grain": "grain",
  "matplotlib": "matplotlib",
  "mido": "mido",
  "pooch": "pooch",
  "seqeval": "seqeval",
  "sklearn": "scikit-learn",
  "tensorboardX": "tensorboardX",
}
TEXT = {
  name: name for name in ("jiwer", "sacrebleu", "sacremoses", "sentencepiece")
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
  """Around the imports of what comes with an extra alone.

  Raises:
    InputError: one of them is not installed.
  """
  try:
    yield
  except ModuleNotFoundError as error:
    name = (error.name or "").partition(".")[0]
    missing = (EXTRA | TEXT).get(name)
    if missing is None:
      raise
    use, option = ("text", "text") if name in TEXT else ("training", "train")
    raise InputError(
      f"{missing} is not installed; it comes with the extra of {use}: pip"
      f" install 'seqjax[{option}]'"
    ) from error
