"""The one training loop. Knows nothing of text, images or labels."""

import contextlib
import functools
import pathlib
import signal
import time
from collections.abc import Sequence
from typing import Any

import jax

from seqjax import config as settings
from seqjax import files
from seqjax.config import Config
from seqjax.nn.trees import array_shapes, count_params
from seqjax.show import parameters
from seqjax.tasks import base
from seqjax.train import (
  best,
  checkpoint,
  fields,
  init_from,
  metrics,
  probes,
  profiling,
  progress,
  runtime,
  showcase,
  workdir,
)
from seqjax.train.log import Log
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
  """Trains, or goes on, until `config.steps` or `config.patience` ends it.

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
  fields.check(config)
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

    log = Log(config, task, writer, bar)
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
          bar.say(
            f"step {step}: validation {metrics.line(values, task.context)}"
          )
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

    took = progress.clock(seconds_before + time.monotonic() - begin)
    bar.say(f"step {step} done; training took {took}")
    if record.waited(config.patience):
      bar.say(
        f"stopped: {record.since} evaluations without a better one than step"
        f" {record.step}, {config.best_metric} {record.value:.4f}; to go on"
        f" raise --config.patience, now {config.patience}"
      )
    shown = functools.partial(
      showcase.params, state.evaluated, step, folder, record.step, bar
    )
    showcase.show(config, task, shown, directory, writer, bar)
    bar.say(f"Metrics: {directory / files.METRICS_FILE}")
    return 0
