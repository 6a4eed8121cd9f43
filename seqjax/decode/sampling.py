"""Autoregressive sampling, one compiled loop.

How many tokens, temperature, top-k and top-p are arguments of the compiled
program like any other, so that a change of them compiles nothing.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def filter_logits(
  logits: jax.Array, *, top_k: Any = 0, top_p: Any = 1.0
) -> jax.Array:
  """Excludes unlikely tokens: their logits become -inf.

  Args:
    logits: `[..., vocab_size]`.
    top_k: keep the k largest; 0 keeps all (Fan, Lewis, Dauphin 2018).
    top_p: keep the smallest set of tokens whose probability reaches p, at
      least one; 1 keeps all (Holtzman et al. 2020, nucleus sampling). Applied
      after `top_k`. Of equal logits those with the lower index, in both.

  Returns:
    `[..., vocab_size]`. Nothing is sorted where all are kept.
  """
  size = logits.shape[-1]
  known = isinstance(top_k, int) and isinstance(top_p, float)
  if known and (top_k, top_p) == (0, 1.0):  # then nothing of it is compiled
    return logits

  def exclude(logits):
    # A sort would take longer, and so long to compile that a first sample
    # would wait for it.
    place = _order(logits)
    ones = jnp.ones_like(logits, jnp.int32)
    few = _first(place, ones, jnp.where(top_k > 0, top_k, size))
    probs = jax.nn.softmax(logits, axis=-1, where=few)
    most = _first(place, probs, top_p)
    return jnp.where(few & (most | (top_p >= 1)), logits, -jnp.inf)

  some = (top_k > 0) & (top_k < size) | (top_p < 1)
  return lax.cond(some, exclude, lambda logits: logits, logits)


def _order(x: jax.Array) -> jax.Array:
  """Floats as uint32 in the same order."""
  x = (
    x.astype(jnp.float32) + 0.0
  )  # the zero with a sign is equal to that without
  bits = lax.bitcast_convert_type(x, jnp.uint32)
  sign = jnp.uint32(1 << 31)
  return jnp.where(bits < sign, bits | sign, ~bits)


def _first(place, weights, limit):
  """Whether those in front of an entry weigh less than `limit`.

  In front is what has a higher place, and of one place what has a lower index.
  """
  least = _first_below(place, weights, limit)
  above = jnp.where(place > least, weights, 0).sum(axis=-1, keepdims=True)
  index = lax.broadcasted_iota(jnp.uint32, place.shape, place.ndim - 1)
  turn = jnp.where(place == least, ~index, 0)
  last = _first_below(turn, jnp.where(turn > 0, weights, 0), limit - above)
  return (place > least) | (turn >= last) & (turn > 0)


def _first_below(place, weights, limit):
  """The least place `[..., 1]` such that all above it weigh less than `limit`.

  Bit by bit, from the highest.
  """

  def body(index, least):
    lower = least ^ (jnp.uint32(1 << 31) >> index.astype(jnp.uint32))
    above = jnp.where(place > lower, weights, 0).sum(axis=-1, keepdims=True)
    return jnp.where(above < limit, lower, least)

  start = jnp.full((*place.shape[:-1], 1), 2**32 - 1, jnp.uint32)
  return lax.fori_loop(0, 32, body, start)


def sample(
  step: Callable,
  carry,
  logits: jax.Array,
  key: jax.Array,
  *,
  num_tokens: Any,
  size: int | None = None,
  prompt: jax.Array | None = None,
  length: Any = 0,
  temperature: Any = 1.0,
  top_k: Any = 0,
  top_p: Any = 1.0,
) -> jax.Array:
  """Draws `num_tokens` tokens a row, feeding each back; use under `jax.jit`.

    token_t ~ softmax(filter(logits_t / temperature))
    (carry_t, logits_(t+1)) = step(carry_(t-1), token_t)

  Args:
    step: `(carry, tokens [batch]) -> (carry, logits [batch, vocab_size])`.
    carry: to begin with.
    logits: `[batch, vocab_size]` of the first token.
    key: randomness; token t is drawn with `fold_in(key, t)`, so a longer
      sample starts with the shorter one.
    num_tokens: how many; may be traced if there is a `size`.
    size: columns of the result, known when it is compiled; those behind the
      last token have no meaning. Default `num_tokens`.
    prompt: int32 `[batch, size]`, whose first columns are taken as they are,
      with no draw, and stand before what is drawn. By the same loop: a program
      of its own for the prompt would take as long to compile as the rest.
    length: how many columns of the prompt, `size - num_tokens` at most.
    temperature: 0 is greedy, the most likely token. May be traced, as all that
      follows; see `check_options` for what is in range.
    top_k: see `filter_logits`.
    top_p: see `filter_logits`.

  Returns:
    int32 `[batch, size]`.
  """

  def choose(logits, index):
    def draw(logits):
      draw_key = jax.random.fold_in(key, index)
      kept = filter_logits(logits / temperature, top_k=top_k, top_p=top_p)
      return jax.random.categorical(draw_key, kept).astype(jnp.int32)

    return lax.cond(temperature > 0, draw, _likeliest, logits)

  if prompt is None:
    return _write(step, carry, logits, choose, num_tokens, size)

  def given_or_chosen(logits, index):
    return lax.cond(
      index < length,
      lambda logits: prompt[:, index],
      lambda logits: choose(logits, index - length),
      logits,
    )

  return _write(step, carry, logits, given_or_chosen, length + num_tokens, size)


def greedy(
  step: Callable,
  carry,
  logits: jax.Array,
  *,
  num_tokens: Any,
  size: int | None = None,
) -> jax.Array:
  """The most likely token each time: `sample` at temperature 0, no key."""
  choose = lambda logits, index: _likeliest(logits)
  return _write(step, carry, logits, choose, num_tokens, size)


def _likeliest(logits: jax.Array) -> jax.Array:
  return jnp.argmax(logits, axis=-1).astype(jnp.int32)


def _write(step, carry, logits, choose, num_tokens, size) -> jax.Array:
  def body(index, state):
    carry, logits, written = state
    tokens = choose(logits, index)
    return *step(carry, tokens), written.at[index].set(tokens)

  size = num_tokens if size is None else size
  written = jnp.zeros((size, len(logits)), jnp.int32)
  state = lax.fori_loop(0, num_tokens, body, (carry, logits, written))
  return state[-1].T


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
