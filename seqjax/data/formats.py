"""The formats of labelled examples, each a module that is found by its name.

A format is a module that holds

  load(data, seed) -> Splits   what `config.data` asks for: its `path` is read,
                               without one examples are generated
  Encoder                      from an input to an array, by what was learned
                               from the training part alone:
    fit(examples, data, seed)    makes one
    encode(inputs)               int32 ids `[time]` or float32
                                 `[time, input_size]`
    read(path)                   inputs without labels, in order; "-" is
                                 standard input
    state                        a dict for JSON: `Encoder(**encoder.state)` is
                                 the same encoder again
    vocab_size                   how many ids there are; 0 where inputs are
                                 vectors
    input_size                   of these vectors; 0 where inputs are ids
    unknown                      the id of what training lacks; None where
                                 inputs are vectors
  show(inputs) -> str          an input in one line, for a person
"""

import importlib
import pkgutil
import types
from collections.abc import Sequence

from seqjax.errors import InputError

HOLDS = "load", "Encoder", "show"


def find(name: str) -> types.ModuleType:
  """The format that `config.data.format` names.

  Args:
    name: a module of this package, or `package.module` of the user's own.

  Raises:
    InputError: no such module, or it is no format.
  """
  return find_module("config.data.format", name, "seqjax.data", HOLDS)


def find_module(
  field: str, name: str, package: str, holds: Sequence[str]
) -> types.ModuleType:
  """The module that a config names.

  Args:
    field: of the config, for messages.
    name: a module of `package`; with a dot, `package.module` of the user's own,
      found on the import path of this process.
    package: where our own are.
    holds: what it must have.

  Raises:
    InputError: no such module, or it lacks what it must have; the message
      lists those of `package` that would do.
  """
  whole = name if "." in name else f"{package}.{name}"
  found = _import(whole)
  lacking = [entry for entry in holds if not hasattr(found, entry)]
  if found is not None and not lacking:
    return found
  modules = pkgutil.iter_modules(importlib.import_module(package).__path__)
  known = [
    module.name
    for module in modules
    if all(hasattr(_import(f"{package}.{module.name}"), e) for e in holds)
  ]
  reason = f", which has no {lacking[0]}" if found is not None else ""
  raise InputError(
    f"{field} is {name!r}{reason}; expected one of {', '.join(sorted(known))},"
    f" or package.module of your own that holds {', '.join(holds)}"
  )


def _import(name: str) -> types.ModuleType | None:
  """None if there is no such module; what fails inside of one is raised."""
  if not all(part.isidentifier() for part in name.split(".")):
    return None
  try:
    return importlib.import_module(name)
  except ModuleNotFoundError as error:
    if error.name and f"{name}.".startswith(f"{error.name}."):
      return None
    raise
