"""Everything the laboratory measures of one cell, over seeds."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.cells import base
from seqjax.gradients import jacobian, norms
from seqjax.gradients.norms import NormsOverLength


class Measured(NamedTuple):
  """One cell."""

  # |dL/ds_(T-k)|, s all leaves of the carry together, lag 0 first.
  lag_norms: Any  # [seeds, batch, time]
  over_length: NormsOverLength  # leaves [seeds, num_lengths]
  lyapunov: Any  # [seeds], the largest exponent, 1/step


def measure(
  cell: base.Cell[Any, Any],
  *,
  seed: int,
  num_seeds: int,
  input_size: int,
  batch_size: int,
  lengths: tuple[int, ...],
  clip_norm: float,
) -> Measured:
  """Measures a freshly initialised cell on standard normal inputs.

  Each seed draws parameters, inputs `[batch, time, input_size]` and the random
  direction of the loss v . y_T (`norms.random_direction`). All seeds run as one
  program.

  Args:
    cell: what to measure.
    seed: of the whole; cells measured with one seed see the same inputs.
    num_seeds: how many draws.
    input_size: features.
    batch_size: rows.
    lengths: lengths for the gradient of the parameters; the longest is T.
    clip_norm: threshold of the global norm.

  Returns:
    NumPy arrays.
  """
  time = max(lengths)

  def one(key):
    key_p, key_x, key_v = jax.random.split(key, 3)
    params = cell.init(key_p, input_size)
    inputs = jax.random.normal(key_x, (batch_size, time, input_size))
    loss = norms.random_direction(key_v, cell.output_size)
    over_time = norms.together(
      norms.hidden_gradient_norms(cell, params, inputs, loss)
    )
    exponent = jacobian.lyapunov_exponents(cell, params, inputs[0], count=1)
    return Measured(
      norms.by_lag(over_time),
      norms.gradient_norm_over_length(
        cell, params, inputs, jnp.array(lengths), loss, clip_norm=clip_norm
      ),
      exponent[0],
    )

  keys = jax.random.split(jax.random.key(seed), num_seeds)
  return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(keys))
