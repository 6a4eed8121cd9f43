"""Cross-entropy of one symbol among many, with label smoothing."""

import functools

import jax
import jax.numpy as jnp
from jax import lax


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def cross_entropy(
  logits: jax.Array, targets: jax.Array, smoothing: float = 0.0
) -> jax.Array:
  """-sum over v of q_v log p_v in nats, p = softmax(logits).

    q_v = (1 - s) [v = target] + s / V
    d/dz_v = p_v - q_v

  Szegedy et al. 2016, "Rethinking the inception architecture for computer
  vision", section 7. Neither way makes V numbers for q: the loss is
  log sum_v exp(z_v) - (1 - s) z_target - s mean_v z_v, and its gradient, by a
  rule of its own, one pass over the logits. Reverse mode only.

  Args:
    logits: z, `[*batch, V]`; finite where `smoothing` is not 0.
    targets: int `[*batch]`.
    smoothing: s, in [0, 1).

  Returns:
    `[*batch]`.
  """
  return _forward(logits, targets, smoothing)[0]


def _forward(logits, targets, smoothing):
  total = jax.nn.logsumexp(logits, axis=-1)
  chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
  nats = total - (1 - smoothing) * chosen
  if smoothing:
    nats = nats - smoothing * logits.mean(axis=-1)
  return nats, (logits, targets, total)


def _backward(smoothing, saved, cotangent):
  logits, targets, total = saved
  symbols = lax.broadcasted_iota(targets.dtype, logits.shape, logits.ndim - 1)
  wanted = jnp.where(symbols == targets[..., None], 1 - smoothing, 0)
  wanted = wanted + smoothing / logits.shape[-1]
  probabilities = jnp.exp(logits - total[..., None])
  gradient = (probabilities - wanted) * cotangent[..., None]
  # Kept as it is: of the products that it goes into, each would compute it
  # anew, transposed for one of them.
  return lax.optimization_barrier(gradient.astype(logits.dtype)), None


cross_entropy.defvjp(_forward, _backward)
