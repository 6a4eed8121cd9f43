"""The parallel prefix against a loop, and the method built on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.recurrence import linear_scan


def loop(a, b, start, reverse):
  states, s = [None] * len(a), start
  for t in reversed(range(len(a))) if reverse else range(len(a)):
    s = (
      a[t] * s if a.ndim == b.ndim else jnp.einsum("bij,bj->bi", a[t], s)
    ) + b[t]
    states[t] = s
  return jnp.stack(states)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["diagonal", "complex", "matrix"])
@pytest.mark.parametrize("time", [1, 2, 7])
@pytest.mark.usefixtures("float64")
def test_values_and_derivatives(time, kind, reverse):
  rng = np.random.default_rng(0)
  shape = (time, 2, 3)
  a = rng.normal(size=(*shape, 3) if kind == "matrix" else shape)
  b, start = rng.normal(size=shape), rng.normal(size=(2, 3))
  if kind == "complex":
    a = a + 1j * rng.normal(size=shape)
    b = b + 1j * rng.normal(size=shape)
    start = start + 0j
  args = jnp.asarray(a), jnp.asarray(b), jnp.asarray(start)
  fast = lambda *args: linear_scan(*args, reverse=reverse)
  slow = lambda *args: loop(*args, reverse)
  loss = lambda f: lambda *args: (jnp.abs(f(*args)) ** 2).sum()
  np.testing.assert_allclose(fast(*args), slow(*args), atol=1e-12)
  for derive in (
    lambda f: jax.grad(loss(f), (0, 1, 2))(*args),
    lambda f: jax.jvp(f, args, args)[1],
    lambda f: jax.jvp(jax.grad(loss(f), (0, 1, 2)), args, args)[1],
  ):
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9),
      derive(fast),
      derive(slow),
    )


def test_a_reset_forgets_an_overflow():
  """Zero times infinity would be NaN from the reset on."""
  cell = seqjax.LinearRNN(1)
  params = cell.init(jax.random.key(0), 1)._replace(
    input_kernel=jnp.ones((1, 1)), decay=jnp.array([1e6])
  )
  resets = np.zeros((1, 40), bool)
  resets[0, 30] = True
  run = lambda method: seqjax.unroll(
    cell, params, jnp.ones((1, 40, 1)), resets=resets, method=method
  )[1]
  outputs = run("associative")
  assert jnp.isinf(outputs[0, 29])
  np.testing.assert_allclose(outputs[0, 30:33], run("scan")[0, 30:33])


def test_extreme_gates_over_a_long_time_stay_finite():
  """100,000 steps, gates from shut to open: float32 against float64."""
  cell = seqjax.MinLSTM(4)
  rng = np.random.default_rng(0)
  params = cell.init(jax.random.key(0), 3)._replace(
    input_kernel=jnp.asarray(rng.normal(0, 30, (3, 12)), jnp.float32)
  )
  inputs = jnp.asarray(rng.normal(size=(1, 100_000, 3)), jnp.float32)
  fast = seqjax.unroll(cell, params, inputs, method="associative")[1]
  with jax.enable_x64(True):
    params64, inputs64 = jax.tree.map(
      lambda x: x.astype(jnp.float64), (params, inputs)
    )
    exact = np.asarray(
      seqjax.unroll(cell, params64, inputs64, method="scan")[1]
    )
  assert jnp.isfinite(fast).all()
  scale = np.abs(exact).max()
  # Pre-activations near 100 carry an error of 100 eps into their gates.
  assert np.abs(np.asarray(fast) - exact).max() < 1e-4 * scale
