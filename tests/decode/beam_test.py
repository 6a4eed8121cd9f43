"""Beam and greedy search against enumeration and against plain loops.

The model is a table: a token depends on the row and on the two before it, so
that the carry, integers, must follow its hypothesis.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decode import beam, greedy
from tests.decode.searching import (
  START,
  STOP,
  as_lists,
  assert_same,
  compiled,
  log_softmax,
)

ALPHAS = (0.0, 0.6, 1.0, 2.0)


def tables(seed, rows, vocab_size, *, scale=2.0):
  """Logits `[rows, two before, one before, next]`."""
  rng = np.random.default_rng(seed)
  return scale * rng.standard_normal((rows, *[vocab_size] * 3))


def table_step(table, carry, tokens):
  row = jnp.arange(len(tokens))
  return {"before": tokens}, table[row, carry["before"], tokens]


def first_carry(rows):
  return {"before": jnp.full(rows, START, jnp.int32)}


def table_search(find, table, most, *, static, **options):
  """Found hypotheses as `[(tokens, score)]` of each row."""
  run = compiled(find, table_step, **({"size": 9} | static))
  found = run(
    jnp.asarray(table, jnp.float32),
    first_carry(len(table)),
    max_lengths=np.array(most),
    **options,
  )
  return as_lists(found)


def enumerate_all(table, least, most, alpha, never, n_best):
  """The best of all sequences of one row that may be, in float64."""
  log_probs, found = log_softmax(table), []
  others = set(range(len(table))) - {STOP, *never}
  for length in range(max(1, min(least, most)), most + 1):
    for body in itertools.product(sorted(others), repeat=length - 1):
      sequence = (*body, STOP)
      before = (START, START, *body)
      score = sum(
        log_probs[step]
        for step in zip(before[:-1], before[1:], sequence, strict=True)
      )
      found.append((sequence, score / length**alpha))
  return sorted(found, key=lambda pair: -pair[1])[:n_best]


@pytest.mark.parametrize(
  ("least", "never"), [(0, ()), (3, (START,))], ids=["all", "some"]
)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_beam_of_full_width_finds_the_best_of_all(alpha, least, never):
  most = [4, 1, 0, 3, 2]
  table = tables(0, len(most), 4)
  # No more candidates than this at any step: 27 hypotheses, 4 symbols.
  found = table_search(
    beam.search,
    table,
    most,
    static={"beam": 108, "n_best": 12, "never": never},
    min_lengths=least,
    alpha=alpha,
  )
  assert found[2] == [((), 0.0)]
  for row in (0, 1, 3, 4):
    expected = enumerate_all(table[row], least, most[row], alpha, never, 12)
    assert_same(found[row], expected)
  assert len(found[0]) == 12
  assert found[1][0][0] == (STOP,)  # the largest length is kept


def plain_beam(table, most, width, alpha, n_best):
  """Beam search of one row by loops over lists, to the largest length."""
  log_probs = log_softmax(table)
  alive, ended = [((), 0.0)], []
  for length in range(1, most + 1):
    candidates = []
    for sequence, score in alive:
      now = log_probs[tuple((START, START, *sequence)[-2:])]
      tokens = [STOP] if length == most else range(len(now))
      candidates += [((*sequence, x), score + now[x]) for x in tokens]
    candidates.sort(key=lambda pair: -pair[1])
    ends = [pair for pair in candidates[:width] if pair[0][-1] == STOP]
    ended += [(x, score / length**alpha) for x, score in ends]
    alive = [pair for pair in candidates if pair[0][-1] != STOP][:width]
  return sorted(ended, key=lambda pair: -pair[1])[:n_best]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_any_beam_equals_plain_loops_that_never_end_early(width):
  most = [9, 4, 9, 7, 9, 2, 9, 9]
  table = tables(1, len(most), 7, scale=1.5)
  table[::2, ..., STOP] += 2  # many ends
  n_best = min(width, 3)
  static = {"beam": width, "n_best": n_best}
  for alpha in ALPHAS:
    found = table_search(beam.search, table, most, static=static, alpha=alpha)
    for row, length in enumerate(most):
      expected = plain_beam(table[row], length, width, alpha, n_best)
      assert_same(found[row], expected)


def by_hand(rows):
  """A table from the probabilities of next symbols, by the one before."""
  table = np.full((1, 5, 5, 5), -30.0)
  for before, shares in rows.items():
    for token, share in shares.items():
      table[0, :, before, token] = np.log(share)
  return table


def count_steps(find, table, **options):
  """What is found in one row of 20 tokens, and how many steps it took."""
  calls = []

  def step(memory, carry, tokens):
    calls.append(1)
    return table_step(memory, carry, tokens)

  static = {"start": START, "stop": STOP, "max_lengths": [20], "size": 20}
  table = jnp.asarray(table, jnp.float32)
  with jax.disable_jit():  # loops in Python
    found = find(step, table, first_carry(1), **static, **options)
  return as_lists(found)[0], len(calls)


def test_it_ends_when_nothing_can_win_and_not_before():
  """The short one ends first; with regard to length the long one wins."""
  table = by_hand(
    {
      START: {STOP: 0.6, 2: 0.4},
      2: {3: 1.0},
      3: {4: 1.0},
      4: {STOP: 1.0},
    }
  )
  found, steps = count_steps(beam.search, table, beam=2, alpha=0.0)
  assert_same(found, [((STOP,), np.log(0.6))])
  assert steps == 1
  found, steps = count_steps(beam.search, table, beam=2, alpha=1.0)
  assert_same(found, [((2, 3, 4, STOP), np.log(0.4) / 4)])
  assert steps == 4  # what goes on has about -30 / 20 at most


def test_what_has_ended_takes_no_place():
  table = by_hand(
    {
      START: {STOP: 0.5, 2: 0.3, 3: 0.2},
      2: {STOP: 0.5, 2: 0.5},
      3: {4: 1.0},
      4: {STOP: 1.0},
    }
  )
  static = {"beam": 2, "n_best": 2}
  found = table_search(beam.search, table, [3], static=static, alpha=2.0)
  best, second = found[0]
  assert_same([best], [((3, 4, STOP), np.log(0.2) / 9)])
  assert_same([second], [((2, 2, STOP), np.log(0.075) / 9)])


def plain_greedy(table, least, most, never):
  log_probs, sequence, score = log_softmax(table), (), 0.0
  while len(sequence) < most and STOP not in sequence:
    now = log_probs[tuple((START, START, *sequence)[-2:])]
    order = [int(x) for x in np.argsort(-now) if x not in never]
    if len(sequence) + 1 == most:
      order = [STOP]
    elif len(sequence) + 1 < least:
      order.remove(STOP)
    sequence, score = (*sequence, order[0]), score + now[order[0]]
  return [(sequence, score)]


@pytest.mark.parametrize("least", [0, 4])
def test_greedy_is_a_loop_and_a_beam_of_one(least):
  most = [12, 0, 1, 5, 12, 12, 3, 12]
  table = tables(2, len(most), 9)
  static = {"never": (START, 3), "size": 12}
  find = functools.partial(table_search, table=table, most=most)
  found = find(greedy.search, static=static, min_lengths=least)
  for row, length in enumerate(most):
    expected = plain_greedy(table[row], least, length, (START, 3))
    assert_same(found[row], expected)
  static = static | {"beam": 1, "alpha": 0}
  one = find(beam.search, static=static, min_lengths=least)
  assert one == found


def test_greedy_ends_with_the_last_row():
  table = by_hand({START: {2: 1.0}, 2: {3: 1.0}, 3: {STOP: 1.0}})
  found, steps = count_steps(greedy.search, table)
  assert_same(found, [((2, 3, STOP), 0.0)])
  assert steps == 3


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"beam": 0}, "beam is 0"),
    ({"alpha": -0.5}, "alpha is -0.5"),
    ({"alpha": float("nan")}, "alpha is nan"),
    ({"alpha": float("inf")}, "alpha is inf"),
    ({"n_best": 0}, "n_best is 0, expected 1 to 2"),
    ({"n_best": 3}, "n_best is 3, expected 1 to 2"),
    ({"never": (STOP,)}, "never has the stop symbol 0"),
    ({"max_lengths": [3, 3]}, r"memory has a leaf of shape \(1, 5, 5, 5\)"),
    ({"max_lengths": 3}, r"max_lengths has shape \(\)"),
    ({"carry": {"before": jnp.int32(1)}}, r"carry has a leaf of shape \(\)"),
  ],
)
def test_bad_options(options, message):
  options = {
    "carry": first_carry(1),
    "max_lengths": [3],
    "beam": 2,
    "alpha": 1.0,
  } | options
  carry = options.pop("carry")
  memory = jnp.asarray(by_hand({}), jnp.float32)
  with pytest.raises(ValueError, match=message):
    beam.search(
      table_step, memory, carry, start=START, stop=STOP, size=3, **options
    )
