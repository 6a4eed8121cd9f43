"""Forecasting: windows, baselines, each step ahead, the mode."""

import csv
import pathlib

import numpy as np
import pytest
from PIL import Image

from seqjax import runs
from seqjax.data import series
from seqjax.errors import InputError
from seqjax.experiments import forecast
from seqjax.tasks import base
from seqjax.train import evaluation


def test_forecast_writes_a_csv_and_a_plot(trained, tmp_path):
  task, params = trained("forecast")
  csv, png = task.forecast_mode(params, output=str(tmp_path / "out")).split(
    "\n"
  )
  rows = pathlib.Path(csv).read_text().splitlines()
  assert rows[0] == "date,value"
  assert len(rows) == 1 + 24
  assert rows[1].startswith("2024-02-20 00:00:00,")  # 1,200 hours after
  with Image.open(png) as picture:
    assert picture.size[0] > 500
  path = tmp_path / "short.csv"
  path.write_text("date,value\n2020-01-01,1\n2020-01-02,1\n")
  with pytest.raises(
    InputError, match="2 rows, expected at least the lookback"
  ):
    task.forecast_mode(params, input=str(path))
  path.write_text("date,other\n2020-01-01,1\n")
  with pytest.raises(InputError, match="the columns are other, expected value"):
    task.forecast_mode(params, input=str(path))


def test_forecast_windows(trained):
  """Every window of a part once; scaling of the training part alone."""
  task, _ = trained("forecast")
  data = task.config.data
  train, validation, _ = task.ends
  values = task.values[:, 0]
  np.testing.assert_allclose(values[:train].mean(), 0, atol=1e-5)
  np.testing.assert_allclose(values[:train].std(), 1, rtol=1e-5)
  futures = [
    row
    for batch in task.evaluation_batches("validation")
    for row, weight in zip(batch.future[..., 0], batch.weights, strict=True)
    if weight
  ]
  count = validation - train - data.horizon + 1
  expected = [values[train + i :][: data.horizon] for i in range(count)]
  np.testing.assert_array_equal(futures, expected)
  batch = next(iter(task.evaluation_batches("validation")))
  naive, seasonal, climate = task._guesses(batch.past).values()
  assert not climate.any()
  np.testing.assert_array_equal(naive[:, 5], batch.past[:, -1])
  np.testing.assert_array_equal(
    seasonal[0, :, 0], values[train - data.season :][: data.horizon]
  )


def test_errors_stand_beside_those_of_no_model(trained):
  """Of all windows, by their definition."""
  task, params = trained("forecast")
  found, _ = task.evaluate_split(params, "validation")
  squares = {"mse": [], "naive_mse": [], "seasonal_naive_mse": []}
  for batch in task.evaluation_batches("validation"):
    for past, future, weight in zip(*batch, strict=True):
      if weight:
        ahead = task.scaling.standardise(
          task.forecast(params, task.scaling.restore(past))
        )
        season = past[-task.config.data.season :][: len(future)]
        guesses = ahead, past[-1:], season
        for name, guess in zip(squares, guesses, strict=True):
          squares[name].append(np.square(guess - future).mean())
  for name, values in squares.items():
    assert found[name] == pytest.approx(np.mean(values), rel=1e-4)


def windows(task, split):
  """`(past, future)` of each window, standardised."""
  return [
    (past, future)
    for batch in task.evaluation_batches(split)
    for past, future, weight in zip(*batch, strict=True)
    if weight
  ]


def intervals_of(task, params, split, widening=None):
  """Whether each value of each window lies in its interval; widths."""
  inside, widths = [], []
  for past, future in windows(task, split):
    told = task.forecast(params, task.scaling.restore(past), widening)
    low, _, high = np.moveaxis(told, -1, 0)
    came = task.scaling.restore(future)
    inside.append((low <= came) & (came <= high))
    widths.append((high - low) / task.scaling.deviation)
  return np.mean(inside, axis=0), np.mean(widths, axis=0)


