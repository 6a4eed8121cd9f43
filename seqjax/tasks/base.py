"""The task contract: everything that differs between applications.

The training loop knows nothing of text, images or labels. A task brings the
model, the batches, the loss, the metrics and what to show at the end. A new
application is one file, here or anywhere on the import path, with a subclass
of `Task`, and one config; nothing else is edited.
"""

import abc
import functools
import inspect
import pathlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

import jax

from seqjax import config as settings
from seqjax import files, nn, tasks
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.models import decoders, layers

STATE_FILE = "task.json"

# name -> (sum, count), both scalars; the mean is taken over many batches, so
# that padding and batch sizes do not matter.
Metrics = dict[str, tuple[jax.Array, jax.Array]]


class Task(abc.ABC):
  """An application, built from a config.

  Data and model are made when first needed: generation has no use for the one,
  and a mistake in a field is found before either is there. Shapes: leaves of a
  batch are `[batch, ...]`; a row that is absent has weight 0.

  Attributes:
    config: every field of the experiment.
    saved: None for a new run; later what `state` returned when it began, so
      that modes such as generation work without the data.
    directory: the run directory of a run that has begun.
    unit: what an item is called in the plural, such as "chars".
    loss_unit: what the loss is measured in, for the picture.
    context: on what the figures of a part rest, said beside them; "" where
      there is nothing to say.
    modes: names of what the task offers on the command line beside training
      and evaluation. Mode NAME is the method `NAME_mode(params, *, option=
      default, ...) -> str`; its keyword arguments are the flags, their help is
      in its docstring, the text is printed. `NAME_mode(params, **options)` has
      the flags of the method NAME. Known without building the task.
  """

  unit: str = "examples"
  loss_unit: str = "nats"
  context: str = ""
  modes: tuple[str, ...] = ()

  # |dL/dcarry_t| for the probe, `(params, batch, carry) -> ({name: [batch,
  # time]}, lengths)`, see `gradients.hidden_gradient_norms`; L is the loss of
  # each row's last step, `lengths` `[batch]` where that is (None: rows are
  # full). None where there is no such thing.
  gradient_norms: Callable[..., Any] | None = None

  def __init__(self, config: Config, saved: dict[str, Any] | None = None):
    """Raises InputError for a field that does not suit the task."""
    self.config = config
    self.saved = saved
    self.directory: pathlib.Path | None = None

  @abc.abstractmethod
  def build(self, key: jax.Array) -> Any:
    """The model, a Flax NNX module that holds `nnx.Param` only."""

  @abc.abstractmethod
  def train_batches(self) -> Any:
    """An endless iterator of batches with `get_state` and `set_state`.

    The state is JSON and enough to continue.
    """

  @abc.abstractmethod
  def evaluation_batches(self, split: str) -> Iterable[Any]:
    """All batches of "validation" or "test", in order."""

  @abc.abstractmethod
  def loss(
    self, params: Any, batch: Any, carry: Any, key: jax.Array
  ) -> tuple[tuple[jax.Array, jax.Array], Metrics, Any]:
    """Training loss `((sum, count), metrics, carry)`, a pure function.

    The loop divides once, so that parts of a batch add up exactly. "loss" of
    the metrics is the pair itself unless the task says otherwise.
    """

  @abc.abstractmethod
  def evaluate(
    self, params: Any, batch: Any, carry: Any
  ) -> tuple[Metrics, Any, Any]:
    """`(metrics, carry, outputs)` of one evaluation batch; pure.

    Outputs are arrays that `scores` and `showcase` need, `()` for none.
    """

  # What follows has a default.

  @property
  def items_per_step(self) -> int:
    """Items of a training batch, for the rate."""
    return self.config.batch_size

  def state(self) -> dict[str, Any]:
    """What later runs need beside the parameters, as JSON; data is loaded."""
    return {}

  def vocabularies(self) -> dict[str, Any]:
    """What rows or columns of parameters stand for, as JSON.

    `{"embed": [symbols ...], "head": [labels ...]}`: a parameter is what is
    named here or lies in it, "head.kernel" say. Where another run's differ,
    `config.init_from` takes rows and columns by these names, one for each; or,
    where they are no such lists, leaves the parameter out.
    """
    return {}

  def init(self, key: jax.Array) -> Any:
    """Draws the parameters: nested dicts of arrays."""
    return nn.functionalize(self._model(key))[0]

  @functools.cached_property
  def apply(self) -> Callable[..., Any]:
    """The model as a pure function, `apply(params, ..., method="__call__")`."""
    return self._abstract[1]

  @property
  def shapes(self) -> Any:
    """Shapes and dtypes of the parameters."""
    return self._abstract[0]

  @functools.cached_property
  def _abstract(self) -> tuple[Any, Callable[..., Any]]:
    """`(shapes, apply)` of a model whose parameters are not drawn."""
    found = []

    def build():
      # The key in it: outside it would be a program to compile.
      params, apply = nn.functionalize(self._model(jax.random.key(0)))
      found.append(apply)
      return params

    return jax.eval_shape(build), found[0]

  def _model(self, key: jax.Array) -> Any:
    """`build`; what a layer refuses is a mistake in the config."""
    try:
      return self.build(key)
    except InputError:
      raise
    except (ValueError, OverflowError) as error:
      raise InputError(f"config.model: {error}") from error

  def initial_carry(self, params: Any) -> Any:
    """The carry of the first training batch, `[batch, ...]`."""
    del params
    return ()

  def evaluation_carry(self, params: Any) -> Any:
    """The carry before the first evaluation batch."""
    del params
    return ()

  def scores(self, outputs: list[Any], split: str) -> dict[str, float]:
    """What is no mean over examples, by well-kept libraries.

    Args:
      outputs: of all batches of the split, NumPy arrays.
      split: its name.
    """
    del outputs, split
    return {}

  def thorough_scores(self, params: Any, split: str) -> dict[str, float]:
    """What takes too long while training: `--mode=evaluate` measures it, too.

    Args:
      params: the model's parameters.
      split: "validation" or "test".
    """
    del params, split
    return {}

  def summarize(self, means: dict[str, float]) -> dict[str, float]:
    """From means to what is logged; "loss" is the first entry."""
    return {"loss": means["loss"], **means}

  def report(self, params: Any, outputs: list[Any], split: str) -> str:
    """What an evaluation prints below the values of a split: a table, say.

    Args:
      params: the model's parameters.
      outputs: of all batches of the split, NumPy arrays.
      split: its name.
    """
    del params, outputs, split
    return ""

  def showcase(self, params: Any, directory: pathlib.Path) -> str:
    """Writes what a person should see into `directory`; returns a text."""
    del params, directory
    return ""

  @functools.cached_property
  def _evaluate(self) -> Callable[..., Any]:
    return jax.jit(self.evaluate)

  def outputs(self, params: Any, batches: Iterable[Any]) -> list[Any]:
    """What `evaluate` puts out for each batch, NumPy arrays; no carry."""
    return [
      jax.device_get(self._evaluate(params, batch, ())[2]) for batch in batches
    ]

  def evaluate_split(
    self, params: Any, split: str, place: Callable[[Any], Any] | None = None
  ) -> tuple[dict[str, float], list[Any]]:
    """`(values, outputs)` of one pass over a split; both empty if it is.

    Args:
      params: the model's parameters.
      split: "validation" or "test".
      place: puts a batch on devices; default where JAX puts it.
    """
    means, outputs, waiting = Means(), [], None
    carry = self.evaluation_carry(params)
    for batch in self.evaluation_batches(split):
      batch = place(batch) if place else batch
      metrics, carry, out = self._evaluate(params, batch, carry)
      # The device is at work on this batch while the host reads the last.
      if waiting is not None:
        means.add(waiting[0])
        outputs.append(jax.device_get(waiting[1]))
      waiting = metrics, out
    if waiting is None:
      return {}, []
    means.add(waiting[0])
    outputs.append(jax.device_get(waiting[1]))
    values = self.summarize(means.means())
    return {**values, **self.scores(outputs, split)}, outputs


