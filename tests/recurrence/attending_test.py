"""Params with rows: a decoder that attends, by every method and two devices.

Rows of the batch differ in what they remember, so what a method reshapes, cuts
or splits must go along with the rows.
"""

import contextlib
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.cells import Bahdanau, General, base
from seqjax.recurrence import Checkpointed, Truncated
from tests.recurrence.rows_test import mesh
from tests.recurrence.unroll_test import KEY, B, T, loop, make, scalar

CELL = Bahdanau(seqjax.LSTM(4), General(), 2)
LENGTHS, SOURCES = jnp.array([0, 5, 2, 3]), jnp.array([2, 3, 0, 1])
METHODS = {
  "scan": "scan",
  "auto": "auto",
  "checkpointed": Checkpointed(segment=2),
  "newton": "newton",
}
two_devices = pytest.mark.skipif(
  jax.device_count() < 2, reason="needs two devices"
)


def problem():
  params, inputs, carry = make(CELL)
  memory = jax.random.normal(KEY, (B, 3, 2))
  resets = jax.random.bernoulli(KEY, 0.4, (B, T))
  return CELL.attend(params, memory, SOURCES), inputs, carry, resets


def run(method, params, inputs, carry, resets):
  return seqjax.unroll(
    CELL,
    params,
    inputs,
    lengths=LENGTHS,
    resets=resets,
    initial_carry=carry,
    method=method,
    key=KEY,
  )


def gradient(evaluate):
  loss = scalar(evaluate)
  return jax.jit(
    jax.value_and_grad(loss, (0, 1, 2), has_aux=True),
    compiler_options={"xla_backend_optimization_level": 0},
  )


@functools.cache
def expected():
  """By a Python loop over the steps."""

  def evaluate(params, inputs, carry, resets):
    return loop(CELL, params, inputs, LENGTHS, resets, carry, False)

  return gradient(evaluate)(*problem())


def close(actual, wanted):
  """To 1e-5 of the largest entry of each array."""

  def check(a, e):
    np.testing.assert_allclose(a, e, rtol=0, atol=1e-5 * np.abs(e).max())

  jax.tree.map(check, actual, wanted)


@pytest.mark.one_device
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=two_devices)])
def test_every_method_is_the_loop(method, devices):
  """Values and the gradients of all params, of all that is remembered too."""
  split = jax.set_mesh(mesh()) if devices == 2 else contextlib.nullcontext()
  with split:
    actual = gradient(functools.partial(run, METHODS[method]))(*problem())
  close(actual, expected())
  params = actual[1][0]
  moved = np.abs(params.memory.value.values).sum((1, 2)) > 0
  # The first row has no steps, the third no memory.
  assert moved.tolist() == [False, True, False, True]


@two_devices
@pytest.mark.parametrize("method", ["scan", "newton"])
def test_gradients_are_added_up_once_not_every_step(method):
  with jax.set_mesh(mesh()):
    lowered = gradient(functools.partial(run, method)).lower(*problem())
    program = lowered.compile().as_text()
  assert "all-reduce" in program
  assert bodies(program)
  for text in bodies(program):
    assert "all-reduce" not in text


def bodies(program: str) -> list[str]:
  """The text of the bodies of all loops in a compiled program."""
  names = set(re.findall(r"body=%([\w.-]+)", program))
  blocks = {}
  for block in re.split(r"\n}\n", program):
    if name := re.match(r"\s*(?:ENTRY )?%([\w.-]+)", block):
      blocks[name.group(1)] = block
  return [blocks[name] for name in names]


def test_truncated():
  params, inputs, carry, resets = problem()
  cut = Truncated(2, 2 * T)

  def evaluate(params, inputs, carry, resets):
    return cut.unroll(
      CELL,
      params,
      inputs,
      lengths=LENGTHS,
      resets=resets,
      initial_carry=carry,
    )

  close(gradient(evaluate)(params, inputs, carry, resets), expected())


def test_inside_of_wrappers():
  """The rows go where the params go."""
  cell = seqjax.Stack((seqjax.Dropout(seqjax.GRU(3), 0.1), CELL))
  params = cell.init(KEY, 3)
  inputs = jnp.ones((B, T, 3))
  with pytest.raises(ValueError, match="params.memory is None, expected what"):
    seqjax.unroll(cell, params, inputs)
  filled = CELL.attend(params[1], jnp.ones((B, 3, 2)), SOURCES)
  _, outputs = seqjax.unroll(cell, (params[0], filled), inputs)
  _, lower = seqjax.unroll(cell.layers[0], params[0], inputs)
  _, upper = seqjax.unroll(CELL, filled, lower)
  np.testing.assert_allclose(outputs, upper, atol=1e-6)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      lambda p: CELL.init(KEY, 3),
      r"params\.memory is None, expected what Bahdanau\.attend puts there",
    ),
    (
      lambda p: CELL.attend(p, jnp.ones((B + 1, 3, 2)), jnp.ones(B + 1, int)),
      r"params\.memory\.value\.keys has shape \(5, 3, 4\), expected \(4,\) in",
    ),
    (
      lambda p: p._replace(
        memory=base.Rows(p.memory.value._replace(mask=p.memory.value.mask > 0))
      ),
      r"params\.memory\.value\.mask has dtype bool, expected a floating dtype",
    ),
    (
      lambda p: p._replace(memory=p.memory.value),
      "params is AttendingParams.*, expected",
    ),
    (
      lambda p: p._replace(attention=base.Rows(p.attention)),
      "params is AttendingParams.*, expected",
    ),
  ],
)
def test_bad_params(change, message):
  params, inputs, _, _ = problem()
  with pytest.raises(ValueError, match=message) as error:
    seqjax.unroll(CELL, change(params), inputs)
  assert "\n" not in str(error.value)
