"""The launcher: reads flags, calls the loop or one of the task's modes.

python -m seqjax.launch --config=experiments/char_lm.py --workdir=runs/a
python -m seqjax.launch --mode=evaluate --workdir=runs/a
python -m seqjax.launch --mode=generate --workdir=runs/a --prompt="The "
"""

import inspect
import json
import pathlib
import signal
import sys

import jax
from absl import flags
from ml_collections import config_flags

from seqjax import command_line
from seqjax.errors import InputError
from seqjax.tasks import base
from seqjax.train import folds, loop, runtime, workdir

config_flags.DEFINE_config_file(
  "config",
  help_string="Experiment file, e.g. experiments/char_lm.py[:variant]; fields"
  " are set with --config.FIELD=VALUE. Training only.",
)
flags.DEFINE_string("workdir", None, "Run directory; all a run leaves is here.")
flags.DEFINE_string(
  "mode",
  "train",
  "train (goes on if begun), cross_validate (one run for each"
  " of config.data.num_folds), evaluate, or a mode of the task.",
)
flags.DEFINE_integer(
  "num_cpu_devices",
  0,
  "Split the CPU into so many devices; 0: in training as many as cores, if they"
  " can share the batch, else 1.",
  lower_bound=0,
)

# Options of the tasks' modes. A mode takes those that its function names.
_MODE_OPTIONS = [
  holder.name
  for holder in (
    flags.DEFINE_string("prompt", "", "generate, complete: what to continue."),
    flags.DEFINE_integer("num_chars", 500, "generate: characters to add."),
    flags.DEFINE_integer("num_words", 1, "complete: words to add."),
    flags.DEFINE_float("temperature", 1.0, "generate: 0 is the likeliest."),
    flags.DEFINE_integer("top_k", 0, "generate, complete: the k likeliest."),
    flags.DEFINE_float("top_p", 1.0, "generate: likeliest that reach p."),
    flags.DEFINE_integer("seed", 0, "generate: same seed, same text."),
    flags.DEFINE_integer("num_samples", 1, "generate: how many texts."),
    flags.DEFINE_string(
      "input", "-", "predict, tag: a file, or -; forecast, roll_out: a CSV."
    ),
    flags.DEFINE_string("output", "", "forecast: a folder; roll_out: a file."),
  )
]
FLAGS = flags.FLAGS


def main(argv: list[str]) -> int:
  """Runs the command line; returns the exit code."""
  if {"--help", "-help", "-h", "--helpfull"} & set(argv[1:]):
    print(f"{__doc__}\n{FLAGS.module_help(sys.modules[__name__])}")
    return 0
  try:
    command_line.parse(FLAGS, argv)
    devices = FLAGS.num_cpu_devices
    if not FLAGS.workdir:
      raise InputError("--workdir is missing; name a run directory")
    directory = pathlib.Path(FLAGS.workdir)
    if FLAGS.mode in ("train", "cross_validate"):
      if FLAGS.config is None:
        raise InputError(
          "--config is missing; name an experiment, e.g."
          " --config=experiments/char_lm.py"
        )
      module = base.load(FLAGS.config)
      sweep = FLAGS.mode == "train" and hasattr(module, "run")
      if not (devices or sweep):
        devices = runtime.cpu_devices(FLAGS.config.batch_size)
      runtime.keep_memory()
      jax.config.update("jax_num_cpu_devices", devices or 1)
      if sweep:
        with workdir.locked(directory):
          if workdir.begun(directory):
            workdir.check_config(directory, FLAGS.config)
          workdir.save_config(directory, FLAGS.config)
          module.run(FLAGS.config, directory)
        return 0
      run = loop.train if FLAGS.mode == "train" else folds.cross_validate
      ended_by = run(FLAGS.config, directory)
      return 128 + ended_by if ended_by else 0
    jax.config.update("jax_num_cpu_devices", devices or 1)
    return _run_mode(directory)
  except InputError as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  except loop.TrainingDiverged as error:
    print(f"error: {error}", file=sys.stderr)
    return 1
  except KeyboardInterrupt:
    print("interrupted; nothing new was saved", file=sys.stderr)
    return 128 + signal.SIGINT


def _run_mode(directory: pathlib.Path) -> int:
  """Evaluates, or runs a mode that the task offers."""
  if FLAGS.config is not None:
    raise InputError(
      f"--config is for --mode=train; --mode={FLAGS.mode} reads"
      f" {directory / workdir.CONFIG_FILE}"
    )
  config = workdir.load_config(directory)
  task = base.create(config, directory)
  modes = ("train", "cross_validate", "evaluate", *task.modes)
  if FLAGS.mode not in modes:
    raise InputError(
      f"--mode is {FLAGS.mode!r}, expected one of {', '.join(modes)}"
    )
  if FLAGS.mode == "evaluate":
    params, step = loop.load_params(config, directory, task)
    results = {}
    for split in ("validation", "test"):
      eval_step = jax.jit(task.evaluate)
      if values := loop.evaluate(task, params, split, eval_step):
        results[split] = values
        for name, value in values.items():
          print(f"{split} {name}: {value:.4f}")
    record = json.dumps({"step": step, **results}, indent=2) + "\n"
    workdir.write_atomically(directory / "evaluation.json", record)
    return 0
  mode = task.modes[FLAGS.mode]
  takes = inspect.signature(mode).parameters
  for name in _MODE_OPTIONS:
    if FLAGS[name].present and name not in takes:
      raise InputError(f"--{name} is no option of --mode={FLAGS.mode}")
  # What is not on the command line keeps the mode's own default.
  options = {
    name: FLAGS[name].value for name in _MODE_OPTIONS if FLAGS[name].present
  }
  params, _ = loop.load_params(config, directory, task)
  print(mode(params, **options))
  return 0


if __name__ == "__main__":
  sys.exit(main(sys.argv))
