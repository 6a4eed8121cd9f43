"""Flax's own cells, run by Flax's own RNN, against ours."""

import chex
import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqjax
from seqjax.cells import GRU, LSTM, Elman
from seqjax.convert import flax as convert

B, T, D, H = 3, 5, 4, 5
LENGTHS = jnp.array([5, 2, 3])
LINEN = {
  "SimpleCell": (linen.SimpleCell, Elman(H)),
  "LSTMCell": (linen.LSTMCell, LSTM(H)),
  "OptimizedLSTMCell": (linen.OptimizedLSTMCell, LSTM(H)),
  "GRUCell": (linen.GRUCell, GRU(H)),
}
NNX = {
  "SimpleCell": (nnx.SimpleCell, Elman(H)),
  "LSTMCell": (nnx.LSTMCell, LSTM(H)),
  "OptimizedLSTMCell": (nnx.OptimizedLSTMCell, LSTM(H)),
  "GRUCell": (nnx.GRUCell, GRU(H)),
}


def randomize(tree, seed=0):
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda x: jnp.asarray(rng.normal(0, 0.7, x.shape), jnp.float32), tree
  )


INPUTS = randomize(jnp.zeros((B, T, D)))


def compare(theirs, ours, params):
  """Outputs, final carry, gradients of all their weights and the inputs."""
  rng = np.random.default_rng(3)
  mask = np.arange(T) < np.asarray(LENGTHS)[:, None]
  weights = rng.normal(size=(B, T, H)) * mask[..., None]

  def loss(run):
    def total(params, inputs):
      carry, outputs = run(params, inputs)
      # Past a row's end Flax's outputs are garbage, ours are zero.
      return (weights * outputs).sum() + sum(
        (leaf * np.arange(H)[None]).sum() for leaf in carry
      ), (list(carry), outputs * mask[..., None])

    return jax.jit(jax.value_and_grad(total, (0, 1), has_aux=True))

  with jax.numpy_rank_promotion("allow"):
    expected = loss(theirs)(params, INPUTS)
  actual = loss(ours)(params, INPUTS)
  jax.tree.map(
    lambda a, e: np.testing.assert_allclose(
      a, e, rtol=0, atol=1e-5 * max(1, np.abs(e).max())
    ),
    actual,
    expected,
  )


def as_ours(carry):
  """(c, h), or h alone, to (h, c) or (h,)."""
  return (carry[1], carry[0]) if isinstance(carry, tuple) else (carry,)


@pytest.mark.parametrize("name", LINEN)
def test_linen_agrees(name):
  build, cell = LINEN[name]
  theirs = linen.RNN(build(H), return_carry=True)
  with jax.numpy_rank_promotion("allow"):
    template = theirs.init(jax.random.key(0), INPUTS)["params"]["cell"]
  params = randomize(template)

  def flax_run(params, inputs):
    carry, outputs = theirs.apply(
      {"params": {"cell": params}}, inputs, seq_lengths=LENGTHS
    )
    return as_ours(carry), outputs

  compare(
    flax_run,
    lambda params, inputs: seqjax.unroll(
      cell, convert.from_linen(cell, params), inputs, lengths=LENGTHS
    ),
    params,
  )
  again = convert.to_linen(cell, convert.from_linen(cell, params))
  chex.assert_trees_all_equal(again, dict(params))


@pytest.mark.parametrize("name", NNX)
def test_nnx_agrees(name):
  build, cell = NNX[name]
  module = build(D, H, rngs=nnx.Rngs(0))
  graphdef, state = nnx.split(module, nnx.Param, ...)[:2]
  rest = nnx.split(module, nnx.Param, ...)[2]
  template = nnx.to_pure_dict(state)
  params = randomize(template)

  def flax_run(params, inputs):
    state_now = nnx.clone(state)
    nnx.replace_by_pure_dict(state_now, params)
    rnn_cell = nnx.merge(graphdef, state_now, rest)
    runner = nnx.RNN(rnn_cell, return_carry=True, rngs=nnx.Rngs(0))
    carry, outputs = runner(inputs, seq_lengths=LENGTHS)
    return as_ours(carry), outputs

  compare(
    flax_run,
    lambda params, inputs: seqjax.unroll(
      cell, convert.from_nnx(cell, params), inputs, lengths=LENGTHS
    ),
    params,
  )
  again = convert.to_nnx(
    cell,
    convert.from_nnx(cell, params),
    optimized=name == "OptimizedLSTMCell",
  )
  chex.assert_trees_all_equal(again, params)


def test_a_candidate_bias_that_nnx_has_no_place_for():
  cell = GRU(H)
  params = cell.init(jax.random.key(0), D)
  assert convert.to_nnx(cell, params)
  with pytest.raises(ValueError, match="candidate_bias is not zero, expected"):
    convert.to_nnx(cell, params._replace(candidate_bias=jnp.ones(H)))


def test_bad_params():
  params = convert.to_linen(LSTM(3), LSTM(3).init(jax.random.key(0), 2))
  with pytest.raises(
    ValueError, match=r"expected \(input_size, 16\), \(4, 16\)"
  ):
    convert.from_linen(LSTM(4), params)
  with pytest.raises(
    ValueError, match="in.bias is not in params, which has ii"
  ):
    convert.from_linen(GRU(3), {**params, "ir": {"bias": 0}, "iz": {"bias": 0}})
  params = convert.to_linen(GRU(3), GRU(3).init(jax.random.key(0), 2))
  for name, shape, message in (
    ("hn", (1,), r"hn.bias is \(1,\), expected \(3,\) for GRU"),
    ("ir", (5,), "'ir.bias': .5,., .*, expected gates of one shape"),
    ("ir", (), "'ir.bias': .., .*, expected gates of one shape"),
  ):
    bad = {**params, name: {**params[name], "bias": np.zeros(shape)}}
    with pytest.raises(ValueError, match=message):
      convert.from_linen(GRU(3), bad)
  with pytest.raises(ValueError, match="dense_i.kernel is not in params"):
    convert.from_nnx(GRU(3), {"dense_h": {}})
  with pytest.raises(ValueError, match="Flax has no other"):
    convert.to_linen(GRU(3, reset_after=False), None)
