"""The worked example of the teaching literature: "h", "e" of "hello"."""

import jax
import jax.numpy as jnp
import numpy as np

import seqjax
from seqjax.cells import ElmanParams

W_XH = [
  [0.287027, 0.84606, 0.572392, 0.486813],
  [0.902874, 0.871522, 0.691079, 0.18998],
  [0.537524, 0.09224, 0.558159, 0.491528],
]
W_HY = [
  [0.37168, 0.974829459, 0.830034886],
  [0.39141, 0.282585823, 0.659835709],
  [0.64985, 0.09821557, 0.334287084],
  [0.91266, 0.32581642, 0.144630018],
]


def test_hello():
  params = ElmanParams(
    input_kernel=jnp.array(W_XH).T,
    recurrent_kernel=0.427043 * jnp.eye(3),
    bias=jnp.full((3,), 0.567001),
  )
  h, e = np.eye(4, dtype=np.float32)[:2]
  inputs = jnp.stack([h, e])[None]
  carry, outputs = seqjax.unroll(seqjax.Elman(3), params, inputs)
  state = [0.936534, 0.949104, 0.762341]
  np.testing.assert_allclose(carry.h[0], state, atol=1e-5)
  np.testing.assert_allclose(outputs[0, -1], state, atol=1e-5)
  logits = jnp.array(W_HY) @ carry.h[0]
  np.testing.assert_allclose(
    logits, [1.90607732, 1.13779113, 0.95666016, 1.27422602], atol=1e-5
  )
  np.testing.assert_allclose(
    jax.nn.softmax(logits), [0.419748, 0.194682, 0.162429, 0.223141], atol=1e-5
  )
