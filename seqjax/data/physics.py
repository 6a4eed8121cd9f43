"""Balls in a box: simulated, or the user's own trajectories.

Positions are shares of the box, 0 to 1.

  config.data.path       FILE.csv with columns trajectory, x, y
  config.data.observed   steps that are seen
  config.data.horizon    steps that are foretold
"""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.data import columns, text
from seqjax.data.examples import Splits, check_not_empty, contiguous
from seqjax.errors import InputError

RADIUS = 0.05
GRAVITY = 0.004  # box heights per step squared
FASTEST = 0.06  # box widths per step, at the beginning
COLUMNS = "trajectory", "x", "y"


def simulate(rng: np.random.Generator, count: int, steps: int) -> np.ndarray:
  """`count` trajectories `[count, steps, 2]` of x and y, y upwards.

  v <- v + gravity, p <- p + v; the walls reflect without loss.
  """
  low, high = RADIUS, 1 - RADIUS
  position = rng.uniform(low, high, (count, 2))
  velocity = rng.uniform(-FASTEST, FASTEST, (count, 2))
  found = np.empty((count, steps, 2), np.float32)
  for step in range(steps):
    found[:, step] = position
    velocity[:, 1] -= GRAVITY
    position = position + velocity
    under, over = position < low, position > high
    position = np.where(under, 2 * low - position, position)
    position = np.where(over, 2 * high - position, position)
    velocity = np.where(under | over, -velocity, velocity)
  return found


def constant_velocity(past: np.ndarray, steps: int) -> np.ndarray:
  """The baseline `[batch, steps, 2]`: straight on, and no further than a wall.

  Args:
    past: positions `[batch, time, 2]`, two steps or more.
    steps: how many to add.
  """
  velocity = past[:, -1] - past[:, -2]
  ahead = np.arange(1, steps + 1)[None, :, None]
  return np.clip(past[:, -1:] + ahead * velocity[:, None], 0, 1)


def draw(positions: np.ndarray, size: int) -> np.ndarray:
  """Images `[..., size * size]` of balls at `[..., 2]`, row by row, top first.

  A ball is a Gaussian of the ball's radius, 1 at its centre.
  """
  centres = (np.arange(size) + 0.5) / size
  x, y = positions[..., 0, None, None], positions[..., 1, None, None]
  squared = (centres - x) ** 2 + (centres[::-1, None] - y) ** 2
  images = np.exp(-squared / (2 * RADIUS**2))
  return images.reshape(*positions.shape[:-1], -1).astype(np.float32)


class Box(NamedTuple):
  """Where the trajectories are: positions as shares of it, 0 to 1.

  `Box(**box.state)` is the same again.
  """

  corner: Sequence[float] = (0.0, 0.0)  # lower left, in the file's units
  size: Sequence[float] = (1.0, 1.0)

  @classmethod
  def fit(cls, positions: np.ndarray) -> "Box":
    """The smallest that holds all `positions` `[windows, time, 2]`."""
    corner = positions.min(axis=(0, 1))
    size = positions.max(axis=(0, 1)) - corner
    return cls(corner.tolist(), np.where(size > 0, size, 1.0).tolist())

  @property
  def state(self) -> dict[str, list[float]]:
    """For JSON."""
    return {"corner": list(self.corner), "size": list(self.size)}

  def scale(self, positions: np.ndarray) -> np.ndarray:
    """From the file's units to shares, `[..., 2]`."""
    return (positions - np.array(self.corner)) / np.array(self.size)

  def restore(self, positions: np.ndarray) -> np.ndarray:
    """From shares to the file's units, `[..., 2]`."""
    return positions * np.array(self.size) + np.array(self.corner)


def load(data: Config, seed: int) -> Splits:
  """Windows `[windows, observed + horizon, 2]` of the file's trajectories.

  A trajectory is in one part, as a whole.

  Raises:
    InputError: see `read`, or none of training is long enough.
  """
  paths = read(data.path)
  order = np.random.default_rng(seed).permutation(len(paths))
  mixed = contiguous([paths[i] for i in order], data.validation, data.test)
  steps = data.observed + data.horizon
  found = Splits(*(_windows(part, steps) for part in mixed))
  if not len(found.train):
    raise InputError(
      f"{data.path}: no trajectory of the training part has {steps} steps,"
      " config.data.observed + horizon"
    )
  return found


def _windows(paths: Sequence[np.ndarray], steps: int) -> np.ndarray:
  found = [
    path[start : start + steps]
    for path in paths
    for start in range(len(path) - steps + 1)
  ]
  return np.array(found).reshape(-1, steps, 2)


def read(path: str | pathlib.Path) -> list[np.ndarray]:
  """Trajectories `[time, 2]` from a CSV with columns trajectory, x and y.

  Rows of one trajectory follow each other, in order of time.

  Raises:
    InputError: the file cannot be read or is empty, a column is missing, or a
      value is no finite number.
  """
  header, rows = columns.read(path, text.read_utf8(path))
  if missing := [name for name in COLUMNS if name not in header]:
    raise InputError(
      f"{path}:1: the columns are {', '.join(header)}, expected"
      f" {', '.join(COLUMNS)}; {missing[0]!r} is missing"
    )
  found: dict[str, list[list[float]]] = {}
  for line, row in rows:
    point = [columns.number(path, line, name, row[name]) for name in ("x", "y")]
    found.setdefault(row["trajectory"], []).append(point)
  check_not_empty(path, list(found), "rows of trajectory,x,y")
  return [np.array(points) for points in found.values()]
