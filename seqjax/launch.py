"""The launcher: reads flags, calls the loop or one of the task's modes.

python -m seqjax.launch --config=char_lm --workdir=runs/a
python -m seqjax.launch --mode=evaluate --workdir=runs/a
python -m seqjax.launch --mode=generate --workdir=runs/a --prompt="The "
python -m seqjax.launch --config=char_lm --help
"""

import pathlib
import signal
import sys

import jax
from absl import flags
from ml_collections import config_flags

from seqjax import command_line
from seqjax import config as settings
from seqjax.errors import InputError, TrainingDiverged
from seqjax.tasks import base
from seqjax.train import runtime, workdir

config_flags.DEFINE_config_file(
  "config",
  help_string="Experiment file, NAME[:VARIANT] or FILE[:VARIANT]; fields"
  " are set with --config.FIELD=VALUE. Training only.",
)
flags.DEFINE_string("workdir", None, "Run directory; all a run leaves is here.")
flags.DEFINE_string(
  "mode",
  "train",
  "train (goes on if begun), cross_validate (one run for each"
  " of config.data.num_folds), evaluate, or a mode of the task.",
)
flags.DEFINE_enum(
  "checkpoint",
  "best",
  workdir.CHECKPOINTS,
  "What a mode takes of a run: the best by config.best_metric, or the last. Not"
  " in training.",
)
flags.DEFINE_integer(
  "num_cpu_devices",
  0,
  "Split the CPU into so many devices; 0: in training as many as cores, if they"
  " can share the batch, else 1.",
  lower_bound=0,
)
flags.DEFINE_boolean(
  "profile",
  False,
  "Record steps 10 to 15 after the start, for Perfetto and TensorBoard, in"
  " WORKDIR/profile. Mode train only.",
)
FLAGS = flags.FLAGS
TRAINING = "train", "cross_validate"


def main(argv: list[str]) -> int:
  """Runs the command line; returns the exit code."""
  try:
    if {"--help", "-help", "-h", "--helpfull"} & set(argv[1:]):
      flag_help = FLAGS.module_help(sys.modules[__name__])
      print(f"{__doc__}\n{flag_help}\n\n{command_line.describe(argv)}")
      return 0
    rest = command_line.parse(FLAGS, argv)
    if not FLAGS.workdir:
      raise InputError("--workdir is missing; name a run directory")
    directory = pathlib.Path(FLAGS.workdir)
    if FLAGS.profile and FLAGS.mode != "train":
      raise InputError(
        f"--profile is for --mode=train, --mode={FLAGS.mode} has none"
      )
    runtime.keep_programs()
    if FLAGS.mode not in TRAINING:
      jax.config.update("jax_num_cpu_devices", FLAGS.num_cpu_devices or 1)
      return _run_mode(directory, rest)
    if FLAGS["checkpoint"].present:
      raise InputError(
        f"--checkpoint is no option of --mode={FLAGS.mode}, which goes on from"
        " the last; it is for the modes that look at a run"
      )
    command_line.options(FLAGS.mode, None, rest)
    return _train(directory)
  except InputError as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  except TrainingDiverged as error:
    print(f"error: {error}", file=sys.stderr)
    return 1
  except KeyboardInterrupt:
    print("interrupted; nothing new was saved", file=sys.stderr)
    return 128 + signal.SIGINT


def _train(directory: pathlib.Path) -> int:
  """Trains one model, one for each fold, or those of a study."""
  config, devices = FLAGS.config, FLAGS.num_cpu_devices
  if config is None:
    raise InputError(
      "--config is missing; name an experiment, e.g. --config=char_lm"
    )
  runtime.keep_memory()
  if "study" in config:
    if FLAGS.mode != "train" or FLAGS.profile:
      asked = "--profile" if FLAGS.profile else f"--mode={FLAGS.mode}"
      raise InputError(
        f"{asked} is for tasks, expected --mode=train alone for config.study ="
        f" {config.study!r}"
      )
    from seqjax.studies import base as studies

    devices = devices or studies.cpu_devices(config)
    jax.config.update("jax_num_cpu_devices", devices)
    ended_by = studies.run(config, directory)
    return 128 + ended_by if ended_by else 0
  base.find(config)
  devices = devices or runtime.cpu_devices(
    settings.get(config, "batch_size"), recurrent=settings.recurrent(config)
  )
  jax.config.update("jax_num_cpu_devices", devices)
  # Imported here: no other mode has a use for what trains.
  from seqjax.train import folds, loop

  train = {"train": loop.train, "cross_validate": folds.cross_validate}
  with settings.missing_fields():
    options = {"profile": True} if FLAGS.profile else {}
    ended_by = train[FLAGS.mode](config, directory, **options)
  return 128 + ended_by if ended_by else 0


def _run_mode(directory: pathlib.Path, rest: list[str]) -> int:
  """Evaluates, or runs a mode that the task offers."""
  mode = FLAGS.mode
  if FLAGS.config is not None:
    raise InputError(
      f"--config is for --mode=train; --mode={mode} reads"
      f" {directory / workdir.CONFIG_FILE}"
    )
  kind = base.find(workdir.task_config(directory), directory)
  modes = (*TRAINING, "evaluate", *kind.modes)
  if mode not in modes:
    raise InputError(f"--mode is {mode!r}, expected one of {', '.join(modes)}")
  of_task = kind if mode in kind.modes else None
  options = command_line.options(mode, of_task, rest)
  from seqjax.train import evaluation, restore  # Orbax takes a while

  task, params, step = restore.load(directory, FLAGS.checkpoint)
  if of_task:
    print(getattr(task, f"{mode}_mode")(params, **options))
    return 0
  evaluation.evaluate(task, params, step, directory)
  return 0


def script() -> int:
  """`seqjax` as a command is `python -m seqjax.launch`.

  So a task of the user's own is looked for in the working directory first.
  """
  if not sys.flags.safe_path:
    sys.path.insert(0, str(pathlib.Path.cwd()))
  return main(sys.argv)


if __name__ == "__main__":
  sys.exit(main(sys.argv))
