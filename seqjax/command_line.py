"""Reading the launcher's flags; every mistake in one line, with its remedy."""

import difflib
import inspect
import json
import pathlib
import re
import runpy
import textwrap
import traceback
from collections.abc import Callable
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from seqjax.errors import InputError
from seqjax.tasks import base
from seqjax.train import workdir

# Those of the package: a link in the checkout to where they are read.
EXPERIMENTS = pathlib.Path(__file__).parent / "experiments"

_DEFINE = {
  str: flags.DEFINE_string,
  int: flags.DEFINE_integer,
  float: flags.DEFINE_float,
  bool: flags.DEFINE_boolean,
}


def parse(values: flags.FlagValues, argv: list[str]) -> list[str]:
  """Parses the launcher's own flags; returns what is none of them.

  The value of --config is that of `load_experiment`.

  Raises:
    InputError: a flag or the experiment file is wrong.
  """
  config = None
  if found := _experiment(argv):
    experiment, argv = found
    config = load_experiment(experiment)
  try:
    _, *rest = values(argv, known_only=True)
  except (AttributeError, KeyError) as error:
    raise InputError(_unknown_field(argv, config)) from error
  except (flags.Error, ValueError, TypeError) as error:
    lines = [line for line in str(error).splitlines() if line.strip()]
    raise InputError(lines[-1].strip() if lines else repr(error)) from error
  return rest


def options(
  mode: str, kind: type[base.Task] | None, rest: list[str]
) -> dict[str, Any]:
  """What is left of the command line as keyword arguments of a mode.

  A flag is a keyword argument: its name, its type and default.

  Args:
    mode: its name.
    kind: the task whose mode it is; None for a mode that takes no options.
    rest: from `parse`.

  Returns:
    What is on the command line; the rest keeps the mode's own default.

  Raises:
    InputError: a flag that the mode does not take, or a value of another type.
  """
  values, names = flags.FlagValues(), {}
  if kind is not None:
    names = _options(_signature(kind, mode))
  for parameter in names.values():
    define = _DEFINE.get(type(parameter.default))
    if define is None:
      raise InputError(
        f"--{parameter.name} of --mode={mode} has the default"
        f" {parameter.default!r}, expected a str, int, float or bool"
      )
    define(parameter.name, parameter.default, "", flag_values=values)
  try:
    _, *stray = values(["", *rest])
  except flags.UnrecognizedFlagError as error:
    raise InputError(_no_option(error.flagname, mode, list(names))) from error
  except (flags.Error, ValueError) as error:
    raise InputError(str(error).splitlines()[-1].strip()) from error
  if stray:
    raise InputError(f"{stray[0]!r} is no flag; flags begin with --")
  return {name: values[name].value for name in names if values[name].present}


def _signature(kind: type[base.Task], mode: str) -> Callable:
  """Whose arguments are a mode's options: its own, or those it hands on.

  `NAME_mode(params, **options)` takes the options of the method `NAME`.
  """
  function = getattr(kind, f"{mode}_mode")
  handed_on = inspect.Parameter.VAR_KEYWORD
  parameters = inspect.signature(function).parameters.values()
  if any(parameter.kind is handed_on for parameter in parameters):
    return getattr(kind, mode)
  return function


def _options(function: Callable) -> dict[str, inspect.Parameter]:
  """The keyword-only arguments of a function."""
  parameters = inspect.signature(function).parameters
  return {
    name: parameter
    for name, parameter in parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY
  }


def _no_option(name: str, mode: str, names: list[str]) -> str:
  launcher = "workdir", "mode", "checkpoint", "num_cpu_devices", "profile"
  known = [*names, *launcher]
  close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
  message = f"--{name} is no option of --mode={mode}"
  if close:
    return f"{message}; did you mean --{close[0]}"
  if names:
    return f"{message}; its options are {', '.join(f'--{n}' for n in names)}"
  return f"{message}, which has none"


