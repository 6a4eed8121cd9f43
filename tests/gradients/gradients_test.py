"""The laboratory against closed forms and against plain loops."""

import dataclasses
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import seqjax
from seqjax import GRU, LSTM, Elman, gradients
from seqjax.cells import base
from tests.fast_weights import FastWeights

pytestmark = pytest.mark.usefixtures("float64")
B, T, D = 2, 6, 3


class Hidden(NamedTuple):
  h: jax.Array


@dataclasses.dataclass(frozen=True)
class Linear(base.Cell):
  """h_t = h_(t-1) W + x_t, any W: what the closed forms are about."""

  size: int

  @property
  def output_size(self):
    return self.size

  def init(self, key, input_size):
    del input_size
    return {"w": jax.random.normal(key, (self.size, self.size))}

  def input_size(self, params):
    del params
    return self.size

  def initial_carry(self, params, batch_shape=()):
    return Hidden(jnp.zeros((*batch_shape, self.size), params["w"].dtype))

  def step(self, params, carry, inputs, *, key=None):
    del key
    h = carry.h @ params["w"] + inputs
    return Hidden(h), h


def draw(*shape, seed=0):
  return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def wide(params, seed=1):
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda p: jnp.asarray(p, jnp.float64) + rng.normal(0, 0.3, p.shape), params
  )


V = np.random.default_rng(4).normal(size=8)
last = lambda outputs: outputs @ V[: outputs.shape[-1]]


def lag_norms(w, steps=30):
  cell = Linear(w.shape[0])
  inputs = draw(1, steps, w.shape[0])
  norms = gradients.hidden_gradient_norms(cell, {"w": w}, inputs, last)
  return gradients.by_lag(norms.h)[0]


def orthogonal(size):
  return jnp.linalg.qr(draw(size, size))[0]


def test_symmetric_kernel_gives_powers_of_its_eigenvalues():
  q, lam = orthogonal(4), jnp.array([0.9, -0.7, 0.5, 0.2])
  actual = lag_norms(q @ jnp.diag(lam) @ q.T)
  along, lam = V[:4] @ np.asarray(q), np.asarray(lam)
  k = np.arange(30)[:, None]
  np.testing.assert_allclose(
    actual, np.linalg.norm(along * lam**k, axis=-1), rtol=1e-10
  )


def test_orthogonal_kernel_keeps_the_norm_exactly():
  actual = lag_norms(orthogonal(5))
  np.testing.assert_allclose(actual, np.linalg.norm(V[:5]), rtol=1e-12)
  assert gradients.verdict(actual).word == "stable"


@pytest.mark.parametrize(
  ("scale", "word"), [(0.9, "vanishing"), (1.1, "exploding")]
)
def test_scaled_identity_is_geometric(scale, word):
  actual = lag_norms(scale * jnp.eye(3))
  expected = np.linalg.norm(V[:3]) * scale ** np.arange(30)
  np.testing.assert_allclose(actual, expected, rtol=1e-12)
  found = gradients.verdict(actual)
  assert found.word == word
  np.testing.assert_allclose(found[1:4], scale, rtol=1e-6)


@pytest.mark.parametrize("forget", [1.0, 0.8])
def test_constant_error_carousel(forget):
  """No recurrent kernel, a forget gate held at f: dc_T/dc_(T-k) = f^k."""
  cell = LSTM(3)
  params = jax.tree.map(jnp.zeros_like, wide(cell.init(jax.random.key(0), D)))
  logit = 800.0 if forget == 1.0 else np.log(forget / (1 - forget))
  params = params._replace(
    input_kernel=params.input_kernel.at[:, 6:9].set(0.3),
    bias=params.bias.at[3:6].set(logit),
  )
  jacobians = gradients.step_jacobians(cell, params, draw(40, D))
  of_c = gradients.products(jacobians)[:, 3:, 3:]
  expected = forget ** np.arange(41)[:, None, None] * np.eye(3)
  np.testing.assert_allclose(of_c, expected, rtol=1e-12)


CELLS = {
  "elman": Elman(4),
  "lstm": LSTM(4),
  "stack": seqjax.Stack((LSTM(4), seqjax.Residual(GRU(4)))),
  "learned": seqjax.LearnedCarry(GRU(4)),
  "lru": seqjax.LRU(3, 2),
  "matrix": FastWeights(3),
}


