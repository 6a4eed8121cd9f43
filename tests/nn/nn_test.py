import pathlib
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqjax
from seqjax import nn
from seqjax.cells import GRU, LSTM, GRUParams, LSTMParams, Stack
from seqjax.nn.embedding import look_up
from tests.compilations import compilations
from tests.nn.building import layers_of

X = jax.random.normal(jax.random.key(5), (2, 6, 3))


@pytest.mark.usefixtures("nnx_mode")
def test_rnn_is_unroll():
  cell, key = LSTM(4), jax.random.key(0)
  params, apply = nn.functionalize(nn.RNN(cell, 3, key=key))
  own = LSTMParams(**params["params"])
  chex.assert_trees_all_equal(own, cell.init(key, 3))
  chex.assert_trees_all_equal(apply(params, X), seqjax.unroll(cell, own, X))


@pytest.mark.usefixtures("nnx_mode")
def test_a_sequence_of_rnns_is_a_stack():
  cells = [LSTM(4), GRU(5)]
  params, apply = nn.functionalize(layers_of(*cells)(3, jax.random.key(0)))
  layers = (
    LSTMParams(**params["layers"][0]["params"]),
    GRUParams(**params["layers"][1]["params"]),
  )
  expected = seqjax.unroll(Stack(tuple(cells)), layers, X)
  chex.assert_trees_all_close(apply(params, X), expected, atol=1e-6)


@pytest.mark.usefixtures("nnx_mode")
def test_streaming_is_the_whole_run():
  params, apply = nn.functionalize(
    layers_of(LSTM(4), GRU(5), dropout=0.5)(3, jax.random.key(0))
  )
  whole_carry, whole = apply(params, X)
  carry = apply(params, (2,), method="initial_carry")
  for t in range(X.shape[1]):
    carry, output = apply(params, carry, X[:, t], method="step")
    np.testing.assert_allclose(output, whole[:, t], atol=1e-6)
  chex.assert_trees_all_close(carry, whole_carry, atol=1e-6)


@pytest.mark.usefixtures("nnx_mode")
def test_jax_transformations_of_apply():
  params, apply = nn.functionalize(
    layers_of(LSTM(4), LSTM(4), dropout=0.5)(3, jax.random.key(0))
  )
  loss = lambda params, x, key: (apply(params, x, key=key)[1] ** 2).mean()
  key = jax.random.key(1)
  grads = jax.jit(jax.grad(loss))(params, X, key)
  chex.assert_trees_all_equal_shapes(grads, params)
  chex.assert_tree_all_finite(grads)
  by_row = jax.vmap(loss, (None, 0, 0))(
    params, X[:, None], jax.random.split(key)
  )
  assert by_row.shape == (2,)
  repeated, _ = jax.lax.scan(
    lambda c, k: (c, loss(params, X, k)), None, jax.random.split(key, 3)
  )
  del repeated


def test_dropout_uses_its_key():
  params, apply = nn.functionalize(
    layers_of(LSTM(4), LSTM(4), dropout=0.5)(3, jax.random.key(0))
  )
  run = lambda key: apply(params, X, key=key)[1]
  one, other = jax.random.split(jax.random.key(1))
  np.testing.assert_array_equal(run(one), run(one))
  assert not np.allclose(run(one), run(other))
  assert not np.allclose(run(one), run(None))
  np.testing.assert_array_equal(run(None), run(None))


def test_dropout_keeps_the_mean_and_the_share():
  x = jnp.ones(100_000)
  y = nn.dropout(x, 0.3, jax.random.key(0))
  assert set(np.unique(y)) == {0.0, np.float32(1 / 0.7)}
  assert abs((y == 0).mean() - 0.3) < 5 * np.sqrt(0.21 / x.size)
  assert nn.dropout(x, 0.3, None) is x
  assert nn.dropout(x, 0.0, jax.random.key(0)) is x


@pytest.mark.usefixtures("nnx_mode")
def test_functionalize_refuses_hidden_state():
  class Hidden(nnx.Module):
    def __init__(self):
      self.count = nnx.Variable(jnp.zeros(()))

  with pytest.raises(ValueError, match="count.*expected nnx.Param only"):
    nn.functionalize(Hidden())


