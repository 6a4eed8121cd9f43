"""CTC's decoding against sums over all alignments, one by one."""

import collections
import itertools
import math

import jax
import numpy as np
import optax
import pytest

from seqjax.data.ngram import KneserNey
from seqjax.decode import ctc

CASES = [(t, v, s) for t in range(1, 7) for v in (2, 3) for s in range(3)]


def read(path, blank=0):
  """An alignment as a text: runs to one symbol each, then no blanks."""
  return tuple(s for s, _ in itertools.groupby(path) if s != blank)


def drawn(time, size, seed=0, scale=2.0):
  rng = np.random.default_rng((time, size, seed))
  scores = scale * rng.normal(size=(time, size))
  return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def every_text(log_probs, blank=0):
  """p of each text: the sum over every alignment that there is."""
  time, size = log_probs.shape
  found = collections.defaultdict(float)
  for path in itertools.product(range(size), repeat=time):
    p = math.exp(sum(log_probs[t, s] for t, s in enumerate(path)))
    found[read(path, blank)] += p
  return found


@pytest.mark.parametrize(("time", "size", "seed"), CASES)
def test_a_wide_beam_is_brute_force(time, size, seed):
  log_probs, blank = drawn(time, size, seed), seed % size
  expected = every_text(log_probs, blank)
  found = ctc.prefix_beam(log_probs, 1_000, n_best=1_000, blank=blank)
  assert {f.tokens for f in found} == set(expected)
  for one in found:
    assert one.log_prob == pytest.approx(math.log(expected[one.tokens]))
    assert one.score == one.log_prob
  assert [f.score for f in found] == sorted(f.score for f in found)[::-1]


def drawn_model(size, seed):
  """log q of each next symbol, by all that was before: another for each."""

  def model(text):
    return drawn(1, size, hash((*text, seed)) % 1_000, 1.0)[0]

  return model


@pytest.mark.parametrize(("time", "size", "seed"), CASES)
def test_a_language_model_counts_once_a_symbol_and_once_the_end(
  time, size, seed
):
  log_probs, lm = drawn(time, size, seed), drawn_model(size, seed)
  expected = {}
  for text, p in every_text(log_probs).items():
    told = sum(lm(text[:i])[s] for i, s in enumerate(text)) + lm(text)[0]
    expected[text] = math.log(p) + 0.7 * told + 0.3 * len(text)
  found = ctc.prefix_beam(log_probs, 1_000, lm, 0.7, bonus=0.3, n_best=1_000)
  assert {f.tokens: pytest.approx(f.score) for f in found} == expected


def test_weights_by_the_word_not_by_the_letter():
  """A model of words over letters tells at the blank and at the end."""
  space, words = 3, {"1": math.log(0.25), "12": math.log(0.75)}

  def lm(text):
    last = "".join(map(str, text)).split(str(space))[-1]
    found = np.zeros(4)
    found[space] = found[0] = words.get(last, math.log(1e-3))
    return found

  log_probs = drawn(5, 4, scale=1.0)
  found = ctc.prefix_beam(log_probs, 5_000, lm, 2.0, n_best=5_000)
  scores = {f.tokens: f.score - f.log_prob for f in found}
  assert scores[(1, 2)] == pytest.approx(2 * math.log(0.75))
  assert scores[(1, 2, 3, 1)] == pytest.approx(2 * math.log(0.75 * 0.25))


def test_an_ngram_with_edges():
  texts = [[1, 2], [1, 2, 2], [2], [1, 2]]
  model = KneserNey(ctc.text_stream(texts, 3), 3, 3)
  lm = ctc.ngram(model)
  contexts = [(), (1,), (1, 2), (2, 1, 2)]
  rows = np.array([lm(text) for text in contexts])
  np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, rtol=1e-12)
  p = lambda before, s: model.probabilities(np.array([before]), np.array([s]))
  assert lm(())[1] == pytest.approx(np.log(p([0, 0], 1)[0]))
  assert lm((2, 1, 2))[0] == pytest.approx(np.log(p([1, 2], 0)[0]))
  assert lm(())[1] > lm(())[2] > lm(())[0]
  log_probs = drawn(4, 3)
  expected = {
    text: math.log(q)
    + 2.0 * sum(lm((*text, 0)[:i])[s] for i, s in enumerate((*text, 0)))
    for text, q in every_text(log_probs).items()
  }
  found = ctc.prefix_beam(log_probs, 200, lm, 2.0)[0]
  assert found.tokens == max(expected, key=lambda text: expected[text])
  assert found.score == pytest.approx(max(expected.values()))


def test_repeats_are_merged_before_blanks_are_dropped():
  """Two symbols with a blank between them are two."""
  path = [1, 1, 0, 1, 2, 2, 0, 0, 2]
  log_probs = np.full((len(path), 3), math.log(0.01))
  log_probs[np.arange(len(path)), path] = math.log(0.98)
  assert ctc.prefix_beam(log_probs, 8)[0].tokens == (1, 1, 2, 2)
  found = ctc.greedy(log_probs[None].astype(np.float32), np.array([9]))
  np.testing.assert_array_equal(found.tokens[0], [1, 1, 2, 2, 0, 0, 0, 0, 0])
  np.testing.assert_array_equal(found.frames[0], [0, 3, 4, 8, 0, 0, 0, 0, 0])
  assert found.lengths[0] == 4


