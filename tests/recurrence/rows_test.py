"""A batch split over devices: the same numbers, each device on its own."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

import seqjax
from seqjax.recurrence.auto import Auto
from seqjax.recurrence.fused import Fused
from seqjax.recurrence.rows import DATA
from seqjax.recurrence.scan import Scan
from tests.fast_weights import FastWeights

B, T, D, H = 4, 6, 3, 5
KEY = jax.random.key(0)
CELLS = {
  "lstm": seqjax.LSTM(H),
  "gru": seqjax.GRU(H),
  "reset_before": seqjax.GRU(H, reset_after=False),
  "layer_norm": seqjax.LayerNormLSTM(H),
  "min_gru": seqjax.MinGRU(H),
  "stack": seqjax.Stack((seqjax.LSTM(H), seqjax.Residual(seqjax.GRU(H)))),
  "zoneout": seqjax.Zoneout(seqjax.LSTM(H), 0.3),
  "mask": seqjax.RecurrentDropout(seqjax.LSTM(H), 0.3),
  "matrix": FastWeights(H),
}
two_devices = pytest.mark.skipif(
  jax.device_count() < 2, reason="needs two devices"
)


def mesh(count=2):
  return jax.make_mesh(
    (count,), (DATA,), (AxisType.Auto,), devices=jax.devices()[:count]
  )


def problem(cell, batch=B):
  """`(gradient, arguments)`: of a loss that sees carry and outputs."""
  params = cell.init(KEY, D)
  inputs = jax.random.normal(KEY, (batch, T, D))
  carry = jax.tree.map(lambda c: c + 0.3, cell.initial_carry(params, (batch,)))
  lengths = jnp.array([6, 0, 3, 5, 1, 2])[:batch]
  resets = jax.random.bernoulli(KEY, 0.3, (batch, T))

  def loss(params, inputs, carry, method, key):
    last, outputs = seqjax.unroll(
      cell,
      params,
      inputs,
      lengths=lengths,
      resets=resets,
      initial_carry=carry,
      method=method,
      key=key,
    )
    weights = jnp.sin(jnp.arange(outputs.size)).reshape(outputs.shape)
    total = (weights * outputs).sum()
    return total + sum((leaf**2).sum() for leaf in jax.tree.leaves(last))

  gradient = jax.jit(
    jax.value_and_grad(loss, (0, 1, 2)),
    static_argnames="method",
    compiler_options={"xla_backend_optimization_level": 0},
  )
  return gradient, (params, inputs, carry)


@two_devices
@pytest.mark.parametrize(
  ("method", "batch", "key"),
  [("auto", 4, None), ("auto", 4, KEY), ("scan", 4, KEY), ("auto", 3, None)],
)
@pytest.mark.parametrize("name", CELLS)
def test_splitting_changes_nothing(name, method, batch, key):
  """Also where rows cannot be shared evenly, and with noise."""
  gradient, args = problem(CELLS[name], batch)
  expected = gradient(*args, method="scan", key=key)
  with jax.set_mesh(mesh()):
    actual = gradient(*args, method=method, key=key)
  close(actual, expected)


def close(actual, expected):
  """To 1e-5 of the largest entry of each array."""
  for a, e in zip(
    jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True
  ):
    scale = np.abs(e).max()
    np.testing.assert_allclose(a, e, rtol=0, atol=1e-5 * scale)


@pytest.mark.one_device
@pytest.mark.parametrize("name", ["lstm", "layer_norm", "mask", "matrix"])
def test_auto_without_a_mesh_and_fused(name):
  """One device alone merges time and batch, a mask for each row or not."""
  cell = CELLS[name]
  gradient, args = problem(cell)
  expected = gradient(*args, method="scan", key=KEY)
  methods = ["auto"]
  if cell.factored:
    methods.append("fused")
  for method in methods:
    close(gradient(*args, method=method, key=KEY), expected)


@two_devices
@pytest.mark.parametrize("name", ["lstm", "reset_before", "mask"])
@pytest.mark.parametrize("method", ["auto", "scan"])
def test_gradients_are_added_up_once_not_every_step(method, name):
  """With a key as well, as in training, where the cell draws nothing."""
  gradient, args = problem(CELLS[name])
  with jax.set_mesh(mesh()):
    lowered = gradient.lower(*args, method=method, key=KEY)
  program = lowered.compile().as_text()
  assert "all-reduce" in program
  blocks = re.split(r"\n}\n", program)
  bodies = set(re.findall(r"body=%([\w.-]+)", program))
  assert bodies
  for block in blocks:
    name = re.match(r"\s*(?:ENTRY )?%([\w.-]+)", block)
    if name and name.group(1) in bodies:
      assert "all-reduce" not in block


def test_auto_takes_fused_where_rows_are_split():
  choose = Auto().choose
  assert choose(seqjax.LSTM(H), "cpu", T, split=True) == Fused()
  assert choose(seqjax.LSTM(H), "cpu", T, split=False) == Scan()
  assert choose(CELLS["reset_before"], "cpu", T, split=True) == Scan()


def test_forward_mode_works_without_a_mesh():
  cell = CELLS["lstm"]
  params, inputs = cell.init(KEY, D), jnp.ones((B, T, D))
  run = lambda x: seqjax.unroll(cell, params, x)[1]
  assert jax.jvp(run, (inputs,), (inputs,))[1].shape == (B, T, H)
