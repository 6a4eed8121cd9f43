"""Both directions against each row alone, cut to its length and reversed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.cells import GRU, LSTM
from seqjax.recurrence import bidirectional

T, D = 5, 3
LENGTHS = [0, 5, 2, 3]
FORWARD, BACKWARD = LSTM(4), GRU(4)


def make():
  params = (
    FORWARD.init(jax.random.key(0), D),
    BACKWARD.init(jax.random.key(1), D),
  )
  return params, jax.random.normal(jax.random.key(2), (4, T, D))


@pytest.mark.parametrize("merge", ["concat", "sum", "average"])
def test_ragged_rows(merge):
  params, inputs = make()
  carry, outputs = bidirectional(
    FORWARD, BACKWARD, params, inputs, lengths=jnp.array(LENGTHS), merge=merge
  )
  for row, n in enumerate(LENGTHS):
    x = inputs[row, :n]
    _, there = seqjax.unroll(FORWARD, params[0], x)
    last, back = seqjax.unroll(BACKWARD, params[1], x[::-1])
    back = back[::-1]
    expected = {
      "concat": jnp.concatenate([there, back], axis=-1),
      "sum": there + back,
      "average": (there + back) / 2,
    }[merge]
    np.testing.assert_allclose(outputs[row, :n], expected, atol=1e-6)
    np.testing.assert_allclose(carry[1].h[row], last.h, atol=1e-6)
    assert not outputs[row, n:].any()


def test_unknown_merge():
  params, inputs = make()
  with pytest.raises(ValueError, match="merge is 'mean', expected one of"):
    bidirectional(FORWARD, BACKWARD, params, inputs, merge="mean")