def test_the_sum_beats_the_likeliest_alignment():
  """Both frames blank is .36; a symbol somewhere is .64."""
  log_probs = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
  assert ctc.prefix_beam(log_probs, 4)[0].tokens == (1,)
  assert ctc.greedy(log_probs[None], np.array([2])).lengths[0] == 0


@pytest.mark.parametrize("blank", [0, 2])
def test_greedy_reads_the_best_alignment_up_to_the_length(blank):
  rng = np.random.default_rng(0)
  logits = rng.normal(size=(6, 9, 3)).astype(np.float32)
  lengths = np.array([9, 8, 5, 2, 1, 0])
  found = ctc.greedy(logits, lengths, blank)
  for row, length in enumerate(lengths):
    path = logits[row, :length].argmax(-1).tolist()
    count = int(found.lengths[row])
    assert tuple(found.tokens[row, :count].tolist()) == read(path, blank)
    assert (found.tokens[row, count:] == blank).all()
    begins = [t for t, s in enumerate(path) if [blank, *path][t] != s != blank]
    assert found.frames[row, :count].tolist() == begins


def test_any_chunking_collapses_alike():
  rng = np.random.default_rng(0)
  path = rng.integers(0, 3, 200)
  whole = ctc.Collapser().push(path)
  assert tuple(s for s, _ in whole) == read(path.tolist())
  for _ in range(20):
    edges = np.sort(rng.integers(0, 201, 30))
    collapser = ctc.Collapser()
    found = [collapser.push(piece) for piece in np.split(path, edges)]
    assert [one for piece in found for one in piece] == whole


def test_a_symbol_that_crosses_the_edge_is_one():
  collapser = ctc.Collapser()
  assert collapser.push([0, 1]) == [(1, 1)]
  assert collapser.push([]) == []
  assert collapser.push([1, 0, 1]) == [(1, 4)]


def test_frames_that_a_text_needs():
  """As few as there is an alignment in, by trying them all."""
  for text in itertools.product((1, 2), repeat=3):
    fewest = next(
      time
      for time in range(1, 7)
      if any(read(p) == text for p in itertools.product(range(3), repeat=time))
    )
    assert ctc.frames_needed(text) == fewest
  assert ctc.frames_needed([]) == 0


@pytest.mark.parametrize("seed", range(8))
def test_alignment_is_the_likeliest_one(seed):
  log_probs = drawn(6, 3, seed)
  for text in [(1,), (1, 1), (1, 2), (2, 1, 2), (1, 1, 1)]:
    paths = itertools.product(range(3), repeat=6)
    score = lambda path: log_probs[np.arange(6), path].sum()
    best = max((p for p in paths if read(p) == text), key=score)
    begins = [t for t, s in enumerate(best) if [0, *best][t] != s != 0]
    assert ctc.align(log_probs, text).tolist() == begins


def test_alignment_of_nothing_and_of_too_much():
  log_probs = drawn(3, 3)
  assert ctc.align(log_probs, ()).shape == (0,)
  with pytest.raises(ValueError, match="need 4 frames, expected at most the 3"):
    ctc.align(log_probs, (1, 1, 2))


def test_silence_and_nothing_at_all():
  quiet = np.log(np.tile([0.98, 0.01, 0.01], (5, 1)))
  assert ctc.prefix_beam(quiet, 4)[0].tokens == ()
  (found,) = ctc.prefix_beam(np.zeros((0, 3)), 4)
  assert (found.tokens, found.log_prob) == ((), 0.0)


def test_sums_are_those_of_the_loss():
  """What is trained is what is looked for."""
  log_probs = drawn(6, 3).astype(np.float32)
  found = ctc.prefix_beam(log_probs, 200, n_best=200)
  for one in found[:10]:
    labels = np.zeros((1, 6), np.int32)
    labels[0, : len(one.tokens)] = one.tokens
    padded = (np.arange(6) >= len(one.tokens))[None].astype(np.float32)
    loss = optax.ctc_loss(log_probs[None], np.zeros((1, 6)), labels, padded)
    assert one.log_prob == pytest.approx(-float(loss[0]), abs=1e-3)


@pytest.mark.parametrize(
  ("options", "match"),
  [
    ({"beam": 0}, "beam is 0"),
    ({"beam": 2, "n_best": 3}, "n_best is 3"),
    ({"beam": 2, "log_probs": np.zeros(3)}, "shape"),
    ({"beam": 2, "log_probs": np.full((2, 2), np.nan)}, "NaN"),
  ],
)
def test_options_out_of_range(options, match):
  options = {"log_probs": drawn(3, 3), **options}
  with pytest.raises(ValueError, match=match):
    ctc.prefix_beam(**options)


def test_greedy_compiles_once_a_shape():
  before = ctc.greedy._cache_size()
  for seed in range(2):
    logits = jax.random.normal(jax.random.key(seed), (2, 4, 7))
    ctc.greedy(logits, np.array([4, 3]))
  assert ctc.greedy._cache_size() == before + 1
