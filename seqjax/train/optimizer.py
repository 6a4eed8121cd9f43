"""The optimizer as one optax chain, from config."""

import jax
import optax

from seqjax.config import Config
from seqjax.errors import InputError

# Where the chain keeps the norm of the gradient as it was before clipping.
GRAD_NORM = "grad_norm"


def learning_rate(config: Config) -> optax.Schedule:
  """Linear warm-up to `learning_rate`, then constant or decay.

  Args:
    config: `learning_rate`, `warmup_steps`, `decay` ("constant", "linear" or
      "cosine"), `decay_steps` (counted from step 0), `final_fraction` of the
      peak that is left at the end of the decay.

  Raises:
    InputError: a name is unknown or a number out of range.
  """
  peak, warmup = config.learning_rate, config.warmup_steps
  if not (0 < peak < float("inf") and warmup >= 0):
    raise InputError(
      f"config.optimizer.learning_rate is {peak} and warmup_steps is {warmup},"
      " expected a positive rate and a number >= 0"
    )
  length = max(config.decay_steps - warmup, 1)
  match config.decay:
    case "constant":
      after = optax.constant_schedule(peak)
    case "linear":
      after = optax.linear_schedule(peak, peak * config.final_fraction, length)
    case "cosine":
      after = optax.cosine_decay_schedule(peak, length, config.final_fraction)
    case other:
      raise InputError(
        f"config.optimizer.decay is {other!r}, expected one of constant,"
        " linear, cosine"
      )
  # (step + 1) / warmup: the first step already moves.
  start = optax.linear_schedule(peak / (warmup + 1), peak, max(warmup, 1))
  return optax.join_schedules([start, after], [warmup])


def create(
  config: Config,
) -> optax.GradientTransformation:
  """Snapshot of the norm -> clip by global norm -> adamw or sgd.

  Weight decay touches matrices only: biases, and the forget bias above all,
  keep their values.

  Args:
    config: see `learning_rate`, and `name`, `clip_norm` (0 is off), `b1`, `b2`,
      `weight_decay` (adamw), `momentum` (sgd).

  Raises:
    InputError: the name is unknown.
  """
  rate = learning_rate(config)
  match config.name:
    case "adamw":
      rule = optax.adamw(
        rate,
        b1=config.b1,
        b2=config.b2,
        weight_decay=config.weight_decay,
        mask=lambda params: jax.tree.map(lambda p: p.ndim > 1, params),
      )
    case "sgd":
      rule = optax.sgd(rate, momentum=config.momentum or None)
    case other:
      raise InputError(
        f"config.optimizer.name is {other!r}, expected one of adamw, sgd"
      )
  if config.clip_norm < 0:
    raise InputError(
      f"config.optimizer.clip_norm is {config.clip_norm}, expected 0 (off) or"
      " a positive norm"
    )
  clip = (
    optax.clip_by_global_norm(config.clip_norm)
    if config.clip_norm
    else optax.identity()
  )
  norm = optax.snapshot(GRAD_NORM, optax.tree.norm)
  return optax.chain(norm, clip, rule)
