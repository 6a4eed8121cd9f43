"""Against the soft target written out, in NumPy's float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import nn
from seqjax.nn.read_out import many_logits

V = 6


def reference(logits, targets, smoothing):
  """`(-sum q log p, p - q)`, q as an array."""
  logits = np.asarray(logits, np.float64)
  q = np.full(logits.shape, smoothing / V)
  q += (1 - smoothing) * np.eye(V)[targets]
  p = np.exp(logits - logits.max(axis=-1, keepdims=True))
  p /= p.sum(axis=-1, keepdims=True)
  return -(q * np.log(p)).sum(axis=-1), p - q


def check(shape, smoothing, tolerance):
  rng = np.random.default_rng(0)
  logits = jnp.asarray(3 * rng.normal(size=(*shape, V)))
  targets = jnp.asarray(rng.integers(0, V, shape))
  weights = jnp.asarray(rng.normal(size=shape))
  nats, back = jax.vjp(
    lambda z: nn.cross_entropy(z, targets, smoothing), logits
  )
  expected, slope = reference(logits, np.asarray(targets), smoothing)
  assert nats.shape == shape
  assert nats.dtype == logits.dtype
  np.testing.assert_allclose(nats, expected, rtol=tolerance, atol=tolerance)
  (gradient,) = back(weights)
  wanted = slope * np.asarray(weights)[..., None]
  np.testing.assert_allclose(gradient, wanted, atol=tolerance)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_it_is_that_of_the_soft_target(shape, smoothing):
  check(shape, smoothing, 2e-6)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_in_double_precision(smoothing):
  check((2, 3), smoothing, 1e-13)


def test_one_symbol_of_many_is_far_ahead():
  """No overflow, no NaN; a closed symbol has no part in either."""
  logits = jnp.array([[3e4, 0.0, -3e4], [0.0, -jnp.inf, 1.0]])
  targets = jnp.array([1, 2])
  loss = lambda z: nn.cross_entropy(z, targets).sum()
  value, gradient = jax.value_and_grad(loss)(logits)
  np.testing.assert_allclose(value, 3e4 + np.log1p(np.exp(-1)), rtol=1e-6)
  p = 1 / (1 + np.exp(-1))
  expected = [[1, -1, 0], [1 - p, 0, p - 1]]
  np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_no_mass_on_padding():
  """Smoothing is over symbols, never over steps that are not there."""
  rng = np.random.default_rng(1)
  logits = jnp.asarray(rng.normal(size=(2, 5, V)))
  targets = jnp.asarray(rng.integers(0, V, (2, 5)))
  there = jnp.arange(5)[None] < jnp.array([3, 0])[:, None]

  def loss(logits):
    nats = nn.cross_entropy(logits, targets, 0.2)
    return jnp.where(there, nats, 0).sum()

  value, gradient = jax.value_and_grad(loss)(logits)
  expected, slope = reference(logits[0, :3], np.asarray(targets[0, :3]), 0.2)
  np.testing.assert_allclose(value, expected.sum(), rtol=1e-6)
  np.testing.assert_allclose(gradient[0, :3], slope, atol=1e-6)
  assert (gradient[0, 3:] == 0).all()
  assert (gradient[1] == 0).all()


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 1, 3)])
def test_many_logits_are_tied_logits(shape):
  rng = np.random.default_rng(2)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape))
  arguments = draw(*shape, 3), draw(V, 3), draw(V)
  cotangent = draw(*shape, V)

  def both(function):
    value, back = jax.vjp(function, *arguments)
    return value, *back(cotangent)

  for found, expected in zip(
    both(many_logits), both(nn.tied_logits), strict=True
  ):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
