"""Decoders that attend, beside loops over steps written from the papers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.cells import (
  GRU,
  LSTM,
  Additive,
  Bahdanau,
  Conditional,
  InputFeeding,
  LocationAware,
  MultiHead,
)
from tests.cells.loops import (
  SOURCES,
  M,
  S,
  close,
  differentiated,
  drawn,
  gradient,
  look,
  padded,
  sigmoid,
  single,
)

D, T = 2, 3
LENGTHS = np.array([3, 2, 0, 3])
DECODERS = {
  "bahdanau": Bahdanau(GRU(3, reset_after=False), LocationAware(3, 2, 3), M),
  "conditional": Conditional(GRU(3), GRU(3), Additive(4), M),
  "conditional, coverage": Conditional(
    GRU(3), GRU(3), Additive(4, coverage=True), M
  ),
  "input feeding": InputFeeding(LSTM(3), MultiHead(6, heads=2), M, 5),
}


def advance(cell, p, state, x):
  """An LSTM or a GRU, of Cho et al. 2014 or with the reset after."""
  h = state[0]
  if isinstance(cell, LSTM):
    pre = x @ p.input_kernel + h @ p.recurrent_kernel + p.bias
    i, f, g, o = np.split(pre, 4)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c
  x_r, x_z, x_n = np.split(x @ p.input_kernel + p.bias, 3)
  u_r, u_z, u_n = np.split(p.recurrent_kernel, 3, axis=1)
  r, z = sigmoid(x_r + h @ u_r), sigmoid(x_z + h @ u_z)
  if cell.reset_after:
    n = np.tanh(x_n + r * (h @ u_n + p.candidate_bias))
  else:
    n = np.tanh(x_n + (r * h) @ u_n)
  return ((1 - z) * n + z * h,)


def decode(cell, tree):
  """Outputs, the last state and the weights of all steps `[row, T, S]`."""
  params = tree["params"]
  read = functools.partial(look, cell.attention, params.attention)
  outputs = np.zeros((len(LENGTHS), T, cell.output_size), complex)
  attended = np.zeros((len(LENGTHS), T, S), complex)
  ends = []
  for row, (n, source) in enumerate(zip(LENGTHS, SOURCES, strict=True)):
    memory = tree["memory"][row, :source]
    state = tuple(leaf[row] for leaf in tree["state"])
    last, coverage, fed = np.zeros(source), np.zeros(source), np.zeros(5)
    for t in range(n):
      x = tree["inputs"][row, t]
      past = memory, last, coverage
      match cell:
        case Bahdanau():  # Bahdanau et al. 2015, appendix A.1.2 and A.2.2
          context, last = read(state[0], *past)
          fed_in = np.concatenate([x, context])
          state = advance(cell.cell, params.cell, state, fed_in)
          output = np.concatenate([state[0], context])
        case Conditional():  # Sennrich et al. 2017, section 2, (1) to (3)
          between = advance(cell.cell, params.cell, state, x)
          context, last = read(between[0], *past)
          state = advance(cell.second, params.second, between, context)
          output = np.concatenate([state[0], context])
        case InputFeeding():  # Luong et al. 2015, (5) and section 3.3
          fed_in = np.concatenate([x, fed])
          state = advance(cell.cell, params.cell, state, fed_in)
          context, last = read(state[0], *past)
          fed = np.tanh(np.concatenate([context, state[0]]) @ params.kernel)
          output = fed
      if cell.attention.covers:  # Tu et al. 2016, section 3.1.1
        gate = sigmoid(memory @ params.attention.fertility_kernel)
        coverage = coverage + last / (cell.attention.max_fertility * gate)
      outputs[row, t], attended[row, t] = output, padded(last)
    ends.append(state)
  return outputs, [np.stack(leaf) for leaf in zip(*ends, strict=True)], attended


def decoding(cell):
  rng = np.random.default_rng(2)
  b = len(LENGTHS)
  params = cell.init(jax.random.key(0), D)
  state = cell.cell.initial_carry(params.cell, (b,))
  return {
    "params": drawn(params),
    "inputs": rng.normal(size=(b, T, D)),
    "memory": rng.normal(size=(b, S, M)),
    "state": [rng.normal(size=leaf.shape) for leaf in state],
  }


def begin(cell, tree):
  """`(params, carry)`, the state of the cell inside is the tree's."""
  params = cell.attend(tree["params"], tree["memory"], jnp.asarray(SOURCES))
  carry = cell.initial_carry(params, SOURCES.shape)
  inside = type(carry.cell)(*tree["state"])
  return params, carry._replace(cell=inside)


def last_weights(attended):
  """Of each row's last step; zeros for one without."""
  there = attended[np.arange(len(LENGTHS)), LENGTHS - 1]
  return np.where((LENGTHS > 0)[:, None], there, 0)


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_are_the_equations(name):
  """Values and the gradients of params, inputs, memory and first state."""
  cell = DECODERS[name]

  def run(tree):
    params, carry = begin(cell, tree)
    carry, outputs = seqjax.unroll(
      cell,
      params,
      tree["inputs"],
      lengths=jnp.asarray(LENGTHS),
      initial_carry=carry,
    )
    return outputs, *carry.cell, carry.attention

  def loop(tree):
    outputs, state, attended = decode(cell, tree)
    return outputs, *state, last_weights(attended)

  tree = decoding(cell)
  results, grads = differentiated(run)(single(tree))
  close(results, loop(tree))
  close(grads, gradient(loop, tree))
  # What is learnt reaches the encoder where there is one and steps follow.
  reached = np.abs(grads["memory"]).max((1, 2)) > 0
  assert reached.tolist() == [True, False, False, True]


@pytest.mark.parametrize("name", DECODERS)
def test_step_by_step_the_carry_tells_where_was_looked(name):
  cell, tree = DECODERS[name], decoding(DECODERS[name])
  outputs, _, attended = decode(cell, tree)
  params, carry = begin(cell, single(tree))
  assert not carry.attention.any()
  step = jax.jit(cell.step)
  for t in range(T):
    x = jnp.asarray(tree["inputs"][:, t], jnp.float32)
    carry, output = step(params, carry, x)
    there = t < LENGTHS
    close(output[there], outputs[there, t].real)
    close(carry.attention[there], attended[there, t].real)
