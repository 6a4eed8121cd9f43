"""A tree and its Params: by name, never by order."""

import dataclasses
import pickle
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqjax
from seqjax import nn
from seqjax.cells import base
from tests.nn.building import layers_of

KEY = jax.random.key(0)
D = 3


class UnsortedParams(NamedTuple):
  """Of equal shapes; in alphabetical order they would change places."""

  write: jax.Array  # [D, D]
  keep: jax.Array  # [D, D]
  add: jax.Array | None  # [D, D]
  train: seqjax.cells.ElmanParams  # as a method of nnx.Module


class UnsortedCarry(NamedTuple):
  h: jax.Array


@dataclasses.dataclass(frozen=True)
class Unsorted(base.Cell):
  """h_t = tanh(x_t write + h_(t-1) keep + add[0]) + elman(x_t, h_(t-1))."""

  output_size: int = D
  elman: seqjax.Elman = seqjax.Elman(D)

  def init(self, key, input_size):
    keys = jax.random.split(key, 4)
    write, keep, add = jax.random.normal(key, (3, input_size, input_size))
    return UnsortedParams(
      write, keep, add, self.elman.init(keys[3], input_size)
    )

  def input_size(self, params):
    return params.write.shape[0]

  def initial_carry(self, params, batch_shape=()):
    del params
    return UnsortedCarry(jnp.zeros((*batch_shape, D)))

  def step(self, params, carry, inputs, *, key=None):
    del key
    pre = base.matmul(inputs, params.write) + base.matmul(carry.h, params.keep)
    plain, _ = self.elman.step(params.train, carry, inputs)
    h = jnp.tanh(base.add_bias(pre, params.add[0])) + plain.h
    return UnsortedCarry(h), h


TREES = {
  "a NamedTuple out of order": Unsorted().init(KEY, D),
  "fields that are None": seqjax.LSTM(2).init(KEY, D),
  "all fields": seqjax.LSTM(2, peepholes=True, projection_size=1).init(KEY, D),
  "a tuple of a dozen": seqjax.Stack((seqjax.Elman(D),) * 12).init(KEY, D),
  "wrappers": seqjax.Autoregressive(
    seqjax.LearnedCarry(seqjax.Dropout(seqjax.Stack((seqjax.GRU(2),)), 0.1)), 1
  ).init(KEY, D),
  "rows": (base.Rows({"b": jnp.ones(2), "a": jnp.zeros(2)}), None),
  "an array": jnp.ones(2),
  "nothing": (),
}


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("name", TREES)
def test_there_and_back(name):
  """As it is, split and merged, by names alone, copied, pickled."""
  tree, module = TREES[name], nn.Parameters(TREES[name])
  state = nnx.state(module)
  by_name = nnx.clone(module)
  nnx.update(by_name, jax.tree.map(jnp.zeros_like, state))
  assert not any(np.any(x) for x in jax.tree.leaves(by_name.get_value()))
  nnx.update(by_name, state)
  copies = {
    "itself": module,
    "merged": nnx.merge(*nnx.split(module)),
    "by name": by_name,
    "pickled": pickle.loads(pickle.dumps(module)),
  }
  for copy in copies.values():
    chex.assert_trees_all_equal_structs(copy.get_value(), tree)
    chex.assert_trees_all_equal(copy.get_value(), tree)
  params = jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, nnx.Param))
  assert len(params) == len(jax.tree.leaves(tree))
  assert all(isinstance(param, nnx.Param) for param in params)


def test_names_are_those_of_the_fields():
  params, _ = nn.functionalize(
    layers_of(seqjax.LSTM(4), seqjax.LearnedCarry(seqjax.GRU(2)))(D, KEY)
  )
  names = [
    jax.tree_util.keystr(path, simple=True, separator="/")
    for path, _ in jax.tree_util.tree_leaves_with_path(params)
  ]
  assert names == [
    "layers/0/params/bias",
    "layers/0/params/input_kernel",
    "layers/0/params/recurrent_kernel",
    "layers/1/params/carry/h",
    "layers/1/params/cell/bias",
    "layers/1/params/cell/candidate_bias",
    "layers/1/params/cell/input_kernel",
    "layers/1/params/cell/recurrent_kernel",
  ]


@pytest.mark.usefixtures("nnx_mode")
def test_fields_of_equal_shape_keep_their_places():
  cell, x = Unsorted(), jax.random.normal(KEY, (2, 5, D))
  layer = nn.RNN(cell, D, key=KEY)
  expected = seqjax.unroll(cell, cell.init(KEY, D), x)
  params, apply = nn.functionalize(layer)
  for found in (
    layer(x),
    nnx.merge(*nnx.split(layer))(x),
    apply(params, x),
    jax.jit(apply)(params, x),
  ):
    chex.assert_trees_all_close(found, expected, rtol=1e-6, atol=1e-6)


MAKE = {
  "RNN": lambda **given: nn.RNN(seqjax.LSTM(4), D, **given),
  "Bidirectional": lambda **given: nn.Bidirectional(
    seqjax.LSTM(4), seqjax.GRU(4), D, **given
  ),
  "FeedForward": lambda **given: nn.FeedForward(D, 4, **given),
}


@pytest.mark.parametrize("name", MAKE)
def test_rngs_beside_key(name):
  make = MAKE[name]
  by_rngs = make(rngs=nnx.Rngs(7))
  by_key = make(key=nnx.Rngs(7).params())
  chex.assert_trees_all_equal(nnx.state(by_rngs), nnx.state(by_key))
  rngs = nnx.Rngs(params=7)
  one, other = make(rngs=rngs), make(rngs=rngs)
  assert not np.allclose(
    *(jax.tree.leaves(nnx.state(m))[-1] for m in (one, other))
  )


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize(
  ("given", "said"),
  [({}, "neither"), ({"key": KEY, "rngs": nnx.Rngs(0)}, "both")],
)
def test_exactly_one_of_key_and_rngs(name, given, said):
  with pytest.raises(
    ValueError, match=f"^key and rngs are {said} given, expected exactly one:"
  ):
    MAKE[name](**given)
