"""Forecasting: windows, baselines, the mode."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from seqjax.errors import InputError


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
  naive, seasonal = task._baselines(batch.past)
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
