"""Cells made of cells: what each adds to the one inside."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax import GRU, LSTM, Elman
from seqjax.cells import base

B, T, D = 3, 6, 4
KEY = jax.random.key(5)
PREPARE_KEY = jax.random.fold_in(KEY, base.PREPARE_POSITION)


def inputs_of(size=D):
  return jax.random.normal(jax.random.key(1), (B, T, size))


def run(cell, params, inputs, **options):
  return seqjax.unroll(cell, params, inputs, **options)[1]


def test_residual_adds_the_input():
  cell = LSTM(D)
  params = cell.init(KEY, D)
  x = inputs_of()
  np.testing.assert_allclose(
    run(seqjax.Residual(cell), params, x), x + run(cell, params, x), atol=1e-6
  )


def test_residual_keeps_padding_at_zero():
  cell = seqjax.Residual(LSTM(D))
  outputs = run(
    cell, cell.init(KEY, D), inputs_of(), lengths=jnp.array([0, 2, 6])
  )
  assert not outputs[0].any()
  assert not outputs[1, 2:].any()


def test_learned_carry_gets_a_gradient_also_from_resets():
  cell = seqjax.LearnedCarry(LSTM(3))
  params = cell.init(KEY, D)
  chex.assert_trees_all_equal(
    params.carry, LSTM(3).initial_carry(params.cell, ())
  )
  learnt = jax.tree.map(lambda c: c + 0.7, params.carry)
  params = params._replace(carry=learnt)
  x = inputs_of()
  expected = seqjax.unroll(
    cell.cell,
    params.cell,
    x,
    initial_carry=jax.tree.map(lambda c: jnp.tile(c, (B, 1)), learnt),
  )
  chex.assert_trees_all_close(
    seqjax.unroll(cell, params, x), expected, atol=1e-6
  )
  resets = np.zeros((B, T), bool)
  resets[:, 4] = True
  late = lambda p: run(cell, p, x, resets=resets)[:, 4:].sum()
  assert all(g.any() for g in jax.grad(late)(params).carry)


def test_weight_drop_is_the_cell_with_fewer_weights():
  cell = seqjax.WeightDrop(LSTM(50), 0.3)
  params = cell.init(KEY, D)
  prepared = cell.prepare(params, (B,), key=KEY)
  kept = prepared.recurrent_kernel != 0
  np.testing.assert_allclose(kept.mean(), 0.7, atol=0.02)
  np.testing.assert_allclose(
    prepared.recurrent_kernel[kept],
    params.recurrent_kernel[kept] / 0.7,
    rtol=1e-6,
  )
  chex.assert_trees_all_equal(
    prepared._replace(recurrent_kernel=params.recurrent_kernel), params
  )
  # Without a key nothing is dropped.
  chex.assert_trees_all_equal(cell.prepare(params, (B,)), params)


def masks(cell, key=KEY, steps=T):
  """The output mask of a Dropout around a cell that always puts out 1."""
  constant = cell.cell
  params = jax.tree.map(jnp.zeros_like, cell.init(KEY, D))
  params = params._replace(cell=params.cell._replace(bias=jnp.full(200, 50.0)))
  assert isinstance(constant, Elman)
  return np.asarray(run(cell, params, inputs_of()[:, :steps], key=key))


@pytest.mark.parametrize("variational", [True, False])
def test_dropout_masks(variational):
  cell = seqjax.Dropout(Elman(200), outputs=0.25, variational=variational)
  mask = masks(cell)
  np.testing.assert_allclose(np.unique(mask.round(5)), [0, 1.33333], atol=1e-4)
  np.testing.assert_allclose((mask != 0).mean(), 0.75, atol=0.03)
  same = (mask == mask[:, :1]).all()
  assert same == variational
  # Rows differ, and without a key nothing is dropped.
  assert (mask[0] != mask[1]).any()
  np.testing.assert_allclose(masks(cell, key=None), 1.0, atol=1e-6)


@pytest.mark.parametrize("variational", [True, False])
def test_dropout_mask_does_not_depend_on_the_length(variational):
  """A known bug of others: the mask changes when T changes."""
  cell = seqjax.Dropout(Elman(200), outputs=0.25, variational=variational)
  np.testing.assert_array_equal(masks(cell)[:, :3], masks(cell, steps=3))


def test_dropout_on_inputs_is_the_cell_on_masked_inputs():
  cell = seqjax.Dropout(LSTM(3), inputs=0.5)
  params = cell.init(KEY, D)
  x = inputs_of()
  prepared = cell.prepare(
    params,
    (B,),
    key=PREPARE_KEY,
  )
  expected = run(cell.cell, params.cell, x * prepared.input_mask.value[:, None])
  np.testing.assert_allclose(run(cell, params, x, key=KEY), expected, atol=1e-6)


def test_recurrent_dropout_masks_the_state_in_the_kernel_alone():
  """By hand: h is masked where it meets W_h, and nowhere else."""
  cell = seqjax.RecurrentDropout(GRU(3), 0.5)
  params = cell.init(KEY, D)
  x = inputs_of()
  mask = cell.prepare(params, (B,), key=PREPARE_KEY).mask.value
  h = jnp.zeros((B, 3))
  w, u, b, c_n = params.cell
  for t in range(T):
    of_x = jnp.split(x[:, t] @ w + b[None], 3, axis=-1)
    of_h = jnp.split((h * mask) @ u, 3, axis=-1)
    r = jax.nn.sigmoid(of_x[0] + of_h[0])
    z = jax.nn.sigmoid(of_x[1] + of_h[1])
    n = jnp.tanh(of_x[2] + r * (of_h[2] + c_n[None]))
    h = (1 - z) * n + z * h
  actual = run(cell, params, x, key=KEY)[:, -1]
  np.testing.assert_allclose(actual, h, atol=1e-6)
  np.testing.assert_allclose(
    run(cell, params, x), run(cell.cell, params.cell, x), atol=1e-6
  )


def test_zoneout_keeps_or_replaces():
  cell = seqjax.Zoneout(LSTM(200), h=0.25, c=0.6)
  params = cell.init(KEY, D)
  old = jax.tree.map(lambda c: c + 0.5, cell.initial_carry(params, (B,)))
  x = inputs_of()[:, 0]
  new, _ = cell.cell.step(params, old, x)
  zoned, output = cell.step(params, old, x, key=KEY)
  np.testing.assert_array_equal(output, zoned.h)
  for name, rate in (("h", 0.25), ("c", 0.6)):
    before, after, got = (getattr(s, name) for s in (old, new, zoned))
    kept = got == before
    np.testing.assert_array_equal(got[~kept], after[~kept])
    np.testing.assert_allclose(kept.mean(), rate, atol=0.05)


def test_zoneout_without_a_key_is_the_expectation():
  cell = seqjax.Zoneout(LSTM(5), h=0.25, c=0.6)
  params = cell.init(KEY, D)
  old = jax.tree.map(lambda c: c + 0.5, cell.initial_carry(params, (B,)))
  x = inputs_of()[:, 0]
  new, _ = cell.cell.step(params, old, x)
  zoned, _ = cell.step(params, old, x)
  np.testing.assert_allclose(zoned.h, 0.25 * 0.5 + 0.75 * new.h, rtol=1e-5)
  np.testing.assert_allclose(zoned.c, 0.6 * 0.5 + 0.4 * new.c, rtol=1e-5)


def test_autoregressive_feeds_its_own_prediction():
  cell = seqjax.Autoregressive(seqjax.Stack((LSTM(3), GRU(5))), 2)
  params = cell.init(KEY, D)
  x = inputs_of()
  outputs = run(cell, params, x)
  # Teacher forcing with its own predictions gives the same predictions.
  shifted = jnp.pad(outputs, [(0, 0), (1, 0), (0, 0)])[:, :-1]
  forced = run(cell.cell, params.cell, jnp.concatenate([x, shifted], -1))
  np.testing.assert_allclose(cell.readout(params, forced), outputs, atol=1e-5)
  # The prediction is really fed: another first input changes the last output
  # through a path that needs it.
  blind = params._replace(output_kernel=0 * params.output_kernel)
  assert (run(cell, blind, x) == 0).all()


def test_autoregressive_without_inputs():
  cell = seqjax.Autoregressive(LSTM(3), 2)
  params = cell.init(KEY, 0)._replace(output_bias=jnp.array([0.3, -0.2]))
  outputs = run(cell, params, jnp.zeros((B, T, 0)))
  assert outputs.shape == (B, T, 2)
  assert (outputs[:, 0] != outputs[:, 1]).all()


def test_wrappers_nest():
  cell = seqjax.Stack(
    (
      seqjax.Residual(seqjax.Dropout(seqjax.WeightDrop(LSTM(D), 0.2), 0.1)),
      seqjax.LearnedCarry(seqjax.Zoneout(GRU(3), h=0.1)),
    )
  )
  params = cell.init(KEY, D)
  whole = run(cell, params, inputs_of(), key=KEY)
  prepared = cell.prepare(
    params,
    (B,),
    key=PREPARE_KEY,
  )
  carry = cell.initial_carry(prepared, (B,))
  for t in range(T):
    carry, output = cell.step(
      prepared, carry, inputs_of()[:, t], key=jax.random.fold_in(KEY, t)
    )
    np.testing.assert_allclose(output, whole[:, t], atol=1e-6)


@pytest.mark.parametrize(
  ("build", "message"),
  [
    (
      lambda: seqjax.Residual(LSTM(3)).init(KEY, 4),
      "input_size is 4, expected",
    ),
    (lambda: seqjax.Residual(3), "cell holds 3, expected cells only"),
    (lambda: seqjax.Dropout(LSTM(3), 1.0), "inputs is 1.0, expected a rate in"),
    (
      lambda: seqjax.WeightDrop(seqjax.IndRNN(3), 0.1).init(KEY, 4),
      "cell is IndRNN.*, expected one with a recurrent_kernel",
    ),
    (
      lambda: seqjax.RecurrentDropout(seqjax.MGU(3), 0.1),
      "cell is MGU.*, expected one with project, recur and update",
    ),
    (
      lambda: seqjax.RecurrentDropout(seqjax.OutputFeedback(3, 2), 0.1).init(
        KEY, 4
      ),
      "expected one with h in its carry",
    ),
    (
      lambda: seqjax.Zoneout(seqjax.Stack((GRU(3),)), h=0.1).init(KEY, 4),
      r"expected one whose carry is \(h\) or \(h, c\)",
    ),
    (
      lambda: seqjax.Zoneout(GRU(3), c=0.1).init(KEY, 4),
      "c is 0.1, expected 0: GRU.* has no cell c",
    ),
  ],
)
def test_bad_wrappers(build, message):
  with pytest.raises(ValueError, match=message) as error:
    build()
  assert "\n" not in str(error.value)
