"""The training state and the step function: pure, jitted once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from seqjax.config import Config
from seqjax.nn.trees import leaf_name
from seqjax.tasks import base
from seqjax.train import accumulation, optimizer
from seqjax.train.shardings import Shardings


class TrainState(NamedTuple):
  """All that changes while training; what a checkpoint holds."""

  step: jax.Array  # int32, steps done
  params: Any
  average: Any  # moving average of params; () without
  opt_state: Any
  carry: Any  # of the last batch, [batch, ...]
  key: jax.Array  # constant; step n uses fold_in(key, n)

  @property
  def evaluated(self) -> Any:
    """The parameters for all but training: the average, if there is one."""
    return self.average or self.params


def init_state(
  task: base.Task, config: Config, taken: dict[str, Any] | None = None
) -> TrainState:
  """The state before the first step: a pure function of its arguments.

  Args:
    task: built from `config`.
    config: of the experiment.
    taken: parameters by their names (`leaf_name`) that are not drawn but these,
      but for what is NaN in them, see `init_from`.
  """
  init_key, train_key = jax.random.split(jax.random.key(config.seed))
  params = task.init(init_key)
  if taken:
    new = lambda path: taken.get(leaf_name(path), jnp.nan)
    params = jax.tree_util.tree_map_with_path(
      lambda path, old: jnp.where(jnp.isnan(new(path)), old, new(path)), params
    )
  averaged = config.optimizer.ema_decay > 0
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    # A copy: the state is donated, and no array may be in it twice.
    average=jax.tree.map(jnp.copy, params) if averaged else (),
    opt_state=optimizer.create(config.optimizer).init(params),
    carry=task.initial_carry(params),
    key=train_key,
  )


def gradient(
  task: base.Task, params: Any, batch: Any, carry: Any, key: jax.Array
) -> tuple[Any, base.Metrics, Any]:
  """Gradient of the mean loss of a batch, its metrics and the next carry."""

  def loss(params):
    (total, count), metrics, new_carry = task.loss(params, batch, carry, key)
    return total / count, ({"loss": (total, count), **metrics}, new_carry)

  grads, (metrics, new_carry) = jax.grad(loss, has_aux=True)(params)
  return grads, metrics, new_carry


def make_train_step(
  task: base.Task,
  config: Config,
  state: TrainState,
  shardings: Shardings,
):
  """The jitted step `(state, batch) -> (state, metrics)`; donates the state.

  Metrics are `{name: (sum, count)}`: the task's, the norm of the gradient
  before clipping, of all and of each top module, whether it was clipped, and
  the learning rate.
  """
  transform = optimizer.create(config.optimizer)
  schedule = optimizer.learning_rate(config.optimizer)
  clip_norm, decay = config.optimizer.clip_norm, config.optimizer.ema_decay

  def train_step(state: TrainState, batch):
    key = jax.random.fold_in(state.key, state.step)
    whole = task, state.params, batch, state.carry, key
    if (parts := config.accumulation_steps) > 1:
      grads, metrics, carry = accumulation.gradient(*whole, parts)
    else:
      grads, metrics, carry = gradient(*whole)
    updates, opt_state = transform.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    step, average = state.step + 1, state.average
    if decay:
      average = optimizer.average(params, average, decay, step)
    norm = optax.tree.get(opt_state, optimizer.GRAD_NORM)
    clipped = norm > clip_norm if clip_norm else jnp.zeros((), bool)
    modules = grads if len(grads) > 1 else {}
    metrics = {
      **metrics,
      "grad_norm": (norm, 1),
      **{f"grad_norm/{n}": (optax.tree.norm(g), 1) for n, g in modules.items()},
      "clipped_share": (clipped.astype(jnp.float32), 1),
      "learning_rate": (schedule(state.step), 1),
    }
    new_state = state._replace(
      step=step,
      params=params,
      average=average,
      opt_state=opt_state,
      carry=carry,
    )
    return new_state, metrics

  out_shardings = (shardings.of_state(state), shardings.replicated)
  return jax.jit(train_step, donate_argnums=0, out_shardings=out_shardings)
