"""The contract of `Layer`: a new layer is one row of the table."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from seqjax import GRU, LSTM, Stack, cells, nn
from seqjax.cells import GRUParams
from seqjax.models import layers
from seqjax.recurrence.truncated import Truncated
from tests.nn.building import layers_of
from tests.nn.toy_attention import Attention

KEY = jax.random.key(0)
B, T, D = 4, 7, 3
LENGTHS = jnp.array([7, 4, 1, 0])
# What a decoder reads: each row something else, one of them nothing.
M = 2
MEMORY = jax.random.normal(jax.random.key(2), (B, 5, M))
SOURCES = jnp.array([5, 3, 0, 1])


def transformer(positions, causal=True, memory_size=0, dropout=0.0, **options):
  kind = nn.Transformer(2, 6, positions=positions, **options)
  sizes = {"hidden_size": 4, "num_layers": 2, "dropout": dropout}
  config = ConfigDict({**sizes, "compute_dtype": "float32"})
  return layers.transformer(
    kind, config, causal=causal, memory_size=memory_size
  )(D, KEY)


LAYERS = {
  "rnn": lambda: nn.RNN(LSTM(4), D, key=KEY),
  "rnn of a stack": lambda: nn.RNN(Stack((LSTM(4), GRU(3))), D, key=KEY),
  "rnn, fused": lambda: nn.RNN(GRU(4), D, method="fused", key=KEY),
  "rnn, truncated": lambda: nn.RNN(
    GRU(4), D, gradient=Truncated(2, 4), key=KEY
  ),
  "sequential": lambda: layers_of(LSTM(4), GRU(5), dropout=0.5)(D, KEY),
  "sequential of nothing": lambda: nn.Sequential([], D),
  "bidirectional": lambda: nn.Bidirectional(LSTM(4), GRU(2), D, key=KEY),
  "both ways, twice": lambda: layers_of(
    GRU(4), GRU(4), dropout=0.5, bidirectional=True
  )(D, KEY),
  "feed forward": lambda: nn.FeedForward(D, 4, key=KEY),
  "attention": lambda: Attention(D, 4, 3, key=KEY),
  "attention on an rnn": lambda: nn.Sequential(
    [nn.RNN(GRU(4), D, key=KEY), Attention(4, 5, 3, key=KEY)], D
  ),
  "layer norm": lambda: nn.LayerNorm(D),
  "positions": lambda: nn.PositionalInput(
    D, 4, positions="sinusoidal", scale=2.0, key=KEY
  ),
  "positions, learned": lambda: nn.PositionalInput(
    D, D, positions="learned", dropout=0.5, key=KEY
  ),
  "transformer": lambda: transformer("rotary", dropout=0.5),
  "transformer, window of 3": lambda: transformer(
    "rotary_interleaved", window=3, norm="post", activation="relu"
  ),
  "transformer, window of 1": lambda: transformer("none", window=1),
  "transformer, added positions": lambda: transformer(
    "sinusoidal", attention_dropout=0.5, scale_inputs=True
  ),
  "transformer, both ways": lambda: transformer("learned", causal=False),
  "transformer decoder": lambda: transformer("rotary", window=3, memory_size=M),
  "conditional": lambda: nn.AttendingRNN(
    cells.Conditional(LSTM(4), LSTM(4), cells.Additive(3, coverage=True), M),
    D,
    key=KEY,
  ),
  "luong": lambda: nn.LuongAttention(
    nn.RNN(GRU(4), D, key=KEY), cells.MultiHead(4, 2), M, 5, key=KEY
  ),
  "attending twice": lambda: nn.Sequential(
    [
      nn.AttendingRNN(
        cells.Bahdanau(GRU(4), cells.LocationAware(3, 2, 3), M), D, key=KEY
      ),
      nn.AttendingRNN(
        cells.InputFeeding(LSTM(4), cells.General(), M, 5), 6, key=KEY
      ),
    ],
    D,
  ),
}
NOISY = {
  "sequential",
  "both ways, twice",
  "positions, learned",
  "transformer",
  "transformer, added positions",
}
CAUSAL = [name for name in LAYERS if "bi" not in name and "both" not in name]


def make(name, rows=range(B)):
  """The layer; one that reads a memory has that of these rows."""
  layer, rows = LAYERS[name](), np.asarray(rows)
  return layer.attend(layer.remember(MEMORY[rows], SOURCES[rows]))


def inputs(seed=1):
  return jax.random.normal(jax.random.key(seed), (B, T, D))


def close(found, expected):
  # Of numbers about 1: what a norm subtracts and divides is off by as much.
  chex.assert_trees_all_close(found, expected, rtol=1e-5, atol=5e-6)


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("name", LAYERS)
def test_each_row_is_as_if_it_were_alone(name):
  layer = make(name)
  assert layer.causal == (name in CAUSAL)
  x = inputs()
  carry, outputs = layer(x, lengths=LENGTHS)
  assert outputs.shape == (B, T, layer.output_size)
  for row, length in enumerate(LENGTHS):
    assert (outputs[row, length:] == 0).all()
    alone_carry, alone = make(name, [row])(x[row : row + 1, :length])
    close(outputs[row, :length], alone[0])
    close(jax.tree.map(lambda leaf, r=row: leaf[r : r + 1], carry), alone_carry)
    end = layer.last(outputs, LENGTHS)[row]
    close(end, layer.last(alone)[0] if length else jnp.zeros_like(end))


@pytest.mark.parametrize("name", LAYERS)
def test_padding_is_not_read_and_has_no_gradient(name):
  params, apply = nn.functionalize(make(name))
  valid = jnp.arange(T)[None, :, None] < LENGTHS[:, None, None]
  x = jnp.where(valid, inputs(), jnp.nan)

  def loss(params, x):
    return (apply(params, x, lengths=LENGTHS)[1] ** 2).sum()

  grads = jax.grad(loss, (0, 1))(params, x)
  chex.assert_tree_all_finite(grads)
  assert (jnp.where(valid, 0.0, grads[1]) == 0).all()


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("name", CAUSAL)
def test_two_windows_and_step_by_step_are_the_whole(name):
  layer = make(name)
  x = inputs()
  whole_carry, whole = layer(x)
  carry, first = layer(x[:, :3])
  carry, second = layer(x[:, 3:], carry)
  close(jnp.concatenate([first, second], axis=1), whole)
  close(carry, whole_carry)
  carry = layer.initial_carry((B,))
  for t in range(T):
    carry, output = layer.step(carry, x[:, t])
    close(output, whole[:, t])
  close(carry, whole_carry)


@pytest.mark.parametrize("name", CAUSAL)
def test_steps_take_any_batch_shape(name):
  rows = np.arange(B * T).reshape(B, T) % B
  layer, flat_layer = make(name, rows), make(name, rows.ravel())
  x = inputs()
  carry, output = layer.step(layer.initial_carry((B, T)), x)
  flat_carry, flat = flat_layer.step(
    flat_layer.initial_carry((B * T,)), x.reshape(-1, D)
  )
  close(output.reshape(flat.shape), flat)
  close(
    jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), carry),
    flat_carry,
  )


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("name", LAYERS)
def test_a_reset_begins_again(name):
  """Of both directions the forward one begins at t, the backward ends there."""
  layer = make(name)
  x = inputs()
  resets = jnp.zeros((B, T), bool).at[0, 4].set(True).at[1, 2].set(True)
  _, outputs = layer(x, lengths=LENGTHS, resets=resets)
  _, plain = layer(x, lengths=LENGTHS)
  close(outputs[2:], plain[2:])
  for row, at, length in ((0, 4, 7), (1, 2, 4)):
    alone = make(name, [row])
    after = alone(x[row : row + 1, at:length])[1][0]
    if layer.causal:
      close(outputs[row, at:length], after)
      close(outputs[row, :at], plain[row, :at])
    elif "transformer" in name:
      close(outputs[row, at:length], after)
      close(outputs[row, :at], alone(x[row : row + 1, :at])[1][0])
    elif name == "bidirectional":
      size = layer.forward.output_size
      close(outputs[row, at:length, :size], after[:, :size])
      until = alone(x[row : row + 1, : at + 1])[1][0]
      close(outputs[row, : at + 1, size:], until[:, size:])


@pytest.mark.parametrize("name", LAYERS)
def test_only_a_key_makes_noise(name):
  layer = make(name)
  x = inputs()
  np.testing.assert_array_equal(layer(x)[1], layer(x)[1])
  noisy = layer(x, key=KEY)[1]
  np.testing.assert_array_equal(noisy, layer(x, key=KEY)[1])
  assert np.allclose(noisy, layer(x)[1], atol=1e-6) != (name in NOISY)


@pytest.mark.parametrize("name", sorted(set(LAYERS) - set(CAUSAL)))
def test_no_steps_from_the_end(name):
  layer = LAYERS[name]()
  with pytest.raises(ValueError, match="is not causal, expected a causal"):
    layer.step(layer.initial_carry((B,)), inputs()[:, 0])


def test_feed_forward_is_its_equation():
  layer = nn.FeedForward(D, 4, key=KEY)
  x = inputs()
  kernel = layer.linear.kernel.get_value()
  expected = np.tanh(np.einsum("btd,dh->bth", x, kernel))
  np.testing.assert_allclose(layer(x)[1], expected, rtol=1e-5, atol=1e-6)


def test_a_truncated_layer_has_that_gradient():
  x = inputs()

  def gradient(run):
    layer = nn.RNN(GRU(4), D, gradient=run, key=KEY)
    params, apply = nn.functionalize(layer)
    grads = jax.grad(lambda p: (apply(p, x)[1] ** 2).sum())(params)
    return GRUParams(**grads["params"])

  cell = GRU(4)
  expected = jax.grad(
    lambda p: (Truncated(2, 4).unroll(cell, p, x)[1] ** 2).sum()
  )(cell.init(KEY, D))
  close(gradient(Truncated(2, 4)), expected)
  full = gradient("bptt")
  assert not np.allclose(full.recurrent_kernel, expected.recurrent_kernel)


@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_the_first_layer_reads_tokens_with_their_embedding(dtype):
  """A small vocabulary is projected once: no vector of it is ever made."""
  layer = layers_of(LSTM(4, compute_dtype=dtype), GRU(5))(8, KEY)
  assert layer.reads_tokens
  embedding = jax.random.normal(KEY, (6, 8))
  tokens = jax.random.randint(KEY, (B, T), 0, 6)
  found = layer(tokens, lengths=LENGTHS, embedding=embedding)
  expected = layer(embedding[tokens], lengths=LENGTHS)
  tolerance = 1e-5 if dtype is None else 3e-2
  chex.assert_trees_all_close(found, expected, rtol=tolerance, atol=tolerance)
  jaxpr = str(
    jax.make_jaxpr(lambda e, t: layer(t, embedding=e))(embedding, tokens)
  )
  assert f"f32[{B},{T},6]" in jaxpr  # one-hot
  assert f"f32[{B},{T},8]" not in jaxpr  # vectors of the embedding


@pytest.mark.parametrize(
  ("make", "message"),
  [
    (
      lambda: nn.RNN(LSTM(4), D, method="fusde", key=KEY),
      "method is 'fusde', expected one of",
    ),
    (
      lambda: nn.RNN(LSTM(4), D, method="associative", key=KEY),
      "method 'associative' needs a recurrence that is linear",
    ),
    (
      lambda: nn.RNN(LSTM(4), D, gradient="bttp", key=KEY),
      r"gradient is 'bttp', expected 'bptt' or Truncated\(k1, k2\)",
    ),
    (
      lambda: nn.FeedForward(D, 0, key=KEY),
      "hidden_size is 0, expected a positive integer",
    ),
  ],
)
def test_bad_layers(make, message):
  with pytest.raises(ValueError, match=message):
    make()


@pytest.mark.parametrize(
  "name", ["feed forward", "attention", "luong", "sequential of nothing"]
)
def test_what_cannot_be_probed_says_so_before_it_runs(name):
  """By shapes alone, as the training loop asks."""
  layer = LAYERS[name]()
  ask = lambda x: layer.gradient_norms(x, lambda y: y.sum(axis=-1))
  with pytest.raises(ValueError, match="has no gradient norms over time"):
    jax.eval_shape(ask, inputs())


def test_merged_directions_have_no_last_step():
  layer = nn.Bidirectional(GRU(4), GRU(4), D, merge="sum", key=KEY)
  with pytest.raises(ValueError, match="merge is 'sum', expected 'concat'"):
    layer.last(layer(inputs())[1])


def test_gradient_norms_under_both_directions():
  """The norms are those of the top layer, read from its own inputs."""
  below, top = (
    nn.Bidirectional(GRU(2), GRU(2), size, key=KEY) for size in (D, 4)
  )
  loss = lambda outputs: outputs.sum(axis=-1)
  found = nn.Sequential([below, top], D).gradient_norms(
    inputs(), loss, lengths=LENGTHS
  )
  _, between = below(inputs(), lengths=LENGTHS)
  expected = top.gradient_norms(between, loss, lengths=LENGTHS)
  assert list(found) == ["forward", "backward"]
  chex.assert_trees_all_equal(found, expected)
  chex.assert_shape(list(found.values()), (B, T))


def test_dropped_tokens():
  tokens = jax.random.randint(KEY, (500, 40), 1, 9)
  found = nn.drop_tokens(KEY, tokens, 0.3, 0)
  lost = found == 0
  assert abs(lost.mean() - 0.3) < 5 * np.sqrt(0.21 / tokens.size)
  np.testing.assert_array_equal(jnp.where(lost, tokens, found), tokens)
  assert nn.drop_tokens(None, tokens, 0.3, 0) is tokens
  assert nn.drop_tokens(KEY, tokens, 0.0, 0) is tokens
  unknown = np.array([0.5, -1.0], np.float32)
  vectors = jnp.ones((*tokens.shape, 2))
  hidden = nn.drop_tokens(KEY, vectors, 0.3, unknown)
  expected = np.where((found == 0)[..., None], unknown, vectors)
  np.testing.assert_array_equal(hidden, expected)
