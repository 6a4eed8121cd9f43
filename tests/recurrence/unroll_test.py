"""`unroll` against a Python loop over `cell.step`, one row at a time."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqjax
from seqjax.cells import GRU, LSTM, Stack, base
from seqjax.recurrence import Auto, Scan, newton_report
from seqjax.recurrence.unroll import resolve_method
from tests import table
from tests.compilations import compilations
from tests.table import CELLS, METHODS, runs

T, D, B = 5, 3, 4
LENGTHS = {
  "zero": [0, 0, 0, 0],
  "one": [1, 1, 1, 1],
  "ragged": [0, 5, 2, 3],
  "full": [5, 5, 5, 5],
}
KEY = jax.random.key(7)


def make(cell, seed=0):
  params = cell.init(jax.random.key(seed), D)
  rng = np.random.default_rng(seed)
  # Biases that are not zero: a bias that is lost would show.
  params = jax.tree.map(
    lambda p: p + jnp.asarray(rng.normal(0, 0.3, p.shape), p.dtype), params
  )
  params = table.complete(cell, params, (B,))
  inputs = jnp.asarray(rng.normal(size=(B, T, D)), jnp.float32)
  carry = jax.tree.map(
    lambda c: jnp.asarray(rng.normal(size=c.shape), c.dtype),
    cell.initial_carry(params, (B,)),
  )
  return params, inputs, carry


def reference(cell, params, inputs, lengths, resets, carry, reverse):
  """The contract in words: one row, one step, plain Python."""
  step = jax.jit(cell.step)
  rows, last = [], []
  for row in range(inputs.shape[0]):
    c = jax.tree.map(lambda x, r=row: x[r], carry)
    outputs = [jnp.zeros(cell.output_size)] * T
    steps = range(int(lengths[row]))
    for t in reversed(steps) if reverse else steps:
      if resets[row, t]:
        c = cell.initial_carry(params, ())
      c, outputs[t] = step(params, c, inputs[row, t])
    rows.append(jnp.stack(outputs))
    last.append(c)
  return jax.tree.map(lambda *xs: jnp.stack(xs), *last), jnp.stack(rows)


def loop(cell, params, inputs, lengths, resets, carry, reverse, key=None):
  """The same for all rows at once, unrolled: quick to differentiate."""
  pick = lambda mask, a, b: jax.tree.map(
    lambda x, y: jnp.where(mask.reshape(B, *(1,) * (x.ndim - 1)), x, y), a, b
  )
  if key is not None:
    prepare_key = jax.random.fold_in(key, base.PREPARE_POSITION)
    params = cell.prepare(params, (B,), key=prepare_key)
  fresh = cell.initial_carry(params, (B,))
  outputs = [None] * T
  for t in reversed(range(T)) if reverse else range(T):
    valid = t < lengths
    carry = pick(resets[:, t] & valid, fresh, carry)
    step_key = None if key is None else jax.random.fold_in(key, t)
    new_carry, output = cell.step(params, carry, inputs[:, t], key=step_key)
    carry = pick(valid, new_carry, carry)
    outputs[t] = jnp.where(valid[:, None], output, 0.0)
  return carry, jnp.stack(outputs, axis=1)


def random_resets(seed=3):
  return np.random.default_rng(seed).random((B, T)) < 0.4


def scalar(run):
  """A loss in which every output and every carry entry has its own weight."""

  def loss(*args):
    new_carry, outputs = run(*args)
    rng = np.random.default_rng(9)
    return sum(
      (leaf * rng.normal(size=leaf.shape)).sum()
      for leaf in [*jax.tree.leaves(new_carry), outputs]
    ), (new_carry, outputs)

  return loss


def value_and_gradients(run):
  """Everything that a method can get wrong, as one compiled function."""
  return jax.jit(
    jax.value_and_grad(scalar(run), (0, 1, 2), has_aux=True),
    # Hundreds of small programs: compiling them is all the time they take.
    compiler_options={"xla_backend_optimization_level": 0},
  )


def cases():
  for lengths in LENGTHS.values():
    for resets in (np.zeros((B, T), bool), random_resets()):
      yield jnp.array(lengths), jnp.array(resets)


@functools.cache
def expected_by_loop(name, reverse):
  cell = CELLS[name]

  def run(params, inputs, carry, lengths, resets):
    return loop(cell, params, inputs, lengths, resets, carry, reverse, KEY)

  compiled = value_and_gradients(run)
  return [compiled(*make(cell), *steps) for steps in cases()]


def close(actual, expected):
  """Relative to the largest entry of each array, 1e-5 as contract 3.2 says."""

  def check(a, e):
    scale = max(1.0, np.abs(e).max(initial=0.0))
    np.testing.assert_allclose(a, e, rtol=0, atol=1e-5 * scale)

  jax.tree.map(check, actual, expected)


ONE_DEVICE = {"LSTM", "GRU", "RecurrentDropout", "FastWeights"}


def marked(name, method, reverse):
  """A case of the table; with one device "fused" merges time and batch."""
  again = name in ONE_DEVICE and method == "fused" and not reverse
  return pytest.param(
    name, method, reverse, marks=[pytest.mark.one_device] if again else []
  )


@pytest.mark.parametrize(
  ("name", "method", "reverse"), [marked(*case) for case in table.cases()]
)
def test_conformance(name, method, reverse):
  """Cells x methods x reverse x lengths x resets, in value and gradient.

  With a key, so that cells with noise must draw the same under every method.
  """
  cell = CELLS[name]
  if not runs(method, name):
    params, inputs, _ = make(cell)
    reason = "method '(fused|associative|quadratic)' needs a"
    with pytest.raises(ValueError, match=reason) as error:
      seqjax.unroll(cell, params, inputs, method=METHODS[method])
    assert "\n" not in str(error.value)
    return

  def run(params, inputs, carry, lengths, resets):
    return seqjax.unroll(
      cell,
      params,
      inputs,
      lengths=lengths,
      resets=resets,
      initial_carry=carry,
      reverse=reverse,
      key=KEY,
      method=METHODS[method],
    )

  actual = value_and_gradients(run)
  args = make(cell)
  for steps, expected in zip(
    cases(), expected_by_loop(name, reverse), strict=True
  ):
    close(actual(*args, *steps), expected)
  # What is left out is what is full and never reset; no cell knows of it.
  if not reverse and name in table.THOROUGH:
    plain = jax.jit(lambda *a: run(*a, None, None))(*args)
    (_, full), _ = expected_by_loop(name, reverse)[-2]
    close(plain, full)


@pytest.mark.parametrize("name", CELLS)
def test_streaming_is_the_whole_run(name):
  cell = CELLS[name]
  params, inputs, carry = make(cell)
  whole_carry, whole = seqjax.unroll(cell, params, inputs, initial_carry=carry)
  step = jax.jit(cell.step)
  for t in range(T):
    carry, output = step(params, carry, inputs[:, t])
    np.testing.assert_allclose(output, whole[:, t], rtol=1e-5, atol=1e-6)
  chex.assert_trees_all_close(carry, whole_carry, atol=1e-6)


@pytest.mark.parametrize("name", CELLS)
def test_windows_with_the_carry_handed_on_are_the_whole_run(name):
  cell = CELLS[name]
  params, inputs, _ = make(cell)
  _, whole = seqjax.unroll(cell, params, inputs)
  carry, first = seqjax.unroll(cell, params, inputs[:, :2])
  _, second = seqjax.unroll(cell, params, inputs[:, 2:], initial_carry=carry)
  joined = jnp.concatenate([first, second], axis=1)
  np.testing.assert_allclose(joined, whole, atol=1e-6)


def test_no_gradient_crosses_a_reset():
  cell = LSTM(4)
  params, inputs, carry = make(cell)
  resets = np.zeros((B, T), bool)
  resets[:, 3] = True

  def late(inputs, carry):
    _, outputs = seqjax.unroll(
      cell, params, inputs, resets=resets, initial_carry=carry
    )
    return outputs[:, 3:].sum()

  grad_inputs, grad_carry = jax.grad(late, (0, 1))(inputs, carry)
  assert (grad_inputs[:, :3] == 0).all()
  assert (grad_inputs[:, 3:] != 0).any()
  assert all((leaf == 0).all() for leaf in jax.tree.leaves(grad_carry))


def test_a_reset_starts_a_row_afresh():
  """A packed row gives the same numbers as separate rows."""
  cell = GRU(4)
  params, inputs, _ = make(cell)
  resets = np.zeros((1, 2 * T), bool)
  resets[0, T] = True
  packed = inputs[:2].reshape(1, 2 * T, D)
  _, together = seqjax.unroll(cell, params, packed, resets=resets)
  _, apart = seqjax.unroll(cell, params, inputs[:2])
  np.testing.assert_allclose(
    together.reshape(2, T, -1), apart, rtol=1e-5, atol=1e-6
  )


@pytest.mark.parametrize("reverse", [False, True])
def test_padding_may_hold_anything(reverse):
  """NaN past a row's end changes neither values nor gradients."""
  cell = LSTM(4)
  params, inputs, carry = make(cell)
  lengths = jnp.array([0, 5, 2, 3])
  valid = np.arange(T) < np.asarray(lengths)[:, None]
  poisoned = jnp.where(valid[..., None], inputs, jnp.nan)

  def run(params, inputs, carry):
    return seqjax.unroll(
      cell,
      params,
      inputs,
      lengths=lengths,
      initial_carry=carry,
      reverse=reverse,
    )

  both = [
    (
      run(params, x, carry),
      jax.grad(scalar(run), (0, 2), has_aux=True)(params, x, carry)[0],
    )
    for x in (inputs, poisoned)
  ]
  chex.assert_trees_all_equal(*both)
  chex.assert_tree_all_finite(both)
  outputs = both[1][0][1]
  assert (np.asarray(outputs)[~valid] == 0).all()


