"""Forecasts."""

import datetime

import numpy as np
import pytest
from matplotlib import dates as mdates

from seqjax.show import plot, series
from tests.show.conftest import LABELS

HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)


def drawn(path, names, step=DAY, past=30, ahead=10, **options):
  begin = datetime.datetime(2024, 1, 20)
  dates = [begin + step * i for i in range(past + ahead)]
  values = np.arange(past + ahead)[:, None] + np.arange(len(names)) * 100.0
  series.draw(
    path,
    (dates[:past], values[:past]),
    dates[past:],
    {
      "last season again": ("baseline", values[:ahead]),
      "what came": ("truth", values[past:]),
      "forecast": ("forecast", values[past:] + 1),
    },
    names,
    **options,
  )
  return dates, values


@pytest.mark.parametrize("columns", [1, 4, 7])
def test_what_comes_begins_where_the_past_ends(columns, tmp_path, figures):
  names = [f"column {i}" for i in range(columns)]
  dates, values = drawn(tmp_path / "a.png", names)
  axes = figures[0].axes
  assert len(axes) == min(columns, 4)
  for column, axis in enumerate(axes):
    past, *ahead = axis.get_lines()
    assert len(ahead) == 3
    for line in ahead:
      assert len(line.get_xdata()) == 11
      assert line.get_xdata()[0] == past.get_xdata()[-1] == dates[29]
      assert line.get_ydata()[0] == past.get_ydata()[-1] == values[29, column]
    # All that was given is drawn, in its own place.
    assert ahead[2].get_xdata()[1] == dates[30]
    np.testing.assert_array_equal(
      ahead[2].get_ydata()[1:], values[30:, column] + 1
    )


def test_a_fan_begins_where_the_past_ends(tmp_path, figures, words):
  ahead = np.arange(10.0)[:, None] + [[0.0, 100.0]]
  bands = {"90 %": (ahead - 3, ahead + 4), "50 %": (ahead - 1, ahead + 1)}
  dates, values = drawn(tmp_path / "a.png", ["a", "b"], bands=bands)
  wide, narrow = figures[0].axes[1].collections
  for fan, (low, high) in ((wide, (97, 104)), (narrow, (99, 101))):
    corners = fan.get_paths()[0].vertices
    first = corners[:, 0] == mdates.date2num(dates[29])
    np.testing.assert_array_equal(corners[first, 1], values[29, 1])
    second = corners[:, 0] == mdates.date2num(dates[30])
    assert set(corners[second, 1]) == {low, high}
  assert "50 %" in words()


def test_roles_have_their_looks(tmp_path, figures):
  drawn(tmp_path / "a.png", ["a"])
  roles = ("past", "baseline", "truth", "forecast")
  lines = figures[0].axes[0].get_lines()
  for line, role in zip(lines, roles, strict=True):
    assert line.get_color() == plot.ROLES[role]["color"]
    assert line.get_linestyle() == plot.ROLES[role]["linestyle"]


def test_columns_that_are_not_drawn_are_said(tmp_path, words):
  drawn(tmp_path / "a.png", list("abcdefg"))
  assert "4 of 7 columns" in words()
  drawn(tmp_path / "a.png", list("abcd"))
  assert "columns" not in words()


def test_names_units_and_dates(tmp_path, figures, words):
  drawn(tmp_path / "a.png", ["load", "oil"], units=["MW", "°C"])
  titles = [axis.get_title(loc="left") for axis in figures[0].axes]
  assert titles == ["load [MW]", "oil [°C]"]
  axis = figures[0].axes[-1].xaxis
  assert isinstance(axis.get_major_formatter(), mdates.ConciseDateFormatter)
  assert "Feb" in words()


@pytest.mark.parametrize("step", [HOUR, DAY, 30 * DAY])
def test_dates_do_not_run_into_each_other(step, tmp_path, figures):
  drawn(tmp_path / "a.png", ["a"], step=step, past=48, ahead=24)
  figures[0].draw_without_rendering()  # at its own resolution
  labels = figures[0].axes[0].get_xticklabels()
  boxes = [t.get_window_extent() for t in labels if t.get_text()]
  assert len(boxes) >= 3
  for left, right in zip(boxes, boxes[1:]):  # noqa: B905
    assert left.x1 < right.x0


def test_any_column(label, tmp_path):
  drawn(tmp_path / "a.png", [label], units=[label])


def test_any_curve(tmp_path, figures):
  when = [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2)]
  series.draw(
    tmp_path / "a.png",
    (when[:1], [[1.0]]),
    when[1:],
    {label: ("baseline", [[2.0]]) for label in LABELS},
    ["a"],
  )
  assert len(figures[0].legends[0].get_texts()) == 1 + len(LABELS)
