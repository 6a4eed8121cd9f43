"""What a language model makes of a prompt: texts, the likeliest next symbols.

Programs that stay: weights, seed and options are arguments of them, lengths and
counts are padded to few sizes. Another prompt of about the same length, another
temperature compile nothing; the first top-k or top-p does, once.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from seqjax.data import batching
from seqjax.decode import sampling


class Prompted:
  """Goes on from a prompt `ids` `[time]`, at least one.

  Attributes:
    apply: the model as a pure function, see `models.language_model`: the call,
      `method="step"` and `method="initial_carry"`.
    never: ids that are not to be written.
  """

  def __init__(self, apply: Callable[..., Any], never: np.ndarray):
    self.apply, self.never = apply, never
    self._sample = jax.jit(self._draw, static_argnames="rows")
    self._rank = jax.jit(self._best, static_argnames=("kept", "size"))

  def sample(
    self,
    params: Any,
    ids: np.ndarray,
    *,
    num_samples: int,
    num_tokens: int,
    seed: int,
    temperature: float,
    top_k: int,
    top_p: float,
  ) -> np.ndarray:
    """Draws ids `[num_samples, num_tokens]`; see `sampling.sample`."""
    rows, size = batching.size(num_samples), len(ids) + num_tokens
    # Without them the program is another one, compiled in two thirds the time.
    filters = {}
    if top_k > 0 or top_p < 1:
      filters["top_k"] = np.int32(min(top_k, 2**31 - 1))
      filters["top_p"] = np.float32(top_p)
    drawn = self._sample(
      params,
      batching.pad([ids], 1, batching.size(size, 1024)),
      np.uint32(seed),
      rows=rows,
      length=np.int32(len(ids)),
      num_tokens=np.int32(num_tokens),
      temperature=np.float32(temperature),
      **filters,
    )
    return np.asarray(drawn)[:num_samples, len(ids) : size]

  def rank(
    self, params: Any, ids: np.ndarray, *, top_k: int, num_tokens: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest next symbols, best first: `(shares [k], ids [k, n])`.

    The probability of each, and how it goes on by what is likeliest each time;
    k is `top_k` or as many as there are, n is `num_tokens`.
    """
    shares, rows = self._rank(
      params,
      *_padded(ids),
      np.int32(num_tokens),
      kept=batching.size(top_k, 16),
      size=batching.size(num_tokens, 16),
    )
    return np.asarray(shares)[:top_k], np.asarray(rows)[:top_k, :num_tokens]

  def _draw(self, params, ids, seed, *, rows, **options):
    carry = self.apply(params, rows, method="initial_carry")
    step, prompt = self._step(params), jnp.repeat(ids, rows, axis=0)
    _, like = jax.eval_shape(step, carry, prompt[:, 0])
    unread = jnp.zeros(like.shape, like.dtype)  # there is a prompt
    return sampling.sample(
      step,
      carry,
      unread,
      jax.random.key(seed),
      size=prompt.shape[1],
      prompt=prompt,
      **options,
    )

  def _best(self, params, ids, length, num_tokens, *, kept, size):
    carry, logits = self._read(params, ids, length)
    shares, vocab_size = jax.nn.softmax(logits[0]), logits.shape[-1]
    allowed = self._allowed(logits)[0]
    _, best = lax.top_k(allowed, min(kept, vocab_size - len(self.never)))
    # All go on at once; the first symbol of each is certain.
    first = jnp.log(jax.nn.one_hot(best, vocab_size))
    rows = sampling.greedy(
      self._step(params),
      _repeat(carry, len(best)),
      first,
      num_tokens=num_tokens,
      size=size,
    )
    return shares[best], rows

  def _read(self, params, ids, length):
    """`(carry, logits [1, vocab_size])` after the prompt's last symbol."""
    carry, logits = self.apply(params, ids, lengths=length)
    last = jnp.take_along_axis(logits, length[:, None, None] - 1, axis=1)
    return carry, last[:, 0]

  def _step(self, params):
    def step(carry, ids):
      carry, logits = self.apply(params, carry, ids, method="step")
      return carry, self._allowed(logits)

    return step

  def _allowed(self, logits):
    return logits.at[..., self.never].set(-jnp.inf)


def _padded(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """A prompt as `(ids [1, time], length [1])`."""
  padded = batching.pad([ids], 1, batching.size(len(ids), 16))
  return padded, np.array([len(ids)], np.int32)


def _repeat(tree, rows: int):
  """One row as many."""
  return jax.tree.map(lambda leaf: jnp.repeat(leaf, rows, axis=0), tree)
