import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import series
from seqjax.errors import InputError


def test_newest_first(write, capsys):
  path = write('"Date","A","B"\r\n2020-01-03,3,30\n2020-01-02,2,20\n')
  found = series.read(path)
  assert found.names == ["A", "B"]
  np.testing.assert_array_equal(found.values, [[2, 20], [3, 30]])
  assert "not in order; sorted" in capsys.readouterr().err
  assert series.read(path, ["B"]).values.tolist() == [[20], [30]]


@pytest.mark.parametrize(
  ("dates", "expected"),
  [
    (["2020-11", "2020-12"], ["2021-01-01", "2021-02-01"]),
    (
      ["2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"],  # a Friday
      ["2026-11-23", "2026-11-24"],
    ),
    (["2026-11-20", "2026-11-21"], ["2026-11-22", "2026-11-23"]),
  ],
)
def test_following_dates(write, dates, expected):
  rows = "\n".join(f"{date},1" for date in dates)
  found = series.read(write(f"Month,A\n{rows}\n"))
  after = series.following(found.dates, 2)
  assert [date.date().isoformat() for date in after] == expected


def test_load(write):
  data = config_dict.ConfigDict({"path": None, "examples": 50, "columns": ()})
  assert series.load(data, 0).values.shape == (50, 1)
  data.path = str(write("date,a,b\n2020-01-01,1,2\n"))
  assert series.load(data, 0).names == ["a", "b"]
  data.columns = ("b",)
  assert series.load(data, 0).values.tolist() == [[2]]
  data.path = "nothing.csv"
  with pytest.raises(InputError, match="path is nothing.csv, which does not"):
    series.load(data, 0)


def test_what_is_written_is_read(tmp_path):
  begin = series.generate(3, 0).dates
  values = np.array([[1.5, -2.0], [0.25, 1e9], [3.0, 0.0]])
  series.write(tmp_path / "a.csv", begin, ["a", "b, c"], values)
  found = series.read(tmp_path / "a.csv")
  assert found.dates == begin
  assert found.names == ["a", "b, c"]
  np.testing.assert_allclose(found.values, values, rtol=1e-5)


def test_the_noise_of_what_is_made_up():
  """Standard normal, and without pattern: what no one can foresee."""
  made = series.generate(20_000, 0)
  noise = series.noise(made.values)[:, 0]
  assert noise.mean() == pytest.approx(0, abs=0.03)
  assert noise.std() == pytest.approx(1, abs=0.02)
  for lag in (1, 24, 168):
    assert abs(np.corrcoef(noise[lag:], noise[:-lag])[0, 1]) < 0.03
  other = series.generate(20_000, 1).values - made.values
  assert other.std() == pytest.approx(2**0.5 * series.NOISE, rel=0.02)


@pytest.mark.parametrize(
  ("part", "expected"),
  # A window's future lies in its part; its past may not.
  [("train", range(3)), ("validation", range(4, 7)), ("test", [])],
)
def test_windows_of_a_part(part, expected):
  found = series.starts((7, 11, 11), part, lookback=3, horizon=2)
  np.testing.assert_array_equal(found, list(expected))


def test_scaling():
  values = np.array([[1.0, 5.0, -2.0], [3.0, 5.0, 4.0], [8.0, 5.0, 1.0]])
  scaling = series.Scaling.fit(["a", "same", "c"], values)
  found = scaling.standardise(values)
  assert found.dtype == np.float32
  np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
  np.testing.assert_allclose(found.std(axis=0), [1, 0, 1], rtol=1e-6)
  np.testing.assert_allclose(scaling.restore(found), values, rtol=1e-6)
  again = series.Scaling(**json.loads(json.dumps(scaling.state)))
  assert again == scaling
  # Windows, and what training did not hold.
  windows = np.stack([values + 7, values])[:, :2]
  np.testing.assert_allclose(
    again.restore(again.standardise(windows)), windows, rtol=1e-6
  )


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("date,a\n2020-01-01,NaN\n", ":2: a is 'NaN', expected a fin"),
    ("date,a\n2020-01-01,\n", ":2: a is '', expected a finite"),
    ("date,a\n2020-01-01\n", ":2: 1 fields, expected 2"),
    ("date,a\n01/02/2020,1\n", ":2: '01/02/2020' is no date"),
    ("a,b\n1,2\n", ":1: the columns are a, b, expected one named"),
    ("date,a\n2020-01-01,1\n2020-01-01,2\n", "2020-01-01 00:00:00 occurs twic"),
  ],
)
def test_mistakes(write, content, message):
  with pytest.raises(InputError, match=message):
    series.read(write(content))


def test_no_such_column(write):
  with pytest.raises(InputError, match="columns holds 'c'"):
    series.read(write("date,a\n"), ["c"])
