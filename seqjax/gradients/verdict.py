"""From a curve over lag to a word: vanishing, stable or exploding."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Verdict(NamedTuple):
  word: str  # "vanishing", "stable", "exploding", or "not finite"
  rate: float  # factor per step, from the fit
  low: float  # 95 % confidence interval of the rate
  high: float
  first_bad: int  # first lag that is not finite, -1 if there is none


def geometric_mean(
  norms: ArrayLike, lengths: ArrayLike | None = None
) -> NDArray[Any]:
  """The mean curve of many rows: exp of the mean logarithm.

  Args:
    norms: `[*rows, lag]`, from `norms.by_lag`.
    lengths: `[*rows]`, at each lag the mean is over the rows that are longer;
      default all rows are full.

  Returns:
    `[lag]` up to the longest row, float64. NaN and infinity are kept, zero in
    one row makes the mean zero.
  """
  norms = np.asarray(norms, np.float64)
  norms = norms.reshape(-1, norms.shape[-1])
  with np.errstate(divide="ignore"):
    logs = np.log(norms)
  if lengths is None:
    return np.exp(logs.mean(axis=0))
  counted = np.arange(norms.shape[1]) < np.asarray(lengths).reshape(-1, 1)
  counts = counted.sum(axis=0)
  total = np.where(counted, logs, 0.0).sum(axis=0)[counts > 0]
  return np.exp(total / counts[counts > 0])


def verdict(norms: ArrayLike, tolerance: float = 0.002) -> Verdict:
  """Fits log |dL/dh_(T-k)| = a - k log(1 / rate) and names what it finds.

  A straight line by least squares over the lags with a norm above zero, with
  the standard error of its slope. "vanishing" if the whole confidence interval
  of the rate lies below 1 - tolerance, "exploding" if above 1 + tolerance,
  "stable" otherwise: 0.002 a step is a factor of 8 in 1,000 steps.

  Args:
    norms: `[lag]` or `[*rows, lag]`; of rows the geometric mean is taken.
    tolerance: see above.

  Raises:
    ValueError: fewer than three lags with a norm above zero.
  """
  curve = geometric_mean(norms)
  finite = np.isfinite(curve)
  first_bad = -1 if finite.all() else int(np.argmin(finite))
  end = len(curve) if first_bad < 0 else first_bad
  lags = np.arange(end)[curve[:end] > 0]
  if len(lags) < 3:
    raise ValueError(
      f"norms has {len(lags)} lags that are finite and above zero, expected at"
      " least 3 to fit a rate"
    )
  logs = np.log(curve[lags])
  centred = lags - lags.mean()
  spread = (centred**2).sum()
  slope = (centred * logs).sum() / spread
  rest = logs - logs.mean() - slope * centred
  error = np.sqrt((rest**2).sum() / (len(lags) - 2) / spread)
  low, high = np.exp(slope - 1.96 * error), np.exp(slope + 1.96 * error)
  word = "stable"
  if first_bad >= 0:
    word = "not finite"
  elif high < 1 - tolerance:
    word = "vanishing"
  elif low > 1 + tolerance:
    word = "exploding"
  return Verdict(word, float(np.exp(slope)), float(low), float(high), first_bad)


def memory_horizon(norms: ArrayLike, share: float = 0.01) -> int:
  """The first lag at which the norm is below `share` of that at lag 0.

  Args:
    norms: `[lag]` or `[*rows, lag]`; of rows the geometric mean is taken.
    share: in (0, 1).

  Returns:
    A lag; the number of lags if the norm never falls that low.
  """
  curve = geometric_mean(norms)
  below = curve < share * curve[0]
  return int(np.argmax(below)) if below.any() else len(curve)
