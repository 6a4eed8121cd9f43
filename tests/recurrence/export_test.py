"""Programs for any batch and any time, written out and read back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import seqjax
from seqjax.cells import base
from tests import table

T, D = 5, 3
KEY = jax.random.key(0)
ROWS = [
  ("LSTM", "auto"),
  ("Stack", "fused"),
  ("LearnedCarry, linear", "checkpointed"),
  ("RecurrentDropout", "scan"),
  ("LinearAttention", "quadratic"),
]


def exported(name, method):
  """Of `unroll` with lengths, a carry and rows, batch and time symbolic."""
  cell = table.CELLS[name]
  batch, time = export.symbolic_shape("b, t")

  def run(params, inputs, lengths, carry):
    return seqjax.unroll(
      cell,
      params,
      inputs,
      lengths=lengths,
      initial_carry=carry,
      method=table.METHODS.get(method, method),
    )

  def some(batch):
    params = cell.prepare(cell.init(KEY, D), (batch,), key=KEY)
    inputs = jax.random.normal(KEY, (batch, T, D))
    lengths = jnp.arange(batch, dtype=jnp.int32)
    carry = jax.tree.map(
      lambda c: c + 0.3, cell.initial_carry(params, (batch,))
    )
    return params, inputs, lengths, carry

  def shape(*sizes, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(sizes, dtype)

  params, _, lengths, carry = some(2)
  of_rows = lambda x: shape(batch, *x.shape[1:], dtype=x.dtype)
  shapes = (
    base.map_params(
      params,
      weights=lambda p: shape(*p.shape, dtype=p.dtype),
      rows=lambda rows: jax.tree.map(of_rows, rows),
    ),
    shape(batch, time, D),
    of_rows(lengths),
    jax.tree.map(of_rows, carry),
  )
  return export.export(jax.jit(run))(*shapes), run, some(3)


def same(actual, expected):
  assert jax.tree.structure(actual) == jax.tree.structure(expected)
  jax.tree.map(
    lambda a, e: np.testing.assert_allclose(a, e, atol=1e-6), actual, expected
  )


@pytest.mark.parametrize(("name", "method"), ROWS)
def test_symbolic_batch_and_time(name, method):
  program, run, arguments = exported(name, method)
  same(program.call(*arguments), run(*arguments))


@pytest.mark.parametrize(("name", "method"), ROWS)
def test_written_and_read(name, method):
  """Every tree of params and carry has a name in the file."""
  pytest.importorskip("flatbuffers")
  program, run, arguments = exported(name, method)
  again = export.deserialize(program.serialize())
  same(again.call(*arguments), run(*arguments))


@pytest.mark.parametrize("method", ["associative", "newton"])
def test_a_prefix_over_time_needs_to_know_it(method):
  with pytest.raises(ValueError, match="number of steps is t, expected a kno"):
    exported("MinGRU", method)
