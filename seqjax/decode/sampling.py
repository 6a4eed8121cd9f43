"""Autoregressive sampling, one compiled scan."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax


def filter_logits(
  logits: jax.Array, *, top_k: int = 0, top_p: float = 1.0
) -> jax.Array:
  """Excludes unlikely tokens: their logits become -inf.

  Args:
    logits: `[..., vocab_size]`.
    top_k: keep the k largest; 0 keeps all (Fan, Lewis, Dauphin 2018).
    top_p: keep the smallest set of tokens whose probability reaches p, at
      least one; 1 keeps all (Holtzman et al. 2020, nucleus sampling). Applied
      after `top_k`.

  Returns:
    `[..., vocab_size]`.
  """
  if 0 < top_k < logits.shape[-1]:
    smallest = lax.top_k(logits, top_k)[0][..., -1:]
    logits = jnp.where(logits < smallest, -jnp.inf, logits)
  if top_p < 1.0:
    ordered = jnp.flip(jnp.sort(logits, axis=-1), axis=-1)
    probs = jax.nn.softmax(ordered, axis=-1)
    # A token stays if those before it have not reached p yet; so the first
    # always stays.
    stays = jnp.cumsum(probs, axis=-1) - probs < top_p
    stays = stays.at[..., 0].set(True)
    smallest = jnp.min(
      jnp.where(stays, ordered, jnp.inf), axis=-1, keepdims=True
    )
    logits = jnp.where(logits < smallest, -jnp.inf, logits)
  return logits


def sample(
  step: Callable,
  carry,
  logits: jax.Array,
  key: jax.Array,
  *,
  num_tokens: int,
  temperature: float = 1.0,
  top_k: int = 0,
  top_p: float = 1.0,
) -> jax.Array:
  """Draws `num_tokens` tokens a row, feeding each back; use under `jax.jit`.

    token_t ~ softmax(filter(logits_t / temperature))
    (carry_t, logits_(t+1)) = step(carry_(t-1), token_t)

  Args:
    step: `(carry, tokens [batch]) -> (carry, logits [batch, vocab_size])`.
    carry: after the prompt.
    logits: `[batch, vocab_size]` after the prompt.
    key: randomness; token t is drawn with `fold_in(key, t)`, so a longer
      sample starts with the shorter one.
    num_tokens: how many.
    temperature: 0 is greedy, the most likely token.
    top_k: see `filter_logits`.
    top_p: see `filter_logits`.

  Returns:
    int32 `[batch, num_tokens]`.

  Raises:
    ValueError: an option is out of range.
  """
  check_options(num_tokens, temperature, top_k, top_p)

  def choose(logits, index):
    if temperature == 0:
      return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    logits = filter_logits(logits / temperature, top_k=top_k, top_p=top_p)
    draw_key = jax.random.fold_in(key, index)
    return jax.random.categorical(draw_key, logits).astype(jnp.int32)

  def body(state, index):
    carry, logits = state
    tokens = choose(logits, index)
    return step(carry, tokens), tokens

  _, tokens = lax.scan(body, (carry, logits), jnp.arange(num_tokens))
  return tokens.T


def check_options(
  num_tokens: int, temperature: float, top_k: int, top_p: float
) -> None:
  """Raises ValueError for sampling options that are out of range."""
  if num_tokens < 1:
    raise ValueError(f"num_tokens is {num_tokens}, expected at least 1")
  if not 0 <= temperature < float("inf"):
    raise ValueError(
      f"temperature is {temperature}, expected 0 (greedy) or a positive number"
    )
  if top_k < 0:
    raise ValueError(f"top_k is {top_k}, expected 0 (all) or more")
  if not 0 < top_p <= 1:
    raise ValueError(f"top_p is {top_p}, expected a share in (0, 1]")
