"""Configs: checks of their fields, a line each, and their dull sections."""

import contextlib
import importlib
import inspect
import math
import pkgutil
import re
import traceback
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ml_collections import config_dict

from seqjax.errors import InputError

# An `ml_collections.ConfigDict` as an experiment file returns it. Said as Any,
# because a type checker cannot know the fields.
Config = Any


def get(config: Config, field: str) -> Any:
  """The value of `field`, such as "model.dropout".

  Raises:
    InputError: the config has no such field.
  """
  value = config
  for name in field.split("."):
    try:
      value = value[name]
    except (KeyError, TypeError) as error:
      raise InputError(
        f"config.{field} is missing; add it to the experiment file"
      ) from error
  return value


def at_least(config: Config, least: float, *fields: str) -> None:
  """Raises InputError for a field whose value is less than `least`.

  Whole numbers where `least` is one, finite ones where it is a float.
  """
  kinds = (int, float) if isinstance(least, float) else int
  for field in fields:
    value = get(config, field)
    if not (_is_number(value, kinds) and least <= value < math.inf):
      number = ">=" if isinstance(least, float) else "a whole number >="
      raise InputError(
        f"config.{field} is {value!r}, expected {number} {least}"
      )


def below(config: Config, field: str, limit: str) -> None:
  """Raises InputError for a field that is not in [0, value of `limit`)."""
  at_least(config, 0, field)
  value, most = get(config, field), get(config, limit)
  if value >= most:
    raise InputError(
      f"config.{field} is {value}, expected less than config.{limit} = {most}"
    )


def rate(config: Config, *fields: str) -> None:
  """Raises InputError for a field that is no probability below 1."""
  for field in fields:
    value = get(config, field)
    if not (_is_number(value, (int, float)) and 0 <= value < 1):
      raise InputError(f"config.{field} is {value}, expected a rate in [0, 1)")


def _is_number(value: Any, kinds: Any) -> bool:
  return isinstance(value, kinds) and not isinstance(value, bool)


def one_of(config: Config, choices: Iterable[Any], *fields: str) -> None:
  """Raises InputError for a field whose value is none of `choices`."""
  for field in fields:
    value = get(config, field)
    if value not in (choices := list(choices)):
      raise InputError(
        f"config.{field} is {value!r}, expected one of"
        f" {', '.join(map(str, choices))}"
      )


def texts(config: Config, *fields: str) -> None:
  """Raises InputError for a field that is no string."""
  for field in fields:
    if not isinstance(value := get(config, field), str):
      raise InputError(f"config.{field} is {value!r}, expected a text")


@contextlib.contextmanager
def missing_fields() -> Iterator[None]:
  """Turns a field that a config lacks into an InputError that names it."""
  try:
    yield
  except (AttributeError, KeyError) as error:
    name = re.search(r"'(\w+)'", str(error))
    frames = traceback.extract_tb(error.__traceback__)
    where = inspect.getfile(config_dict.ConfigDict)
    asking = [f for f in frames if f.filename != where]
    if not (name and frames[-1].filename == where):
      raise
    raise InputError(
      f"the config has no field {name[1]!r}, which {asking[-1].filename}:"
      f"{asking[-1].lineno} asks for ({asking[-1].line}); add it to the"
      " experiment file"
    ) from error