def test_length_zero_returns_the_initial_carry():
  cell = GRU(4)
  params, inputs, carry = make(cell)
  new_carry, outputs = seqjax.unroll(
    cell, params, inputs, lengths=jnp.zeros(B, int), initial_carry=carry
  )
  chex.assert_trees_all_equal(new_carry, carry)
  assert not outputs.any()


def test_time_major_is_a_transpose():
  cell = CELLS["Stack"]
  params, inputs, carry = make(cell)
  options = {"initial_carry": carry, "lengths": jnp.array([0, 5, 2, 3])}
  resets = random_resets()
  carry_a, a = seqjax.unroll(cell, params, inputs, resets=resets, **options)
  carry_b, b = seqjax.unroll(
    cell,
    params,
    inputs.swapaxes(0, 1),
    resets=resets.T,
    time_major=True,
    **options,
  )
  np.testing.assert_array_equal(a, b.swapaxes(0, 1))
  chex.assert_trees_all_equal(carry_a, carry_b)


@pytest.mark.parametrize("name", sorted(table.THOROUGH))
def test_transformations(name):
  """jit, vmap, jvp, grad of grad and scan over layers work on `unroll`."""
  cell = CELLS[name]
  params, inputs, _ = make(cell)
  run = lambda params, x: seqjax.unroll(cell, params, x)[1]
  whole = jax.jit(run)(params, inputs)
  by_row = jax.vmap(run, (None, 0))(params, inputs)
  np.testing.assert_allclose(by_row, whole, atol=1e-6)
  _, tangent = jax.jvp(
    lambda x: run(params, x), (inputs,), (jnp.ones_like(inputs),)
  )
  assert jnp.isfinite(tangent).all()
  hessian_row = jax.grad(
    lambda x: (jax.grad(lambda y: (run(params, y) ** 2).sum())(x) ** 2).sum()
  )(inputs)
  assert jnp.isfinite(hessian_row).all()


