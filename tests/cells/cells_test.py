"""Each cell against its equations, written out gate by gate in NumPy."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.cells import GRU, LSTM, Elman, GRUCarry, LSTMCarry, Stack

# Plain cells of 5 units; those made of other cells are in wrappers_test.py.
CELLS = {
  "elman_tanh": Elman(5),
  "elman_relu": Elman(5, activation="relu", recurrent_init="identity"),
  "elman_sigmoid": Elman(5, activation="sigmoid"),
  "indrnn": seqjax.IndRNN(5),
  "lstm": LSTM(5),
  "lstm_peepholes": LSTM(5, peepholes=True),
  "lstm_projection": LSTM(5, projection_size=4),
  "gru_reset_after": GRU(5),
  "gru_original": GRU(5, reset_after=False),
  "mgu": seqjax.MGU(5),
  "layer_norm_lstm": seqjax.LayerNormLSTM(5),
  "layer_norm_gru": seqjax.LayerNormGRU(5),
  "output_feedback": seqjax.OutputFeedback(5, 4, output_activation="sigmoid"),
  "linear_rnn": seqjax.LinearRNN(5),
  "min_gru": seqjax.MinGRU(5),
  "min_gru_linear": seqjax.MinGRU(5, candidate="linear"),
  "min_lstm": seqjax.MinLSTM(5),
  "min_lstm_linear": seqjax.MinLSTM(5, candidate="linear"),
  "lru": seqjax.LRU(5, 4),
  "linear_attention": seqjax.LinearAttention(5, heads=1),
  "linear_attention_relu": seqjax.LinearAttention(
    5, heads=1, feature_map="relu", normalize=False
  ),
}
UNFACTORED = {"gru_original", "mgu"} | {
  name
  for name, cell in CELLS.items()
  if isinstance(cell, seqjax.cells.LinearCell)
}
ORTHOGONAL = [
  name for name, cell in CELLS.items() if hasattr(cell, "recurrent_init")
]


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


def lstm_equations(peepholes=False, projection=False):
  def step(params, carry, x):
    (h, c) = carry
    w, u, b = (gates(p, 4) for p in params[:3])
    p_i, p_f, p_o = gates(params.peephole, 3) if peepholes else (0, 0, 0)
    z = [x @ w[k] + h @ u[k] + b[k] for k in range(4)]
    i = sigmoid(z[0] + p_i * c)
    f = sigmoid(z[1] + p_f * c)
    c = f * c + i * np.tanh(z[2])
    h = sigmoid(z[3] + p_o * c) * np.tanh(c)
    if projection:
      h = h @ np.asarray(params.projection)
    return (h, c), h

  return step


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


def mgu_equations(params, carry, x):
  (h,) = carry
  w, u, b = (gates(p, 2) for p in params)
  f = sigmoid(x @ w[0] + h @ u[0] + b[0])
  n = np.tanh(x @ w[1] + (f * h) @ u[1] + b[1])
  h = (1 - f) * h + f * n
  return (h,), h


def indrnn_equations(params, carry, x):
  w, u, b = (np.asarray(p) for p in params)
  h = np.maximum(x @ w + u * carry[0] + b, 0)
  return (h,), h


def norm(x, gain):
  centred = x - x.mean(-1, keepdims=True)
  return gain * centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def layer_norm_lstm_equations(params, carry, x):
  (h, c) = carry
  w, u, b, gain_x, gain_h = (gates(p, 4) for p in params[:5])
  gain_c, b_c = (np.asarray(p) for p in params[5:])
  z = [
    norm(x @ w[k], gain_x[k]) + norm(h @ u[k], gain_h[k]) + b[k]
    for k in range(4)
  ]
  c = sigmoid(z[1]) * c + sigmoid(z[0]) * np.tanh(z[2])
  h = sigmoid(z[3]) * np.tanh(norm(c, gain_c) + b_c)
  return (h, c), h


def layer_norm_gru_equations(params, carry, x):
  (h,) = carry
  w, u, b = (gates(p, 3) for p in params[:3])
  c_n = np.asarray(params[3])
  gain_x, gain_h = (gates(p, 3) for p in params[4:])
  of_x = [norm(x @ w[k], gain_x[k]) + b[k] for k in range(3)]
  of_h = [norm(h @ u[k], gain_h[k]) for k in range(3)]
  r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
  n = np.tanh(of_x[2] + r * (of_h[2] + c_n))
  h = (1 - z) * n + z * h
  return (h,), h


def output_feedback_equations(params, carry, x):
  w, u, b, v, d = (np.asarray(p) for p in params)
  y = sigmoid(np.tanh(x @ w + carry[0] @ u + b) @ v + d)
  return (y,), y


def linear_rnn_equations(params, carry, x):
  w, a, b = (np.asarray(p) for p in params)
  h = a * carry[0] + x @ w + b
  return (h,), h


def positive(x):
  return np.where(x >= 0, x + 0.5, sigmoid(x))


def min_gru_equations(candidate):
  def step(params, carry, x):
    w, b = (gates(p, 2) for p in params)
    z = sigmoid(x @ w[0] + b[0])
    h = (1 - z) * carry[0] + z * candidate(x @ w[1] + b[1])
    return (h,), h

  return step


def min_lstm_equations(candidate):
  def step(params, carry, x):
    w, b = (gates(p, 3) for p in params)
    f, i = sigmoid(x @ w[0] + b[0]), sigmoid(x @ w[1] + b[1])
    h = f / (f + i) * carry[0] + i / (f + i) * candidate(x @ w[2] + b[2])
    return (h,), h

  return step


def lru_equations(params, carry, x):
  kernel_b, kernel_c, d, nu, theta, gamma = (np.asarray(p) for p in params)
  lam = np.exp(-np.exp(nu) + 1j * np.exp(theta))
  b = kernel_b[:, :5] + 1j * kernel_b[:, 5:]
  c = kernel_c[:5] - 1j * kernel_c[5:]
  s = lam * (carry[0] + 1j * carry[1]) + np.exp(gamma) * (x @ b)
  return (s.real, s.imag), (s @ c).real + x @ d


def linear_attention_equations(feature, normalize):
  def step(params, carry, x):
    w, b = (gates(p, 3) for p in params)
    q, k = feature(x @ w[0] + b[0]), feature(x @ w[1] + b[1])
    s = carry[0] + (k[:, :, None] * (x @ w[2] + b[2])[:, None, :])[:, None]
    z = carry[1] + k[:, None]
    y = np.stack([q[row] @ s[row, 0] for row in range(len(x))])
    total = (q * z[:, 0]).sum(-1, keepdims=True)
    # A carry drawn at random may have a sum of weights that no run has.
    return (s, z), y / np.where(total > 0, total, 1) if normalize else y

  return step


EQUATIONS = {
  "elman_tanh": elman_equations(np.tanh),
  "elman_relu": elman_equations(lambda x: np.maximum(x, 0)),
  "elman_sigmoid": elman_equations(sigmoid),
  "indrnn": indrnn_equations,
  "lstm": lstm_equations(),
  "lstm_peepholes": lstm_equations(peepholes=True),
  "lstm_projection": lstm_equations(projection=True),
  "gru_reset_after": gru_after_equations,
  "gru_original": gru_original_equations,
  "mgu": mgu_equations,
  "layer_norm_lstm": layer_norm_lstm_equations,
  "layer_norm_gru": layer_norm_gru_equations,
  "output_feedback": output_feedback_equations,
  "linear_rnn": linear_rnn_equations,
  "min_gru": min_gru_equations(positive),
  "min_gru_linear": min_gru_equations(lambda x: x),
  "min_lstm": min_lstm_equations(positive),
  "min_lstm_linear": min_lstm_equations(lambda x: x),
  "lru": lru_equations,
  "linear_attention": linear_attention_equations(
    lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))) + 1, True
  ),
  "linear_attention_relu": linear_attention_equations(
    lambda x: np.maximum(x, 0), False
  ),
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
    except (ValueError, IndexError, AttributeError):
      continue  # not even the same parameters
    worst = max(np.abs(np.asarray(a) - e).max() for a, e in pairs)
    assert worst > 1e-3, other


@pytest.mark.parametrize("name", ORTHOGONAL)
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
  assert cell.factored == (name not in UNFACTORED)
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
  chex.assert_shape(output, (*batch_shape, cell.output_size))
  chex.assert_tree_shape_prefix(carry, batch_shape)


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
    (
      lambda: GRU(3, recurrent_init="orthogonal:x"),
      "recurrent_init is 'orthogonal:x', expected a number behind the colon",
    ),
    (lambda: LSTM(3, chrono=2), "chrono is 2, expected 0"),
    (lambda: LSTM(3, projection_size=-1), "projection_size is -1"),
    (lambda: seqjax.LRU(3, 3, max_radius=1.0), "max_radius 1.0, expected 0 <="),
    (lambda: seqjax.LinearRNN(3, min_decay=2.0), "min_decay is 2.0, expected"),
    (lambda: seqjax.MinGRU(3, candidate="g"), "candidate is 'g', expected"),
    (
      lambda: seqjax.LinearAttention(6),
      "heads is 4, expected a divisor of hidden_size, 6",
    ),
    (lambda: seqjax.LinearAttention(4, heads=0), "heads is 0, expected a pos"),
    (
      lambda: seqjax.LinearAttention(4, feature_map="exp"),
      "feature_map is 'exp', expected one of 'elu', 'relu'",
    ),
    (
      lambda: seqjax.LinearAttention(4, normalize=1),
      "normalize is 1, expected True or False",
    ),
    (lambda: LSTM(3).init(jax.random.key(0), 0), "input_size is 0"),
    (lambda: LSTM(np.bool_(True)), "hidden_size is .*True"),
    (
      lambda: LSTM(3, compute_dtype="bf16"),
      "compute_dtype is 'bf16', expected one of 'float32', 'bfloat16', 'float",
    ),
    (lambda: seqjax.LRU(3, 3, compute_dtype="int8"), "compute_dtype is 'int8'"),
    (lambda: seqjax.MGU(3, compute_dtype=3), "compute_dtype is 3, expected"),
    (lambda: Stack(()), "layers is empty"),
    (lambda: Stack((3,)), "layers holds 3"),
  ],
)
def test_bad_hyperparameters(build, message):
  with pytest.raises(ValueError, match=message) as error:
    build()
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [np.int64(4), np.uint8(4)])
def test_sizes_of_numpy(size):
  """Equal to the cell of a plain integer, and as good an argument of jit."""
  for make in (LSTM, GRU, lambda n: LSTM(5, projection_size=n, chrono=n)):
    assert make(size) == make(4)
    assert hash(make(size)) == hash(make(4))
    params = make(size).init(jax.random.key(0), size)
    chex.assert_trees_all_equal(params, make(4).init(jax.random.key(0), 4))


@pytest.mark.parametrize(
  ("spec", "scale"), [("orthogonal", 1.0), ("orthogonal:0.5", 0.5)]
)
def test_a_factor_scales_the_draw(spec, scale):
  kernel = Elman(6, recurrent_init=spec).init(jax.random.key(0), 2)
  singular = np.linalg.svd(kernel.recurrent_kernel, compute_uv=False)
  np.testing.assert_allclose(singular, scale, atol=1e-5)


def test_scaled_identity():
  params = Elman(3, recurrent_init="identity:0.01").init(jax.random.key(0), 2)
  np.testing.assert_allclose(params.recurrent_kernel, 0.01 * np.eye(3))


def test_chrono_init_spreads_time_constants():
  """Tallec and Ollivier 2018: b_f ~ log(U(1, T - 1)), b_i = -b_f."""
  i, f, g, o = np.split(
    LSTM(2000, chrono=101).init(jax.random.key(0), 3).bias, 4
  )
  np.testing.assert_array_equal(i, -f)
  assert not g.any()
  assert not o.any()
  u = np.exp(f)
  assert u.min() >= 1.0
  assert u.max() <= 100.001
  # The mean and the spread of U(1, 100).
  np.testing.assert_allclose(u.mean(), 50.5, atol=2)
  np.testing.assert_allclose(u.std(), 99 / np.sqrt(12), atol=1)
  r, z, n = np.split(GRU(50, chrono=20).init(jax.random.key(0), 3).bias, 3)
  assert not r.any()
  assert not n.any()
  assert (z >= 0).all()
  assert z.max() <= np.log(19.001)


def test_min_lstm_gates_that_are_both_shut():
  """f / (f + i) is 0 / 0 in float32; the share of each is still defined."""
  cell = seqjax.MinLSTM(1)
  params = cell.init(jax.random.key(0), 1)._replace(
    input_kernel=jnp.zeros((1, 3)), bias=jnp.array([-200.0, -201.0, 3.0])
  )
  a, b = cell.coefficients(params, jnp.zeros((1,)))
  share = 1 / (1 + np.exp(-1.0))
  np.testing.assert_allclose(a, share, rtol=1e-5)
  np.testing.assert_allclose(b, (1 - share) * 3.5, rtol=1e-5)


def test_lru_ring():
  """|lambda| uniform in area between the radii, phases below the largest."""
  cell = seqjax.LRU(4000, 1, min_radius=0.5, max_radius=0.8, max_phase=1.0)
  params = cell.init(jax.random.key(0), 1)
  radius = np.exp(-np.exp(params.log_nu))
  assert radius.min() >= 0.5 - 1e-5
  assert radius.max() <= 0.8 + 1e-5
  np.testing.assert_allclose(
    (radius**2).mean(), (0.5**2 + 0.8**2) / 2, atol=0.01
  )
  assert np.exp(params.log_theta).max() <= 1.0
  np.testing.assert_allclose(
    np.exp(2 * params.log_gamma), 1 - radius**2, rtol=1e-4
  )
