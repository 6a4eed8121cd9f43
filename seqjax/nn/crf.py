"""A linear-chain conditional random field: pure functions of scores.

Lafferty, McCallum, Pereira 2001, "Conditional random fields: probabilistic
models for segmenting and labeling sequence data". The score of tags y_1 .. y_L
of a row of length L is

  s(y) = start[y_1] + sum over t of emissions[t, y_t]
         + sum over t > 1 of transitions[y_(t-1), y_t] + end[y_L]

and p(y) = exp(s(y)) / sum over all y' of exp(s(y')). What is past a row's
length plays no part; a row of length 0 has score 0 and probability 1.

Shapes: B batch, T time, K tags.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from seqjax.recurrence import length_mask

# Added to what is not allowed; finite, so that no score becomes NaN.
FORBIDDEN = -1e9


class CRF(NamedTuple):
  """Scores that do not depend on the input."""

  transitions: jax.Array  # [K, K], from row to column
  start: jax.Array  # [K]
  end: jax.Array  # [K]


def init(num_tags: int) -> CRF:
  """All tags alike."""
  return CRF(
    jnp.zeros((num_tags, num_tags)), jnp.zeros(num_tags), jnp.zeros(num_tags)
  )


def score(
  crf: CRF, emissions: jax.Array, tags: jax.Array, lengths: jax.Array
) -> jax.Array:
  """s(y) `[B]`.

  Args:
    crf: the field.
    emissions: `[B, T, K]`.
    tags: int `[B, T]`.
    lengths: int `[B]`.
  """
  valid = length_mask(lengths, emissions.shape[1])
  emitted = jnp.take_along_axis(emissions, tags[..., None], axis=2)[..., 0]
  moved = crf.transitions[tags[:, :-1], tags[:, 1:]]
  last = jnp.take_along_axis(
    tags, jnp.maximum(lengths - 1, 0)[:, None], axis=1
  )[:, 0]
  ends = crf.start[tags[:, 0]] + crf.end[last]
  return (
    jnp.where(valid, emitted, 0.0).sum(axis=1)
    + jnp.where(valid[:, 1:], moved, 0.0).sum(axis=1)
    + jnp.where(lengths > 0, ends, 0.0)
  )


def log_partition(
  crf: CRF, emissions: jax.Array, lengths: jax.Array
) -> jax.Array:
  """Log of the sum of exp(s(y)) over all y, `[B]`: the forward algorithm.

  a_1[k] = start[k] + emissions[1, k]
  a_t[k] = emissions[t, k] + log sum over j of exp(a_(t-1)[j] + transitions)
  log Z  = log sum over k of exp(a_L[k] + end[k])
  """
  first = crf.start[None] + emissions[:, 0]

  def step(alpha, inputs):
    emission, valid = inputs
    moved = jax.nn.logsumexp(alpha[:, :, None] + crf.transitions[None], axis=1)
    return jnp.where(valid[:, None], moved + emission, alpha), None

  valid = length_mask(lengths, emissions.shape[1])
  after = emissions.swapaxes(0, 1)[1:], valid.T[1:]
  alpha, _ = lax.scan(step, first, after)
  total = jax.nn.logsumexp(alpha + crf.end[None], axis=1)
  return jnp.where(lengths > 0, total, 0.0)


def log_likelihood(
  crf: CRF, emissions: jax.Array, tags: jax.Array, lengths: jax.Array
) -> jax.Array:
  """Log p(y) `[B]`; arguments as for `score`."""
  return score(crf, emissions, tags, lengths) - log_partition(
    crf, emissions, lengths
  )


def viterbi(
  crf: CRF, emissions: jax.Array, lengths: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The tags with the highest score, and that score.

  Viterbi 1967. Equally good tags: the one with the smallest number.

  Args:
    crf: the field; see `constrain` to forbid transitions.
    emissions: `[B, T, K]`.
    lengths: int `[B]`.

  Returns:
    `(tags, score)`, int `[B, T]`, zero past each row's length, and `[B]`.
  """
  first = crf.start[None] + emissions[:, 0]
  stay = jnp.arange(emissions.shape[2])[None]

  def forward(best, inputs):
    emission, valid = inputs
    options = best[:, :, None] + crf.transitions[None]
    new = jnp.where(valid[:, None], options.max(axis=1) + emission, best)
    # Past the end the path stays where it is.
    came_from = jnp.where(valid[:, None], options.argmax(axis=1), stay)
    return new, came_from

  inside = length_mask(lengths, emissions.shape[1])
  after = emissions.swapaxes(0, 1)[1:], inside.T[1:]
  best, came_from = lax.scan(forward, first, after)
  best = best + crf.end[None]
  last = best.argmax(axis=1)

  def backward(tag, came_from):
    before = jnp.take_along_axis(came_from, tag[:, None], axis=1)[:, 0]
    return before, tag

  first_tag, rest = lax.scan(backward, last, came_from, reverse=True)
  tags = jnp.concatenate([first_tag[None], rest]).swapaxes(0, 1)
  return (
    jnp.where(inside, tags, 0),
    jnp.where(lengths > 0, best.max(axis=1), 0.0),
  )


def marginals(crf: CRF, emissions: jax.Array, lengths: jax.Array) -> jax.Array:
  """p(y_t = k) `[B, T, K]`, zero past each row's length.

  The gradient of log Z by emissions[t, k]: the backward algorithm is the
  forward one, differentiated (Eisner 2016, "Inside-outside and forward-backward
  algorithms are just backprop"). The likeliest tag at each step is what gets
  most steps right; `viterbi` gets most rows right.

  Args:
    crf: the field.
    emissions: `[B, T, K]`.
    lengths: int `[B]`.
  """
  total = lambda emissions: log_partition(crf, emissions, lengths).sum()
  return jax.grad(total)(emissions)


def constrain(crf: CRF, allowed: np.ndarray, first: np.ndarray) -> CRF:
  """`crf` with what is not allowed out of the question.

  Args:
    crf: the field.
    allowed: bool `[K, K]`, from row to column.
    first: bool `[K]`, what a row may begin with.
  """
  return CRF(
    jnp.where(allowed, crf.transitions, FORBIDDEN),
    jnp.where(first, crf.start, FORBIDDEN),
    crf.end,
  )


def bio_constraints(tags: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
  """What BIO tags may follow each other (Ramshaw and Marcus 1995).

  I-x comes after B-x or I-x alone, and never first.

  Args:
    tags: "O", "B-x" and "I-x".

  Returns:
    `(allowed, first)` for `constrain`.
  """
  allowed = np.array(
    [
      [not b.startswith("I-") or a in (f"B-{b[2:]}", b) for b in tags]
      for a in tags
    ]
  )
  return allowed, np.array([not tag.startswith("I-") for tag in tags])