def test_scan_over_equal_layers():
  cell = LSTM(D)
  layers = [cell.init(jax.random.key(i), D) for i in range(3)]
  stacked = jax.tree.map(lambda *xs: jnp.stack(xs), *layers)
  _, inputs, _ = make(cell)
  body = lambda x, params: (seqjax.unroll(cell, params, x)[1], None)
  scanned, _ = jax.lax.scan(body, inputs, stacked)
  _, expected = seqjax.unroll(Stack((cell,) * 3), tuple(layers), inputs)
  np.testing.assert_allclose(scanned, expected, atol=1e-6)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", [n for n in CELLS if n not in table.SLOW])
def test_gradient_is_the_finite_difference(name):
  cell = CELLS[name]
  # A seed with which no unit sits at the kink of a ReLU.
  params, inputs, _ = make(cell, seed=1)
  params = jax.tree.map(lambda p: p.astype(jnp.float64), params)
  inputs = inputs.astype(jnp.float64)
  loss = lambda p, x: (seqjax.unroll(cell, p, x)[1] ** 2).sum()
  rng = np.random.default_rng(4)
  # Not off an exact zero, which is a mask's: a row without memory is a kink.
  direction = jax.tree.map(
    lambda p: jnp.where(p != 0, rng.normal(size=p.shape), 0.0),
    (params, inputs),
  )
  shifted = lambda eps: loss(
    *jax.tree.map(lambda p, d: p + eps * d, (params, inputs), direction)
  )
  # Fourth order: the error is far below the tolerance.
  h = 2e-5
  numeric = (
    8 * (shifted(h) - shifted(-h)) - (shifted(2 * h) - shifted(-2 * h))
  ) / (12 * h)
  grads = jax.grad(loss, (0, 1))(params, inputs)
  exact = sum(
    (g * d).sum()
    for g, d in zip(
      jax.tree.leaves(grads), jax.tree.leaves(direction), strict=True
    )
  )
  np.testing.assert_allclose(exact, numeric, rtol=1e-8)


