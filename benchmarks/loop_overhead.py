"""What the training loop costs beyond the jitted step itself.

  python -m benchmarks.loop_overhead [--config=experiments/char_lm.py]

Times the bare step function in a tight loop and the whole loop (batches,
transfer, metrics, log, progress; evaluation and checkpoints are left out) on
the same config, A B A B ..., and prints both and their ratio.
"""

import contextlib
import io
import json
import pathlib
import tempfile
import time

import jax
import numpy as np
from absl import app, flags, logging
from ml_collections import config_flags

from seqjax import files
from seqjax.tasks import base
from seqjax.train import loop, train_state
from seqjax.train.shardings import make_shardings

_CONFIG = config_flags.DEFINE_config_file("config", "experiments/char_lm.py")
_STEPS = flags.DEFINE_integer("steps", 60, "Steps a measurement.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Measurements of each kind.")


def bare(config, steps: int) -> float:
  """Seconds a step: the same batch, the state handed on, no metrics read."""
  task = base.create(config, None)
  shardings = make_shardings(config.batch_size)
  state = train_state.init_state(task, config)
  state = jax.device_put(state, shardings.of_state(state))
  step = train_state.make_train_step(task, config, state, shardings)
  batch = shardings.place(next(task.train_batches()))
  state, _ = jax.block_until_ready(step(state, batch))
  begin = time.perf_counter()
  for _ in range(steps):
    state, _ = step(state, batch)
  jax.block_until_ready(state)
  return (time.perf_counter() - begin) / steps


def whole(config, steps: int) -> float:
  """Seconds a step of `loop.train`, from its own rate."""
  with tempfile.TemporaryDirectory() as directory, config.unlocked():
    config.steps = steps + 1  # the first compiles and is not in the rate
    config.eval_every = config.checkpoint_every = 10**9
    config.log_every = 10**9  # one record, at the end
    config.data.validation = config.data.test = 0.0
    with contextlib.redirect_stdout(io.StringIO()):
      loop.train(config, pathlib.Path(directory))
    (record,) = files.read_records(pathlib.Path(directory))
    return config.batch_size * config.window / record["chars_per_second"]


def main(_):
  logging.set_verbosity(logging.WARNING)
  config = _CONFIG.value
  times = {"bare step": [], "whole loop": []}
  for _ in range(_ROUNDS.value):
    for name, measure in (("bare step", bare), ("whole loop", whole)):
      copy = config.copy_and_resolve_references()
      times[name].append(measure(copy, _STEPS.value))
  for name, seconds in times.items():
    print(
      f"{name}: min {min(seconds) * 1e3:.2f} ms,"
      f" median {np.median(seconds) * 1e3:.2f} ms"
    )
  ratios = {
    "min": min(times["whole loop"]) / min(times["bare step"]),
    "median": float(
      np.median(times["whole loop"]) / np.median(times["bare step"])
    ),
  }
  print("ratio:", json.dumps(ratios))


if __name__ == "__main__":
  app.run(main)