def load_experiment(experiment: str) -> ConfigDict:
  """The config of `NAME[:VARIANT]` or `FILE[:VARIANT]`.

  A name is that of an experiment of the package; what has a slash or ends in
  ".py" is a file. One that says `VARIANTS = (...)` knows no other variants.

  Raises:
    InputError: it cannot be loaded; a mistake in it is named with its line.
  """
  name, colon, variant = experiment.partition(":")
  path = _file(name)
  try:
    pathlib.Path(path).read_bytes()  # a folder would be run as a package
    module = runpy.run_path(path)
    known = module.get("VARIANTS")
    if colon and known is not None and variant not in known:
      raise InputError(
        f"--config={experiment}: {variant!r} is no variant of {name}, expected"
        f" one of {', '.join(known)}"
      )
    if "get_config" not in module:
      raise InputError(f"--config={experiment}: {path} has no get_config()")
    config = module["get_config"](*([variant] if colon else []))
  except InputError:
    raise
  except OSError as error:
    raise InputError(
      f"--config={experiment} cannot be read; name an experiment, e.g."
      " --config=char_lm, or a file"
    ) from error
  except SyntaxError as error:
    raise InputError(f"{path}:{error.lineno or 1}: {error.msg}") from error
  except Exception as error:  # it runs the user's code
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if f.filename == path]
    reason = " ".join(str(error).split())
    raise InputError(
      f"{path}:{lines[-1] if lines else 1}: {type(error).__name__}: {reason}"
    ) from error
  if not isinstance(config, ConfigDict):
    raise InputError(
      f"--config={experiment}: get_config returns {type(config).__name__},"
      " expected an ml_collections.ConfigDict"
    )
  return config


def describe(argv: list[str]) -> str:
  """For `--help`: all experiments, or one with its fields and modes."""
  if found := _experiment(argv):
    experiment, _ = found
    config: Any = load_experiment(experiment)
    lines = [f"Fields of {experiment}:"]
    fields = workdir.flatten(json.loads(config.to_json())).items()
    lines += [f"  --config.{name}={json.dumps(v)}" for name, v in fields]
    if "task" in config:
      kind = base.find(config)
      lines += [_describe_mode(kind, mode) for mode in kind.modes]
    return "\n".join(lines)
  lines = ["Experiments (--config=NAME[:VARIANT] --help lists the fields):"]
  for path in sorted(EXPERIMENTS.glob("*.py")):
    module = runpy.run_path(str(path))
    title = (module["__doc__"] or "").strip().splitlines()[0]
    variants = ", ".join(module.get("VARIANTS", ()))
    lines.append(f"  {path.stem}: {title}\n      {variants}")
  return "\n".join(lines)


def _describe_mode(kind: type[base.Task], mode: str) -> str:
  """A mode, its options and what its docstring says of them."""
  title = inspect.getdoc(getattr(kind, f"{mode}_mode")) or ""
  lines = [f"--mode={mode}: {title.splitlines()[0] if title else ''}"]
  function = _signature(kind, mode)
  doc = inspect.getdoc(function) or ""
  for name, parameter in _options(function).items():
    said = re.search(rf"^ +{name}: ((?:.|\n +(?! *\w+: ))+)", doc, re.M)
    text = " ".join(said[1].split()) if said else ""
    lines += textwrap.wrap(
      f"--{name}={parameter.default!r}  {text}",
      78,
      initial_indent="  ",
      subsequent_indent="      ",
    )
  return "\n".join(lines)


def _unknown_field(argv: list[str], config: Any) -> str:
  """Names the nearest real field for a `--config.FIELD` that does not exist."""
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


def _experiment(argv: list[str]) -> tuple[str, list[str]] | None:
  """The value of --config as it was typed, and `argv` with the file's path.

  None if there is no such flag.
  """
  for index, argument in enumerate(argv):
    flag, equals, value = argument.partition("=")
    if flag in ("--config", "-config"):
      after = index + (1 if equals else 2)
      value = value if equals else "".join(argv[index + 1 : after])
      name, colon, variant = value.partition(":")
      path = f"--config={_file(name)}{colon}{variant}"
      return value, [*argv[:index], path, *argv[after:]]
  return None


def _file(name: str) -> str:
  """The path of an experiment.

  Raises:
    InputError: the package has none of that name.
  """
  if not name or "/" in name or name.endswith(".py"):
    return name
  known = sorted(path.stem for path in EXPERIMENTS.glob("*.py"))
  if name in known:
    return str(EXPERIMENTS / f"{name}.py")
  close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
  remedy = (
    f"did you mean {close[0]}"
    if close
    else f"expected a file, or one of {', '.join(known)}"
  )
  raise InputError(f"--config={name} is no experiment; {remedy}")