@pytest.mark.parametrize(
  ("name", "method"),
  [
    *[("LSTM", m) for m in METHODS if runs(m, "LSTM")],
    *[("LRU", m) for m in METHODS if runs(m, "LRU")],
    *[(name, "scan") for name in ("GRU", "GRU, original", "MGU", "IndRNN")],
    *[(name, "scan") for name in ("LayerNormLSTM", "MinGRU", "Zoneout")],
    *[("LinearAttention", m) for m in ("scan", "associative", "quadratic")],
  ],
)
def test_bfloat16_carry_keeps_its_dtype(name, method):
  cell = CELLS[name]
  params, inputs, carry = make(cell)
  carry = jax.tree.map(lambda c: c.astype(jnp.bfloat16), carry)
  new_carry, _ = seqjax.unroll(
    cell, params, inputs, initial_carry=carry, method=METHODS[method]
  )
  chex.assert_type(list(new_carry), jnp.bfloat16)


@pytest.mark.parametrize("name", CELLS)
def test_batch_axes_of_any_number(name):
  """None, one and two of them, with lengths and resets."""
  cell = CELLS[name]
  params, inputs, _ = make(cell)
  lengths, resets = jnp.array(LENGTHS["ragged"]), random_resets()

  def run(of_rows):
    own = base.map_params(params, rows=functools.partial(jax.tree.map, of_rows))
    return seqjax.unroll(
      cell,
      own,
      of_rows(inputs),
      lengths=of_rows(lengths),
      resets=of_rows(resets),
    )

  one = run(lambda x: x)
  two = run(lambda x: x.reshape(2, 2, *x.shape[1:]))
  close(jax.tree.map(lambda x: x.reshape(B, *x.shape[2:]), two), one)
  none = run(lambda x: x[2])
  close(none, jax.tree.map(lambda x: x[2], one))


