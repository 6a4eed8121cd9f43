"""Each cell against its equations, written out gate by gate in NumPy."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.cells import GRU, LSTM, Elman, GRUCarry, LSTMCarry, Stack

CELLS = {
  "elman_tanh": Elman(5),
  "elman_relu": Elman(5, activation="relu", recurrent_init="identity"),
  "elman_sigmoid": Elman(5, activation="sigmoid"),
  "lstm": LSTM(5),
  "gru_reset_after": GRU(5),
  "gru_original": GRU(5, reset_after=False),
}


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def random_params(cell, input_size, seed=0):
  """Parameters without zeros: a missing bias would show."""
  params = cell.init(jax.random.key(seed), input_size)
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda p: jnp.asarray(rng.normal(0, 0.7, p.shape)), params
  )


def gates(kernel, count):
  return np.split(np.asarray(kernel, np.float64), count, axis=-1)


def elman_equations(activation):
  def step(params, carry, x):
    w, u, b = (np.asarray(p) for p in params)
    h = activation(x @ w + carry[0] @ u + b)
    return (h,), h

  return step


def lstm_equations(params, carry, x):
  (h, c) = carry
  w, u, b = (gates(p, 4) for p in params)
  i, f, o = (sigmoid(x @ w[k] + h @ u[k] + b[k]) for k in (0, 1, 3))
  g = np.tanh(x @ w[2] + h @ u[2] + b[2])
  c = f * c + i * g
  return (o * np.tanh(c), c), o * np.tanh(c)


def gru_after_equations(params, carry, x):
  (h,) = carry
  w, u, b = (gates(p, 3) for p in params[:3])
  r, z = (sigmoid(x @ w[k] + h @ u[k] + b[k]) for k in (0, 1))
  n = np.tanh(x @ w[2] + b[2] + r * (h @ u[2] + np.asarray(params[3])))
  h = (1 - z) * n + z * h
  return (h,), h


def gru_original_equations(params, carry, x):
  (h,) = carry
  w, u, b = (gates(p, 3) for p in params)
  r, z = (sigmoid(x @ w[k] + h @ u[k] + b[k]) for k in (0, 1))
  n = np.tanh(x @ w[2] + b[2] + (r * h) @ u[2])
  h = (1 - z) * n + z * h
  return (h,), h


EQUATIONS = {
  "elman_tanh": elman_equations(np.tanh),
  "elman_relu": elman_equations(lambda x: np.maximum(x, 0)),
  "elman_sigmoid": elman_equations(sigmoid),
  "lstm": lstm_equations,
  "gru_reset_after": gru_after_equations,
  "gru_original": gru_original_equations,
}


def run_pair(cell, equations, float_carry_seed=1):
  params = random_params(cell, 3)
  rng = np.random.default_rng(float_carry_seed)
  carry = jax.tree.map(
    lambda c: jnp.asarray(rng.normal(size=c.shape)),
    cell.initial_carry(params, (2,)),
  )
  expected_carry = tuple(np.asarray(c) for c in carry)
  pairs = []
  for _ in range(3):
    x = rng.normal(size=(2, 3))
    carry, output = cell.step(params, carry, jnp.asarray(x))
    expected_carry, expected = equations(params, expected_carry, x)
    pairs.append((output, expected))
    pairs.extend(zip(carry, expected_carry, strict=True))
  return pairs


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.usefixtures("float64")
def test_step_is_the_equations(name):
  for actual, expected in run_pair(CELLS[name], EQUATIONS[name]):
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.usefixtures("float64")
def test_no_other_cell_passes_for_it(name):
  """The test above must be able to fail: other equations do not fit."""
  for other, equations in EQUATIONS.items():
    if other == name:
      continue
    try:
      pairs = run_pair(CELLS[name], equations)
    except (ValueError, IndexError):
      continue  # not even the same parameters
    worst = max(np.abs(np.asarray(a) - e).max() for a, e in pairs)
    assert worst > 1e-3, other


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_kernel_is_orthogonal_per_gate(name):
  cell = dataclasses.replace(CELLS[name], recurrent_init="orthogonal")
  params = cell.init(jax.random.key(0), 3)
  for gate in np.split(
    params.recurrent_kernel, params.recurrent_kernel.shape[1] // 5, axis=1
  ):
    singular = np.linalg.svd(gate, compute_uv=False)
    np.testing.assert_allclose(singular, 1.0, atol=1e-5)


def test_gates_are_drawn_apart():
  kernel = LSTM(4).init(jax.random.key(0), 3).recurrent_kernel
  gate = np.split(kernel, 4, axis=1)
  assert all(
    np.abs(gate[a] - gate[b]).max() > 0.1 for a in range(4) for b in range(a)
  )


def test_irnn_recipe():
  cell = Elman(6, activation="relu", recurrent_init="identity")
  params = cell.init(jax.random.key(0), 2)
  np.testing.assert_array_equal(params.recurrent_kernel, np.eye(6))
  np.testing.assert_array_equal(params.bias, np.zeros(6))
  # With no input a non-negative state stays as it is, exactly.
  h = jnp.arange(6.0)
  carry, _ = cell.step(
    params, type(cell.initial_carry(params))(h), jnp.zeros(2)
  )
  np.testing.assert_array_equal(carry.h, h)


@pytest.mark.parametrize("forget_bias", [1.0, 0.0, 3.0])
def test_forget_bias_is_in_the_forget_gate_alone(forget_bias):
  params = LSTM(4, forget_bias=forget_bias).init(jax.random.key(0), 3)
  expected = np.zeros((4, 4))
  expected[1] = forget_bias
  np.testing.assert_array_equal(params.bias.reshape(4, 4), expected)


def test_default_forget_bias_is_one():
  assert LSTM(4).forget_bias == 1.0


@pytest.mark.parametrize("name", CELLS)
def test_cells_are_values(name):
  cell = CELLS[name]
  twin = dataclasses.replace(cell)
  assert cell == twin
  assert hash(cell) == hash(twin)
  assert cell != dataclasses.replace(cell, hidden_size=6)
  assert "hidden_size=5" in repr(cell)


@pytest.mark.parametrize("name", CELLS)
def test_factored_parts_make_the_step(name):
  cell = CELLS[name]
  assert cell.factored == (name != "gru_original")
  if not cell.factored:
    return
  params = random_params(cell, 3)
  carry = cell.initial_carry(params, (2,))
  x = jnp.ones((2, 3))
  parts = cell.update(
    params, carry, cell.project(params, x), cell.recur(params, carry)
  )
  chex.assert_trees_all_equal(parts, cell.step(params, carry, x))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("batch_shape", [(), (2,), (2, 3)])
def test_any_batch_rank(name, batch_shape):
  cell = CELLS[name]
  params = cell.init(jax.random.key(0), 3)
  carry = cell.initial_carry(params, batch_shape)
  carry, output = cell.step(params, carry, jnp.ones((*batch_shape, 3)))
  chex.assert_shape([output, *carry], (*batch_shape, 5))


@pytest.mark.parametrize("name", CELLS)
def test_bfloat16_products_keep_float32_around_them(name):
  exact = CELLS[name]
  cell = dataclasses.replace(exact, compute_dtype="bfloat16")
  params = jax.tree.map(lambda p: p.astype(jnp.float32), random_params(cell, 3))
  carry = cell.initial_carry(params, (2,))
  x = jax.random.normal(jax.random.key(1), (2, 3))
  new_carry, output = cell.step(params, carry, x)
  chex.assert_type([output, *new_carry], jnp.float32)
  close = exact.step(params, carry, x)[1]
  np.testing.assert_allclose(output, close, atol=0.05)
  assert not np.array_equal(output, close)


def test_stack_step_is_layer_after_layer():
  stack = Stack((LSTM(4), GRU(3), Elman(2)))
  params = stack.init(jax.random.key(0), 5)
  carry = stack.initial_carry(params, (2,))
  x = jax.random.normal(jax.random.key(1), (2, 5))
  new_carry, output = stack.step(params, carry, x)
  expected, y = [], x
  for layer, p, c in zip(stack.layers, params, carry, strict=True):
    c, y = layer.step(p, c, y)
    expected.append(c)
  chex.assert_trees_all_equal(new_carry, tuple(expected))
  chex.assert_trees_all_equal(output, y)
  assert stack.output_size == 2
  assert isinstance(new_carry[0], LSTMCarry)
  assert isinstance(new_carry[1], GRUCarry)


@pytest.mark.parametrize(
  ("build", "message"),
  [
    (lambda: LSTM(0), "hidden_size is 0, expected a positive integer"),
    (lambda: GRU(2.5), "hidden_size is 2.5"),
    (lambda: Elman(3, activation="gelu"), "activation is 'gelu', expected"),
    (lambda: LSTM(3, recurrent_init="orth"), "recurrent_init is 'orth'"),
    (lambda: LSTM(3).init(jax.random.key(0), 0), "input_size is 0"),
    (lambda: Stack(()), "layers is empty"),
    (lambda: Stack((3,)), "layers holds 3"),
  ],
)
def test_bad_hyperparameters(build, message):
  with pytest.raises(ValueError, match=message) as error:
    build()
  assert "\n" not in str(error.value)
