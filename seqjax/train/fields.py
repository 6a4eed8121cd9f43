"""The fields of a config that the training loop itself reads."""

from seqjax import config as settings
from seqjax.config import Config
from seqjax.errors import InputError


def check(config: Config) -> None:
  """Raises InputError for a field that the loop reads and that is not fit."""
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
