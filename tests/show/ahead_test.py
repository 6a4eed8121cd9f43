"""Errors of each step: the table, the file, the picture."""

import csv

import numpy as np
import pytest

from seqjax.show import ahead, plot

H = 30
UP = np.linspace(1, 2, H)[:, None]


def means(columns=2, intervals=("80",)):
  """Errors that grow; the second column's are three times the first's."""
  each = UP * np.array([1.0, 3.0, 9.0][:columns])
  found = {"mae": each, "mse": each**2, "mase": each / 2}
  for prefix in ahead.GUESSES.values():
    found[f"{prefix}mae"] = np.full_like(each, 2.5)
    found[f"{prefix}mse"] = np.full_like(each, 16.0)
  for share in intervals:
    part = float(share) / 100
    found[f"coverage_{share}"] = np.full_like(each, part) - 0.01 * UP
    found[f"width_{share}"] = each
    found[f"widened_coverage_{share}"] = np.full_like(each, part)
    found[f"widened_width_{share}"] = 2 * each
    found[f"true_coverage_{share}"] = np.full_like(each, part)
  return found


@pytest.mark.parametrize(
  ("model", "climate", "expected"),
  [
    ([1, 2, 3], [2, 2, 2], 2),
    ([1, 2, 1], [2, 2, 2], None),  # it comes back
    ([3, 1, 2], [2, 2, 2], 3),
    ([2, 2, 2], [2, 2, 2], 1),
    ([1, 1, 1], [2, 2, 2], None),
  ],
)
def test_from_where_on_the_climate_is_as_good(model, climate, expected):
  assert ahead.overtaken(np.array(model), np.array(climate)) == expected


@pytest.mark.parametrize(("kind", "last"), [("mae", 4.0), ("mse", 20**0.5)])
def test_the_table(kind, last):
  table = ahead.table(means(), kind).splitlines()
  assert ahead.KINDS[kind] in table[0]
  for word in ("model", "last value", "last season", "climate", "widened"):
    assert word in table[1]
  rows = [line.split() for line in table[2:] if line.split()[0].isdigit()]
  assert (rows[0][0], rows[-1][0]) == ("1", "30")
  assert len(rows) <= 12
  # The mean of columns, or the root of the mean square.
  assert float(rows[-1][1]) == pytest.approx(last, abs=1e-3)
  assert "78.0" in rows[-1]
  text = "\n".join(table)
  assert "interval of 80 % covers 78.0 to 79.0 %, 78.5 % over" in text
  assert "of the true quantiles covers 80.0 to 80.0 %" in text


def test_the_climate_is_told():
  # 2 x 1.25 = 2.5 a quarter of the way.
  assert "is as good from step 9 on" in ahead.table(means(), "mae")
  assert "is worse at the last step" in ahead.table(means(1), "mae")


def test_without_intervals_none_is_told():
  table = ahead.table(means(intervals=()), "mae")
  assert "interval" not in table
  assert "%" not in table


def test_columns_in_their_units():
  lines = ahead.table_of_columns(means(), ["a", "b"], [10.0, 0.1]).splitlines()
  header, a, b = lines[1].split(), lines[2].split(), lines[3].split()
  assert header[:4] == ["column", "MAE", "RMSE", "MASE"]
  root = np.sqrt(np.square(UP).mean())
  expected = [15.0, 10 * root, 0.75, 25.0]
  assert [float(x) for x in a[1:5]] == pytest.approx(expected, rel=1e-3)
  expected = [0.45, 0.3 * root, 2.25, 0.25]
  assert [float(x) for x in b[1:5]] == pytest.approx(expected, rel=1e-3)
  some = ahead.table_of_columns(means(3), list("abc"), [1.0] * 3, most=2)
  assert "2 of 3 columns are shown" in some


def test_the_file_has_every_step(tmp_path):
  path = tmp_path / "a.csv"
  ahead.write(path, means(), ["a", "b, c"], [10.0, 0.1])
  with path.open() as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 3 * H
  last = {row["column"]: row for row in rows if row["step"] == "30"}
  assert set(last) == {"all, standardised", "a", "b, c"}
  assert float(last["all, standardised"]["mae"]) == pytest.approx(4)
  assert float(last["all, standardised"]["rmse"]) == pytest.approx(20**0.5)
  assert float(last["a"]["rmse"]) == pytest.approx(20)
  assert float(last["b, c"]["width_80"]) == pytest.approx(0.6)
  for row in last.values():  # shares have no unit
    assert float(row["coverage_80"]) == pytest.approx(0.78)


@pytest.mark.parametrize("intervals", [(), ("80",), ("50", "90")])
def test_the_picture(intervals, tmp_path, figures, words):
  ahead.draw(tmp_path / "a.png", means(intervals=intervals), "mae")
  axes = figures[0].axes
  assert len(axes) == (3 if intervals else 1)
  model, *guesses = axes[0].get_lines()
  assert model.get_color() == plot.ROLES["model"]["color"]
  np.testing.assert_allclose(model.get_ydata(), 2 * UP[:, 0])
  assert model.get_xdata()[0] == 1
  assert len(guesses) == 3
  looks = {(line.get_color(), line.get_linestyle()) for line in axes[0].lines}
  assert len(looks) == 4
  if intervals:
    # The model's, widened, true, said.
    assert len(axes[1].get_lines()) == 4 * len(intervals)
    np.testing.assert_allclose(axes[2].get_lines()[1].get_ydata(), 4 * UP[:, 0])
    assert len(axes[1].get_legend().get_texts()) == 4
  for share in intervals:
    assert f"{share} %" in words()
