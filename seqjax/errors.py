"""The one exception that means "the input is wrong", not "the code is"."""


class InputError(ValueError):
  """A mistake in a flag, a config, a file or a run directory.

  The message is one line that names the argument, its value and the remedy;
  the launcher prints it alone, without a traceback, and exits with code 2.
  """