def test_functionalize_does_not_recompile_for_a_twin():
  make = lambda seed: nn.functionalize(
    nn.RNN(LSTM(4), 3, key=jax.random.key(seed))
  )
  (a, apply), (b, _) = make(0), make(1)
  compiled = jax.jit(apply)
  compiled(a, X)
  with compilations() as programs:
    compiled(b, X)
  assert programs == []


def test_count_params():
  params, _ = nn.functionalize(nn.RNN(LSTM(4), 3, key=jax.random.key(0)))
  assert nn.count_params(params) == 4 * 4 * (3 + 4 + 1)


def test_only_functional_says_split_or_merge():
  root = pathlib.Path(nn.__file__).parents[1]
  says = {
    str(path.relative_to(root))
    for path in root.rglob("*.py")
    if re.search(
      r"nnx\.(split|merge|jit|grad|scan|Optimizer)\b", path.read_text()
    )
  }
  assert says == {"nn/functional.py"}


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize(
  ("merge", "size"), [("concat", 8), ("sum", 4), ("average", 4)]
)
def test_bidirectional_module_is_the_function(merge, size):
  forward, backward = LSTM(4), GRU(4)
  module = nn.Bidirectional(
    forward, backward, 3, merge=merge, key=jax.random.key(0)
  )
  assert module.output_size == size
  params, apply = nn.functionalize(module)
  lengths = jnp.array([2, 6])
  expected = seqjax.bidirectional(
    forward,
    backward,
    (
      LSTMParams(**params["forward"]["params"]),
      GRUParams(**params["backward"]["params"]),
    ),
    X,
    lengths=lengths,
    merge=merge,
  )
  actual = apply(params, X, lengths=lengths)
  chex.assert_trees_all_equal(actual, expected)
  chex.assert_shape(actual[1], (2, 6, size))


@pytest.mark.usefixtures("nnx_mode")
def test_stack_of_bidirectional_layers_on_ragged_rows():
  params, apply = nn.functionalize(
    layers_of(LSTM(4), LSTM(4), bidirectional=True)(3, jax.random.key(0))
  )
  lengths = [2, 6]
  carry, outputs = apply(params, X, lengths=jnp.array(lengths))
  chex.assert_shape(outputs, (2, 6, 8))
  for row, length in enumerate(lengths):
    alone_carry, alone = apply(params, X[row : row + 1, :length])
    np.testing.assert_allclose(outputs[row, :length], alone[0], atol=1e-6)
    chex.assert_trees_all_close(
      jax.tree.map(lambda c, r=row: c[r], carry),
      jax.tree.map(lambda c: c[0], alone_carry),
      atol=1e-6,
    )
  with pytest.raises(ValueError, match="Bidirectional is not causal, expected"):
    apply(params, carry, X[:, 0], method="step")


def test_bad_modules():
  key = jax.random.key(0)
  with pytest.raises(ValueError, match="merge is 'mean', expected one of"):
    nn.Bidirectional(LSTM(4), LSTM(4), 3, merge="mean", key=key)
  with pytest.raises(ValueError, match="merge is 'sum', expected 'concat'"):
    nn.Bidirectional(LSTM(4), LSTM(5), 3, merge="sum", key=key)
  with pytest.raises(ValueError, match="dropout is 1.5, expected a rate"):
    nn.Sequential([nn.RNN(LSTM(4), 3, key=key)], 3, dropout=1.5)


@pytest.mark.parametrize("vocab_size", [3, 9])
@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_looking_up_is_the_same_in_either_order(vocab_size, dtype):
  """A small vocabulary is projected once, a large one step by step."""
  cell = seqjax.GRU(4, compute_dtype=dtype)
  params = cell.init(jax.random.key(0), 6)
  embedding = jax.random.normal(jax.random.key(1), (vocab_size, 6))
  tokens = jax.random.randint(jax.random.key(2), (2, 5), 0, vocab_size)

  def loss(params, embedding, fold):
    if fold:
      params, inputs = look_up(cell, params, embedding, tokens)
      assert inputs.shape[-1] == (3 if vocab_size == 3 else 6)
    else:
      inputs = embedding[tokens]
    return (seqjax.unroll(cell, params, inputs)[1] ** 2).sum()

  gradient = jax.value_and_grad(loss, (0, 1))
  chex.assert_trees_all_close(
    gradient(params, embedding, True),
    gradient(params, embedding, False),
    rtol=1e-5 if dtype is None else 3e-2,
    atol=1e-6 if dtype is None else 3e-2,
  )
