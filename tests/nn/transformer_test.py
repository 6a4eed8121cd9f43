"""Positions, attention under a mask, and a block over long sequences."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from seqjax import nn
from seqjax.cells import dot_product, positions
from seqjax.models import layers

KEY = jax.random.key(0)
B, D = 2, 8


def normal(seed, *shape, dtype=jnp.float32):
  return jax.random.normal(jax.random.key(seed), shape, dtype)


def make(compute_dtype="float32", **options):
  kind = nn.Transformer(2, 12, **options)
  config = ConfigDict(
    {
      "hidden_size": D,
      "num_layers": 2,
      "dropout": 0.0,
      "compute_dtype": compute_dtype,
    }
  )
  return nn.functionalize(layers.transformer(kind, config)(D, KEY))


def in_chunks(apply, params, x, size):
  """As a stream: windows of `size` that hand the carry on; 0: by `step`."""
  carry = apply(params, (B,), method="initial_carry")
  outputs = []
  if size == 0:
    step = jax.jit(lambda carry, x: apply(params, carry, x, method="step"))
    for t in range(x.shape[1]):
      carry, y = step(carry, x[:, t])
      outputs.append(y[:, None])
  else:
    for t in range(0, x.shape[1], size):
      carry, y = apply(params, x[:, t : t + size], carry)
      outputs.append(y)
  return carry, jnp.concatenate(outputs, axis=1)


# More steps than one block of queries has, and than a window.
@pytest.mark.parametrize("window", [5, 90, 130, 256])
@pytest.mark.parametrize("chunk", [0, 3, 70])
def test_a_stream_is_the_whole_sequence(window, chunk):
  params, apply = make(window=window)
  x = normal(1, B, 150, D)
  whole_carry, whole = apply(params, x)
  carry, outputs = in_chunks(apply, params, x, chunk)
  np.testing.assert_allclose(outputs, whole, rtol=1e-4, atol=2e-6)
  chex.assert_trees_all_close(carry, whole_carry, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(
  ("x64", "compute_dtype", "tolerance"),
  [(True, None, 1e-12), (True, "float32", 1e-5), (False, "bfloat16", 0.06)],
)
def test_a_stream_in_other_precisions(x64, compute_dtype, tolerance):
  with jax.enable_x64(x64):
    dtype = jnp.float64 if compute_dtype is None else jnp.float32
    if compute_dtype is None:
      params, apply = block_without_compute_dtype()
      params = jax.tree.map(lambda p: p.astype(dtype), params)
    else:
      params, apply = make(compute_dtype, window=20)
    x = normal(1, B, 40, D, dtype=dtype)
    _, whole = apply(params, x)
    assert whole.dtype == dtype
    for chunk in (0, 3, 40):
      _, outputs = in_chunks(apply, params, x, chunk)
      np.testing.assert_allclose(outputs, whole, rtol=tolerance, atol=tolerance)


def block_without_compute_dtype():
  options = nn.Transformer(2, 12, window=20)
  return nn.functionalize(nn.TransformerBlock(options, D, key=KEY))


def test_a_window_hides_what_is_further_back():
  """Of two blocks: what lies 2 (W - 1) back is the first that is not seen."""
  params, apply = make(window=4)
  x = normal(1, B, 80, D)
  jacobian = jax.jacrev(lambda x: apply(params, x)[1][0, 75].sum())(x)
  seen = jnp.abs(jacobian[0]).sum(axis=-1) > 0
  assert jnp.flatnonzero(seen).tolist() == list(range(75 - 6, 76))


def test_no_step_sees_one_behind_it():
  params, apply = make()
  x = normal(1, B, 70, D)
  changed = x.at[:, 40:].set(7.0)
  found, other = apply(params, x)[1], apply(params, changed)[1]
  np.testing.assert_array_equal(found[:, :40], other[:, :40])
  assert not np.allclose(found[:, 40:], other[:, 40:])


def attend(query, keys, values, mask, **options):
  """With heads behind time, `[batch, time, heads, d]`, as people draw it."""
  turn = lambda x: jnp.swapaxes(x, 1, 2)
  return turn(
    dot_product.dot_product_attention(
      turn(query),
      turn(keys),
      turn(values),
      jnp.asarray(mask)[:, None],
      **options,
    )
  )


def plain_attention(query, keys, values, mask):
  """The equation, one query and one head after the other."""
  context = np.zeros((*query.shape[:-1], values.shape[-1]))
  for b, t, n in np.ndindex(query.shape[:-1]):
    seen = np.flatnonzero(mask[b, t])
    if len(seen):
      scores = keys[b, seen, n] @ query[b, t, n] / query.shape[-1] ** 0.5
      weights = np.exp(scores - scores.max())
      context[b, t, n] = weights @ values[b, seen, n] / weights.sum()
  return context


def test_attention_is_its_equation():
  """True is seen; a query that sees nothing reads zeros."""
  query, keys, values = (normal(i, B, t, 2, 4) for i, t in enumerate((5, 7, 7)))
  mask = np.array(jax.random.bernoulli(KEY, 0.5, (B, 5, 7)))
  mask[0, 1] = False
  found = attend(query, keys, values, mask)
  expected = plain_attention(*map(np.asarray, (query, keys, values)), mask)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
  assert (found[0, 1] == 0).all()
  weights = dot_product.attention_weights(
    query.swapaxes(1, 2), keys.swapaxes(1, 2), jnp.asarray(mask)[:, None]
  )
  total = np.repeat(mask.any(axis=-1)[:, None], 2, axis=1).astype(float)
  np.testing.assert_allclose(weights.sum(axis=-1), total, rtol=1e-5)
  assert (jnp.where(mask[:, None], 0, weights) == 0).all()
  mask[..., 0] |= ~mask.any(axis=-1)
  theirs = jax.nn.dot_product_attention(
    query, keys, values, mask=jnp.asarray(mask)[:, None]
  )
  found = attend(query, keys, values, mask)
  np.testing.assert_allclose(found, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_who_sees_nothing_has_no_gradient(rate):
  query, keys, values = (normal(i, 1, 3, 1, 4) for i in range(3))
  mask = jnp.ones((1, 3, 3), bool).at[0, 1].set(False).at[:, :, 2].set(False)

  def loss(query, keys, values):
    found = attend(query, keys, values, mask, rate=rate, key=KEY)
    return (found**2).sum()

  grads = jax.grad(loss, (0, 1, 2))(query, keys, values)
  chex.assert_tree_all_finite(grads)
  assert (grads[0][0, 1] == 0).all()
  assert (grads[1][0, 2] == 0).all()
  assert (grads[2][0, 2] == 0).all()
  assert (grads[2][0, 0] != 0).any()


def test_dropped_weights_are_scaled():
  """Their sum stays 1 on average, and each is there or not."""
  query = jnp.zeros((400, 5, 2, 4))
  keys, values = jnp.zeros((400, 10, 2, 4)), jnp.ones((400, 10, 2, 1))
  mask = jnp.ones((1, 5, 10), bool)
  found = attend(query, keys, values, mask, rate=0.4, key=KEY)
  counts = found * 10 * (1 - 0.4)
  np.testing.assert_allclose(counts, jnp.round(counts), atol=1e-4)
  error = (0.4 / 0.6 / 10 / found.size) ** 0.5
  assert abs(found.mean() - 1) < 5 * error
  assert jnp.std(counts) > 1


def test_sinusoidal_is_its_equation():
  found = positions.sinusoidal(jnp.array([[0, 3], [7, 1000]]), 7)
  assert found.shape == (2, 2, 7)
  for (row, column), p in np.ndenumerate([[0, 3], [7, 1000]]):
    for i in range(7):
      angle = p / 10_000 ** (2 * (i // 2) / 7)
      expected = np.cos(angle) if i % 2 else np.sin(angle)
      np.testing.assert_allclose(found[row, column, i], expected, atol=1e-4)


@pytest.mark.parametrize("layout", positions.LAYOUTS)
def test_rotary_scores_depend_on_the_distance_alone(layout):
  query, keys = normal(1, 1, 1, 8), normal(2, 1, 1, 8)

  def score(i, j):
    turn = lambda x, p: positions.rotary(x, jnp.array([p]), layout=layout)
    return float((turn(query, i) * turn(keys, j)).sum())

  for distance in (0, 1, 5):
    first, *rest = (score(j + distance, j) for j in (0, 3, 40, 300))
    np.testing.assert_allclose(rest, first, rtol=1e-4, atol=1e-5)
  assert abs(score(5, 0) - score(0, 5)) > 1e-3
  np.testing.assert_allclose(score(4, 4), (query * keys).sum(), rtol=1e-5)


@pytest.mark.parametrize("layout", positions.LAYOUTS)
def test_rotary_turns_pairs_as_complex_numbers(layout):
  x = np.asarray(normal(1, 5, 2, 6))
  pairs = {"half": (x[..., :3], x[..., 3:])}
  pairs["interleaved"] = x[..., ::2], x[..., 1::2]
  place = jnp.arange(10, 15)
  angles = np.arange(10, 15)[:, None, None] / 10_000 ** (np.arange(3) / 3)
  turned = (pairs[layout][0] + 1j * pairs[layout][1]) * np.exp(1j * angles)
  found = np.asarray(positions.rotary(x, place, layout=layout))
  parts = {"half": (found[..., :3], found[..., 3:])}
  parts["interleaved"] = found[..., ::2], found[..., 1::2]
  np.testing.assert_allclose(parts[layout][0], turned.real, atol=1e-5)
  np.testing.assert_allclose(parts[layout][1], turned.imag, atol=1e-5)
  # A later start is a slice of a longer table.
  longer = positions.rotary(
    jnp.concatenate([x, x, x]), jnp.arange(15), layout=layout
  )
  np.testing.assert_allclose(found, longer[10:], atol=1e-6)


def test_layouts_are_convertible():
  """A kernel's columns in the other order: the same scores."""
  x, kernels = normal(1, 6, 5), normal(2, 2, 5, 12)
  place = jnp.arange(6)

  def scores(kernels, layout):
    query, keys = (
      positions.rotary((x @ k).reshape(6, 2, 6), place, layout=layout)
      for k in kernels
    )
    return jnp.einsum("tnd,snd->nts", query, keys)

  expected = scores(kernels, "interleaved")
  other = positions.interleaved_to_half(kernels, 2)
  np.testing.assert_allclose(scores(other, "half"), expected, atol=1e-4)
  assert not np.allclose(scores(kernels, "half"), expected, atol=1e-2)
  back = positions.half_to_interleaved(other, 2)
  np.testing.assert_array_equal(back, kernels)


