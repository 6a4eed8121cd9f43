"""Pooling over rows of different length, against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import GRU, nn
from seqjax.models.many_to_one import POOLS, ManyToOne

KEY = jax.random.key(0)
LENGTHS = jnp.array([5, 3, 0])


def make(pool, bidirectional=False, **options):
  model = ManyToOne(
    [GRU(4)], 2, pool=pool, bidirectional=bidirectional, key=KEY, **options
  )
  return model, *nn.functionalize(model)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pool", POOLS)
def test_padding_changes_nothing(pool, bidirectional, nnx_mode):
  del nnx_mode
  _, params, apply = make(pool, bidirectional, vocab_size=7, embed_size=3)
  tokens = jax.random.randint(KEY, (3, 5), 0, 7)
  outputs = apply(params, tokens, lengths=LENGTHS)
  assert outputs.shape == (3, 2)
  assert np.isfinite(outputs).all()
  for row, length in enumerate([5, 3]):
    alone = apply(params, tokens[row : row + 1, :length])[0]
    np.testing.assert_allclose(outputs[row], alone, rtol=1e-5, atol=1e-6)
  grads = jax.grad(lambda p: apply(p, tokens, lengths=LENGTHS).sum())(params)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


def test_last_reads_what_each_direction_saw_last():
  model, _, _ = make("last", True, input_size=3)
  inputs = jax.random.normal(KEY, (3, 5, 3))
  (carries,), _ = model.rnn(inputs, lengths=LENGTHS)
  pooled = jnp.concatenate([carries[0].h, carries[1].h], axis=-1)
  assert model.head.bias is not None
  expected = pooled @ model.head.kernel.get_value()
  actual = model(inputs, lengths=LENGTHS) - model.head.bias.get_value()[None]
  np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_attention_is_a_distribution_over_valid_steps():
  model, _, _ = make("attention", input_size=3)
  inputs = jax.random.normal(KEY, (3, 5, 3))
  _, weights = model.read(inputs, lengths=LENGTHS)
  np.testing.assert_allclose(weights.sum(1), [1, 1, 0], rtol=1e-6)
  assert (weights[1, 3:] == 0).all()


def test_mistakes():
  with pytest.raises(ValueError, match="pool is 'max', expected one of"):
    make("max", input_size=3)
  model, _, _ = make("mean", input_size=3)
  with pytest.raises(ValueError, match="pool is 'mean' and bidirectional"):
    model.gradient_norms(jnp.ones((1, 2, 3)), lambda outputs: outputs.sum(1))
