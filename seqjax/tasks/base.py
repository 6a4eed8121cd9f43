"""The task contract: everything that differs between applications.

The training loop knows nothing of text, images or labels. A task brings the
batches, the model, the loss, the metrics and what to show at the end. A new
application is one file here and one config in `experiments/`.
"""

import importlib
import pathlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import jax

from seqjax.config import Config
from seqjax.errors import InputError

# name -> (sum, count), both scalars; the mean is taken over many batches, so
# that padding and batch sizes do not matter.
Metrics = dict[str, tuple[jax.Array, jax.Array]]


class Task(Protocol):
  """An application, built from a config.

  `create(config, saved)` in the task's module builds it, and finds mistakes in
  the config. `saved` is None for a new run; later it is the run directory, from
  which the task reads what its `save` left there, a vocabulary say. Modes such
  as generation work from these files alone, without the data.

  Attributes:
    unit: what an item is called in the plural, such as "chars".
    loss_unit: what the loss is measured in, for the picture.
    items_per_step: items of a training batch, for the rate.
    modes: what the task offers beside training and evaluation: functions of
      `(params, *, option=default, ...)` that return text to print.
  """

  unit: str
  loss_unit: str
  items_per_step: int
  modes: dict[str, Callable[..., str]]

  def save(self, directory: pathlib.Path) -> None:
    """Writes what later runs need beside the parameters; data is loaded."""
    ...

  def init(self, key: jax.Array) -> Any:
    """Draws the parameters: nested dicts of arrays."""
    ...

  def initial_carry(self, params: Any) -> Any:
    """The carry of the first batch, `[batch, ...]`; `()` if there is none."""
    ...

  def train_batches(self) -> Any:
    """An endless iterator of batches with `get_state` and `set_state`.

    The state is JSON and enough to continue. Leaves are `[batch, ...]`.
    """
    ...

  def loss(
    self, params: Any, batch: Any, carry: Any, key: jax.Array
  ) -> tuple[jax.Array, Metrics, Any]:
    """Training loss: `(loss, metrics, carry)`, a pure function."""
    ...

  def gradient_norms(
    self, params: Any, batch: Any, carry: Any
  ) -> tuple[dict[str, jax.Array], jax.Array | None]:
    """|dL/dcarry_t| for the probe: `({name: [batch, time]}, lengths)`.

    See `gradients.hidden_gradient_norms`; L is the loss of each row's last
    step, `lengths` `[batch]` where that is (None: all rows are full).
    """
    ...

  def evaluation_batches(self, split: str) -> Iterable[Any]:
    """All batches of "validation" or "test", in order."""
    ...

  def evaluation_carry(self, params: Any) -> Any:
    """The carry before the first evaluation batch."""
    ...

  def evaluate(
    self, params: Any, batch: Any, carry: Any
  ) -> tuple[Metrics, Any]:
    """Metrics of one evaluation batch and the next carry; pure."""
    ...

  def summarize(self, means: dict[str, float]) -> dict[str, float]:
    """From means to what is logged; "loss" stays the first entry."""
    ...

  def scores(self, params: Any, split: str) -> dict[str, float]:
    """What is no mean over examples, by well-kept libraries; `{}` if nothing.

    Added to the metrics of "validation" or "test".
    """
    ...

  def showcase(self, params: Any, directory: pathlib.Path) -> str:
    """Writes what a person should see into `directory`; returns a text."""
    ...


def names() -> list[str]:
  """The tasks that exist: the modules beside this one."""
  package = importlib.import_module("seqjax.tasks")
  return sorted(
    module.name
    for module in pkgutil.iter_modules(package.__path__)
    if module.name != "base"
  )


def load(config: Config) -> Any:
  """The module of the task that `config.task` names.

  A task that is not trained, a sweep, has `run(config, directory)` there.

  Raises:
    InputError: no such task.
  """
  if config.task not in names():
    raise InputError(
      f"config.task is {config.task!r}, expected one of {', '.join(names())}"
    )
  return importlib.import_module(f"seqjax.tasks.{config.task}")


def create(config: Config, saved: pathlib.Path | None) -> Task:
  """Builds the task that `config.task` names; see `Task` for `saved`.

  Raises:
    InputError: no such task, the config does not suit it, or it is a sweep.
  """
  module = load(config)
  if not hasattr(module, "create"):
    raise InputError(
      f"config.task is {config.task!r}, a sweep, which has no modes; its"
      f" results are in {saved}"
    )
  return module.create(config, saved)
