"""The one training loop. Knows nothing of text, images or labels."""

import contextlib
import functools
import math
import pathlib
import signal
import time
from collections.abc import Sequence
from typing import Any

import jax

from seqjax import config as settings
from seqjax import files
from seqjax.config import Config
from seqjax.errors import InputError, TrainingDiverged
from seqjax.nn.functional import array_shapes, count_params
from seqjax.show import parameters
from seqjax.tasks import base
from seqjax.train import (
  best,
  checkpoint,
  init_from,
  metrics,
  probes,
  profiling,
  progress,
  runtime,
  showcase,
  workdir,
)
from seqjax.train.restore import load as load
from seqjax.train.restore import warn
from seqjax.train.shardings import make_shardings
from seqjax.train.train_state import init_state, make_train_step


def train(
  config: Config,
  directory: pathlib.Path,
  devices: Sequence[Any] | None = None,
  profile: bool = False,
) -> int:
  """Trains, or goes on training, in `directory` until `config.steps`.

  Or until `config.patience` evaluations brought nothing better.

  Args:
    config: what an experiment file returns.
    directory: the run directory; holds `config.json`, `task.json`,
      `metrics.jsonl`, `tensorboard/`, `checkpoints/` and `showcase/`
      afterwards.
    devices: which share each batch; default all.
    profile: whether to record some steps, see `profiling.Profile`.

  Returns:
    0, or the number of the signal (SIGINT, SIGTERM) that ended the run early;
    its state is saved then.

  Raises:
    InputError: the config, the data or the directory is not fit.
    TrainingDiverged: a loss or gradient is not finite. The last good
      checkpoint stays.
  """
  config = base.resolve(config)
  _check_config(config)
  shardings = make_shardings(config.batch_size, devices)
  folder, needed = directory / checkpoint.FOLDER, directory / base.STATE_FILE
  with contextlib.ExitStack() as stack:
    stack.enter_context(workdir.locked(directory))
    stack.enter_context(jax.set_mesh(shardings.mesh))
    if workdir.begun(directory):
      workdir.check_config(directory, config)
    begun = bool(checkpoint.saved_steps(folder))
    if begun:
      checkpoint.check_needed(folder, needed)
    task = base.create(config, directory if begun else None)
    with settings.missing_fields():
      batches = task.train_batches()
      init = functools.partial(init_state, task, config)
      shapes = jax.eval_shape(init)

    # Where to begin: the newest whole checkpoint, or step 0, which may have
    # parameters of another run.
    layout = shardings.of_state(shapes)
    target = checkpoint.abstract(shapes, layout)
    restored = checkpoint.restore_latest(folder, target, warn)
    taken, told, seconds_before, record = {}, "", 0.0, best.Best()
    if restored is None:
      if config.init_from:
        taken, told = init_from.take(config.init_from, task, shapes.params)
      state = jax.jit(init, out_shardings=layout)(taken)
    else:
      state, extra = restored
      batches.set_state(extra["data"])
      seconds_before, record = extra["seconds"], best.Best(**extra["best"])
    start = int(state.step)
    train_step = make_train_step(task, config, state, shardings)
    probe = probes.GradientProbe(config, task, directory)
    # What is wrong with a batch, the loss, an evaluation or the probe is found
    # here.
    with settings.missing_fields():
      position = batches.get_state()
      first = next(batches)
      batches.set_state(position)
      train_step.eval_shape(state, first)
      probe.check(state, first)
      nothing = best.check(
        config, task, state.evaluated, shardings.place, begun
      )
    if not begun:
      files.write_json(needed, task.state(), indent=None)
    workdir.save_config(directory, config)

    checkpoints = stack.enter_context(
      checkpoint.Writer(folder, config.keep_checkpoints, needed)
    )
    writer = stack.enter_context(metrics.Writer(directory, start))
    bar = stack.enter_context(progress.Progress(config.steps, start))
    stop = stack.enter_context(runtime.interrupts())
    bar.say(
      f"{config.task}: {count_params(state.params):,} parameters,"
      f" {jax.device_count()} {jax.default_backend()} device(s),"
      f" {'from step ' + str(start) if start else 'from the beginning'}"
      f" to step {config.steps}, in {directory}"
    )
    for line in filter(None, (told, nothing)):
      bar.say(line)
    if not start:
      bar.say(parameters.table(array_shapes(state.params)))
    if profile:
      span = range(start + 1, config.steps + 1)
      train_step = stack.enter_context(
        profiling.Profile(train_step, span, directory, bar.say)
      )

    log = _Log(config, task, writer, bar)
    begin = time.monotonic()

    def save():
      seconds = seconds_before + time.monotonic() - begin
      extra = {"data": batches.get_state(), "seconds": seconds}
      extra["best"] = record._asdict()
      checkpoints.save(state, extra, record.step)

    if taken:
      save()  # so that the other run is not read again
    end = start if record.waited(config.patience) else config.steps
    waiting = None  # metrics of the step before, not fetched yet
    step = start
    for step in range(start + 1, end + 1):
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
        line = probe.run(step, state.params, batch, state.carry, share, writer)
        bar.say(line)
      if evaluates:
        values, _ = task.evaluate_split(
          state.evaluated, "validation", shardings.place
        )
        if values:
          writer.write("validation", step, values)
          bar.say(f"step {step}: validation {_format(values)}")
          value = best.measure(config, values)
          record = record.after(step, value, config.best_mode)
          if record.waited(config.patience):
            end = step
          saves = saves or record.step == step or end == step
      if saves:
        save()
      if evaluates or saves or probe.due(step):
        log.restart_clock()
      if stopping or end == step:
        break

    checkpoints.wait()
    if stop.signal is not None and step < end:
      bar.say(
        f"{signal.Signals(stop.signal).name}: saved step {step}; the same"
        " command goes on from there"
      )
      return stop.signal

    seconds = seconds_before + time.monotonic() - begin
    bar.say(f"step {step} done; training took {progress.clock(seconds)}")
    the_best = f"step {record.step}, {config.best_metric} {record.value:.4f}"
    if record.waited(config.patience):
      bar.say(
        f"stopped: {record.since} evaluations without a better one than"
        f" {the_best}; to go on raise --config.patience, now {config.patience}"
      )

    def params_to_show():
      if record.step in (0, step):
        return state.evaluated
      params, shown = checkpoint.restore_params(
        folder, target.params, "best", warn
      )
      if shown == record.step:
        bar.say(f"the showcase is of the best: {the_best}")
      return params

    showcase.show(config, task, params_to_show, directory, writer, bar)
    bar.say(f"Metrics: {directory / files.METRICS_FILE}")
    return 0


