"""Pooling over rows of different length, against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from seqjax import GRU, nn
from seqjax.models.layers import create
from seqjax.models.many_to_one import POOLS, ManyToOne
from seqjax.nn.patches import ConvStem
from tests.nn.building import layers_of

KEY = jax.random.key(0)
LENGTHS = jnp.array([5, 3, 0])


def make(pool, bidirectional=False, **options):
  layers = layers_of(GRU(4), bidirectional=bidirectional)
  model = ManyToOne(layers, 2, pool=pool, key=KEY, **options)
  return model, *nn.functionalize(model)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pool", [p for p in POOLS if p != "class_token"])
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


def encoder_of(options):
  config = ConfigDict(
    {
      "layer": f"transformer_encoder({options})",
      "hidden_size": 8,
      "num_layers": 2,
      "dropout": 0.0,
      "compute_dtype": "float32",
    }
  )
  return create(config)


def test_a_class_token_stands_in_front():
  """Of its own: positions of the rest are one later, padding is not seen."""
  make = encoder_of("heads=2, positions='learned', max_length=6")
  model = ManyToOne(make, 2, input_size=3, pool="class_token", key=KEY)
  inputs = jax.random.normal(KEY, (3, 5, 3))
  found = model(inputs, lengths=LENGTHS)
  token = jnp.broadcast_to(model.class_token.get_value(), (1, 1, 3))
  for row, length in enumerate([5, 3, 0]):
    alone = jnp.concatenate([token, inputs[row : row + 1, :length]], axis=1)
    _, outputs = model.rnn(alone)
    expected = model._head(outputs[:, 0])
    np.testing.assert_allclose(found[row], expected[0], rtol=1e-5, atol=1e-6)
  # All but the token's position are told from each other.
  turned = model(inputs[:1, ::-1])
  assert np.abs(turned - found[:1]).max() > 1e-4
  with pytest.raises(
    ValueError, match="pool is 'class_token', which stands in"
  ):
    ManyToOne(layers_of(), 2, input_size=3, pool="class_token", key=KEY)


def test_bytes_are_read_as_minus_1_to_1():
  model, _, _ = make("mean", input_size=3)
  pixels = jax.random.randint(KEY, (2, 5, 3), 0, 256).astype(jnp.uint8)
  vectors = pixels.astype(jnp.float32) / 127.5 - 1
  np.testing.assert_allclose(model(pixels), model(vectors), rtol=1e-6)


@pytest.mark.parametrize("colours", [1, 3])
def test_convolutions_in_front_of_patches(colours):
  """They see the image that the patches were cut from."""
  stem = ConvStem((4, 8, colours), 4, (2, 5), (1, 4), key=KEY)
  pixels = jax.random.randint(KEY, (2, 4, 8, colours), 0, 256)
  pixels = pixels.astype(jnp.uint8)
  halves = pixels[:, :, :4], pixels[:, :, 4:]
  patches = jnp.stack([half.reshape(2, -1) for half in halves], axis=1)
  expected = stem.grid(pixels)
  np.testing.assert_allclose(stem(patches), expected, rtol=1e-6)
  padded = stem(jnp.pad(patches, ((0, 0), (0, 3), (0, 0))))
  np.testing.assert_allclose(padded[:, :2], expected, rtol=1e-6)
  assert (padded[:, 2:] == 0).all()
  model = ManyToOne(
    layers_of(GRU(4)),
    2,
    input_size=16 * colours,
    stem=lambda key: ConvStem((4, 8, colours), 4, (5,), (4,), key=key),
    key=KEY,
  )
  assert model(patches).shape == (2, 2)
  with pytest.raises(ValueError, match=r"strides is \(1, 2\), expected a pro"):
    ConvStem((4, 8, 3), 4, (2, 5), (1, 2), key=KEY)


def test_noise_is_on_what_the_first_layer_reads():
  """With a key alone; of the deviation that is asked for."""
  model = ManyToOne(
    layers_of(), 1, input_size=1, pool="mean", input_noise=0.5, key=KEY
  )
  inputs = jnp.ones((2_000, 1, 1))
  assert jnp.ptp(model(inputs)) == 0
  slope = float(model.head.kernel.get_value()[0, 0])
  found = model(inputs, key=jax.random.key(1)) / slope
  assert float(found.std()) == pytest.approx(0.5, rel=0.05)
  again = model(inputs, key=jax.random.key(2)) / slope
  assert float(jnp.abs(found - again).mean()) > 0.3


def test_mistakes():
  with pytest.raises(ValueError, match="pool is 'max', expected one of"):
    make("max", input_size=3)


def test_gradient_norms_of_both_directions():
  """By definition, for one row: start afresh from the carry after a step."""
  model, _, _ = make("mean", True, input_size=3)
  inputs = jax.random.normal(KEY, (3, 5, 3))
  lengths = jnp.array([5, 3, 1])
  loss = lambda outputs: outputs @ jnp.array([0.3, -0.7])
  norms = model.gradient_norms(inputs, loss, lengths)
  assert list(norms) == ["forward", "backward"]
  (layer,) = model.rnn.layers
  x = inputs[1, :3]
  (ahead, back), _ = layer(x)
  assert model.head.bias is not None

  def of(h_ahead, h_back):
    pooled = jnp.concatenate([h_ahead, h_back])
    return loss(
      pooled @ model.head.kernel.get_value() + model.head.bias.get_value()
    )

  def rest(carry, rnn, steps, join):
    for x_t in steps:
      carry, _ = rnn.step(carry, x_t)
    return join(carry.h)

  for name, rnn, steps, join in (
    ("forward", layer.forward, x, lambda h: of(h, back.h)),
    ("backward", layer.backward, x[::-1], lambda h: of(ahead.h, h)),
  ):
    carry = rnn.initial_carry(())
    for t in range(3):
      carry, _ = rnn.step(carry, steps[t])
      grad = jax.grad(rest)(carry, rnn, steps[t + 1 :], join).h
      np.testing.assert_allclose(
        norms[name][1, t], jnp.linalg.norm(grad), rtol=1e-4
      )
    assert (norms[name][1, 3:] == 0).all()


def test_gradient_norms_of_layers_read_the_last_step_whatever_the_pool():
  inputs = jax.random.normal(KEY, (2, 5, 3))
  loss = lambda outputs: outputs.sum(axis=-1)
  norms = [
    make(pool, input_size=3)[0].gradient_norms(inputs, loss)
    for pool in ("last", "mean")
  ]
  assert list(norms[0]) == ["layer 0"]
  np.testing.assert_allclose(norms[0]["layer 0"], norms[1]["layer 0"])


@pytest.mark.usefixtures("nnx_mode")
def test_logistic_regression_is_affine():
  """A sequence of one step without layers."""
  model = ManyToOne(layers_of(), 2, input_size=3, key=jax.random.key(0))
  params, apply = nn.functionalize(model)
  x = jax.random.normal(KEY, (5, 3))
  head = params["head"]
  expected = x @ head["kernel"] + head["bias"].reshape(1, 2)
  lengths = jnp.ones(5, int)
  found = apply(params, x[:, None], lengths=lengths)
  np.testing.assert_allclose(found, expected, rtol=1e-5)
