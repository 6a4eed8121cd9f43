"""Cross-entropy of one symbol among many, with label smoothing."""

import jax
import jax.numpy as jnp


def cross_entropy(
  logits: jax.Array, targets: jax.Array, smoothing: float = 0.0
) -> jax.Array:
  """-sum over v of q_v log p_v in nats, p = softmax(logits).

    q_v = (1 - s) [v = target] + s / V

  Szegedy et al. 2016, "Rethinking the inception architecture for computer
  vision", section 7. Computed without q, which has V numbers for every target:
  log sum_v exp(z_v) - (1 - s) z_target - s mean_v z_v.

  Args:
    logits: z, `[*batch, V]`; finite where `smoothing` is not 0.
    targets: int `[*batch]`.
    smoothing: s, in [0, 1).

  Returns:
    `[*batch]`.
  """
  chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
  nats = jax.nn.logsumexp(logits, axis=-1) - (1 - smoothing) * chosen
  if smoothing:
    nats = nats - smoothing * logits.mean(axis=-1)
  return nats
