"""Where will the ball go next? Roll-outs from positions or images."""

import functools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import config as settings
from seqjax import files
from seqjax.data import batching, physics
from seqjax.data.examples import Splits
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.roll_out import RollOut
from seqjax.tasks import base

INPUTS = "positions", "images"
_STREAMS = {"train": 0, "validation": 1, "test": 2}


class Batch(NamedTuple):
  """Positions as shares of the box; rows without have weight 0."""

  observed: Any  # float32 [batch, observed steps, 2 or pixels]
  past: Any  # float32 [batch, observed steps, 2]
  future: Any  # float32 [batch, horizon, 2]
  weights: Any  # float32 [batch]


class Trajectories(base.Task):
  """Balls in a box: some steps are seen, the next are foretold.

  Simulated balls are new in every batch. Trajectories from a file are cut into
  windows and parted by trajectory; the box is then the smallest that holds all
  of training.
  """

  unit = "trajectories"
  loss_unit = "share of the box"
  modes = ("roll_out",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 2, "data.observed")
    settings.at_least(config, 4, "data.image_size")
    settings.at_least(config, 1, "data.horizon", "eval_batch_size")
    settings.at_least(config, 1, "eval_batches")
    settings.one_of(config, INPUTS, "data.input")
    self._images = config.data.input == "images"
    self._make = layers.stack(config.model)

  @functools.cached_property
  def _windows(self) -> Splits:
    """`[windows, observed + horizon, 2]` of each part of the user's file."""
    return physics.load(self.config.data, self.config.seed)

  @functools.cached_property
  def box(self) -> physics.Box:
    """Where positions are, in the file's units."""
    if self.saved:
      return physics.Box(**self.saved)
    if not self.config.data.path:
      return physics.Box()
    return physics.Box.fit(self._windows.train)

  def state(self):
    return self.box.state

  def build(self, key):
    data, model = self.config.data, self.config.model
    return RollOut(
      self._make,
      data.image_size**2 if self._images else 2,
      embed_size=model.hidden_size,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  def _batch(self, positions: np.ndarray, weights: np.ndarray) -> Batch:
    data = self.config.data
    past = positions[:, : data.observed].astype(np.float32)
    observed = physics.draw(past, data.image_size) if self._images else past
    future = positions[:, data.observed :].astype(np.float32)
    return Batch(observed, past, future, weights)

  def _simulated(self, split: str, step: int, rows: int) -> Batch:
    data = self.config.data
    rng = np.random.default_rng((self.config.seed, _STREAMS[split], step))
    positions = physics.simulate(rng, rows, data.observed + data.horizon)
    return self._batch(positions, np.ones(rows, np.float32))

  def _loader(self, split: str) -> batching.Loader:
    windows = getattr(self._windows, split)

    def collate(members, rows, _):
      chosen = batching.fill(self.box.scale(windows[members]), rows)
      weights = batching.fill(np.ones(len(members)), rows, np.float32)
      return self._batch(chosen, weights)

    rows, seed = self.config.batch_size, self.config.seed
    return batching.Loader(np.ones(len(windows)), collate, rows, seed=seed)

  def train_batches(self):
    rows = self.config.batch_size
    if self.config.data.path:
      return self._loader("train").train()
    return batching.endless(lambda step: self._simulated("train", step, rows))

  def evaluation_batches(self, split):
    config = self.config
    if config.data.path:
      return self._loader(split).once(config.eval_batch_size)
    return (
      self._simulated(split, step, config.eval_batch_size)
      for step in range(config.eval_batches)
    )

  def _roll(self, params, batch: Batch):
    positions = None if self._images else batch.past
    steps = batch.future.shape[1]
    return self.apply(params, batch.observed, steps, positions)

  def loss(self, params, batch: Batch, carry, key):
    del key
    metrics = _distances(self._roll(params, batch), batch)
    return metrics["loss"], metrics, carry

  def evaluate(self, params, batch: Batch, carry):
    found = self._roll(params, batch)
    seen = batch._replace(observed=())  # images are of no use any more
    return _distances(found, batch), carry, (found, seen)

  def scores(self, outputs, split):
    """The error of flying straight on."""
    del split
    if not outputs:
      return {}
    straight = _errors(outputs)["constant velocity"]
    return {"constant_velocity": float(straight.mean())}

  def roll_out(self, params, paths: np.ndarray) -> np.ndarray:
    """Goes on with `paths` `[n, observed, 2]`: `[n, horizon, 2]`, in units.

    Raises:
      InputError: the paths have another shape.
    """
    data, paths = self.config.data, np.asarray(paths)
    if paths.ndim != 3 or paths.shape[1:] != (data.observed, 2):
      raise InputError(
        f"paths has shape {paths.shape}, expected [n, {data.observed}, 2]: the"
        " steps are config.data.observed"
      )
    count, rows = len(paths), batching.size(len(paths), 8)
    steps = np.zeros((rows, data.observed + data.horizon, 2))
    steps[:count, : data.observed] = self.box.scale(paths)
    weights = batching.fill(np.ones(count), rows, np.float32)
    found = self._rolled(params, self._batch(steps, weights))
    return self.box.restore(np.asarray(found)[:count])

  @functools.cached_property
  def _rolled(self):
    return jax.jit(self._roll)

  def roll_out_mode(self, params, *, input: str = "", output: str = "") -> str:
    """Goes on with trajectories: a CSV `trajectory,step,x,y`.

    Args:
      params: the model's parameters.
      input: a CSV like that of training; each trajectory goes on after its
        last row. Default, for a model of simulated balls: five more of them.
      output: the file to write; default the text is printed.
    """
    data = self.config.data
    if input:
      paths = physics.read(input)
      for index, path in enumerate(paths):
        if len(path) < data.observed:
          raise InputError(
            f"{input}: trajectory {index + 1} has {len(path)} rows, expected at"
            f" least {data.observed}, config.data.observed"
          )
      past = np.array([path[-data.observed :] for path in paths])
    elif data.path:
      raise InputError(
        "--input is missing, expected a CSV of trajectories to go on with: the"
        f" model is of {data.path}, not of simulated balls"
      )
    else:
      past = physics.simulate(np.random.default_rng(0), 5, data.observed)
    lines = ["trajectory,step,x,y"]
    for index, path in enumerate(self.roll_out(params, past), 1):
      lines += [
        f"{index},{step},{x:.6g},{y:.6g}" for step, (x, y) in enumerate(path, 1)
      ]
    written = "\n".join(lines)
    if not output:
      return written
    try:
      pathlib.Path(output).write_text(written + "\n", "utf-8")
    except OSError as error:
      raise InputError(
        f"--output={output} cannot be written ({error.strerror})"
      ) from error
    return output

  def showcase(self, params, directory: pathlib.Path) -> str:
    """An animation of four balls, and the error over the steps of all."""
    from seqjax.show import balls

    for split in ("test", "validation"):
      _, outputs = self.evaluate_split(params, split)
      if outputs:
        break
    else:
      return "no validation and no test part: nothing to show"
    errors = _errors(outputs)
    roles = "model", "baseline"
    curves = {
      name: (role, mean)
      for role, (name, mean) in zip(roles, errors.items(), strict=True)
    }
    balls.draw_errors(curves, directory / "errors.png")
    found, batch = outputs[0]
    present, animation = batch.weights > 0, directory / "roll_out.gif"
    balls.animate(
      batch.past[present],
      batch.future[present],
      found[present],
      physics.RADIUS,
      animation,
    )
    lines = [f"{split} part, mean distance as a share of the box:"]
    for name, mean in errors.items():
      lines.append(
        f"  {name}: {mean.mean():.2%} over {len(mean)} steps, {mean[-1]:.2%} at"
        " the last"
      )
    written = "\n".join(lines)
    files.write(directory / "errors.txt", written + "\n")
    return (
      f"{written}\nA ball and its forecast: {animation}\n"
      f"Error over the steps: {directory / 'errors.png'}"
    )


def _errors(outputs) -> dict[str, np.ndarray]:
  """Mean distance at each step, `[horizon]`, of the model and straight on."""
  found, batches = zip(*outputs, strict=True)
  joined = jax.tree.map(lambda *parts: np.concatenate(parts), *batches)
  straight = physics.constant_velocity(joined.past, joined.future.shape[1])
  return {
    name: joined.weights
    @ np.linalg.norm(paths - joined.future, axis=-1)
    / joined.weights.sum()
    for name, paths in (
      ("model", np.concatenate(found)),
      ("constant velocity", straight),
    )
  }


def _distances(found, batch: Batch):
  """Mean distance of all steps ("loss") and at the last."""
  squared = jnp.square(found - batch.future).sum(axis=-1)
  # The root has no gradient at 0.
  distance = jnp.sqrt(squared + 1e-10)
  count = batch.weights.sum()
  return {
    "loss": ((batch.weights * distance.mean(axis=1)).sum(), count),
    "last_step": ((batch.weights * distance[:, -1]).sum(), count),
  }
