"""Where a Transformer's blocks look, as pictures show it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from seqjax import nn
from seqjax.models import layers
from seqjax.models.aligned import Aligned
from seqjax.models.many_to_one import ManyToOne
from seqjax.nn.layer_norm import normalize
from seqjax.nn.self_attention import self_attention

B, T, D, HEADS = 2, 7, 8, 2
KEY = jax.random.key(0)
LENGTHS = jnp.array([T, 4])
THERE = np.arange(T) < np.array([[T], [4]])


def inputs(seed=1):
  return jax.random.normal(jax.random.key(seed), (B, T, D))


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("causal", [False, True])
def test_what_is_read_has_these_weights(norm, causal):
  """x + sum over j of w_ij v_j, projected, is what the call returns.

  Of a block without its last part, whose values are products of NumPy's.
  """
  kind = nn.Transformer(HEADS, 12, norm=norm, window=3)
  block = nn.TransformerBlock(kind, D, causal=causal, key=KEY)
  own = block.params.get_value()
  feed = own.feed_forward
  feed = feed._replace(output_kernel=jnp.zeros_like(feed.output_kernel))
  block.params = nn.Parameters(own._replace(feed_forward=feed))
  x = inputs()
  weights = block.looks(x, LENGTHS)
  assert weights.shape == (B, HEADS, T, T)
  normed = normalize(own.norms[0], x) if norm == "pre" else x
  kernel = own.self_attention.input_kernel[:, 2 * D :]
  values = np.asarray(normed @ kernel).reshape(B, T, HEADS, D // HEADS)
  context = np.einsum("bhts,bshd->bthd", weights, values).reshape(B, T, D)
  expected = x + context @ own.self_attention.output_kernel
  if norm == "post":
    expected = normalize(own.norms[1], normalize(own.norms[0], expected))
  found = block(x, lengths=LENGTHS)[1]
  np.testing.assert_allclose(
    found[THERE], expected[THERE], rtol=1e-4, atol=1e-5
  )


def test_what_is_past_a_row_neither_looks_nor_is_looked_at():
  kind = nn.Transformer(HEADS, 12)
  block = nn.TransformerBlock(kind, D, causal=False, key=KEY)
  weights = np.asarray(block.looks(inputs(), LENGTHS))
  pairs = THERE[:, None, :, None] & THERE[:, None, None]
  assert (weights[np.broadcast_to(pairs, weights.shape)] > 0).all()
  assert (weights[~np.broadcast_to(pairs, weights.shape)] == 0).all()
  sums = np.broadcast_to(THERE[:, None], (B, HEADS, T))
  np.testing.assert_allclose(weights.sum(-1), sums, atol=1e-5)
  changed = jnp.where(THERE[..., None], inputs(), 7.0)
  np.testing.assert_array_equal(block.looks(changed, LENGTHS), weights)


def stack(layer="transformer_encoder(heads=2)"):
  config = {"layer": layer, "hidden_size": D, "num_layers": 2, "dropout": 0.0}
  return layers.create(ConfigDict({**config, "compute_dtype": "float32"}))


def test_each_block_reads_the_one_below():
  layer: Any = stack()(D, KEY)
  first, second = self_attention(layer, inputs(), LENGTHS)
  positional, below, above, _ = layer.layers
  _, x = positional(inputs(), lengths=LENGTHS)
  np.testing.assert_array_equal(first, below.looks(x, LENGTHS))
  _, x = below(x, lengths=LENGTHS)
  np.testing.assert_array_equal(second, above.looks(x, LENGTHS))


def test_without_blocks_there_is_nothing():
  assert self_attention(nn.FeedForward(D, 4, key=KEY), inputs()) == []


@pytest.mark.parametrize("pool", ["mean", "class_token"])
def test_of_a_model_of_whole_sequences(pool):
  params, apply = nn.functionalize(
    ManyToOne(stack(), 3, input_size=D, pool=pool, key=KEY)
  )
  found = apply(params, inputs(), lengths=LENGTHS, method="self_attention")
  steps = T + (pool == "class_token")
  assert [each.shape for each in found] == [(B, HEADS, steps, steps)] * 2
  # A step of padding has no part in what is found, nor in what is looked at.
  changed = jnp.where(THERE[..., None], inputs(), 7.0)
  other = apply(params, changed, lengths=LENGTHS, method="self_attention")
  np.testing.assert_array_equal(found[1], other[1])
  np.testing.assert_array_equal(
    apply(params, inputs(), lengths=LENGTHS),
    apply(params, changed, lengths=LENGTHS),
  )


def test_of_a_model_of_steps_with_neighbours():
  """The convolution reads past the end no more than the blocks do."""
  params, apply = nn.functionalize(
    Aligned(stack(), 3, input_size=D, neighbours=1, filters=D, key=KEY)
  )
  changed = jnp.where(THERE[..., None], inputs(), 7.0)
  for method in "self_attention", "__call__":
    one, other = (
      apply(params, x, lengths=LENGTHS, method=method)[1]
      for x in (inputs(), changed)
    )
    # Emissions past a row's end are the read-out's bias; nobody reads them.
    np.testing.assert_array_equal(one, other)
