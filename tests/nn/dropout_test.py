import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import nn

KEY = jax.random.key(0)


def test_without_a_key_or_a_rate_nothing_happens():
  x = jnp.ones((2, 3))
  assert nn.dropout(x, 0.5, None, same_over=1) is x
  assert nn.dropout(x, 0.0, KEY, same_over=1) is x


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_one_mask_along_an_axis(axis):
  rate, shape = 0.3, (40, 30, 20)
  x = jnp.full(shape, 2.0)
  kept = np.asarray(nn.dropout(x, rate, KEY, same_over=axis)) / 2 * (1 - rate)
  np.testing.assert_allclose(kept, kept.round(), atol=1e-6)  # 0 or 1
  draws = kept.size
  if axis is not None:
    assert (kept == kept.take([0], axis=axis)).all()
    draws //= shape[axis]
  assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.21 / draws)
  for other in range(3):  # along every other axis it differs
    if other != (axis if axis is None else axis % 3):
      assert (kept != kept.take([0], axis=other)).any()
