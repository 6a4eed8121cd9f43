"""Where will the ball go next? Roll-outs from positions or images."""

import functools
import json
import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import nn
from seqjax.config import Config
from seqjax.data import batching, physics
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.roll_out import RollOut
from seqjax.show import balls

BOX_FILE = "box.json"
INPUTS = "positions", "images"
_STREAMS = {"train": 0, "validation": 1, "test": 2}


class Batch(NamedTuple):
  """Positions as shares of the box; rows without have weight 0."""

  observed: Any  # float32 [batch, observed steps, 2 or pixels]
  past: Any  # float32 [batch, observed steps, 2]
  future: Any  # float32 [batch, horizon, 2]
  weights: Any  # float32 [batch]


def create(config: Config, saved: pathlib.Path | None) -> "Trajectories":
  return Trajectories(config, saved)


class Trajectories:
  """See `seqjax.tasks.base.Task` for the contract.

  Simulated balls are new in every batch. Trajectories from a file are cut into
  windows and parted by trajectory; the box is then the smallest that holds all
  of training.
  """

  unit = "trajectories"
  loss_unit = "share of the box"

  def __init__(self, config: Config, saved: pathlib.Path | None):
    data = config.data
    for field, least in (("observed", 2), ("horizon", 1), ("image_size", 4)):
      if data[field] < least:
        raise InputError(
          f"config.data.{field} is {data[field]}, expected at least {least}"
        )
    for field in ("batch_size", "eval_batch_size", "eval_batches"):
      if config[field] < 1:
        raise InputError(f"config.{field} is {config[field]}, expected >= 1")
    if data.input not in INPUTS:
      raise InputError(
        f"config.data.input is {data.input!r}, expected one of"
        f" {', '.join(INPUTS)}"
      )
    self._config, self._saved = config, saved
    self._images = data.input == "images"
    self._make = layers.stack(config.model)
    self.items_per_step = config.batch_size
    self.modes = {"roll_out": self.roll_out}
    build = lambda key: RollOut(
      self._make,
      data.image_size**2 if self._images else 2,
      embed_size=config.model.hidden_size,
      compute_dtype=config.model.compute_dtype,
      key=key,
    )
    self._init = lambda key: nn.functionalize(build(key))[0]
    self._functional = nn.functionalize(build(jax.random.key(0)))[1]

  @functools.cached_property
  def _windows(self) -> dict[str, np.ndarray]:
    """`[windows, observed + horizon, 2]` of each part of the user's file."""
    data = self._config.data
    paths = physics.read(data.path)
    order = np.random.default_rng(self._config.seed).permutation(len(paths))
    mixed = [paths[i] for i in order]
    parts = batching.split(mixed, data.validation, data.test)
    return {
      name: self._cut(part) for name, part in zip(_STREAMS, parts, strict=True)
    }

  def _cut(self, paths) -> np.ndarray:
    span = self._config.data.observed + self._config.data.horizon
    found = [
      path[start : start + span]
      for path in paths
      for start in range(len(path) - span + 1)
    ]
    return np.array(found).reshape(-1, span, 2)

  @functools.cached_property
  def _box(self) -> tuple[np.ndarray, np.ndarray]:
    """Lower left corner and size of the box, in the file's units."""
    if not self._config.data.path:
      return np.zeros(2), np.ones(2)
    if self._saved:
      path = self._saved / BOX_FILE
      try:
        found = json.loads(path.read_text("utf-8"))
        return np.array(found["corner"]), np.array(found["size"])
      except (OSError, ValueError, KeyError) as error:
        raise InputError(
          f"{path}: no readable box ({error}); use a new --workdir"
        ) from error
    windows = self._windows["train"]
    corner = windows.min(axis=(0, 1))
    size = windows.max(axis=(0, 1)) - corner
    return corner, np.where(size > 0, size, 1.0)

  def save(self, directory: pathlib.Path) -> None:
    corner, size = self._box
    content = {"corner": corner.tolist(), "size": size.tolist()}
    (directory / BOX_FILE).write_text(json.dumps(content) + "\n", "utf-8")

  def init(self, key):
    return self._init(key)

  def initial_carry(self, params):
    del params
    return ()

  evaluation_carry = initial_carry

  def _batch(self, positions: np.ndarray, weights: np.ndarray) -> Batch:
    data = self._config.data
    past = positions[:, : data.observed].astype(np.float32)
    observed = physics.draw(past, data.image_size) if self._images else past
    future = positions[:, data.observed :].astype(np.float32)
    return Batch(observed, past, future, weights)

  def _simulated(self, split: str, step: int, rows: int) -> Batch:
    data = self._config.data
    rng = np.random.default_rng((self._config.seed, _STREAMS[split], step))
    positions = physics.simulate(rng, rows, data.observed + data.horizon)
    return self._batch(positions, np.ones(rows, np.float32))

  def _read(self, split: str, indices: np.ndarray) -> Batch:
    corner, size = self._box
    chosen = self._windows[split][np.maximum(indices, 0)]
    weights = (indices >= 0).astype(np.float32)
    return self._batch((chosen - corner) / size, weights)

  def train_batches(self):
    config = self._config
    rows = config.batch_size
    if not config.data.path:
      return batching.endless(lambda step: self._simulated("train", step, rows))
    windows = self._windows["train"]
    if not len(windows):
      raise InputError(
        f"{config.data.path}: no trajectory of the training part has"
        f" {windows.shape[1]} steps, config.data.observed + horizon"
      )
    ones = np.ones(len(windows))
    buckets = batching.Buckets(ones, rows, seed=config.seed)
    return batching.endless(lambda step: self._read("train", buckets[step][0]))

  def evaluation_batches(self, split: str) -> Iterable[Batch]:
    config = self._config
    rows = config.eval_batch_size
    if not config.data.path:
      for step in range(config.eval_batches):
        yield self._simulated(split, step, rows)
    elif len(self._windows[split]):
      ones = np.ones(len(self._windows[split]))
      for indices, _ in batching.Buckets(ones, rows):
        yield self._read(split, indices)

  def _roll(self, params, batch: Batch):
    positions = None if self._images else batch.past
    return self._functional(
      params, batch.observed, batch.future.shape[1], positions
    )

  def loss(self, params, batch: Batch, carry, key):
    del key
    metrics = _distances(self._roll(params, batch), batch)
    total, count = metrics["loss"]
    return total / count, metrics, carry

  def evaluate(self, params, batch: Batch, carry):
    return _distances(self._roll(params, batch), batch), carry

  def summarize(self, means: dict[str, float]) -> dict[str, float]:
    return {"loss": means["loss"], **means}

  def scores(self, params, split: str) -> dict[str, float]:
    """The error of flying straight on."""
    del params
    total = count = 0.0
    for batch in self.evaluation_batches(split):
      straight = physics.constant_velocity(batch.past, batch.future.shape[1])
      metrics = _distances(straight, batch)
      total += float(metrics["loss"][0])
      count += float(metrics["loss"][1])
    return {"constant_velocity": total / count} if count else {}

  def gradient_norms(self, params, batch: Batch, carry):
    raise InputError(
      "config.probes.gradients_every is not for roll-outs, expected 0: encoder"
      " and decoder are two recurrences"
    )

  def roll_out(self, params, *, input: str = "", output: str = "") -> str:
    """Goes on with trajectories: a CSV `trajectory,step,x,y`.

    Args:
      params: the model's parameters.
      input: a CSV like that of training; each trajectory goes on after its
        last row. Default: five simulated balls.
      output: the file to write; default the text is returned.

    Raises:
      InputError: the input cannot be read, or a trajectory is shorter than
        config.data.observed.
    """
    data = self._config.data
    corner, size = self._box
    if input:
      paths = physics.read(input)
      for index, path in enumerate(paths):
        if len(path) < data.observed:
          raise InputError(
            f"{input}: trajectory {index + 1} has {len(path)} rows, expected at"
            f" least {data.observed}, config.data.observed"
          )
      past = np.array([path[-data.observed :] for path in paths])
    else:
      past = physics.simulate(np.random.default_rng(0), 5, data.observed)
    scaled = (past - corner) / size
    blank = np.zeros((len(past), data.horizon, 2))
    batch = self._batch(
      np.concatenate([scaled, blank], axis=1), np.ones(len(past), np.float32)
    )
    found = np.asarray(jax.jit(self._roll)(params, batch)) * size + corner
    lines = ["trajectory,step,x,y"]
    for index, path in enumerate(found, 1):
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
    """An animation of one ball, and the error over the steps of all."""
    split = "test"
    batches = list(self.evaluation_batches(split))
    if not batches:
      split, batches = "validation", list(self.evaluation_batches("validation"))
    if not batches:
      return "no validation and no test part: nothing to show"
    roll = jax.jit(self._roll)
    steps = self._config.data.horizon
    errors = {"model": np.zeros(steps), "constant velocity": np.zeros(steps)}
    count = 0.0
    for batch in batches:
      straight = physics.constant_velocity(batch.past, steps)
      for name, found in zip(
        errors, (np.asarray(roll(params, batch)), straight), strict=True
      ):
        distance = np.linalg.norm(found - batch.future, axis=-1)
        errors[name] += (batch.weights[:, None] * distance).sum(axis=0)
      count += float(batch.weights.sum())
    balls.draw_errors(
      {
        "model": ("model", errors["model"] / count),
        "constant velocity": ("baseline", errors["constant velocity"] / count),
      },
      directory / "errors.png",
    )
    self._animate(params, batches[0], directory / "roll_out.gif")
    lines = [f"{split} part, mean distance as a share of the box:"]
    for name, sums in errors.items():
      mean = sums / count
      lines.append(
        f"  {name}: {mean.mean():.2%} over {steps} steps, {mean[-1]:.2%} at the"
        " last"
      )
    written = "\n".join(lines)
    (directory / "errors.txt").write_text(written + "\n", "utf-8")
    return (
      f"{written}\nA ball and its forecast: {directory / 'roll_out.gif'}\n"
      f"Error over the steps: {directory / 'errors.png'}"
    )

  def _animate(self, params, batch: Batch, path: pathlib.Path) -> None:
    """Four balls: what is seen, what came, what was foretold."""
    present = batch.weights > 0
    found = np.asarray(jax.jit(self._roll)(params, batch))
    balls.animate(
      batch.past[present],
      batch.future[present],
      found[present],
      physics.RADIUS,
      path,
    )


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
