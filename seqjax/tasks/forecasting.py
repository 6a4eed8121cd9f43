"""What comes next in a series of numbers, many steps ahead."""

import csv
import functools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import config as settings
from seqjax import files
from seqjax.data import batching, series
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.forecaster import Forecaster
from seqjax.tasks import base

LOSSES = {"mse": jnp.square, "mae": jnp.abs}


class Batch(NamedTuple):
  """Windows, standardised by the training part; rows without have weight 0."""

  past: Any  # float32 [batch, lookback, columns]
  future: Any  # float32 [batch, horizon, columns]
  weights: Any  # float32 [batch]


class Forecasting(base.Task):
  """Windows of a series: its past, and what is to be foretold.

  The parts follow each other in time: training, validation, test. A window of
  the validation or the test may look back into the part before. All windows of
  a part count, one for every step; errors are those of standardised values, so
  that columns of different units weigh the same.
  """

  unit = "windows"
  loss_unit = "standardised"
  modes = ("forecast",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    data, model = config.data, config.model
    settings.at_least(config, 1, "data.lookback", "data.horizon", "data.season")
    settings.at_least(config, 1, "eval_batch_size", "model.segment")
    settings.at_least(config, 0.0, "data.train", "data.validation", "data.test")
    settings.one_of(config, LOSSES, "loss")
    settings.rate(config, "model.dropout")
    if data.season > data.lookback:
      raise InputError(
        f"config.data.season is {data.season}, expected at most the lookback,"
        f" {data.lookback}"
      )
    if data.lookback % model.segment or data.horizon % model.segment:
      raise InputError(
        f"config.model.segment is {model.segment}, expected a divisor of"
        f" lookback {data.lookback} and horizon {data.horizon}"
      )
    self._make = layers.stack(model)

  @functools.cached_property
  def _series(self) -> series.Series:
    return series.load(self.config.data, self.config.seed)

  @functools.cached_property
  def ends(self) -> tuple[int, int, int]:
    """The rows at which training, validation and test end."""
    data, rows = self.config.data, len(self._series.dates)
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
  def scaling(self) -> series.Scaling:
    """Names, mean and deviation of the columns, of the training part alone."""
    if self.saved:
      return series.Scaling(**self.saved)
    values = self._series.values[: self.ends[0]]
    return series.Scaling.fit(self._series.names, values)

  def state(self):
    return self.scaling.state

  def build(self, key):
    data, model = self.config.data, self.config.model
    return Forecaster(
      self._make,
      lookback=data.lookback,
      horizon=data.horizon,
      segment=model.segment,
      columns=len(self.scaling.names),
      embed_size=model.hidden_size,
      dropout=model.dropout,
      subtract_last=model.subtract_last,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  @functools.cached_property
  def values(self) -> np.ndarray:
    """The whole series, standardised, `[time, columns]`."""
    return self.scaling.standardise(self._series.values)

  def _starts(self, split: str) -> np.ndarray:
    """First rows of all windows whose future lies in the part."""
    data, ends = self.config.data, (0, *self.ends)
    part = ("train", "validation", "test").index(split)
    first = ends[part] - (data.lookback if part else 0)
    last = ends[part + 1] - data.lookback - data.horizon
    if ends[part] == ends[part + 1]:
      return np.zeros(0, int)
    return np.arange(first, last + 1)

  def _loader(self, split: str) -> batching.Loader:
    data, starts = self.config.data, self._starts(split)
    span = np.arange(data.lookback + data.horizon)

    def collate(members, rows, _):
      windows = self.values[starts[members][:, None] + span]
      windows = batching.fill(windows, rows)
      weights = batching.fill(np.ones(len(members)), rows, np.float32)
      past, future = np.split(windows, [data.lookback], axis=1)
      return Batch(past, future, weights)

    rows, seed = self.config.batch_size, self.config.seed
    return batching.Loader(np.ones(len(starts)), collate, rows, seed=seed)

  def train_batches(self):
    return self._loader("train").train()

  def evaluation_batches(self, split):
    return self._loader(split).once(self.config.eval_batch_size)

  def loss(self, params, batch: Batch, carry, key):
    found = self.apply(params, batch.past, key=key)
    errors = _errors(found, batch)[self.config.loss]
    return errors, {}, carry

  def evaluate(self, params, batch: Batch, carry):
    """Errors of the model, and mean squares of who has none."""
    errors = _errors(self.apply(params, batch.past), batch)
    naive, seasonal = self._baselines(batch.past)
    metrics = {
      "loss": errors[self.config.loss],
      **errors,
      "naive_mse": _errors(naive, batch)["mse"],
      "seasonal_naive_mse": _errors(seasonal, batch)["mse"],
    }
    return metrics, carry, ()

  def scores(self, outputs, split):
    """The `noise_floor`, where it is known."""
    del split
    if self.config.data.path or not outputs:
      return {}
    (deviation,) = self.scaling.deviation
    return {"noise_floor": (series.NOISE / deviation) ** 2}

  def _baselines(self, past):
    """The last value again; the last season again. `[batch, horizon, ...]`."""
    data = self.config.data
    ahead = np.arange(data.horizon)
    return past[:, 0 * ahead - 1], past[:, ahead % data.season - data.season]

  @functools.cached_property
  def _predict(self):
    return jax.jit(self.apply)

  def forecast(self, params, past: np.ndarray) -> np.ndarray:
    """What comes after `past` `[lookback, columns]`: `[horizon, columns]`.

    Both in the units of the columns.

    Raises:
      InputError: the past has another shape.
    """
    past = np.asarray(past, float)
    shape = self.config.data.lookback, len(self.scaling.names)
    if past.shape != shape:
      raise InputError(
        f"past has shape {past.shape}, expected {shape}: config.data.lookback"
        " and the columns"
      )
    found = self._predict(params, self.scaling.standardise(past)[None])
    return self.scaling.restore(np.asarray(found)[0])

  def _last_season(self, past: np.ndarray) -> np.ndarray:
    return self._baselines(past[None])[1][0]

  def forecast_mode(self, params, *, input: str = "", output: str = "") -> str:
    """The steps after the end of a series, as a CSV and a plot.

    Args:
      params: the model's parameters.
      input: a CSV like that of training, which ends where the forecast begins;
        default the file of training.
      output: folder for `forecast.csv` and `forecast.png`; default the run
        directory.
    """
    data, names = self.config.data, self.scaling.names
    found = series.read(input, data.columns) if input else self._series
    input = input or data.path or "the generated series"
    if found.names != names:
      raise InputError(
        f"{input}: the columns are {', '.join(found.names)}, expected"
        f" {', '.join(names)} as in training"
      )
    if len(found.dates) < data.lookback:
      raise InputError(
        f"{input}: {len(found.dates)} rows, expected at least the lookback,"
        f" {data.lookback}"
      )
    past = found.values[-data.lookback :]
    ahead = self.forecast(params, past)
    dates = series.following(found.dates, data.horizon)
    folder = pathlib.Path(output or self.directory or ".")
    try:
      folder.mkdir(parents=True, exist_ok=True)
      with (folder / "forecast.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", *names])
        for date, row in zip(dates, ahead, strict=True):
          writer.writerow([date.isoformat(sep=" "), *(f"{v:.6g}" for v in row)])
    except OSError as error:
      raise InputError(
        f"--output={folder} cannot be written ({error.strerror})"
      ) from error
    curves = {
      "last season again": ("baseline", self._last_season(past)),
      "forecast": ("forecast", ahead),
    }
    past_dates = found.dates[-data.lookback :]
    self._draw(folder / "forecast.png", (past_dates, past), dates, curves)
    return f"{folder / 'forecast.csv'}\n{folder / 'forecast.png'}"

  def showcase(self, params, directory: pathlib.Path) -> str:
    """A window of the test with its forecast, and errors beside baselines."""
    data = self.config.data
    split = "test" if len(self._starts("test")) else "validation"
    starts = self._starts(split)
    if not len(starts):
      return "no validation and no test part: nothing to show"
    start = int(starts[len(starts) // 2])
    middle, end = start + data.lookback, start + data.lookback + data.horizon
    dates, values = self._series.dates, self._series.values
    past, path = values[start:middle], directory / "forecast.png"
    curves = {
      "last season again": ("baseline", self._last_season(past)),
      "what came": ("truth", values[middle:end]),
      "forecast": ("forecast", self.forecast(params, past)),
    }
    self._draw(path, (dates[start:middle], past), dates[middle:end], curves)
    found, _ = self.evaluate_split(params, split)
    lines = [
      f"{split} part, {len(starts)} windows of {data.lookback} steps,"
      f" {data.horizon} ahead; errors of standardised values:",
      f"  model: mse {found.pop('mse'):.4f}, mae {found.pop('mae'):.4f}",
    ]
    del found["loss"]
    for name, value in found.items():
      lines.append(f"  {name.replace('_', ' ')}: {value:.4f}")
    written = "\n".join(lines)
    files.write(directory / "errors.txt", written + "\n")
    return f"{written}\nA forecast: {path}"

  def _draw(self, path, past, dates, curves) -> None:
    """The last of the past and what comes: a fifth of the width or more."""
    from seqjax.show import series as show

    horizon, season = self.config.data.horizon, self.config.data.season
    shown = max(2 * horizon, min(season, 4 * horizon))
    past = past[0][-shown:], past[1][-shown:]
    show.draw(path, past, dates, curves, self.scaling.names)


def _errors(found, batch: Batch) -> dict[str, Any]:
  """Mean over steps and columns of each kind of error, sums over windows."""
  errors, count = found - batch.future, batch.weights.sum()
  return {
    name: ((batch.weights * f(errors).mean(axis=(1, 2))).sum(), count)
    for name, f in LOSSES.items()
  }