def test_each_step_is_measured_by_its_definition(trained):
  task, params = trained("forecast:quantiles")
  values, outputs = task.evaluate_split(params, "test")
  steps = task.steps(params, outputs, "test")
  assert {each.shape for each in steps.values()} == {(24, 1)}
  by = task.widening(params)
  for prefix, widening in ("", None), ("widened_", by):
    inside, widths = intervals_of(task, params, "test", widening)
    # One value at the very edge may fall either way.
    found = steps[f"{prefix}coverage_80"]
    np.testing.assert_allclose(found, inside, atol=0.011)
    np.testing.assert_allclose(steps[f"{prefix}width_80"], widths, rtol=1e-4)
  errors = np.abs(
    [
      task.scaling.standardise(
        task.forecast(params, task.scaling.restore(past))[..., 1]
      )
      - future
      for past, future in windows(task, "test")
    ]
  ).mean(axis=0)
  np.testing.assert_allclose(steps["mae"], errors, rtol=1e-4)
  assert values["mae"] == pytest.approx(errors.mean(), rel=1e-4)
  assert values["rmse"] == pytest.approx(values["mse"] ** 0.5, rel=1e-4)
  # The last season again, on training: what MASE is a share of.
  train = task._series.values[: task.ends[0]] / task.scaling.deviation
  scale = np.abs(train[168:] - train[:-168]).mean()
  assert values["mase"] == pytest.approx(values["mae"] / scale, rel=1e-4)
  # True quantiles: the same windows, the mean that is known.
  noise = series.noise(task._series.values)[task.ends[1] :]
  held = np.abs(noise) <= 1.2815515655446004
  expected = [held[i : len(held) - 23 + i].mean() for i in range(24)]
  np.testing.assert_allclose(steps["true_coverage_80"][:, 0], expected)


def test_widening_covers_validation_itself(trained):
  """More than the share, by less than one window in all: its definition."""
  task, params = trained("forecast:quantiles")
  before, _ = intervals_of(task, params, "validation")
  after, _ = intervals_of(task, params, "validation", task.widening(params))
  count = len(windows(task, "validation"))
  assert (np.abs(before - 0.8) > 0.05).any()
  assert (after >= 0.8 - 1e-6).all()
  assert (after < 0.8 + 2.1 / count).all()


def test_what_cannot_be_widened(trained):
  task, params = trained("forecast")
  with pytest.raises(InputError, match=r"quantiles is \(\), expected an inter"):
    task.forecast_mode(params, widen=True)
  task, params = trained("forecast:quantiles")
  config = task.config.copy_and_resolve_references()
  config.data.validation = 26.0  # three windows
  short = base.create(config, task.directory)
  with pytest.raises(
    InputError, match="3 scores for an interval of 80.0%, exp"
  ):
    short.widening(params)
  _, outputs = short.evaluate_split(params, "test")
  assert "widened" not in short.report(params, outputs, "test")


def test_the_file_has_a_column_for_each_quantile(trained, tmp_path):
  task, params = trained("forecast:quantiles")
  tables = []
  for widen in (False, True):
    written = task.forecast_mode(params, output=str(tmp_path), widen=widen)
    with pathlib.Path(written.split("\n")[0]).open() as file:
      header, *rows = csv.reader(file)
    assert header == ["date", "value", "value_q10", "value_q50", "value_q90"]
    tables.append(np.array([row[1:] for row in rows], float))
  for point, low, middle, high in np.concatenate(tables):
    assert low <= point == middle <= high
  plain, widened = tables
  past = task._series.values[-task.config.data.lookback :]
  told = task.forecast(params, past)
  np.testing.assert_allclose(plain[:, 1:], told[:, 0], rtol=1e-4, atol=1e-5)
  by = task.widening(params)[:, 0, 0] * task.scaling.deviation
  np.testing.assert_allclose(
    widened[:, 3], np.maximum(plain[:, 3] + by, plain[:, 2]), atol=1e-4
  )


def test_an_evaluation_tells_each_step(trained, capsys):
  task, params = trained("forecast:quantiles")
  evaluation.evaluate(task, params, 2, task.directory)
  told = capsys.readouterr().out
  assert "validation coverage_80: " in told
  for word in ("widened 80 %", "true 80 %", "the climate, training's mean,"):
    assert word in told


@pytest.mark.slow
def test_intervals_hold_what_the_true_ones_hold(tmp_path):
  """At every step within two points; and the median is no worse for it."""
  apart, ratios = [], []
  for seed in range(3):
    maes = []
    for levels in ((0.1, 0.5, 0.9), ()):
      config = forecast.get_config("quantiles")
      config.seed, config.loss, config.model.quantiles = seed, "mae", levels
      run = runs.fit(config, tmp_path / f"{seed}{len(levels)}")
      values, outputs = run.task.evaluate_split(run.params, "test")
      maes.append(values["mae"])
      if levels:
        steps = run.task.steps(run.params, outputs, "test")
        apart.append(steps["coverage_80"] - steps["true_coverage_80"])
    ratios.append(maes[0] / maes[1])
  assert np.abs(np.mean(apart, axis=0)).max() < 0.02
  assert np.mean(ratios) < 1.02