class _Log:
  """Adds up metrics, writes them every `log_every` steps, guards the run."""

  def __init__(self, config, task, writer, bar):
    self._every, self._task = config.log_every, task
    self._writer, self._bar = writer, bar
    self._mean, self._steps, self._step = base.Means(), 0, 0
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
    self._mean, self._steps = base.Means(), 0
    self.restart_clock()


def _check_config(config: Config) -> None:
  counts = "steps", "batch_size", "log_every", "eval_every", "checkpoint_every"
  settings.at_least(config, 1, *counts, "keep_checkpoints")
  settings.at_least(config, 1, "accumulation_steps")
  settings.at_least(config, 0, "seed", "patience", "probes.gradients_every")
  settings.one_of(config, ("min", "max"), "best_mode")
  settings.texts(config, "best_metric", "init_from")
  rates = "b1", "b2", "momentum", "ema_decay"
  settings.rate(config, *(f"optimizer.{rate}" for rate in rates))
  parts = "weight_decay", "final_fraction", "clip_norm"
  settings.at_least(config, 0.0, *(f"optimizer.{part}" for part in parts))
  settings.at_least(config, 1, "optimizer.decay_steps")
  if config.seed >= 2**32:
    raise InputError(f"config.seed is {config.seed}, expected less than 2^32")


def _format(values: dict[str, float]) -> str:
  return "  ".join(f"{name} {value:.4f}" for name, value in values.items())