class Means:
  """Adds up `{name: (sum, count)}` on the host."""

  def __init__(self):
    self._sums: dict[str, float] = {}
    self._counts: dict[str, float] = {}

  def add(self, metrics: dict[str, tuple[Any, Any]]) -> dict[str, float]:
    """Adds one batch; returns the means of this batch alone."""
    means = {}
    for name, (total, count) in jax.device_get(metrics).items():
      self._sums[name] = self._sums.get(name, 0.0) + float(total)
      self._counts[name] = self._counts.get(name, 0.0) + float(count)
      means[name] = _divide(float(total), float(count))
    return means

  def means(self) -> dict[str, float]:
    """Means over all that was added."""
    return {
      name: _divide(total, self._counts[name])
      for name, total in self._sums.items()
    }


def _divide(total: float, count: float) -> float:
  """The mean; of nothing the sum, which is 0 then."""
  return total / count if count else total


def find(config: Config, run: pathlib.Path | None = None) -> type[Task]:
  """The class of the task that `config.task` names, not built yet.

  A module of `seqjax.tasks`, or `package.module` of the user's own; it holds
  one subclass of `Task`.

  Args:
    config: of an experiment or of a run.
    run: the directory that the config was read from: before it makes this
      process import code of the user's own, that is said.

  Raises:
    InputError: there is no such module, or no task in it.
  """
  name = settings.get(config, "task")
  if run and "." in (name or "") and name not in sys.modules:
    print(f"{run} names the task {name}, importing it", file=sys.stderr)
  package = tasks.__name__
  module = settings.find_module("config.task", name, package, listed=_tasks)
  found = _tasks(module)
  if len(found) != 1:
    raise InputError(
      f"config.task is {config.task!r}, a module with {len(found)} subclasses"
      " of seqjax.tasks.base.Task, expected one"
    )
  return found[0]


def _tasks(module: Any) -> list[type[Task]]:
  """The subclasses of `Task` that a module defines."""
  return [
    member
    for _, member in inspect.getmembers(module, inspect.isclass)
    if issubclass(member, Task)
    and member.__module__ == module.__name__
    and not inspect.isabstract(member)
  ]


def resolve(config: Config) -> Config:
  """A copy of a config with every option of cell, method, gradient spelt out.

  Nothing is left to a default of the library then, see `layers.resolve`.
  """
  resolved = config.copy_and_resolve_references()
  with resolved.unlocked():
    if "model" in resolved:
      resolved.model = decoders.resolve(layers.resolve(resolved.model))
  return resolved


def create(config: Config, directory: pathlib.Path | None = None) -> Task:
  """Builds the task that `config.task` names.

  Args:
    config: what an experiment file returns, or a run directory holds.
    directory: of the run that goes on or is looked at; None for a new one.

  Raises:
    InputError: no such task, or the config does not suit it.
  """
  kind = find(config, directory)
  saved = None if directory is None else files.read_json(directory / STATE_FILE)
  with settings.missing_fields():
    task = kind(config, saved)
  task.directory = directory
  return task
