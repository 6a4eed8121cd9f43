"""What holds of greedy and of beam search: a GRU that attends to its source."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from seqjax.decode import beam, greedy, hypotheses
from tests.decode.searching import (
  START,
  STOP,
  as_lists,
  assert_same,
  compiled,
  log_softmax,
)


def gru(seed, vocab_size=300, width=8):
  """A GRU with dot attention; the carry has a position and the weights."""
  keys = jax.random.split(jax.random.key(seed), 5)
  kernel, recurrent = (
    jax.random.normal(key, (2 * width, 3 * width)) for key in keys[:2]
  )
  embedding = jax.random.normal(keys[2], (vocab_size, width))
  out = 1.5 * jax.random.normal(keys[3], (width, vocab_size))

  def step(memory, carry, tokens):
    values, mask = memory["values"], memory["mask"]
    scores = (values * carry["h"][:, None]).sum(axis=-1)
    weights = jax.nn.softmax(scores, axis=-1, where=mask)
    context = (values * weights[..., None]).sum(axis=1)
    inputs = jnp.concatenate([embedding[tokens], context], axis=-1) @ kernel
    hidden = carry["h"] @ recurrent[:width]
    a, b = (jnp.split(x, 3, axis=-1) for x in (inputs, hidden))
    gate = jax.nn.sigmoid(a[0] + b[0])
    new = jnp.tanh(a[2] + jax.nn.sigmoid(a[1] + b[1]) * b[2])
    h = gate * carry["h"] + (1 - gate) * new
    time = carry["time"] + 1
    logits = (h @ out).at[:, STOP].add(4.0 + 0.2 * time.astype(jnp.float32))
    return {"h": h, "attention": weights, "time": time}, logits

  return step


def sources(seed, lengths, width=8, padding=0):
  """Memory and first carry; what is behind a length is noise."""
  rng = np.random.default_rng(seed)
  size, rows = max(lengths) + padding, len(lengths)
  values = np.zeros((rows, size, width), np.float32)
  for row, length in enumerate(lengths):  # the same with any padding
    values[row, :length] = np.random.default_rng(
      (seed, row, length)
    ).standard_normal((length, width))
    values[row, length:] = 100 * rng.standard_normal((size - length, width))
  mask = np.arange(size) < np.array(lengths)[:, None]
  means = (values * mask[..., None]).sum(axis=1) / mask.sum(axis=1)[:, None]
  memory = {"values": jnp.asarray(values), "mask": jnp.asarray(mask)}
  carry = {
    "h": jnp.asarray(means),
    "attention": jnp.zeros((rows, size)),
    "time": jnp.zeros(rows, jnp.int32),
  }
  return memory, carry


SEARCHES = {
  "greedy": greedy.search,
  "beam": functools.partial(beam.search, beam=4, alpha=1.0, n_best=3),
}
LENGTHS = [5, 2, 9, 1, 6]


GRU = gru(0)
ATTENTION = lambda carry: carry["attention"]


def translate(name, memory, carry, *, size=14):
  run = compiled(
    SEARCHES[name], GRU, never=(START, 2), record=ATTENTION, size=size
  )
  most = np.minimum(2 * np.asarray(memory["mask"]).sum(axis=1), 14)
  return run(memory, carry, max_lengths=most, min_lengths=most // 4)


@pytest.mark.parametrize("name", SEARCHES)
def test_scores_and_records_are_those_of_teacher_forcing(name):
  memory, carry = sources(0, LENGTHS)
  found = jax.tree.map(np.asarray, translate(name, memory, carry))
  as_lists(found)
  assert len(set(found.lengths.ravel().tolist())) > 3
  step = jax.jit(GRU)
  for best in range(found.tokens.shape[1]):
    tokens, length = found.tokens[:, best], found.lengths[:, best]
    before = np.concatenate(
      [np.full_like(tokens[:, :1], START), tokens], axis=1
    )
    state, total = carry, np.zeros(len(tokens))
    for time in range(tokens.shape[1]):
      state, logits = step(memory, state, jnp.asarray(before[:, time]))
      now = log_softmax(np.asarray(logits, np.float64))
      inside = time < length
      total += inside * now[np.arange(len(now)), tokens[:, time]]
      np.testing.assert_allclose(
        found.records[:, best, time],
        inside[:, None] * np.asarray(state["attention"]),
        atol=1e-5,
      )
    np.testing.assert_allclose(found.log_probs[:, best], total, rtol=1e-5)
    scores = total / length if name == "beam" else total
    np.testing.assert_allclose(found.scores[:, best], scores, rtol=1e-5)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_row_does_not_see_its_batch_nor_padding(name):
  """Alone, in reverse order, with a longer source and more columns."""
  memory, carry = sources(0, LENGTHS)
  together = as_lists(translate(name, memory, carry))
  order = [4, 3, 2, 1, 0]
  choose = lambda tree, rows: jax.tree.map(lambda x: x[jnp.array(rows)], tree)
  turned = as_lists(
    translate(name, choose(memory, order), choose(carry, order))
  )
  padded = as_lists(translate(name, *sources(0, LENGTHS, padding=7), size=20))
  for row in range(len(LENGTHS)):
    alone = translate(name, choose(memory, [row]), choose(carry, [row]))
    assert_same(as_lists(alone)[0], together[row])
    assert_same(turned[order[row]], together[row])
    assert_same(padded[row], together[row])


@pytest.mark.parametrize("size", [300, 512, 575])
@pytest.mark.parametrize("k", [1, 2])
def test_the_largest_by_blocks(size, k):
  """As `top_k` of all has them, equal ones too."""
  rng = np.random.default_rng(size)
  x = rng.standard_normal((40, size)).astype(np.float32)
  x[20:] = np.round(x[20:])
  x[30:, : size - 3] = -5
  closed = rng.random(size) < 0.2
  found = hypotheses._largest(jnp.asarray(x), jnp.asarray(closed), k)
  expected = lax.top_k(jnp.where(closed[None], -jnp.inf, x), k)
  for one, other in zip(found, expected, strict=True):
    np.testing.assert_array_equal(one, other)