def test_gradient_norms_are_those_of_the_stream():
  """Of the lowest block: of its inputs; each row's loss is at its own end."""
  params, apply = make(window=4)
  x, lengths = normal(1, B, 9, D), jnp.array([9, 6])
  step_loss = lambda outputs: (outputs**2).sum(axis=-1)
  found = apply(params, x, step_loss, lengths=lengths, method="gradient_norms")
  assert list(found) == ["layer 0", "layer 1"]

  def loss(x):
    _, y = apply(params, x, lengths=lengths)
    return (y[0, 8] ** 2).sum() + (y[1, 5] ** 2).sum()

  expected = jnp.linalg.norm(jax.grad(loss)(x), axis=-1)
  np.testing.assert_allclose(found["layer 0"], expected, rtol=1e-4, atol=1e-6)
  # The upper block reads W - 1 steps back and no further.
  seen = [jnp.flatnonzero(row > 0).tolist() for row in found["layer 1"]]
  assert seen == [[5, 6, 7, 8], [2, 3, 4, 5]]


def test_learned_positions_end():
  """What was never trained is NaN, not the last position again."""
  layer = nn.PositionalInput(D, D, positions="learned", max_length=5, key=KEY)
  x = normal(1, B, 6, D)
  with pytest.raises(ValueError, match="inputs has 6 steps, expected at most"):
    layer(x)
  carry, outputs = layer(x[:, :5])
  assert jnp.isfinite(outputs).all()
  assert jnp.isnan(layer.step(carry, x[:, 5])[1]).all()
  _, outputs = layer(x, lengths=jnp.array([5, 2]))  # one is padding
  assert jnp.isfinite(outputs).all()


