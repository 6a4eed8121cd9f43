"""BPTT(k1, k2): the numbers of unroll, the gradient of cut windows."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax import GRU, LSTM
from seqjax.recurrence import Truncated

B, T, D = 2, 7, 3
CELLS = {
  "lstm": LSTM(4),
  "stack": seqjax.Stack((LSTM(4), GRU(3))),
  "dropout": seqjax.Dropout(seqjax.Zoneout(GRU(4), h=0.2), 0.3),
  "learned": seqjax.LearnedCarry(GRU(4)),
}


def make(cell):
  params = cell.init(jax.random.key(0), D)
  inputs = jax.random.normal(jax.random.key(1), (B, T, D))
  weights = np.random.default_rng(0).normal(size=(B, T, cell.output_size))
  return params, inputs, weights


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (2, 2), (2, 4), (3, 9), (9, 9)])
def test_the_numbers_are_those_of_unroll(name, k1, k2):
  cell = CELLS[name]
  params, inputs, _ = make(cell)
  resets = np.random.default_rng(1).random((B, T)) < 0.3
  # In the first block and at the last step, which padding repeats.
  resets[0, [1, -1]] = True
  carry = cell.initial_carry(params, (B,))
  options = {
    "lengths": jnp.array([7, 4]),
    "resets": resets,
    "initial_carry": jax.tree.map(lambda c: c + 0.3, carry),
    "key": jax.random.key(3),
  }
  chex.assert_trees_all_close(
    seqjax.truncated_unroll(cell, params, inputs, k1=k1, k2=k2, **options),
    seqjax.unroll(cell, params, inputs, **options),
    atol=1e-6,
  )


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("k1", "k2"), [(7, 7), (1, 7), (2, 8), (3, 300)])
def test_a_window_over_everything_is_full_bptt(name, k1, k2):
  cell = CELLS[name]
  params, inputs, weights = make(cell)
  carry = jax.tree.map(lambda c: c + 0.3, cell.initial_carry(params, (B,)))

  def loss(run):
    return lambda params, x, carry: (
      run(cell, params, x, initial_carry=carry)[1] * weights
    ).sum()

  cut = lambda *args, **kwargs: seqjax.truncated_unroll(
    *args, k1=k1, k2=k2, **kwargs
  )
  chex.assert_trees_all_close(
    jax.grad(loss(cut), (0, 1, 2))(params, inputs, carry),
    jax.grad(loss(seqjax.unroll), (0, 1, 2))(params, inputs, carry),
    atol=1e-5,
  )


@pytest.mark.parametrize(("k1", "k2"), [(1, 3), (2, 4), (3, 3)])
def test_the_gradient_is_the_sum_over_windows(k1, k2):
  """By the definition: block by block, from a carry held constant."""
  cell = LSTM(4)
  params, inputs, weights = make(cell)

  def window(params, x, begin, end, first):
    carry, _ = seqjax.unroll(cell, params, x[:, :begin])
    carry = jax.lax.stop_gradient(carry)
    part = x[:, begin:end]
    _, outputs = seqjax.unroll(cell, params, part, initial_carry=carry)
    kept = outputs[:, first - begin :]
    return (kept * weights[:, first:end]).sum()

  expected = None
  for first in range(0, T, k1):
    block_end = first + k1  # also of a last block that is cut short
    begin, end = max(block_end - k2, 0), min(block_end, T)
    grads = jax.grad(window, (0, 1))(params, inputs, begin, end, first)
    expected = (
      grads if expected is None else jax.tree.map(jnp.add, expected, grads)
    )
  actual = jax.grad(
    lambda params, x: (
      seqjax.truncated_unroll(cell, params, x, k1=k1, k2=k2)[1] * weights
    ).sum(),
    (0, 1),
  )(params, inputs)
  chex.assert_trees_all_close(actual, expected, atol=1e-5)


def test_no_gradient_crosses_a_cut():
  cell = GRU(4)
  params, inputs, _ = make(cell)
  for k1, k2 in ((2, 2), (2, 4), (1, 3)):
    outputs_of = lambda x, k1=k1, k2=k2: seqjax.truncated_unroll(
      cell, params, x, k1=k1, k2=k2
    )[1]
    # [T, T]: whether the output at t depends on the input at s.
    jacobian = jax.jacrev(lambda x, f=outputs_of: f(x).sum((0, 2)))(inputs)
    reaches = np.abs(jacobian).sum((1, 3)) > 0
    for t in range(T):
      block_end = (t // k1 + 1) * k1
      seen = np.arange(T)
      expected = (seen <= t) & (seen >= block_end - k2)
      np.testing.assert_array_equal(reaches[t], expected)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"k1": 0, "k2": 2}, "k1 is 0, expected a positive integer"),
    ({"k1": 2, "k2": 3}, "k2 is 3, expected a multiple of k1, 2"),
  ],
)
def test_bad_options(options, message):
  cell = GRU(4)
  params, inputs, _ = make(cell)
  with pytest.raises(ValueError, match=message):
    seqjax.truncated_unroll(cell, params, inputs, **options)
  with pytest.raises(ValueError, match=message):
    Truncated(**options)


def test_truncated_is_a_value_that_runs():
  cell = GRU(4)
  params, inputs, weights = make(cell)
  assert hash(Truncated(2, 4)) == hash(Truncated(k1=2, k2=4))
  loss = lambda run: lambda x: (run(cell, params, x)[1] * weights).sum()
  chex.assert_trees_all_close(
    jax.grad(loss(Truncated(2, 4).unroll))(inputs),
    jax.grad(loss(functools.partial(seqjax.truncated_unroll, k1=2, k2=4)))(
      inputs
    ),
    atol=1e-6,
  )
