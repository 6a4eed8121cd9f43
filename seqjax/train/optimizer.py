"""The optimizer as one optax chain, from config."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
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


def _matrices(params: Any) -> Any:
  """What weight decay touches: biases, the forget bias above all, keep theirs.

  True for arrays of two dimensions or more.
  """
  return jax.tree.map(lambda p: p.ndim > 1, params)


def _decayed(
  rule: optax.GradientTransformation, config: Config, rate: optax.Schedule
) -> optax.GradientTransformation:
  """A rule, and AdamW's weight decay beside it: - rate * weight_decay * p."""
  decay = lambda step: -config.weight_decay * rate(step)
  return optax.chain(rule, optax.add_decayed_weights(decay, _matrices))


def _adafactor(config: Config, rate: optax.Schedule):
  # Its own decay would not follow the schedule, and its steps would be shares
  # of a parameter: a bias that begins at zero would hardly move.
  rule = optax.adafactor(rate, multiply_by_parameter_scale=False)
  return _decayed(rule, config, rate)


def _muon(config: Config, rate: optax.Schedule):
  def dimensions(params):
    return jax.tree_util.tree_map_with_path(
      lambda path, p: (
        optax.contrib.MuonDimensionNumbers()
        if p.ndim == 2 and not _is_look_up_or_read_out(path)
        else None
      ),
      params,
    )

  rule = optax.contrib.muon(
    rate,
    beta=config.momentum,
    adam_b1=config.b1,
    adam_b2=config.b2,
    muon_weight_dimension_numbers=dimensions,
    consistent_rms=0.2,  # as large as AdamW's steps: one rate suits both
  )
  return _decayed(rule, config, rate)


def _is_look_up_or_read_out(path: Any) -> bool:
  names = jax.tree_util.keystr(path, simple=True, separator="/").split("/")
  return "head" in names or any("embed" in name for name in names)


RULES: dict[str, Callable[[Config, optax.Schedule], Any]] = {
  "adafactor": _adafactor,
  "adam": lambda config, rate: optax.adam(rate, config.b1, config.b2),
  "adamw": lambda config, rate: optax.adamw(
    rate,
    b1=config.b1,
    b2=config.b2,
    weight_decay=config.weight_decay,
    mask=_matrices,
  ),
  "lion": lambda config, rate: optax.lion(
    rate,
    b1=config.b1,
    b2=config.b2,
    weight_decay=config.weight_decay,
    mask=_matrices,
  ),
  "muon": _muon,
  "rmsprop": lambda config, rate: optax.rmsprop(
    rate, decay=config.b2, momentum=config.momentum or None
  ),
  "sgd": lambda config, rate: optax.sgd(rate, momentum=config.momentum or None),
}


def create(config: Config) -> optax.GradientTransformation:
  """Snapshot of the norm -> clip by global norm -> a rule of optax.

  Rules, and the fields that each reads beside `clip_norm` (0 is off) and those
  of `learning_rate`; a field that is not named here does nothing to it:

    adam       b1, b2
    adamw      b1, b2, weight_decay
    sgd        momentum
    rmsprop    b2, of the mean square, and momentum
    lion       b1, b2, weight_decay; a tenth to a third of AdamW's rate, and as
               many times its decay (Chen et al. 2023)
    adafactor  weight_decay; second moments by row and column for arrays of 128
               and more (Shazeer and Stern 2018), no first ones. Steps are as
               large as the rate says, not shares of the parameters
    muon       momentum, weight_decay (Jordan et al. 2024), for matrices; the
               gates that a kernel packs count as one. Embeddings, read-outs
               (all under a name with "embed", or "head"), vectors, and arrays
               of more dimensions go by adam with b1, b2. Steps of a matrix
               have AdamW's mean square, 0.2 (Liu et al. 2025), so that its
               rate and decay do

  Weight decay is AdamW's, decoupled and times the rate (Loshchilov and Hutter
  2019), of matrices only.

  Raises:
    InputError: the name is unknown, or a number out of range.
  """
  rate = learning_rate(config)
  if config.name not in RULES:
    raise InputError(
      f"config.optimizer.name is {config.name!r}, expected one of"
      f" {', '.join(RULES)}"
    )
  rule = RULES[config.name](config, rate)
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


def average(params: Any, before: Any, decay: float, step: jax.Array) -> Any:
  """The moving average of the parameters after `step` updates, 1 or more.

    a_t = sum_(s = 1..t) d^(t - s) p_s / sum_(s = 1..t) d^(t - s)
        = a_(t-1) + w_t (p_t - a_(t-1)),   w_t = (1 - d) / (1 - d^t)

  Exponential with Adam's bias correction (Kingma and Ba 2015, section 7.2,
  after Polyak and Juditsky 1992), which is in w_t: the average needs none when
  it is read, and what is in it before the first update (w_1 = 1) is gone.

  Args:
    params: p_t.
    before: a_(t-1), alike.
    decay: d, in (0, 1).
    step: t.
  """
  # 1 - d^t as it stands has three digits left where d = 0.9999, t = 1.
  weight = (1 - decay) / -jnp.expm1(step * math.log(decay))
  return optax.incremental_update(params, before, weight)
