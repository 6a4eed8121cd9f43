"""The one training loop. Knows nothing of text, images or labels."""

import contextlib
import functools
import math
import pathlib
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax

from seqjax import records
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.nn.functional import count_params
from seqjax.show import training
from seqjax.tasks import base
from seqjax.train import (
  checkpoint,
  metrics,
  probes,
  progress,
  workdir,
)
from seqjax.train import state as state_lib

CHECKPOINTS = "checkpoints"


class TrainingDiverged(RuntimeError):
  """The loss or the gradient is not finite any more."""


def train(config: Config, directory: pathlib.Path) -> int:
  """Trains, or goes on training, in `directory` until `config.steps`.

  Args:
    config: what an experiment file returns.
    directory: the run directory; holds `config.json`, `metrics.jsonl`,
      `tensorboard/`, `checkpoints/` and `showcase/` afterwards.

  Returns:
    0, or the number of the signal (SIGINT, SIGTERM) that ended the run early;
    its state is saved then.

  Raises:
    InputError: the config, the data or the directory is not fit.
    TrainingDiverged: a loss or gradient is not finite. The last good
      checkpoint stays.
  """
  _check_config(config)
  config = config.copy_and_resolve_references()
  config.model = layers.resolve(config.model)
  shardings = state_lib.make_shardings(config.batch_size)
  with contextlib.ExitStack() as stack:
    stack.enter_context(workdir.locked(directory))
    stack.enter_context(jax.set_mesh(shardings.mesh))
    begun = workdir.begun(directory)
    if begun:
      workdir.check_config(directory, config)
    task = base.create(config, directory if begun else None)
    batches = task.train_batches()

    # Where to begin: the newest whole checkpoint, or step 0.
    init = functools.partial(state_lib.init_state, task, config)
    shapes = jax.eval_shape(init)
    layout = shardings.of_state(shapes)
    folder = directory / CHECKPOINTS
    target = checkpoint.abstract(shapes, layout)
    restored = checkpoint.restore_latest(folder, target, _warn)
    if restored is None:
      state, seconds_before = jax.jit(init, out_shardings=layout)(), 0.0
    else:
      state, extra = restored
      batches.set_state(extra["data"])
      seconds_before = extra["seconds"]
    start = int(state.step)
    if not begun:
      task.save(directory)
    workdir.save_config(directory, config)

    train_step = state_lib.make_train_step(task, config, state, shardings)
    eval_step = jax.jit(task.evaluate)
    checkpoints = stack.enter_context(
      checkpoint.Writer(folder, config.keep_checkpoints)
    )
    writer = stack.enter_context(metrics.Writer(directory, start))
    bar = stack.enter_context(progress.Progress(config.steps, start))
    stop = stack.enter_context(_interrupts())
    bar.say(
      f"{config.task}: {count_params(state.params):,} parameters,"
      f" {jax.device_count()} {jax.default_backend()} device(s),"
      f" {'from step ' + str(start) if start else 'from the beginning'}"
      f" to step {config.steps}, in {directory}"
    )

    log = _Log(config, task, writer, bar)
    probe = probes.GradientProbe(config, task, directory, writer)
    begin = time.monotonic()
    waiting = None  # metrics of the step before, not fetched yet
    step = start
    for step in range(start + 1, config.steps + 1):
      batch = shardings.place(next(batches))
      state, step_metrics = train_step(state, batch)
      # The device is at work on this step while the host reads the last one.
      if waiting:
        log.add(*waiting)
      waiting = (step, step_metrics)
      if step == start + 1:
        # The rate leaves out this step, it holds the compilation.
        jax.block_until_ready(state.step)
        log.restart_clock(untimed_steps=1)

      stopping = stop.signal  # read once: what follows must agree
      last = step == config.steps
      evaluates = last or step % config.eval_every == 0
      saves = last or stopping or step % config.checkpoint_every == 0
      if evaluates or saves or probe.due(step):
        # Nothing is saved before its own step is known to be finite.
        log.add(*waiting)
        log.flush()
        waiting = None
      if probe.due(step):
        share = log.last["clipped_share"]
        bar.say(probe.run(step, state.params, batch, state.carry, share))
      if evaluates:
        values = evaluate(
          task, state.params, "validation", eval_step, shardings
        )
        if values:
          writer.write("validation", step, values)
          bar.say(f"step {step}: validation {_format(values)}")
      if saves:
        seconds = seconds_before + time.monotonic() - begin
        extra = {"data": batches.get_state(), "seconds": seconds}
        checkpoints.save(state, extra)
      if evaluates or saves or probe.due(step):
        log.restart_clock()
      if stopping:
        break

    checkpoints.wait()
    if stop.signal is not None and step < config.steps:
      bar.say(
        f"{signal.Signals(stop.signal).name}: saved step {step}; the same"
        " command goes on from there"
      )
      return stop.signal

    seconds = seconds_before + time.monotonic() - begin
    bar.say(f"step {step} done; training took {progress.clock(seconds)}")
    showcase = directory / "showcase"
    showcase.mkdir(exist_ok=True)
    text = task.showcase(state.params, showcase)
    writer.text("showcase", step, text)
    bar.say(f"\n{text}")
    picture = showcase / "training.png"
    if training.draw(
      records.read(directory),
      picture,
      task.loss_unit,
      config.optimizer.clip_norm,
    ):
      bar.say(f"Loss and gradient norm over steps: {picture}")
    bar.say(f"Metrics: {directory / records.METRICS_FILE}")
    return 0


