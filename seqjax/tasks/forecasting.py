"""What comes next in a series of numbers, many steps ahead."""

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
from seqjax.nn import quantiles
from seqjax.tasks import ahead, base


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

  With `config.model.quantiles` the model foretells these of each value, and
  training minimises their pinball loss in the place of `config.loss`; the
  median is the forecast then.
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
    settings.one_of(config, ahead.ERRORS, "loss")
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
    self._levels = tuple(settings.get(config, "model.quantiles"))
    if self._levels:
      try:
        quantiles.check(self._levels)
      except ValueError as error:
        raise InputError(f"config.model.{error}") from error
    self._minimised = "pinball" if self._levels else config.loss
    self._make = layers.stack(model)

  @functools.cached_property
  def _series(self) -> series.Series:
    return series.load(self.config.data, self.config.seed)

  @functools.cached_property
  def ends(self) -> tuple[int, int, int]:
    """The rows at which training, validation and test end."""
    return series.parts(self.config.data, len(self._series.dates))

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
      quantiles=len(self._levels),
      compute_dtype=model.compute_dtype,
      key=key,
    )

  @functools.cached_property
  def values(self) -> np.ndarray:
    """The whole series, standardised, `[time, columns]`."""
    return self.scaling.standardise(self._series.values)

  def _starts(self, split: str) -> np.ndarray:
    """First rows of all windows whose future lies in the part."""
    data = self.config.data
    return series.starts(self.ends, split, data.lookback, data.horizon)

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
    each = ahead.measured(found, batch.future, self._levels)
    total = ahead.totals(each, batch.weights)[self._minimised].mean()
    return (total, batch.weights.sum()), {}, carry

  def evaluate(self, params, batch: Batch, carry):
    """Errors of the model and of who has none; outputs: by step and column."""
    found = self.apply(params, batch.past)
    each = ahead.measured(found, batch.future, self._levels)
    for name, guess in self._guesses(batch.past).items():
      errors = ahead.errors(guess, batch.future)
      each |= {f"{name}_{kind}": error for kind, error in errors.items()}
    totals, count = ahead.totals(each, batch.weights), batch.weights.sum()
    metrics = {
      name: (total.mean(), count)
      for name, total in totals.items()
      if not name.endswith("_mae")  # of the guesses one kind will do
    }
    metrics = {"loss": metrics[self._minimised], **metrics}
    return metrics, carry, (totals, count)

  def _guesses(self, past):
    data = self.config.data
    return ahead.guesses(past, data.horizon, data.season)

  def scores(self, outputs, split):
    """RMSE, MASE; where known, `noise_floor` and what true quantiles cover."""
    if not outputs:
      return {}
    means = ahead.means(outputs)
    found = {"rmse": float(means["mse"].mean() ** 0.5)}
    if np.isfinite(mase := self._mase(means)).any():
      found["mase"] = float(np.nanmean(mase))
    if not self.config.data.path:
      (deviation,) = self.scaling.deviation
      found["noise_floor"] = (series.NOISE / deviation) ** 2
    true = self._true_coverage(split)
    return found | {name: float(each.mean()) for name, each in true.items()}

  def _mase(self, means):
    training = self.values[: self.ends[0]]
    return ahead.scaled(means["mae"], training, self.config.data.season)

  def _true_coverage(self, split: str) -> dict[str, np.ndarray]:
    """Of the same values, `[horizon, 1]`, if the series is made up."""
    if self.config.data.path:
      return {}
    first = self._starts(split) + self.config.data.lookback
    rows = first[:, None] + np.arange(self.config.data.horizon)
    noise = series.noise(self._series.values)[rows]
    return ahead.true_coverage(noise, self._levels)

  def widening(self, params) -> np.ndarray:
    """By how much each interval is to be widened to cover its share.

    Told from the validation part, see `nn.quantiles.conformal`: each step and
    column on its own, `[horizon, columns, intervals]`, standardised.

    Raises:
      InputError: the model has no intervals, or that part too few windows.
    """
    shares = quantiles.shares(self._levels)
    if not shares:
      raise InputError(
        f"config.model.quantiles is {self._levels}, expected an interval, such"
        " as (.1, .5, .9): there is nothing to widen"
      )
    scores = [
      np.asarray(self._outside(params, batch))[batch.weights > 0]
      for batch in self.evaluation_batches("validation")
    ]
    try:
      return quantiles.conformal(np.concatenate(scores), shares)
    except ValueError as error:
      raise InputError(
        f"config.data.validation is too short to widen by: {error}"
      ) from error

  @functools.cached_property
  def _outside(self):
    return jax.jit(
      lambda params, batch: quantiles.outside(
        self.apply(params, batch.past), batch.future
      )
    )

  @functools.cached_property
  def _widened(self):
    """Whether widened intervals hold what came, and their widths."""

    @jax.jit
    def widened(params, batch: Batch, by):
      found = quantiles.widen(self.apply(params, batch.past), by[None])
      each = ahead.covered(found, batch.future, self._levels)
      return ahead.totals(each, batch.weights), batch.weights.sum()

    return widened

  def steps(self, params, outputs, split: str) -> dict[str, np.ndarray]:
    """Means over the windows of a split, `[horizon, columns]` each.

    Intervals of the test are measured widened, too, where the validation part
    has windows enough.

    Args:
      params: the model's parameters.
      outputs: of `evaluate_split`.
      split: its name.

    Returns:
      Means by the names that `show.ahead` tells.
    """
    found = ahead.means(outputs) | self._true_coverage(split)
    found["mase"] = self._mase(found)
    shares, windows = quantiles.shares(self._levels), self._starts("validation")
    least = max(map(quantiles.needed, shares), default=0)
    if split == "test" and shares and len(windows) >= least:
      by = self.widening(params)
      batches = self.evaluation_batches(split)
      sums = [jax.device_get(self._widened(params, b, by)) for b in batches]
      found |= {f"widened_{name}": x for name, x in ahead.means(sums).items()}
    return found

  def report(self, params, outputs, split):
    """Errors of each step ahead, and those of each column in its units."""
    from seqjax.show import ahead as show

    steps = self.steps(params, outputs, split)
    return show.report(steps, self._shown, *self._units)

  @property
  def _shown(self) -> str:
    """The error that suits what is minimised."""
    return "mse" if self._minimised == "mse" else "mae"

  @property
  def _units(self) -> tuple[list[str], list[float]]:
    return self.scaling.names, self.scaling.deviation

  @functools.cached_property
  def _predict(self):
    return jax.jit(self.apply)

  def forecast(
    self, params, past: np.ndarray, widening: np.ndarray | None = None
  ) -> np.ndarray:
    """What comes after `past` `[lookback, columns]`: `[horizon, columns]`.

    Both in the units of the columns. A model with quantiles tells these,
    `[horizon, columns, quantiles]`.

    Args:
      params: the model's parameters.
      past: what was seen.
      widening: of the intervals, as the method of that name tells it.

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
    found = self._predict(params, self.scaling.standardise(past)[None])[0]
    if widening is not None:
      found = quantiles.widen(found, jnp.asarray(widening))
    if not self._levels:
      return self.scaling.restore(np.asarray(found))
    curves = np.moveaxis(np.asarray(found), -1, 0)
    return np.moveaxis(self.scaling.restore(curves), 0, -1)

  def forecast_mode(
    self, params, *, input: str = "", output: str = "", widen: bool = False
  ) -> str:
    """The steps after the end of a series, as a CSV and a plot.

    Args:
      params: the model's parameters.
      input: a CSV like that of training, which ends where the forecast begins;
        default the file of training.
      output: folder for `forecast.csv` and `forecast.png`; default the run
        directory.
      widen: whether intervals are widened by what the validation part of the
        training file shows.
    """
    data, names = self.config.data, self.scaling.names
    found = series.read(input, data.columns) if input else self._series
    input = input or data.path or "the generated series"
    seen, past = series.last(found, data.lookback, names, input)
    by = self.widening(params) if widen else None
    told = self.forecast(params, past, by)
    dates = series.following(found.dates, data.horizon)
    folder = pathlib.Path(output or self.directory or ".")
    columns, values = ahead.columns(names, told, self._levels)
    try:
      folder.mkdir(parents=True, exist_ok=True)
      series.write(folder / "forecast.csv", dates, columns, values)
    except OSError as error:
      raise InputError(
        f"--output={folder} cannot be written ({error.strerror})"
      ) from error
    self._draw(folder / "forecast.png", (seen, past), dates, told, {})
    return f"{folder / 'forecast.csv'}\n{folder / 'forecast.png'}"

  def showcase(self, params, directory: pathlib.Path) -> str:
    """A window of the test with its forecast, and errors beside baselines."""
    from seqjax.show import ahead as show

    data = self.config.data
    split = "test" if len(self._starts("test")) else "validation"
    starts = self._starts(split)
    if not len(starts):
      return "no validation and no test part: nothing to show"
    start = int(starts[len(starts) // 2])
    middle, end = start + data.lookback, start + data.lookback + data.horizon
    dates, values = self._series.dates, self._series.values
    past, path = values[start:middle], directory / "forecast.png"
    told, truth = self.forecast(params, past), values[middle:end]
    curves = {"what came": ("truth", truth)}
    self._draw(
      path, (dates[start:middle], past), dates[middle:end], told, curves
    )
    found, outputs = self.evaluate_split(params, split)
    steps = self.steps(params, outputs, split)
    show.draw(directory / "errors.png", steps, self._shown)
    show.write(directory / "errors.csv", steps, *self._units)
    lines = [
      f"{split} part, {len(starts)} windows of {data.lookback} steps,"
      f" {data.horizon} ahead; means of standardised values:",
      *(f"  {name.replace('_', ' ')}: {x:.4f}" for name, x in found.items()),
      show.report(steps, self._shown, *self._units),
    ]
    written = "\n".join(lines)
    files.write(directory / "errors.txt", written + "\n")
    return (
      f"{written}\nErrors of each step: {directory / 'errors.png'}, .csv\n"
      f"A forecast: {path}"
    )

  def _draw(self, path, past, dates, told, curves) -> None:
    """The last of the past and what comes: a fifth of the width or more."""
    from seqjax.show import series as show

    horizon, season = self.config.data.horizon, self.config.data.season
    again = self._guesses(past[1][None])["seasonal_naive"][0]
    curves = {
      "last season again": ("baseline", again),
      **curves,
      "forecast": ("forecast", ahead.point(told, self._levels)),
    }
    bands = {}
    if self._levels:
      for i, name in enumerate(ahead.intervals(self._levels)):
        bands[f"{name} % interval"] = told[..., i], told[..., -1 - i]
    shown = max(2 * horizon, min(season, 4 * horizon))
    past = past[0][-shown:], past[1][-shown:]
    show.draw(path, past, dates, curves, self.scaling.names, bands=bands)
