"""Scores of symbols, frame by frame: whole utterances and steps agree."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax import LSTM, nn
from seqjax.models.recognizer import Recognizer, count, stacked
from tests.nn.building import layers_of

KEY = jax.random.key(0)
SIZE, SYMBOLS = 3, 5


def make(bidirectional=False, **options):
  layers = layers_of(LSTM(4), bidirectional=bidirectional)
  model = Recognizer(layers, SIZE, SYMBOLS, key=KEY, **options)
  return nn.functionalize(model)


@pytest.mark.parametrize(("stack", "neighbours"), [(1, 0), (2, 0), (3, 2)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing(bidirectional, stack, neighbours):
  """Whatever is behind the end, and however much of it."""
  options = {"neighbours": neighbours, "filters": 6}
  params, apply = make(bidirectional, stack=stack, **options)
  frames = jax.random.normal(KEY, (4, 8, SIZE))
  lengths = jnp.array([8, 7, 1, 0])
  logits, steps = apply(params, frames, lengths=lengths)
  assert steps.tolist() == [-(-n // stack) for n in (8, 7, 1, 0)]
  assert logits.shape == (4, -(-8 // stack), SYMBOLS)
  for row, length in enumerate([8, 7, 1]):
    alone, _ = apply(
      params, frames[row : row + 1, :length], lengths=lengths[row : row + 1]
    )
    here = logits[row, : steps[row]]
    np.testing.assert_allclose(here, alone[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stack", [1, 3])
def test_steps_are_the_whole(stack):
  params, apply = make(stack=stack)
  frames = jax.random.normal(KEY, (2, 10, SIZE))
  whole, _ = apply(params, frames, lengths=jnp.array([10, 10]))
  carry = apply(params, 2, method="initial_carry")
  vectors = stacked(frames, stack)
  for step in range(count(10, stack)):
    carry, logits = apply(params, carry, vectors[:, step], method="step")
    np.testing.assert_allclose(logits, whole[:, step], atol=1e-6)


def test_stacking_puts_neighbours_side_by_side():
  frames = jnp.arange(1.0, 11).reshape(1, 5, 2)
  expected = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 0, 0]]
  np.testing.assert_array_equal(stacked(frames, 2)[0], expected)
  assert [count(n, 2) for n in (0, 1, 2, 3)] == [0, 1, 1, 2]


@pytest.mark.parametrize(("bidirectional", "neighbours"), [(0, 0), (1, 1)])
def test_no_gradient_behind_the_end(bidirectional, neighbours):
  """Of a CTC loss; a row without frames adds nothing, and no NaN."""
  options = {"neighbours": neighbours, "filters": 9}
  params, apply = make(bool(bidirectional), stack=2, **options)
  frames = jax.random.normal(KEY, (3, 8, SIZE))
  lengths, labels = jnp.array([8, 5, 0]), jnp.array([[1, 1], [2, 3], [0, 0]])
  label_paddings = jnp.array([[0.0, 0], [0, 0], [1, 1]])

  def loss(frames):
    logits, steps = apply(params, frames, lengths=lengths)
    behind = (jnp.arange(logits.shape[1])[None] >= steps[:, None]).astype(float)
    nats = optax.ctc_loss(logits, behind, labels, label_paddings)
    return jnp.where(lengths > 0, nats, 0.0).sum()

  slopes = np.asarray(jax.grad(loss)(frames))
  assert np.isfinite(slopes).all()
  assert (slopes[1, 5:] == 0).all()
  assert (slopes[2] == 0).all()
  assert (np.abs(slopes[1, :5]).sum(axis=-1) > 0).all()


def test_dropout_only_with_a_key():
  params, apply = make(dropout=0.5, input_dropout=0.5)
  frames, lengths = jax.random.normal(KEY, (1, 4, SIZE)), jnp.array([4])
  one, two = (apply(params, frames, lengths=lengths)[0] for _ in range(2))
  np.testing.assert_array_equal(one, two)
  noisy, _ = apply(params, frames, lengths=lengths, key=KEY)
  assert not np.allclose(one, noisy)


def test_neighbours_are_what_is_around():
  """A step sees two steps on either side, and no further."""
  make_none = lambda size, key: nn.Sequential([], size)
  options = {"stack": 2, "neighbours": 2, "filters": 7}
  model = Recognizer(make_none, SIZE, SYMBOLS, key=KEY, **options)
  frames = jax.random.normal(KEY, (1, 20, SIZE))
  score = lambda frames: model(frames, lengths=jnp.array([20]))[0][0, 5].sum()
  slopes = np.abs(jax.grad(score)(frames)[0]).sum(axis=-1)
  assert np.flatnonzero(slopes).tolist() == list(range(2 * 3, 2 * 8))
  vectors = np.pad(stacked(frames, 2)[0], ((2, 2), (0, 0)))
  seen = np.concatenate(vectors[5:10])
  assert model.window.bias is not None
  assert model.head.bias is not None
  hidden = np.maximum(seen @ model.window.kernel.get_value(), 0)
  expected = hidden @ model.head.kernel.get_value()
  logits, _ = model(frames, lengths=jnp.array([20]))
  np.testing.assert_allclose(logits[0, 5], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("bidirectional", "neighbours"), [(1, 0), (0, 1)])
def test_what_sees_ahead_does_not_step(bidirectional, neighbours):
  options = {"neighbours": neighbours, "filters": 2}
  params, apply = make(bool(bidirectional), **options)
  carry = apply(params, 1, method="initial_carry")
  with pytest.raises(ValueError, match="not causal"):
    apply(params, carry, jnp.zeros((1, SIZE)), method="step")


def test_stack_of_nothing():
  with pytest.raises(ValueError, match="stack is 0"):
    make(stack=0)
