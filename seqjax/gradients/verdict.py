"""From a curve over lag to a word: vanishing, stable or exploding."""

from typing import NamedTuple

import numpy as np


class Verdict(NamedTuple):
  word: str  # "vanishing", "stable", "exploding", or "not finite"
  rate: float  # factor per step, from the fit
  low: float  # 95 % confidence interval of the rate
  high: float
  first_bad: int  # first lag that is not finite, -1 if there is none


def verdict(norms, tolerance: float = 0.002) -> Verdict:
  """Fits log |dL/dh_(T-k)| = a - k log(1 / rate) and names what it finds.

  A straight line by least squares over the lags with a norm above zero, with
  the standard error of its slope. "vanishing" if the whole confidence interval
  of the rate lies below 1 - tolerance, "exploding" if above 1 + tolerance,
  "stable" otherwise: 0.002 a step is a factor of 8 in 1,000 steps.

  Args:
    norms: `[lag]` or `[rows, lag]`; of rows the geometric mean is taken.
    tolerance: see above.

  Raises:
    ValueError: fewer than three lags with a norm above zero.
  """
  norms = np.atleast_2d(np.asarray(norms, np.float64))
  finite = np.isfinite(norms).all(axis=0)
  first_bad = -1 if finite.all() else int(np.argmin(finite))
  end = norms.shape[1] if first_bad < 0 else first_bad
  lags = np.arange(end)[(norms[:, :end] > 0).all(axis=0)]
  if len(lags) < 3:
    raise ValueError(
      f"norms has {len(lags)} lags that are finite and above zero, expected at"
      " least 3 to fit a rate"
    )
  logs = np.log(norms[:, lags]).mean(axis=0)
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


def memory_horizon(norms, share: float = 0.01) -> int:
  """The first lag at which the norm is below `share` of that at lag 0.

  Args:
    norms: `[lag]` or `[rows, lag]`; of rows the geometric mean is taken.
    share: in (0, 1).

  Returns:
    A lag; the number of lags if the norm never falls that low.
  """
  norms = np.atleast_2d(np.asarray(norms, np.float64))
  with np.errstate(divide="ignore"):
    mean = np.exp(np.log(norms).mean(axis=0))
  below = mean < share * mean[0]
  return int(np.argmax(below)) if below.any() else norms.shape[1]
