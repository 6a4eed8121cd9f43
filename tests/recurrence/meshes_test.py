"""A mesh of the caller's own: `jax.shard_map`, or axes that types tell."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import seqjax
from seqjax.cells import base
from seqjax.gradients import hidden_gradient_norms
from seqjax.recurrence import Newton, newton_report
from seqjax.recurrence.rows import DATA
from tests import table

B, T, D = 4, 5, 3
KEY = jax.random.key(7)
LENGTHS = jnp.array([0, 5, 2, 3])
BOTH = "bidirectional"
# Of every kind of cell and every method one; LSTM by "auto" is fused.
ROWS = [
  ("LSTM", "auto"),
  ("LearnedCarry", "checkpointed"),
  ("LinearRNN", "associative"),
  ("Bahdanau", "scan"),
  ("Elman", "newton"),
  ("GRU", "truncated"),
  ("GRU", BOTH),
  ("LinearAttention", "quadratic"),
]
# That the types are left alone on the inside is the same for all methods.
CASES = [
  *[(row, "shard_map") for row in range(len(ROWS))],
  *[(row, "explicit") for row in (0, 2, 5)],
]
pytestmark = pytest.mark.skipif(
  jax.device_count() < 2, reason="needs two devices"
)


def mesh(kind, axis="rows"):
  types = (AxisType.Explicit if kind == "explicit" else AxisType.Auto,)
  return jax.make_mesh((2,), (axis,), types, devices=jax.devices()[:2])


def problem(name, method, plain, axis):
  """`(gradient of a loss, arguments, how they are split)`."""
  cell = table.CELLS[name]
  params = table.complete(cell, cell.init(KEY, D), (B,))
  inputs = jax.random.normal(KEY, (B, T, D))
  carry = jax.tree.map(lambda c: c + 0.3, cell.initial_carry(params, (B,)))
  resets = jax.random.bernoulli(KEY, 0.3, (B, T))
  run = functools.partial(seqjax.unroll, cell)
  options = {"method": table.METHODS.get(method, "auto")}
  if method == BOTH:
    run = functools.partial(seqjax.bidirectional, cell, cell)
    params, carry = (params, params), (carry, carry)
  elif method == "truncated":
    run = functools.partial(seqjax.truncated_unroll, cell, k1=2, k2=2)
  else:
    options["reverse"] = not plain

  def loss(params, inputs, carry, lengths, resets):
    given = {} if plain else {"lengths": lengths, "resets": resets, "key": KEY}
    last, outputs = run(
      params,
      inputs,
      initial_carry=None if plain else carry,
      **given,
      **options,
    )
    leaves = jax.tree.leaves((last, outputs))
    return sum(jnp.sin(leaf).sum() for leaf in leaves)

  splits = (
    base.map_params(params, weights=lambda p: P(), rows=lambda r: P(axis)),
    *[P(axis)] * 4,
  )
  arguments = params, inputs, carry, LENGTHS, resets
  return jax.value_and_grad(loss, (0, 1, 2)), arguments, splits


def compiled(function):
  return jax.jit(
    function, compiler_options={"xla_backend_optimization_level": 0}
  )


@functools.cache
def expected_gradient(row):
  gradient, arguments, _ = problem(*ROWS[row], row % 2 == 1, "rows")
  return compiled(gradient)(*arguments)


@pytest.mark.parametrize(("row", "kind"), CASES)
def test_the_numbers_are_those_without_a_mesh(row, kind):
  """All of the arguments given, or none, in turn.

  The gradient of params that are on all devices is summed over them.
  """
  axis = (DATA, "rows")[row // 2 % 2]
  gradient, arguments, splits = problem(*ROWS[row], row % 2 == 1, axis)
  on = mesh(kind, axis)
  expected = expected_gradient(row)
  run = gradient
  if kind == "shard_map":

    def local(*arguments):
      value, grads = gradient(*arguments)
      return jax.lax.psum(value, axis), grads

    run = jax.shard_map(
      local, mesh=on, in_specs=splits, out_specs=(P(), splits[:3])
    )
  else:
    put = lambda spec, tree: jax.device_put(tree, NamedSharding(on, spec))
    arguments = jax.tree.map(
      put, splits, arguments, is_leaf=lambda x: isinstance(x, P)
    )
  actual = compiled(run)(*arguments)
  pairs = zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
  for a, e in pairs:
    scale = max(1.0, np.abs(e).max())
    np.testing.assert_allclose(a, e, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("context", [False, True])
def test_outputs_are_split_as_the_inputs(context):
  """Outside of any trace, with the mesh set and without."""
  cell, on = seqjax.LSTM(4), mesh("explicit")
  params = cell.init(KEY, D)
  inputs = jax.random.normal(KEY, (B, T, D))
  _, expected = seqjax.unroll(cell, params, inputs)
  split = jax.device_put(inputs, NamedSharding(on, P("rows")))

  def run():
    carry, outputs = seqjax.unroll(cell, params, split)
    assert jax.typeof(outputs).sharding.spec == P("rows", None, None)
    assert jax.typeof(carry.h).sharding.spec == P("rows", None)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert newton_report(cell, params, split, method=Newton(3)).iterations <= 3

  if context:
    with jax.set_mesh(on):
      run()
  else:
    run()


@pytest.mark.parametrize("kind", ["shard_map", "explicit"])
def test_gradient_norms_of_rows(kind):
  """A tap belongs to a row: it is not summed over devices."""
  cell, on = seqjax.LSTM(4), mesh(kind)
  params = cell.init(KEY, D)
  inputs = jax.random.normal(KEY, (B, T, D))

  def norms(params, inputs):
    return hidden_gradient_norms(
      cell, params, inputs, lambda outputs: outputs.sum(axis=-1)
    )

  expected = norms(params, inputs)
  if kind == "shard_map":
    norms = jax.shard_map(
      norms, mesh=on, in_specs=(P(), P("rows")), out_specs=P("rows")
    )
  else:
    inputs = jax.device_put(inputs, NamedSharding(on, P("rows")))
  actual = jax.jit(norms)(params, inputs)
  jax.tree.map(
    lambda a, e: np.testing.assert_allclose(a, e, atol=1e-6), actual, expected
  )
