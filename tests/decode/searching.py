"""What the tests of beam and greedy search share."""

import functools

import jax
import numpy as np

STOP, START = 0, 1


def log_softmax(x):
  x = x - x.max(axis=-1, keepdims=True)
  return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


@functools.cache
def compiled(find, step, **static):
  """One program; lengths and alpha are its arguments."""
  options = {"start": START, "stop": STOP} | static
  return jax.jit(functools.partial(find, step, **options))


def as_lists(found):
  """Those that exist; checks what holds of every result."""
  rows = []
  tokens, lengths, scores, log_probs = map(np.asarray, found[:4])
  behind = np.arange(tokens.shape[-1]) >= lengths[..., None]
  assert (tokens[behind] == STOP).all()
  for row in range(len(tokens)):
    real = np.isfinite(scores[row])
    assert not np.isnan(scores[row]).any()
    assert (np.diff(scores[row][real]) <= 0).all()
    assert (np.isneginf(log_probs[row]) == ~real).all()
    assert (lengths[row][~real] == 0).all()
    kept = [
      (tuple(x[:n].tolist()), float(score))
      for x, n, score in zip(
        tokens[row], lengths[row], scores[row], strict=True
      )
    ]
    kept = [pair for pair, is_real in zip(kept, real, strict=True) if is_real]
    assert len({sequence for sequence, _ in kept}) == len(kept)
    rows.append(kept)
  return rows


def assert_same(found, expected, tolerance=1e-5):
  assert [x for x, _ in found] == [x for x, _ in expected]
  np.testing.assert_allclose(
    [score for _, score in found],
    [score for _, score in expected],
    rtol=tolerance,
    atol=tolerance,
  )
