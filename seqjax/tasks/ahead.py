"""What is measured of a forecast at each step ahead: pure functions.

`[batch, horizon, columns]`, standardised; means over windows have names that
`show.ahead` tells.
"""

import statistics
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from seqjax.nn import quantiles

ERRORS = {"mse": jnp.square, "mae": jnp.abs}


def guesses(past: Any, horizon: int, season: int) -> dict[str, Any]:
  """Forecasts of who has no model, `[batch, horizon, columns]` each.

  The last value again; the last season again; the climate, which is training's
  mean and 0 of standardised values.

  Args:
    past: `[batch, lookback, columns]`.
    horizon: steps ahead.
    season: steps, at most the lookback.
  """
  ahead = np.arange(horizon)
  last = past[:, 0 * ahead - 1]
  return {
    "naive": last,
    "seasonal_naive": past[:, ahead % season - season],
    "climate": 0 * last,
  }


def intervals(levels: Sequence[float]) -> list[str]:
  """What each interval is said to cover, in per cent, the widest first."""
  return [f"{100 * share:g}" for share in quantiles.shares(levels)]


def point(found: Any, levels: Sequence[float]) -> Any:
  """The forecast itself: the median, where there are quantiles."""
  return found[..., len(levels) // 2] if levels else found


def columns(
  names: Sequence[str], found: np.ndarray, levels: Sequence[float]
) -> tuple[list[str], np.ndarray]:
  """A table: each column's forecast, then its quantiles `NAME_q10` and so on.

  Args:
    names: of the columns.
    found: `[horizon, columns]`, with levels `[horizon, columns, K]`.
    levels: of the quantiles.

  Returns:
    Names, and values `[horizon, names]`.
  """
  values = [point(found, levels), *(found[..., i] for i in range(len(levels)))]
  headings = list(names)
  for level in levels:
    headings += [f"{name}_q{100 * level:g}" for name in names]
  return headings, np.concatenate(values, axis=1)


def errors(found: Any, true: Any) -> dict[str, Any]:
  """Each kind of error."""
  return {name: error(found - true) for name, error in ERRORS.items()}


def measured(found: Any, true: Any, levels: Sequence[float]) -> dict[str, Any]:
  """All that is measured, each in the shape of `true`.

  Args:
    found: as `true`, with levels `[..., K]`.
    true: `[batch, horizon, columns]`.
    levels: of the quantiles; none of a forecast without.
  """
  each = errors(point(found, levels), true)
  if levels:
    each["pinball"] = quantiles.pinball(found, true, levels)
    each |= covered(found, true, levels)
  return each


def covered(found: Any, true: Any, levels: Sequence[float]) -> dict[str, Any]:
  """Whether what came lies in each interval, and its width."""
  inside = (quantiles.outside(found, true) <= 0).astype(jnp.float32)
  low, high = quantiles.bounds(found)
  each = {}
  for i, name in enumerate(intervals(levels)):
    each[f"coverage_{name}"] = inside[..., i]
    each[f"width_{name}"] = (high - low)[..., i]
  return each


def totals(each: dict[str, Any], weights: Any) -> dict[str, Any]:
  """Sums over the windows whose weight is 1, `[horizon, columns]`."""
  weights = weights[:, None, None]
  return {name: (weights * one).sum(axis=0) for name, one in each.items()}


def means(batches: Sequence[Any]) -> dict[str, np.ndarray]:
  """Of `(totals, number of windows)` of all batches, float64."""
  sums, counts = zip(*batches, strict=True)
  windows = float(np.sum(counts))
  return {
    name: np.sum([one[name] for one in sums], axis=0, dtype=np.float64)
    / windows
    for name in sums[0]
  }


def scaled(mae: np.ndarray, values: np.ndarray, season: int) -> np.ndarray:
  """MASE, the mean absolute scaled error, `[..., columns]`.

  Over what the last season again errs in training: below 1 is better than that
  on average. Hyndman and Koehler 2006, "Another look at measures of forecast
  accuracy", equation 4 and its seasonal form. NaN of a column that is the same
  in every season.

  Args:
    mae: mean absolute errors `[..., columns]`.
    values: of the training part `[time, columns]`.
    season: steps.
  """
  values = values.astype(np.float64)
  scale = np.abs(values[season:] - values[:-season]).mean(axis=0)
  return mae / np.where(scale > 0, scale, np.nan)


def true_coverage(
  noise: np.ndarray, levels: Sequence[float]
) -> dict[str, np.ndarray]:
  """What the intervals between true quantiles cover at each step.

  Args:
    noise: what came less what could be foreseen, in deviations of a normal
      distribution, `[windows, horizon, columns]`.
    levels: of the quantiles.
  """
  ends = map(statistics.NormalDist().inv_cdf, levels[::-1])
  return {
    f"true_coverage_{name}": (np.abs(noise) <= end).mean(axis=0)
    for name, end in zip(intervals(levels), ends, strict=False)
  }