def evaluate(
  task: base.Task,
  params: Any,
  split: str,
  eval_step: Callable,
  shardings: state_lib.Shardings | None = None,
) -> dict[str, float]:
  """Metrics over the whole of a split; empty if the split is.

  Args:
    task: brings the batches.
    params: the model's parameters.
    split: "validation" or "test".
    eval_step: `jax.jit(task.evaluate)`.
    shardings: where batches go; default the first device.
  """
  shardings = shardings or state_lib.make_shardings(1, jax.devices()[:1])
  total, carry = None, task.evaluation_carry(params)
  for batch in task.evaluation_batches(split):
    batch_metrics, carry = eval_step(params, shardings.place(batch), carry)
    total = (
      batch_metrics
      if total is None
      else jax.tree.map(lambda a, b: a + b, total, batch_metrics)
    )
  if total is None:
    return {}
  mean = metrics.Mean()
  mean.add(total)
  return {**task.summarize(mean.means()), **task.scores(params, split)}


def load_params(
  config: Config, directory: pathlib.Path, task: base.Task
) -> tuple[Any, int]:
  """Parameters and step of the newest whole checkpoint, on one device.

  Raises:
    InputError: there is none.
  """
  shardings = state_lib.make_shardings(config.batch_size, jax.devices()[:1])
  shapes = jax.eval_shape(functools.partial(state_lib.init_state, task, config))
  target = checkpoint.abstract(shapes, shardings.of_state(shapes))
  restored = checkpoint.restore_latest(directory / CHECKPOINTS, target, _warn)
  if restored is None:
    raise InputError(
      f"--workdir={directory} holds no checkpoint yet; train with this"
      " --workdir first"
    )
  state, _ = restored
  return state.params, int(state.step)


class _Log:
  """Adds up metrics, writes them every `log_every` steps, guards the run."""

  def __init__(self, config, task, writer, bar):
    self._every, self._task = config.log_every, task
    self._writer, self._bar = writer, bar
    self._mean, self._steps, self._step = metrics.Mean(), 0, 0
    self._last_finite = math.nan
    self.last: dict[str, float] = {}  # what was written last
    self.restart_clock()

  def restart_clock(self, untimed_steps: int = 0) -> None:
    """Leaves out of the rate what was no training.

    Args:
      untimed_steps: so many of the steps yet to be added are over already.
    """
    self._clock, self._timed_steps = time.monotonic(), -untimed_steps

  def add(self, step: int, step_metrics: dict[str, tuple[Any, Any]]) -> None:
    """Takes in the metrics of a step that the device has done.

    Raises:
      TrainingDiverged: loss or gradient norm is not finite.
    """
    means = self._mean.add(step_metrics)
    loss, norm = means["loss"], means["grad_norm"]
    if not (math.isfinite(loss) and math.isfinite(norm)):
      raise TrainingDiverged(
        f"step {step}: loss is {loss}, gradient norm {norm}; the last finite"
        f" loss was {self._last_finite:.4f}. Lower"
        " --config.optimizer.learning_rate or --config.optimizer.clip_norm; the"
        " last good checkpoint is kept"
      )
    self._last_finite = loss
    self._step = step
    self._steps += 1
    self._timed_steps += 1
    self._bar.step(step)
    if step % self._every == 0:
      self.flush()

  def flush(self) -> None:
    """Writes what has been added since the last time."""
    if not self._steps:
      return
    elapsed = max(time.monotonic() - self._clock, 1e-9)
    rate = self._timed_steps * self._task.items_per_step / elapsed
    unit = f"{self._task.unit}_per_second"
    values = {**self._task.summarize(self._mean.means()), unit: rate}
    self._writer.write("train", self._step, values)
    self.last = values
    self._bar.report(
      self._step,
      f"loss {values['loss']:.4f}  gradient norm {values['grad_norm']:.3f}"
      f"  {rate:,.0f} {self._task.unit}/s",
    )
    self._mean, self._steps = metrics.Mean(), 0
    self.restart_clock()


class _Stop:
  signal: int | None = None


@contextlib.contextmanager
def _interrupts() -> Iterator[_Stop]:
  """Notes SIGINT and SIGTERM; the second of a kind acts at once."""
  stop, before = _Stop(), {}

  def note(number, frame):
    del frame
    stop.signal = number
    signal.signal(number, before[number])

  for number in (signal.SIGINT, signal.SIGTERM):
    before[number] = signal.signal(number, note)
  try:
    yield stop
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _check_config(config: Config) -> None:
  for field in (
    "steps",
    "batch_size",
    "log_every",
    "eval_every",
    "checkpoint_every",
    "keep_checkpoints",
  ):
    if config[field] < 1:
      raise InputError(f"config.{field} is {config[field]}, expected >= 1")


def _format(values: dict[str, float]) -> str:
  return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


def _warn(message: str) -> None:
  print(f"warning: {message}", flush=True)
