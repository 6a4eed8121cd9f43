"""How far a cell can learn to remember, beside how far its gradient reaches.

Not one training but many: `run` trains every cell of the config at growing
distances until it fails, and writes `metrics.jsonl` (one line a point) and
`memory_distance` as PNG and SVG into the run directory.
"""

import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from ml_collections import ConfigDict

from seqjax import config as settings
from seqjax import files
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.gradients.norms import by_lag, together
from seqjax.gradients.verdict import memory_horizon
from seqjax.show import memory
from seqjax.studies import base
from seqjax.tasks import long_memory


def check(config: Config) -> None:
  """Raises InputError if a cell, a distance or a size is not fit."""
  distances = tuple(config.distances)
  if not distances or list(distances) != sorted(set(distances)):
    raise InputError(
      f"config.distances is {list(distances)}, expected growing distances"
    )
  settings.at_least(config, 1, "num_seeds", "steps", "batch_size")
  settings.at_least(config, 0, "seed")
  settings.at_least(config, 0.0, "clip_norm", "learned", "horizon")
  base.cells(config)
  for point in _points(config).values():
    for distance in distances:
      _at(point, distance)


def run(
  config: Config, directory: pathlib.Path
) -> dict[str, tuple[int, int | None]]:
  """Trains cell after cell, distance after distance; draws the figure.

  A distance counts as learned if the loss on new examples is at most
  `config.learned` of the baseline for more than half of the seeds. Points that
  `metrics.jsonl` already holds are not trained again: after a stop the same
  command goes on.

  Returns:
    Label to the horizon before training and the longest distance learned, None
    for none: the rows of `show.memory`.

  Raises:
    InputError: see `check`; found before hours are spent.
  """
  check(config)
  distances, jobs = tuple(config.distances), _points(config)
  horizons, starts = {}, {}
  for label, point in jobs.items():
    task = _at(point, distances[-1])
    starts[label] = jax.jit(jax.vmap(task.init))(_keys(config)[:, 0])
    horizons[label] = _horizon_at_start(task, starts[label], config)
    print(
      f"{label}: horizon {horizons[label]} steps before training", flush=True
    )
  done = {(r["cell"], r["distance"]): r for r in files.read_records(directory)}
  for label, point in jobs.items():
    for distance in distances:
      record = done.get((label, distance))
      if record is None:
        begin = time.monotonic()
        record = {"kind": "distance", "cell": label, "distance": distance}
        record |= _measure(_at(point, distance), starts[label], config)
        record["seconds"] = round(time.monotonic() - begin, 1)
        done[label, distance] = record
        files.write_records(directory, done.values())
      print(_line(record), flush=True)
      if not record["learned"]:
        break

  results = {
    label: [done[label, d] for d in distances if (label, d) in done]
    for label in jobs
  }
  rows = {}
  for label, points in results.items():
    reached = [r["distance"] for r in points if r["learned"]]
    rows[label] = horizons[label], max(reached, default=None)
  memory.draw(
    rows,
    directory / "memory_distance.png",
    distances=distances,
    share=config.horizon,
    name=config.data.name,
    svg=True,
  )
  print(f"Horizon and learned distance: {directory / 'memory_distance.png'}")
  return rows


def _points(config: Config) -> dict[str, Config]:
  """Label to the config of a task with that cell."""
  points = {}
  for name, entry in config.cells.items():
    point = ConfigDict({**config.to_dict(), "eval_batches": 1})
    point.model = ConfigDict({**config.model, "cell": entry.cell})
    points[entry.label or name] = point
  return points


def _at(point: Config, distance: int) -> long_memory.LongMemory:
  point = ConfigDict(point.to_dict())
  point.data.distance = distance
  return long_memory.LongMemory(point)


def _keys(config: Config) -> jax.Array:
  """`[seeds, 3]`: for the parameters, for training, for evaluation."""
  keys = jax.random.split(jax.random.key(config.seed), config.num_seeds)
  return jax.vmap(lambda key: jax.random.split(key, 3))(keys)


def _measure(
  task: long_memory.LongMemory, start: Any, config: Config
) -> dict[str, Any]:
  """Trains all seeds as one program; the loop is inside.

  Args:
    task: at one distance.
    start: parameters of every seed.
    config: of the study.
  """
  transform = optax.chain(
    optax.clip_by_global_norm(config.clip_norm),
    optax.adam(config.learning_rate),
  )

  def one(params, keys):
    _, key_train, key_eval = keys

    def step(state, index):
      params, opt_state = state
      key = jax.random.fold_in(key_train, index)
      batch = task.draw(key, config.batch_size)
      noise = jax.random.fold_in(key, 1)
      loss = lambda p: _mean(*task.loss(p, batch, (), noise)[0])
      grads = jax.grad(loss)(params)
      updates, opt_state = transform.update(grads, opt_state, params)
      return (optax.apply_updates(params, updates), opt_state), None

    state = params, transform.init(params)
    (params, _), _ = lax.scan(step, state, jnp.arange(config.steps))
    batch = task.draw(key_eval, config.eval_batch_size)
    loss = _mean(*task.evaluate(params, batch, ())[0]["loss"])
    return loss, _curves(task, params, batch)

  losses, curves = jax.device_get(jax.jit(jax.vmap(one))(start, _keys(config)))
  learned = losses <= config.learned * task.baseline
  return {
    "losses": [float(loss) for loss in losses],
    "baseline": task.baseline,
    "learned": bool(learned.mean() > 0.5),
    "horizons": [memory_horizon(curve, config.horizon) for curve in curves],
  }


def _mean(total: jax.Array, count: jax.Array) -> jax.Array:
  return total / count


def _curves(task: long_memory.LongMemory, params: Any, batch: Any) -> jax.Array:
  """Norms of the gradient over lag, `[batch, time]`."""
  return by_lag(together(task.gradient_norms(params, batch, ())[0]))


def _horizon_at_start(
  task: long_memory.LongMemory, start: Any, config: Config
) -> int:
  """Steps until `config.horizon` of the gradient is left, before training."""

  def one(params, key):
    batch = task.draw(key, config.eval_batch_size)
    return _curves(task, params, batch)

  curves = jax.jit(jax.vmap(one))(start, _keys(config)[:, 2])
  return memory_horizon(np.asarray(curves), config.horizon)


def _line(record: dict) -> str:
  word = "learned" if record["learned"] else "not learned"
  losses = ", ".join(f"{loss:.2g}" for loss in record["losses"])
  return (
    f"{record['cell']}, distance {record['distance']}: {word} (losses {losses};"
    f" without memory {record['baseline']:.2g}; {record['seconds']} s)"
  )