def find_module(
  field: str,
  name: str,
  package: str,
  holds: Sequence[str] = (),
  listed: Callable[[Any], Any] = bool,
) -> types.ModuleType:
  """The module that a config names.

  Args:
    field: of the config, for messages.
    name: a module of `package`; with a dot, `package.module` of the user's own,
      found on the import path of this process.
    package: where our own are.
    holds: what it must have.
    listed: whether a module is one to name in a message.

  Raises:
    InputError: no such module, or it lacks what it must have; the message
      lists those of `package` that would do.
  """
  name = name if isinstance(name, str) else ""
  own = "." in name
  found = _import(name if own else f"{package}.{name}")
  lacking = [entry for entry in holds if not hasattr(found, entry)]
  if found is not None and not lacking and name != "base":
    return found
  modules = pkgutil.iter_modules(importlib.import_module(package).__path__)
  known = [
    module.name
    for module in modules
    if module.name != "base"
    and all(hasattr(_import(f"{package}.{module.name}"), e) for e in holds)
    and listed(_import(f"{package}.{module.name}"))
  ]
  reason = ""
  if lacking and found is not None:
    reason = f", which has no {lacking[0]}"
  elif own:
    reason = ", which is not on the import path (run from its folder)"
  raise InputError(
    f"{field} is {name!r}{reason}, expected one of {', '.join(sorted(known))},"
    " or package.module of your own"
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


# The sections that are alike in most experiments. An experiment says what
# differs; the config holds every field.


def optimizer(
  steps: Any,
  *,
  learning_rate: float,
  warmup_steps: int = 50,
  final_fraction: float = 0.01,
  weight_decay: float = 0.01,
  clip_norm: float = 1.0,
  ema_decay: float = 0.0,
) -> config_dict.ConfigDict:
  """AdamW with warm-up and cosine decay; see `train.optimizer`.

  Another rule is a name away, `--config.optimizer.name=muon`; the comments say
  which fields it reads.

  Args:
    steps: of the decay; a reference, `config.get_oneway_ref("steps")`.
    learning_rate: the peak.
    warmup_steps: steps up to the peak.
    final_fraction: of the peak, at the end of the decay.
    weight_decay: of matrices.
    clip_norm: threshold of the global norm; 0 is off.
    ema_decay: of the moving average of the parameters, which all but training
      takes then, such as 0.999; 0 is off.
  """
  config = config_dict.ConfigDict()
  # adam, adamw, sgd, rmsprop, lion, adafactor, muon
  config.name = "adamw"
  config.learning_rate = learning_rate
  config.warmup_steps = warmup_steps
  config.decay = "cosine"  # constant, linear, cosine
  config.decay_steps = steps
  config.final_fraction = final_fraction
  config.b1 = 0.9  # adam, adamw, lion, muon
  config.b2 = 0.99  # these and rmsprop
  config.weight_decay = weight_decay  # adamw, lion, adafactor, muon
  config.momentum = 0.9  # sgd, rmsprop, muon
  config.clip_norm = clip_norm
  config.ema_decay = ema_decay
  return config


def training(
  *,
  log_every: int = 20,
  eval_every: int = 200,
  best_metric: str = "loss",
  best_mode: str = "min",
) -> dict[str, int | str]:
  """What the loop does beside its steps, for `update`.

  Args:
    log_every: steps between records.
    eval_every: steps between evaluations; as many between checkpoints.
    best_metric: of the validation; the checkpoint best by it is kept.
    best_mode: "min" or "max", what is best.
  """
  return {
    "log_every": log_every,
    "eval_every": eval_every,
    "checkpoint_every": eval_every,
    "keep_checkpoints": 2,  # the last ones; the best is kept beside them
    "best_metric": best_metric,
    "best_mode": best_mode,
    "patience": 0,  # evaluations without a new best before the end; 0 is off
    "init_from": "",  # a run directory whose best parameters are begun from
    "accumulation_steps": 1,  # parts that a batch is split into
  }


class _Op(NamedTuple):
  """`fn(value, *args)`: what a reference computes when it is read."""

  fn: Callable[..., Any]
  args: tuple[Any, ...]


def windows(config: Config, *, eval_window: int) -> dict[str, Any]:
  """What the carry of a stream does between windows, for `update`.

  That of recurrent layers is handed on. Where `model.layer` is a Transformer,
  windows start empty; those of evaluation are as long as those of training and
  overlap by half, so that each symbol that counts has at least half a window
  before it, but for the very first. A field that is set follows no more.

  Args:
    config: of a language model: `model.layer` and `window`.
    eval_window: of recurrent layers.
  """
  layer = config.model.get_oneway_ref("layer")

  def follow(recurrent, transformer):
    def choose(value, layer, other):
      return other if _is_transformer(layer) else value

    op = _Op(choose, (layer, transformer))
    return config_dict.FieldReference(recurrent, op=op)

  length = follow(eval_window, config.get_oneway_ref("window"))
  return {
    "carry_over": follow(True, False),  # whether it crosses training windows
    "eval_window": length,
    # Symbols read before what counts; 0: the carry crosses instead.
    "eval_context": follow(0, length // 2),
  }


def recurrent(config: Config) -> bool:
  """Whether what the config describes has a loop over time.

  Not where all that it names, layers and a decoder, are Transformers.
  """
  model = config.get("model") or {}
  kinds = [model[field] for field in ("layer", "decoder") if field in model]
  return not kinds or not all(map(_is_transformer, kinds))


def _is_transformer(kind: Any) -> bool:
  """Of a call as `models.layers` reads it: without case and underscores."""
  return str(kind).strip().replace("_", "").lower().startswith("transformer")


def probes() -> config_dict.ConfigDict:
  """Looks at the gradients over time while training, off by default."""
  config = config_dict.ConfigDict()
  config.gradients_every = 0  # steps; 0 is off; see docs/gradients.md
  return config