@pytest.mark.parametrize("method", METHODS)
def test_no_time_steps(method):
  name = table.first_cell(method)
  cell = CELLS[name]
  params, inputs, carry = make(cell)
  new_carry, outputs = seqjax.unroll(
    cell, params, inputs[:, :0], initial_carry=carry, method=METHODS[method]
  )
  chex.assert_trees_all_equal(new_carry, carry)
  assert outputs.shape == (B, 0, cell.output_size)


@pytest.mark.parametrize(
  ("name", "backend", "time", "expected"),
  [
    ("LSTM", "cpu", 10_000, "scan"),
    ("LRU", "cpu", 10_000, "scan"),
    ("LSTM", "gpu", 10_000, "fused"),
    ("LSTM", "tpu", 10_000, "scan"),
    ("LRU", "gpu", 10_000, "associative"),
    ("LRU", "tpu", 64, "associative"),
    ("LRU", "gpu", 63, "scan"),
    ("LinearAttention", "cpu", 1, "quadratic"),
    ("LinearAttention", "gpu", 10_000, "quadratic"),
  ],
)
def test_auto(name, backend, time, expected):
  chosen = Auto().choose(CELLS[name], backend, time)
  assert chosen == resolve_method(expected)


@settings(max_examples=40)
@given(
  lengths=st.lists(st.integers(0, T), min_size=B, max_size=B),
  flags=st.lists(st.booleans(), min_size=B * T, max_size=B * T),
  reverse=st.booleans(),
  case=st.sampled_from(
    [
      (name, method)
      for name in ("LSTM", "Stack", "LRU")
      for method in METHODS
      if runs(method, name)
    ]
  ),
)
def test_any_lengths_and_resets(lengths, flags, reverse, case):
  name, method = case
  cell = CELLS[name]
  params, inputs, carry = make(cell)
  resets = np.array(flags).reshape(B, T)
  actual = seqjax.unroll(
    cell,
    params,
    inputs,
    lengths=jnp.array(lengths),
    resets=resets,
    initial_carry=carry,
    reverse=reverse,
    method=METHODS[method],
  )
  expected = reference(cell, params, inputs, lengths, resets, carry, reverse)
  close(actual, expected)


@pytest.mark.parametrize(
  "name", [name for name in CELLS if "rop" in name or name == "Zoneout"]
)
def test_noise_is_a_function_of_the_position(name):
  """A longer sequence repeats the noise of a shorter one, a key changes it."""
  cell = CELLS[name]
  params, inputs, _ = make(cell)
  run = lambda x, key: seqjax.unroll(cell, params, x, key=key)[1]
  whole = run(inputs, KEY)
  np.testing.assert_allclose(run(inputs[:, :3], KEY), whole[:, :3], atol=1e-6)
  assert not np.allclose(run(inputs, jax.random.key(8)), whole, atol=1e-3)
  assert not np.allclose(run(inputs, None), whole, atol=1e-3)


def test_a_second_call_does_not_compile():
  cell = LSTM(4)
  params, inputs, _ = make(cell)
  other = inputs + 1
  seqjax.unroll(cell, params, inputs)
  with compilations() as programs:
    seqjax.unroll(LSTM(4), params, other)
  assert programs == []
  with compilations() as programs:  # it does count
    seqjax.unroll(LSTM(4), params, other[:, 1:])
  assert programs


