"""What other libraries got wrong once, held right here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax import GRU, LSTM, Elman
from seqjax.recurrence import bidirectional
from tests import table
from tests.table import CELLS, METHODS

T, D = 6, 3


def make(cell, batch=2):
  params = cell.init(jax.random.key(0), D)
  return params, jax.random.normal(jax.random.key(1), (batch, T, D))


@pytest.mark.parametrize("method", METHODS)
def test_a_reset_takes_effect_at_its_own_step(method):
  """Not one step late: the first step of a segment sees the fresh carry."""
  name = table.first_cell(method)
  cell = CELLS[name]
  params, inputs = make(cell)
  resets = np.zeros((2, T), bool)
  resets[:, 3] = True
  run = lambda x, **kw: seqjax.unroll(
    cell, params, x, method=METHODS[method], **kw
  )[1]
  together = run(inputs, resets=resets)
  np.testing.assert_allclose(together[:, 3:], run(inputs[:, 3:]), atol=1e-5)
  np.testing.assert_allclose(together[:, :3], run(inputs[:, :3]), atol=1e-5)


def test_the_backward_direction_starts_at_each_rows_end():
  """Reversing the padded array would start in the padding."""
  cell = LSTM(4)
  params, inputs = make(cell)
  lengths = [2, 6]
  _, outputs = bidirectional(
    cell, cell, (params, params), inputs, lengths=jnp.array(lengths)
  )
  for row, length in enumerate(lengths):
    _, alone = seqjax.unroll(cell, params, inputs[row, :length][::-1])
    np.testing.assert_allclose(
      outputs[row, :length, 4:], alone[::-1], atol=1e-6
    )


def test_the_candidate_of_the_gru_has_a_bias_inside_the_reset_gate():
  """Without it weights of PyTorch and cuDNN cannot be represented."""
  cell = GRU(4)
  params, inputs = make(cell)
  moved = params._replace(candidate_bias=params.candidate_bias + 1)
  shut = params._replace(bias=params.bias.at[:4].set(-50.0))
  run = lambda p: seqjax.unroll(cell, p, inputs)[1]
  assert np.abs(run(moved) - run(params)).max() > 0.01
  # Inside: with the reset gate shut it has no effect.
  np.testing.assert_allclose(
    run(shut._replace(candidate_bias=moved.candidate_bias)),
    run(shut),
    atol=1e-6,
  )


def test_the_final_carry_is_the_one_at_the_rows_end():
  """Not the one at T."""
  cell = LSTM(4)
  params, inputs = make(cell)
  lengths = [2, 0]
  carry, _ = seqjax.unroll(cell, params, inputs, lengths=jnp.array(lengths))
  for row, length in enumerate(lengths):
    alone, _ = seqjax.unroll(cell, params, inputs[row, :length])
    for whole, single in zip(carry, alone, strict=True):
      np.testing.assert_allclose(whole[row], single, atol=1e-6)


@pytest.mark.parametrize("name", ["LayerNormLSTM", "LayerNormGRU"])
def test_normalisation_of_padding_has_finite_gradients(name):
  """The variance of a row of zeros is zero; its square root has no slope."""
  cell = CELLS[name]
  params, inputs = make(cell)

  def loss(params, inputs):
    _, outputs = seqjax.unroll(cell, params, inputs, lengths=jnp.array([0, 3]))
    return (outputs**2).sum()

  grads = jax.grad(loss, (0, 1))(params, jnp.zeros_like(inputs))
  assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))


def test_fully_padded_rows_give_zeros_and_finite_gradients():
  for name in (
    "LSTM",
    "LayerNormGRU",
    "MinLSTM",
    "LRU",
    "LinearAttention",
    "Zoneout",
  ):
    cell = CELLS[name]
    params, inputs = make(cell)

    def loss(params, inputs, cell=cell):
      carry, outputs = seqjax.unroll(
        cell, params, inputs * jnp.nan, lengths=jnp.zeros(2, int)
      )
      return outputs.sum() + sum(
        c.sum() for c in jax.tree.leaves(carry)
      ), outputs

    grads, outputs = jax.jit(jax.grad(loss, has_aux=True))(params, inputs)
    assert (outputs == 0).all(), name
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads)), name


def test_the_identity_is_not_spread_over_a_packed_kernel():
  """An initialiser over the whole packed kernel leaves no gate as named."""
  kernel = (
    LSTM(3, recurrent_init="identity")
    .init(jax.random.key(0), D)
    .recurrent_kernel
  )
  for gate in np.split(kernel, 4, axis=1):
    np.testing.assert_array_equal(gate, np.eye(3))


def test_packed_rows_have_the_losses_and_gradients_of_separate_rows():
  """Several sequences in one row, parted by resets."""
  cell = seqjax.Stack((LSTM(4), Elman(3)))
  params, inputs = make(cell, batch=3)
  lengths = [6, 2, 4]
  packed = jnp.concatenate([inputs[r, :n] for r, n in enumerate(lengths)])[None]
  starts = np.zeros((1, sum(lengths)), bool)
  starts[0, np.cumsum([0, *lengths[:-1]])] = True

  def apart(params):
    _, outputs = seqjax.unroll(cell, params, inputs, lengths=jnp.array(lengths))
    return (outputs**2).sum()

  def together(params):
    _, outputs = seqjax.unroll(cell, params, packed, resets=starts)
    return (outputs**2).sum()

  value, grads = jax.value_and_grad(together)(params)
  expected_value, expected = jax.value_and_grad(apart)(params)
  np.testing.assert_allclose(value, expected_value, rtol=1e-6)
  jax.tree.map(
    lambda a, e: np.testing.assert_allclose(a, e, atol=1e-5), grads, expected
  )