@pytest.mark.parametrize("name", ["elman", "lstm", "learned", "lru", "matrix"])
@pytest.mark.parametrize("at", ["last", "sum", 2])
def test_norms_are_the_derivatives_by_definition(name, at):
  """Start afresh from the carry after step t, one t at a time."""
  cell = CELLS[name]
  params = wide(cell.init(jax.random.key(0), D))
  inputs, lengths = draw(B, T, D), np.array([4, 6])
  actual = gradients.hidden_gradient_norms(
    cell, params, inputs, last, at=at, lengths=jnp.array(lengths)
  )
  for row, length in enumerate(lengths):
    x = inputs[row]
    counted = {"last": [length - 1], "sum": range(length), 2: [2]}[at]

    def loss(carry, t, x=x, counted=counted, length=length):
      """What comes after step t."""
      total = 0.0
      for s in range(t + 1, length):
        carry, output = cell.step(params, carry, x[s])
        total += last(output) if s in counted else 0.0
      return total

    carry = cell.initial_carry(params, ())
    for t in range(T):
      if t >= length:
        assert all(n[row, t] == 0 for n in jax.tree.leaves(actual))
        continue
      carry, output = cell.step(params, carry, x[t])
      grads = jax.grad(loss)(carry, t)
      leaves = jax.tree.leaves(grads)
      if t in counted and name == "lru":
        direct = jax.grad(
          lambda c, x_t: last(cell.readout(params, cell.to_state(c), x_t))
        )(carry, x[t])
        leaves = [a + b for a, b in zip(leaves, direct, strict=True)]
      elif t in counted:
        # The output of step t is h itself.
        leaves[0] = leaves[0] + jax.grad(last)(output)
      norms = [jnp.linalg.norm(leaf) for leaf in leaves]
      got = [leaf[row, t] for leaf in jax.tree.leaves(actual)]
      np.testing.assert_allclose(got, norms, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("moved", [0, 1])
def test_a_lower_layer_is_felt_above_at_the_same_step(moved):
  """By definition: move h of one layer after step t, all else follows."""
  cell = seqjax.Stack((GRU(4), Elman(4)))
  params = wide(cell.init(jax.random.key(0), D))
  x = draw(T, D)
  actual = gradients.hidden_gradient_norms(cell, params, x, last)

  def loss(shift, t):
    carry = list(cell.initial_carry(params))
    for s in range(T):
      y = x[s]
      for index, layer in enumerate(cell.layers):
        carry[index], y = layer.step(params[index], carry[index], y)
        if (s, index) == (t, moved):
          y = y + shift
          carry[index] = type(carry[index])(y)
    return last(y)

  for t in range(T):
    expected = jnp.linalg.norm(jax.grad(loss)(jnp.zeros(4), t))
    np.testing.assert_allclose(actual[moved].h[t], expected, rtol=1e-9)


def test_lags_of_ragged_rows():
  norms = jnp.array([[1.0, 2.0, 0.0], [3.0, 4.0, 5.0]])
  np.testing.assert_array_equal(
    gradients.by_lag(norms, jnp.array([2, 3])),
    [[2.0, 1.0, np.nan], [5.0, 4.0, 3.0]],
  )


@pytest.mark.parametrize("name", ["elman", "lstm", "stack", "matrix"])
def test_the_product_of_steps_is_the_jacobian_of_the_run(name):
  cell = CELLS[name]
  params, x = wide(cell.init(jax.random.key(0), D)), draw(T, D)
  jacobians = gradients.step_jacobians(cell, params, x)
  whole = gradients.products(jacobians)[-1]
  state, unravel = ravel_pytree(cell.initial_carry(params))

  def run(state):
    carry, _ = seqjax.unroll(cell, params, x, initial_carry=unravel(state))
    return ravel_pytree(carry)[0]

  expected = jax.jacrev(run)(state)
  np.testing.assert_allclose(whole, expected, rtol=1e-9, atol=1e-12)
  exact = gradients.singular_values(whole)
  found = gradients.product_singular_values(
    cell, params, x, key=jax.random.key(1), count=len(exact)
  )
  np.testing.assert_allclose(found, exact, rtol=1e-8, atol=1e-12)


def test_lanczos_finds_the_largest_of_a_large_state_in_few_products():
  """A spectrum known beforehand; and one of rank 2, where it must stop."""
  q, p = (jnp.linalg.qr(draw(200, 200, seed=s))[0] for s in (1, 2))
  cell, x = Linear(200), jnp.zeros((1, 200))
  spectrum = 0.9 ** jnp.arange(200.0)
  find = lambda values, **options: gradients.product_singular_values(
    cell, {"w": q @ jnp.diag(values) @ p.T}, x, key=jax.random.key(0), **options
  )
  found = find(spectrum, count=3, iterations=25)
  np.testing.assert_allclose(found, [1.0, 0.9, 0.81], rtol=1e-6)
  found = find(jnp.where(jnp.arange(200) < 2, spectrum, 0.0), count=3)
  np.testing.assert_allclose(found, [1.0, 0.9, 0.0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["elman", "lstm", "stack"])
def test_bptt_terms_add_up_to_the_gradient(name):
  cell = CELLS[name]
  params, x = wide(cell.init(jax.random.key(0), D)), draw(T, D)
  terms = gradients.bptt_terms(cell, params, x, last, at=3)
  exact = jax.grad(lambda p: last(seqjax.unroll(cell, p, x)[1])[3])(params)
  chex.assert_trees_all_close(
    jax.tree.map(lambda t: t.sum(axis=0), terms), exact, rtol=1e-10, atol=1e-12
  )
  assert all((t[4:] == 0).all() for t in jax.tree.leaves(terms))


def test_bptt_terms_are_the_products_of_the_lecture():
  """dL/dh_t, times dh_t/dh_k, times the immediate dh_k/dW_h."""
  cell = Elman(4)
  params, x = wide(cell.init(jax.random.key(0), D)), draw(T, D)
  terms = gradients.bptt_terms(cell, params, x, last)
  jacobians = gradients.step_jacobians(cell, params, x)
  products = gradients.products(jacobians)  # by lag
  carry = cell.initial_carry(params)
  for k in range(T):
    step = lambda w, carry=carry, k=k: (
      cell.step(params._replace(recurrent_kernel=w), carry, x[k])[0].h
    )
    immediate = jax.jacrev(step)(params.recurrent_kernel)  # [h, in, out]
    expected = jnp.einsum("h,hg,gio->io", V[:4], products[T - 1 - k], immediate)
    np.testing.assert_allclose(
      terms.recurrent_kernel[k], expected, rtol=1e-9, atol=1e-13
    )
    carry, _ = cell.step(params, carry, x[k])


def test_lyapunov_exponents_of_a_linear_map_are_logs_of_its_eigenvalues():
  lam = jnp.array([1.2, 0.9, 0.5])
  s = draw(3, 3)
  cell = Linear(3)
  w = jnp.linalg.inv(s) @ jnp.diag(lam) @ s
  found = gradients.lyapunov_exponents(
    cell, {"w": w}, jnp.zeros((3000, 3)), skip=1000
  )
  np.testing.assert_allclose(found, np.log(lam), atol=1e-3)
  np.testing.assert_allclose(gradients.spectral_radius(w), [1.2], rtol=1e-9)


@pytest.mark.parametrize("gain", [0.6, 0.85, 1.5, 2.0])
def test_chaos_sets_in_at_gain_one(gain):
  """Sompolinsky, Crisanti, Sommers 1988: without input, at g = 1.

  Below, the state dies out and the largest exponent is log of the spectral
  radius, near log g (circular law); above it is positive. With 256 units the
  spectral radius of a draw lies within 12 % of g, and so does the edge.
  """
  cell = Elman(256, recurrent_init=f"normal:{gain}")
  params = cell.init(jax.random.key(0), 1)
  carry = type(cell.initial_carry(params))(draw(256))
  (largest,) = gradients.lyapunov_exponents(
    cell, params, jnp.zeros((600, 1)), carry=carry, count=1, skip=200
  )
  assert (largest > 0) == (gain > 1)
  if gain < 1:
    radius = gradients.spectral_radius(params.recurrent_kernel)[0]
    np.testing.assert_allclose(radius, gain, rtol=0.12)
    np.testing.assert_allclose(largest, np.log(radius), atol=0.01)


def test_norms_over_length_and_clipping():
  cell = LSTM(4)
  params, inputs = wide(cell.init(jax.random.key(0), D)), draw(B, T, D)
  lengths = [1, 3, 6]
  found = gradients.gradient_norm_over_length(
    cell, params, inputs, lengths, last, clip_norm=0.4
  )
  for index, n in enumerate(lengths):
    loss = lambda p, n=n: last(
      seqjax.unroll(cell, p, inputs[:, :n])[1][:, -1]
    ).mean()
    grads = jax.grad(loss)(params)
    np.testing.assert_allclose(
      found.total[index], optax.tree.norm(grads), rtol=1e-10
    )
    chex.assert_trees_all_close(
      jax.tree.map(lambda x, i=index: x[i], found.parameters),
      jax.tree.map(lambda g: jnp.linalg.norm(g.ravel()), grads),
      rtol=1e-10,
    )
    # Direction unchanged: clipped gradients are parallel.
    clip = optax.clip_by_global_norm(0.4)
    clipped, _ = clip.update(grads, clip.init(params))
    ratio = found.clipped[index] / found.total[index]
    chex.assert_trees_all_close(
      clipped, jax.tree.map(lambda g, r=ratio: g * r, grads), rtol=1e-9
    )
  np.testing.assert_allclose(
    found.clipped, np.minimum(found.total, 0.4), rtol=1e-12
  )
  np.testing.assert_array_equal(found.was_clipped, found.total > 0.4)


def test_horizon_and_verdict():
  lags = np.arange(50)
  norms = np.stack([2.0 * 0.9**lags, 0.5 * 0.9**lags])
  assert gradients.memory_horizon(norms, 0.01) == 44  # 0.9^44 < 0.01
  assert gradients.memory_horizon(np.ones(7)) == 7
  np.testing.assert_allclose(gradients.geometric_mean(norms), 0.9**lags)
  ragged = gradients.geometric_mean(norms, [30, 20])
  np.testing.assert_allclose(ragged[:20], 0.9 ** lags[:20])
  np.testing.assert_allclose(ragged[20:], 2.0 * 0.9 ** lags[20:30])
  rng = np.random.default_rng(0)
  noisy = np.exp(rng.normal(0, 0.2, (20, 50))) * 0.95**lags
  found = gradients.verdict(noisy)
  assert found.word == "vanishing"
  assert found.low < 0.95 < found.high
  flat = gradients.verdict(np.exp(rng.normal(0, 0.2, (20, 50))))
  assert flat.word == "stable"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_first_bad_lag_is_named(bad):
  norms = 0.9 ** np.arange(20)
  norms[7:] = bad
  found = gradients.verdict(norms)
  assert (found.word, found.first_bad) == ("not finite", 7)
  np.testing.assert_allclose(found.rate, 0.9)


@pytest.mark.parametrize("peepholes", [False, True])
def test_gate_values(peepholes):
  """The cell of an LSTM from its gates, unit by unit."""
  cell = seqjax.LSTM(5, peepholes=peepholes)
  params = wide(cell.init(jax.random.key(0), 3))
  carry = wide(cell.initial_carry(params, (2,)))
  x = draw(2, 3)
  gates = gradients.gate_values(cell, params, carry, x)
  new, _ = cell.step(params, carry, x)
  np.testing.assert_allclose(new.h, gates["o"] * jnp.tanh(new.c), rtol=1e-9)
  stored = (new.c - gates["f"] * carry.c) / gates["i"]
  assert list(gates) == ["i", "f", "o"]
  assert (jnp.abs(stored) < 1).all()


def test_gates():
  cell = LSTM(4, peepholes=True)
  params = wide(cell.init(jax.random.key(0), D))
  inputs = draw(B, T, D)
  found = gradients.gate_statistics(cell, params, inputs)
  assert list(found) == ["i", "f", "o"]
  # By the identity of the step: c_t - f c_(t-1) = i g, h_t = o tanh(c_t).
  carry = cell.initial_carry(params, (B,))
  for t in range(T):
    new, _ = cell.step(params, carry, inputs[:, t])
    np.testing.assert_allclose(
      found["o"].mean[t], (new.h / jnp.tanh(new.c)).mean(), rtol=1e-9
    )
    carry = new
  shut = params._replace(bias=params.bias.at[4:8].set(-50.0))
  found = gradients.gate_statistics(cell, shut, inputs)["f"]
  np.testing.assert_allclose(found.mean, 0.0, atol=1e-9)
  np.testing.assert_allclose(found.saturated, 1.0)
  for other, names in (
    (GRU(4), ["r", "z"]),
    (seqjax.MGU(4), ["f"]),
    (seqjax.MinGRU(4), ["z"]),
    (seqjax.MinLSTM(4), ["f", "i"]),
  ):
    params = other.init(jax.random.key(0), D)
    assert list(gradients.gate_statistics(other, params, inputs)) == names


def test_bad_arguments():
  cell = Elman(3)
  params = cell.init(jax.random.key(0), D)
  x = draw(B, T, D)
  with pytest.raises(ValueError, match="at is 6, expected 'last', 'sum' or"):
    gradients.hidden_gradient_norms(cell, params, x, last, at=6)
  with pytest.raises(ValueError, match="at is 'first', expected one of"):
    gradients.hidden_gradient_norms(cell, params, x, last, at="first")
  with pytest.raises(ValueError, match="count is 9, expected 1 to 3"):
    gradients.lyapunov_exponents(cell, params, x[0], count=9)
  with pytest.raises(ValueError, match="count is 4, expected 1 to 3"):
    gradients.product_singular_values(
      cell, params, x[0], key=jax.random.key(0), count=4
    )
  with pytest.raises(ValueError, match="expected LSTM, GRU, MGU"):
    gradients.gate_statistics(cell, params, x)
  with pytest.raises(ValueError, match="norms has 2 lags"):
    gradients.verdict(np.array([1.0, 0.5]))