@pytest.mark.parametrize(
  ("build", "message"),
  [
    (lambda: nn.Transformer(0), "heads is 0, expected a positive integer"),
    (lambda: nn.Transformer(norm="last"), "norm is 'last', expected one of"),
    (
      lambda: nn.TransformerBlock(nn.Transformer(3), 8, key=KEY),
      "heads is 3, expected a divisor of the size, 8",
    ),
    (
      lambda: nn.TransformerBlock(nn.Transformer(2), 6, key=KEY),
      "a head has 3 features, expected an even number for rotary positions",
    ),
    (
      lambda: nn.PositionalInput(2, 2, positions="rotary", key=KEY),
      "positions is 'rotary', expected one of 'none', 'sinusoidal', 'learned'",
    ),
    (
      lambda: nn.TransformerBlock(
        nn.Transformer(2), 8, memory_size=3, key=KEY
      ).remember(jnp.zeros((1, 2, 4))),
      "memory has 4 features, expected memory_size, 3",
    ),
    (
      lambda: nn.TransformerBlock(nn.Transformer(2), 8, memory_size=3, key=KEY)(
        jnp.zeros((1, 2, 8))
      ),
      "the memory is None, expected TransformerBlock.attend to have put it in",
    ),
  ],
)
def test_bad_options(build, message):
  with pytest.raises(ValueError, match=message):
    build()