BAD = {
  "rank": ({"inputs": jnp.ones(3)}, r"inputs has shape \(3,\), expected"),
  "features": (
    {"inputs": jnp.ones((B, T, 7))},
    "inputs has 7 features, expected 3",
  ),
  "integers": (
    {"inputs": jnp.ones((B, T, D), int)},
    "inputs has dtype int32, expected a floating dtype",
  ),
  "float lengths": ({"lengths": jnp.ones(B)}, "lengths has dtype float32"),
  "long lengths": (
    {"lengths": jnp.array([1, 2, 3, 6])},
    "lengths spans 1 to 6, expected values from 0 to 5",
  ),
  "negative lengths": ({"lengths": jnp.array([1, 2, 3, -1])}, "spans -1 to 3"),
  "shape of lengths": (
    {"lengths": jnp.array([1, 2])},
    r"lengths has shape \(2,\), expected the batch shape \(4,\)",
  ),
  "shape of resets": (
    {"resets": jnp.zeros((T, B), bool)},
    r"resets has shape \(5, 4\), expected \(4, 5\)",
  ),
  "dtype of resets": (
    {"resets": jnp.zeros((B, T), int)},
    "resets has dtype int32, expected bool",
  ),
  "carry structure": (
    {"initial_carry": jnp.zeros((B, 4))},
    "initial_carry is .* for LSTM",
  ),
  "carry shape": (
    {
      "initial_carry": LSTM(5).initial_carry(
        LSTM(5).init(jax.random.key(0), D), (B,)
      )
    },
    r"initial_carry\.h has shape \(4, 5\), expected \(4, 4\)",
  ),
  "params of another size": (
    {"params": LSTM(5).init(jax.random.key(0), D)},
    r"params\.recurrent_kernel has shape|params\.input_kernel has shape",
  ),
  "params of another cell": (
    {"params": GRU(4).init(jax.random.key(0), D)},
    "params is GRUParams.* for LSTM",
  ),
  "no params": ({"params": {}}, "params do not belong to LSTM"),
  "method": ({"method": "sacn"}, "method is 'sacn', expected one of 'auto'"),
  "method object": ({"method": 3}, "method is 3, expected a name"),
  "method class": ({"method": Scan}, "class .*, expected a n"),
  "cell class": ({"cell": LSTM}, "cell is <class .*, expected a cell, such as"),
  "integer key": ({"key": 0}, "key is 0, expected a random key, such as"),
  "keys": (
    {"key": jax.random.split(KEY)},
    r"key is an array of key<fry>\[2\], expected a random key",
  ),
  "reverse": ({"reverse": jnp.array(True)}, "reverse is .*, expected True or"),
  "time_major": ({"time_major": "yes"}, "time_major is 'yes', expected True"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
  cell = LSTM(4)
  params, inputs, _ = make(cell)
  changes, message = BAD[case]
  arguments = {"cell": cell, "params": params, "inputs": inputs, **changes}
  with pytest.raises(ValueError, match=message) as error:
    seqjax.unroll(**arguments)
  assert "\n" not in str(error.value)


def test_a_direction_is_no_array():
  cell = LSTM(4)
  params, inputs, _ = make(cell)
  run = lambda flag: seqjax.unroll(cell, params, inputs, reverse=flag)
  with pytest.raises(ValueError, match="reverse is .*, expected True or False"):
    jax.jit(run)(True)
  assert jax.jit(run, static_argnums=0)(np.bool_(True))


@pytest.mark.parametrize(
  "run",
  [
    functools.partial(seqjax.truncated_unroll, LSTM(4), k1=np.int64(2), k2=2),
    lambda params, inputs, **options: seqjax.bidirectional(
      LSTM(4), LSTM(4), (params, params), inputs, **options
    ),
    functools.partial(newton_report, LSTM(4)),
  ],
)
def test_other_entries_check_the_same(run):
  params, inputs, _ = make(LSTM(4))
  for change, message in (
    ({"key": 0}, "key is 0, expected a random key"),
    ({"method": Scan}, "method is <class .*, expected"),
    ({"time_major": jnp.array(False)}, "time_major is .*, expected True or"),
  ):
    with pytest.raises(ValueError, match=message):
      run(params, inputs, **change)
