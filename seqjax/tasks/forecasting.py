"""What comes next in a series of numbers, many steps ahead."""

import csv
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
from seqjax.data import batching, series
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.forecaster import Forecaster
from seqjax.show import series as show_series

SCALING_FILE = "scaling.json"
LOSSES = {"mse": jnp.square, "mae": jnp.abs}


class Batch(NamedTuple):
  """Windows, standardised by the training part; rows without have weight 0."""

  past: Any  # float32 [batch, lookback, columns]
  future: Any  # float32 [batch, horizon, columns]
  weights: Any  # float32 [batch]


def create(config: Config, saved: pathlib.Path | None) -> "Forecasting":
  return Forecasting(config, saved)


class Forecasting:
  """See `seqjax.tasks.base.Task` for the contract.

  The parts follow each other in time: training, validation, test. A window of
  the validation or the test may look back into the part before. All windows of
  a part count, one for every step; errors are those of standardised values, so
  that columns of different units weigh the same.
  """

  unit = "windows"
  loss_unit = "standardised"

  def __init__(self, config: Config, saved: pathlib.Path | None):
    data, model = config.data, config.model
    for field in ("lookback", "horizon", "season"):
      if data[field] < 1:
        raise InputError(f"config.data.{field} is {data[field]}, expected >= 1")
    if data.season > data.lookback:
      raise InputError(
        f"config.data.season is {data.season}, expected at most the lookback,"
        f" {data.lookback}"
      )
    for field in ("batch_size", "eval_batch_size"):
      if config[field] < 1:
        raise InputError(f"config.{field} is {config[field]}, expected >= 1")
    if config.loss not in LOSSES:
      raise InputError(
        f"config.loss is {config.loss!r}, expected one of {', '.join(LOSSES)}"
      )
    if not 0 <= model.dropout < 1:
      raise InputError(
        f"config.model.dropout is {model.dropout}, expected a rate in [0, 1)"
      )
    if model.segment < 1 or (
      data.lookback % model.segment or data.horizon % model.segment
    ):
      raise InputError(
        f"config.model.segment is {model.segment}, expected a divisor of"
        f" lookback {data.lookback} and horizon {data.horizon}"
      )
    self._config, self._saved = config, saved
    self._make = layers.stack(model)
    self.items_per_step = config.batch_size
    self.modes = {"forecast": self.forecast}

  @functools.cached_property
  def _series(self) -> series.Series:
    return self._read(self._config.data.path)

  def _read(self, path: str | None) -> series.Series:
    data = self._config.data
    if path:
      return series.read(path, data.columns)
    return series.generate(data.examples, self._config.seed)

  @functools.cached_property
  def _ends(self) -> tuple[int, int, int]:
    """The rows at which training, validation and test end."""
    data, rows = self._config.data, len(self._series.dates)
    counts = {}
    for name in ("train", "validation", "test"):
      share = data[name]
      counts[name] = int(share) if share >= 1 else round(share * rows)
    if not counts["train"]:
      counts["train"] = rows - counts["validation"] - counts["test"]
    ends = np.cumsum(list(counts.values())).tolist()
    if ends[-1] > rows or counts["train"] < data.lookback + data.horizon:
      raise InputError(
        f"config.data: {rows} rows with {counts['train']} for training,"
        f" {counts['validation']} for validation and {counts['test']} for the"
        f" test; expected lookback + horizon = {data.lookback + data.horizon}"
        f" rows or more for training, and no more than {rows} in all"
      )
    return ends[0], ends[1], ends[2]

  @functools.cached_property
  def _scaling(self) -> dict[str, list]:
    """Names, mean and deviation of the columns, of the training part alone."""
    if self._saved:
      path = self._saved / SCALING_FILE
      try:
        return json.loads(path.read_text("utf-8"))
      except (OSError, ValueError) as error:
        raise InputError(
          f"{path}: no readable scaling ({error}); use a new --workdir"
        ) from error
    values = self._series.values[: self._ends[0]]
    deviation = values.std(axis=0)
    return {
      "names": self._series.names,
      "mean": values.mean(axis=0).tolist(),
      "deviation": np.where(deviation > 0, deviation, 1.0).tolist(),
    }

  def _standardised(self, values: np.ndarray) -> np.ndarray:
    scaling = self._scaling
    return ((values - scaling["mean"]) / scaling["deviation"]).astype("float32")

  def save(self, directory: pathlib.Path) -> None:
    record = json.dumps(self._scaling) + "\n"
    (directory / SCALING_FILE).write_text(record, "utf-8")

  @functools.cached_property
  def _functional(self):
    data, model = self._config.data, self._config.model
    build = lambda key: Forecaster(
      self._make,
      lookback=data.lookback,
      horizon=data.horizon,
      segment=model.segment,
      columns=len(self._scaling["names"]),
      embed_size=model.hidden_size,
      dropout=model.dropout,
      subtract_last=model.subtract_last,
      compute_dtype=model.compute_dtype,
      key=key,
    )
    return build, nn.functionalize(build(jax.random.key(0)))[1]

  def init(self, key):
    return nn.functionalize(self._functional[0](key))[0]

  def initial_carry(self, params):
    del params
    return ()

  evaluation_carry = initial_carry

  def _starts(self, split: str) -> np.ndarray:
    """First rows of all windows whose future lies in the part."""
    data, ends = self._config.data, (0, *self._ends)
    part = ("train", "validation", "test").index(split)
    first = ends[part] - (data.lookback if part else 0)
    last = ends[part + 1] - data.lookback - data.horizon
    if ends[part] == ends[part + 1]:
      return np.zeros(0, int)
    return np.arange(first, last + 1)

  @functools.cached_property
  def _values(self) -> np.ndarray:
    return self._standardised(self._series.values)

  def _batch(self, starts, indices) -> Batch:
    data = self._config.data
    chosen = starts[np.maximum(indices, 0)]
    span = np.arange(data.lookback + data.horizon)
    windows = self._values[chosen[:, None] + span]
    return Batch(
      windows[:, : data.lookback],
      windows[:, data.lookback :],
      (indices >= 0).astype(np.float32),
    )

  def train_batches(self):
    starts = self._starts("train")
    buckets = batching.Buckets(
      np.ones(len(starts)), self._config.batch_size, seed=self._config.seed
    )
    return batching.endless(lambda step: self._batch(starts, buckets[step][0]))

  def evaluation_batches(self, split: str) -> Iterable[Batch]:
    starts = self._starts(split)
    if len(starts):
      rows = self._config.eval_batch_size
      for indices, _ in batching.Buckets(np.ones(len(starts)), rows):
        yield self._batch(starts, indices)

  def loss(self, params, batch: Batch, carry, key):
    found = self._functional[1](params, batch.past, key=key)
    errors = LOSSES[self._config.loss](found - batch.future).mean(axis=(1, 2))
    count = batch.weights.sum()
    total = (batch.weights * errors).sum()
    return total / count, {"loss": (total, count)}, carry

  def evaluate(self, params, batch: Batch, carry):
    found = self._functional[1](params, batch.past)
    return _errors(found, batch, self._config.loss), carry

  def summarize(self, means: dict[str, float]) -> dict[str, float]:
    return {"loss": means["loss"], **means}

  def scores(self, params, split: str) -> dict[str, float]:
    """Mean squared errors of who has no model; `noise_floor` if it is known."""
    del params
    data = self._config.data
    sums = {"naive_mse": 0.0, "seasonal_naive_mse": 0.0}
    count = 0.0
    for batch in self.evaluation_batches(split):
      for name, found in zip(sums, self._baselines(batch.past), strict=True):
        errors = np.square(found - batch.future).mean(axis=(1, 2))
        sums[name] += float((batch.weights * errors).sum())
      count += float(batch.weights.sum())
    if not count:
      return {}
    found = {name: total / count for name, total in sums.items()}
    if not data.path:
      (deviation,) = self._scaling["deviation"]
      found["noise_floor"] = (series.NOISE / deviation) ** 2
    return found

  def _baselines(self, past) -> tuple[np.ndarray, np.ndarray]:
    """The last value again; the last season again. `[batch, horizon, ...]`."""
    data = self._config.data
    ahead = np.arange(data.horizon)
    last_season = past[:, -data.season :]
    return (
      np.repeat(past[:, -1:], data.horizon, axis=1),
      last_season[:, ahead % data.season],
    )

  def gradient_norms(self, params, batch: Batch, carry):
    raise InputError(
      "config.probes.gradients_every is not for forecasting, expected 0: the"
      " recurrence runs over segments, not steps"
    )

  @functools.cached_property
  def _predict(self):
    return jax.jit(lambda params, past: self._functional[1](params, past))

  def _in_units(self, values: np.ndarray) -> np.ndarray:
    return values * self._scaling["deviation"] + np.array(self._scaling["mean"])

  def forecast(self, params, *, input: str = "", output: str = "") -> str:
    """The steps after the end of a series, as a CSV and a plot.

    Args:
      params: the model's parameters.
      input: a CSV like that of training, which ends where the forecast begins;
        default the file of training.
      output: folder for `forecast.csv` and `forecast.png`; default the run
        directory.

    Raises:
      InputError: the input cannot be read, has other columns, or is shorter
        than the lookback.
    """
    data = self._config.data
    found = self._read(input) if input else self._series
    if found.names != self._scaling["names"]:
      raise InputError(
        f"{input}: the columns are {', '.join(found.names)}, expected"
        f" {', '.join(self._scaling['names'])} as in training"
      )
    if len(found.dates) < data.lookback:
      raise InputError(
        f"{input}: {len(found.dates)} rows, expected at least the lookback,"
        f" {data.lookback}"
      )
    past = self._standardised(found.values[-data.lookback :])[None]
    ahead = self._in_units(np.asarray(self._predict(params, past))[0])
    dates = series.following(found.dates, data.horizon)
    folder = pathlib.Path(output) if output else self._saved
    assert folder is not None  # modes are of saved runs
    try:
      folder.mkdir(parents=True, exist_ok=True)
      with (folder / "forecast.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", *found.names])
        for date, row in zip(dates, ahead, strict=True):
          writer.writerow([date.isoformat(sep=" "), *(f"{v:.6g}" for v in row)])
    except OSError as error:
      raise InputError(
        f"--output={folder} cannot be written ({error.strerror})"
      ) from error
    _, seasonal = self._baselines(past)
    self._draw(
      folder / "forecast.png",
      (found.dates[-data.lookback :], found.values[-data.lookback :]),
      dates,
      {
        "last season again": ("baseline", self._in_units(seasonal[0])),
        "forecast": ("forecast", ahead),
      },
    )
    return f"{folder / 'forecast.csv'}\n{folder / 'forecast.png'}"

  def showcase(self, params, directory: pathlib.Path) -> str:
    """A window of the test with its forecast, and errors beside baselines."""
    data = self._config.data
    split = "test" if len(self._starts("test")) else "validation"
    starts = self._starts(split)
    if not len(starts):
      return "no validation and no test part: nothing to show"
    start = int(starts[len(starts) // 2])
    middle, end = start + data.lookback, start + data.lookback + data.horizon
    past = self._values[None, start:middle]
    _, seasonal = self._baselines(past)
    path = directory / "forecast.png"
    self._draw(
      path,
      (self._series.dates[start:middle], self._series.values[start:middle]),
      self._series.dates[middle:end],
      {
        "last season again": ("baseline", self._in_units(seasonal[0])),
        "what came": ("truth", self._series.values[middle:end]),
        "forecast": (
          "forecast",
          self._in_units(np.asarray(self._predict(params, past))[0]),
        ),
      },
    )
    evaluate = jax.jit(self.evaluate)
    totals, count = {"mse": 0.0, "mae": 0.0}, 0.0
    for batch in self.evaluation_batches(split):
      metrics, _ = evaluate(params, batch, ())
      for name in totals:
        totals[name] += float(metrics[name][0])
      count += float(batch.weights.sum())
    lines = [
      f"{split} part, {len(starts)} windows of {data.lookback} steps,"
      f" {data.horizon} ahead; errors of standardised values:",
      f"  model: mse {totals['mse'] / count:.4f}, mae"
      f" {totals['mae'] / count:.4f}",
    ]
    for name, value in self.scores(params, split).items():
      lines.append(f"  {name.replace('_', ' ')}: {value:.4f}")
    written = "\n".join(lines)
    (directory / "errors.txt").write_text(written + "\n", "utf-8")
    return f"{written}\nA forecast: {path}"

  def _draw(self, path, past, dates, curves) -> None:
    """The last of the past and what comes: a fifth of the width or more."""
    horizon, season = self._config.data.horizon, self._config.data.season
    shown = max(2 * horizon, min(season, 4 * horizon))
    show_series.draw(
      path,
      (past[0][-shown:], past[1][-shown:]),
      dates,
      curves,
      self._scaling["names"],
    )


def _errors(found, batch: Batch, loss: str):
  errors = found - batch.future
  count = batch.weights.sum()
  measures = {
    name: ((batch.weights * f(errors).mean(axis=(1, 2))).sum(), count)
    for name, f in LOSSES.items()
  }
  return {"loss": measures[loss], **measures}
