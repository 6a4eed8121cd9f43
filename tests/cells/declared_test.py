"""What cells declare of themselves is so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.cells import base
from tests import table
from tests.table import CELLS

B, D = 4, 3


def problem(cell):
  params = table.complete(cell, cell.init(jax.random.key(0), D), (B,))
  draw = lambda c: jax.random.normal(jax.random.key(1), c.shape, c.dtype)
  carry = jax.tree.map(draw, cell.initial_carry(params, (B,)))
  return params, carry, jax.random.normal(jax.random.key(2), (B, D))


@pytest.mark.parametrize("name", CELLS)
def test_noisy_cells_and_no_others_draw_from_the_key_of_a_step(name):
  cell = CELLS[name]
  params, carry, inputs = problem(cell)
  step = jax.jit(cell.step)
  with_keys = [
    jax.tree.leaves(step(params, carry, inputs, key=jax.random.key(seed)))
    for seed in (0, 1)
  ]
  same = [np.array_equal(a, b) for a, b in zip(*with_keys, strict=True)]
  assert cell.noisy == (not all(same))


@pytest.mark.parametrize("name", [n for n in CELLS if CELLS[n].factored])
def test_activate_has_params_where_it_has_a_gradient(name):
  cell = CELLS[name]
  assert isinstance(cell, base.FactoredCell)
  params, carry, inputs = problem(cell)
  pre = cell.combine(cell.project(params, inputs), cell.recur(params, carry))

  def loss(params):
    leaves = jax.tree.leaves(cell.activate(params, carry, pre))
    return sum((leaf**2).sum() for leaf in leaves)

  grads = jax.jit(jax.grad(loss))(params)
  assert cell.activate_has_params == any(
    g.any() for g in jax.tree.leaves(grads)
  )


def test_a_wrapper_is_noisy_if_what_is_inside_is():
  noisy = seqjax.Zoneout(seqjax.GRU(3), h=0.1)
  calm = seqjax.Zoneout(seqjax.GRU(3))
  for wrap in (
    seqjax.Residual,
    seqjax.LearnedCarry,
    lambda cell: seqjax.WeightDrop(cell, 0.1),
    lambda cell: seqjax.Dropout(cell, 0.1),
    lambda cell: seqjax.Autoregressive(cell, 2),
    lambda cell: seqjax.Stack((seqjax.GRU(3), cell)),
    seqjax.Zoneout,
  ):
    assert wrap(noisy).noisy
    assert not wrap(calm).noisy


def test_rows_are_a_node_with_its_value_below():
  tree = {"a": jnp.ones(2), "b": base.Rows({"memory": jnp.ones((2, 3))})}
  paths = [
    jax.tree_util.keystr(path)
    for path, _ in jax.tree_util.tree_leaves_with_path(tree)
  ]
  assert paths == ["['a']", "['b'].value['memory']"]
  doubled = base.map_params(tree, weights=lambda w: 2 * w)
  assert (doubled["a"] == 2).all()
  assert (doubled["b"].value["memory"] == 1).all()
  assert base.has_rows(tree)
  assert not base.has_rows({"a": tree["a"]})
