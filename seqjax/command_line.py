"""Reading the launcher's flags; every mistake in one line, with its remedy."""

import difflib
import json
from typing import Any

from absl import flags
from ml_collections import ConfigDict
from ml_collections.config_flags.config_flags import ConfigFileFlagParser

from seqjax.errors import InputError
from seqjax.train import workdir


def parse(values: flags.FlagValues, argv: list[str]) -> None:
  """Parses the flags; every mistake is an InputError of one line."""
  try:
    rest = values(argv)
  except (AttributeError, KeyError) as error:
    raise InputError(_unknown_field(argv)) from error
  except (flags.Error, ValueError, TypeError) as error:
    lines = [line for line in str(error).splitlines() if line.strip()]
    raise InputError(lines[-1].strip() if lines else repr(error)) from error
  except OSError as error:
    raise InputError(_no_config_file(argv)) from error
  if len(rest) > 1:
    raise InputError(f"{rest[1]!r} is no flag; flags begin with --")
  if values.config is not None and not isinstance(values.config, ConfigDict):
    raise InputError(_no_config_file(argv))


def _no_config_file(argv: list[str]) -> str:
  return (
    f"--config={_config_path(argv)} cannot be read; name an experiment file,"
    " e.g. --config=experiments/char_lm.py"
  )


def _unknown_field(argv: list[str]) -> str:
  """Names the nearest real field for a `--config.FIELD` that does not exist."""
  parser = ConfigFileFlagParser("config")
  config: Any = parser.parse(_config_path(argv))
  known = list(workdir.flatten(json.loads(config.to_json())))
  for argument in argv[1:]:
    name, _, _ = argument.lstrip("-").partition("=")
    field = name.removeprefix("no").removeprefix("config.")
    if name.removeprefix("no").startswith("config.") and field not in known:
      close = difflib.get_close_matches(field, known, n=3, cutoff=0.5)
      remedy = (
        "did you mean " + " or ".join(f"--config.{name}" for name in close)
        if close
        else "the fields are " + ", ".join(known)
      )
      return f"--config.{field} is no field of this config; {remedy}"
  return f"a --config field does not exist; the fields are {', '.join(known)}"


def _config_path(argv: list[str]) -> str:
  """The value of --config as it was typed."""
  for index, argument in enumerate(argv):
    name, equals, value = argument.lstrip("-").partition("=")
    if name == "config":
      return value if equals else (argv + [""])[index + 1]
  return ""
