"""Newton's method: iterations, residuals, the fallback, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax import GRU, LSTM, Elman
from seqjax.recurrence import Newton, newton_report

T, D, B = 200, 3, 2


def make(cell, time=T, scale=1.0):
  params = cell.init(jax.random.key(0), D)
  params = params._replace(recurrent_kernel=scale * params.recurrent_kernel)
  return params, jax.random.normal(jax.random.key(1), (B, time, D))


@pytest.mark.parametrize("jacobian", ["dense", "diagonal"])
@pytest.mark.parametrize("cell", [Elman(8), LSTM(8), GRU(8)], ids=repr)
def test_long_sequences_converge_in_few_iterations(cell, jacobian):
  params, inputs = make(cell, scale=0.5)
  method = Newton(jacobian=jacobian, max_iterations=50)
  report = newton_report(cell, params, inputs, method=method)
  assert report.converged
  assert report.iterations <= (8 if jacobian == "dense" else 25)
  assert report.residual <= 32 * jnp.finfo(jnp.float32).eps
  actual = seqjax.unroll(cell, params, inputs, method=method)
  expected = seqjax.unroll(cell, params, inputs, method="scan")
  jax.tree.map(
    lambda a, e: np.testing.assert_allclose(a, e, atol=1e-5), actual, expected
  )


def test_convergence_is_quadratic():
  """Each dense iteration about doubles the digits; diagonal ones do not."""
  cell = Elman(4)
  with jax.enable_x64(True):
    params, inputs = make(cell, scale=0.8)
    params, inputs = jax.tree.map(
      lambda x: x.astype(jnp.float64), (params, inputs)
    )
    count = lambda tolerance, jacobian: int(
      newton_report(
        cell,
        params,
        inputs,
        method=Newton(100, jacobian=jacobian, tolerance=tolerance),
      ).iterations
    )
    assert count(1e-12, "dense") <= count(1e-3, "dense") + 2
    assert count(1e-12, "diagonal") >= count(1e-3, "diagonal") + 5


def test_without_convergence_the_result_is_that_of_the_loop():
  """A chaotic network: exactly the numbers of the loop, and it says so."""
  cell = Elman(16, recurrent_init="normal:4.0")
  params, inputs = make(cell)
  method = Newton(max_iterations=3)
  report = newton_report(cell, params, inputs, method=method)
  assert not report.converged
  assert report.iterations <= 3
  run = lambda m: seqjax.unroll(cell, params, inputs[:, :20], method=m)[1]
  np.testing.assert_allclose(run(method), run("scan"), atol=1e-4)


def test_iterations_that_overflow_are_not_taken_for_convergence():
  """The products of Jacobians leave float32 at once; NaN is no residual."""
  cell = Elman(16, recurrent_init="normal:4.0")
  params, inputs = make(cell)
  report = newton_report(cell, params, inputs, method=Newton(50))
  assert not report.converged
  assert report.iterations < 50
  assert report.residual == jnp.inf


@pytest.mark.parametrize("jacobian", ["dense", "diagonal"])
def test_forward_mode_and_second_derivatives(jacobian):
  cell = GRU(3)
  params, inputs = make(cell, time=7)

  def loss(method):
    return lambda x: (
      seqjax.unroll(cell, params, x, method=method)[1] ** 2
    ).sum()

  newton, scan = loss(Newton(jacobian=jacobian)), loss("scan")
  direction = jnp.ones_like(inputs)
  for derive in (
    lambda f: jax.jvp(f, (inputs,), (direction,))[1],
    lambda f: jax.grad(lambda x: (jax.grad(f)(x) ** 2).sum())(inputs),
    lambda f: jax.jvp(jax.grad(f), (inputs,), (direction,))[1],
  ):
    np.testing.assert_allclose(derive(newton), derive(scan), atol=2e-5)


def test_jit_and_vmap():
  cell = GRU(3)
  params, inputs = make(cell, time=20)
  run = lambda x: seqjax.unroll(cell, params, x, method="newton")[1]
  np.testing.assert_allclose(
    jax.jit(jax.vmap(run))(inputs), run(inputs), atol=1e-5
  )


def test_a_linear_cell_takes_one_iteration():
  cell = seqjax.MinGRU(4)
  params = cell.init(jax.random.key(0), D)
  inputs = jax.random.normal(jax.random.key(1), (B, T, D))
  assert newton_report(cell, params, inputs).iterations == 1


def test_bad_options():
  with pytest.raises(ValueError, match="jacobian is 'full', expected"):
    Newton(jacobian="full")
  with pytest.raises(ValueError, match="max_iterations is 0"):
    Newton(max_iterations=0)
  cell = seqjax.Stack((LSTM(3),))
  params = cell.init(jax.random.key(0), D)
  with pytest.raises(ValueError, match="expected a single cell"):
    newton_report(cell, params, jnp.ones((1, 2, D)))


@pytest.mark.parametrize("jacobian", ["dense", "diagonal"])
def test_gradients_where_products_of_jacobians_overflow(jacobian):
  """A chaotic row, and a quiet one beside it: as by the loop."""
  cell = Elman(12)
  rng = np.random.default_rng(0)
  kernel = 2.2 * rng.normal(size=(12, 12)) / 12**0.5
  params = cell.init(jax.random.key(0), D)
  params = params._replace(recurrent_kernel=jnp.asarray(kernel, jnp.float32))
  inputs = jax.random.normal(jax.random.key(1), (2, 1_000, D))
  # Saturated from the first step on: its own products vanish.
  inputs = inputs.at[1].multiply(100.0)

  def gradient(method, *rows):
    def loss(params, inputs):
      _, outputs = seqjax.unroll(cell, params, inputs, method=method)
      return (outputs[:, :10] ** 2).sum()

    return jax.jit(jax.grad(loss, (0, 1)))(params, inputs[jnp.array(rows)])

  for rows in ((0,), (1,), (0, 1)):
    actual = gradient(Newton(jacobian=jacobian), *rows)
    jax.tree.map(
      lambda a, e: np.testing.assert_allclose(
        a, e, atol=1e-4 * abs(e).max() + 1e-12
      ),
      actual,
      gradient("scan", *rows),
    )
