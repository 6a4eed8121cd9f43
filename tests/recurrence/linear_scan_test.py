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


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("resets", [False, True])
def test_the_derivative_by_a_zero(reverse, resets):
  """A factor that happens to be zero is no reset; that of a reset is."""
  a = jnp.array([[0.0, 2.0], [0.5, 0.0], [0.0, 0.0], [3.0, 0.1]])
  b, start = jnp.ones((4, 2)) / 3, jnp.array([3.0, -1.0])
  forget = jnp.array([False, False, True, False]) if resets else None

  def loss(function):
    return lambda a, b, start: (jnp.sin(function(a, b, start)) ** 2).sum()

  def plain(a, b, start):
    if resets:
      a = a.at[2].set(0.0)
    return loop(a[:, None], b[:, None], start[None], reverse)[:, 0]

  fast, slow = (
    loss(lambda *x: linear_scan(*x, reverse=reverse, forget=forget)),
    loss(plain),
  )
  args = a, b, start
  tangents = jax.tree.map(jnp.ones_like, args)
  gradient = lambda f: jax.grad(f, (0, 1, 2))
  norm = lambda f: lambda *x: sum((g**2).sum() for g in gradient(f)(*x))
  for derive in (
    lambda f: gradient(f)(*args),
    lambda f: jax.jvp(f, args, tangents)[1],
    lambda f: jax.jvp(gradient(f), args, tangents)[1],
    lambda f: gradient(norm(f))(*args),
  ):
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6),
      derive(fast),
      derive(slow),
    )


def test_the_derivative_by_a_zero_by_hand():
  """s_0 = a_0 3 + 1, s_1 = .5 s_0 + 1: d(s_0 + s_1)/d a_0 = 4.5."""
  run = lambda a: linear_scan(a, jnp.ones((2, 1)), jnp.array([3.0])).sum()
  np.testing.assert_allclose(
    jax.grad(run)(jnp.array([[0.0], [0.5]]))[:, 0], [4.5, 1.0]
  )


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["diagonal", "matrix"])
def test_products_that_overflow(kind, reverse):
  """States and derivatives that are finite stay so, second ones too."""
  time = 64
  a = np.full((time, 2), 30.0, np.float32)
  a[:, 1] = 0.5
  early = np.arange(time)[:: -1 if reverse else 1][:5]
  a, b = jnp.asarray(a), jnp.array([[0.0, 1.0]] * time)
  if kind == "matrix":
    a = jax.vmap(jnp.diag)(a)
  start = jnp.array([0.0, 1.0])
  loss = lambda f: lambda a, b, s: (f(a, b, s)[early] ** 2).sum()
  fast = loss(lambda *x: linear_scan(*x, reverse=reverse))
  slow = loss(
    lambda a, b, s: loop(a[:, None], b[:, None], s[None], reverse)[:, 0]
  )
  gradient = lambda f: jax.grad(f, (0, 1, 2))
  norm = lambda f: lambda *args: sum((g**2).sum() for g in gradient(f)(*args))
  for derive in (
    lambda f: f(a, b, start),
    lambda f: gradient(f)(a, b, start),
    lambda f: gradient(norm(f))(a, b, start),
  ):
    actual, expected = derive(fast), derive(slow)
    for x, y in zip(*map(jax.tree.leaves, (actual, expected)), strict=True):
      assert jnp.isfinite(y).all()
      np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
