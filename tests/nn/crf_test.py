"""The CRF against the enumeration of all taggings."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.nn import crf as fields

B, T, K = 4, 4, 3
LENGTHS = np.array([4, 2, 1, 0])


@pytest.fixture(scope="module")
def problem():
  rng = np.random.default_rng(0)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape) * 2, jnp.float32)
  crf = fields.CRF(draw(K, K), draw(K), draw(K))
  return crf, draw(B, T, K), jnp.asarray(rng.integers(0, K, (B, T)))


def plain_score(crf, emissions, tags):
  if not len(tags):
    return 0.0
  total = crf.start[tags[0]] + crf.end[tags[-1]]
  total += sum(emissions[t, tag] for t, tag in enumerate(tags))
  return total + sum(crf.transitions[a, b] for a, b in itertools.pairwise(tags))


def every(crf, emissions, length):
  """Scores of all taggings of a row."""
  crf, emissions = jax.tree.map(np.asarray, (crf, emissions))
  return {
    tags: plain_score(crf, emissions, tags)
    for tags in itertools.product(range(K), repeat=length)
  }


def test_score(problem):
  crf, emissions, tags = problem
  found = fields.score(crf, emissions, tags, LENGTHS)
  expected = [
    plain_score(crf, emissions[row], tuple(np.asarray(tags)[row, :length]))
    for row, length in enumerate(LENGTHS)
  ]
  np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_log_partition_sums_over_all_taggings(problem):
  crf, emissions, _ = problem
  found = fields.log_partition(crf, emissions, LENGTHS)
  expected = [
    np.logaddexp.reduce(list(every(crf, emissions[row], length).values()))
    for row, length in enumerate(LENGTHS)
  ]
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_its_gradient_is_the_marginal(problem):
  """d log Z / d emissions[t, k] = p(y_t = k)."""
  crf, emissions, _ = problem
  gradient = fields.marginals(crf, emissions, LENGTHS)
  for row, length in enumerate(LENGTHS):
    scores = every(crf, emissions[row], length)
    weights = np.exp(np.array(list(scores.values())))
    weights /= weights.sum()
    expected = np.zeros((T, K))
    for weight, tags in zip(weights, scores, strict=True):
      for t, tag in enumerate(tags):
        expected[t, tag] += weight
    np.testing.assert_allclose(gradient[row], expected, atol=1e-5)


def test_viterbi_finds_the_best(problem):
  crf, emissions, _ = problem
  tags, scores = fields.viterbi(crf, emissions, LENGTHS)
  for row, length in enumerate(LENGTHS):
    found = every(crf, emissions[row], length)
    best = max(found, key=lambda tagging: found[tagging])
    assert tuple(np.asarray(tags)[row, :length]) == best
    assert (np.asarray(tags)[row, length:] == 0).all()
    np.testing.assert_allclose(scores[row], found[best], rtol=1e-5)


def test_viterbi_within_constraints(problem):
  names = ["O", "B-x", "I-x"]
  allowed, first = fields.bio_constraints(names)
  crf, emissions, _ = problem
  tags, _ = fields.viterbi(
    fields.constrain(crf, allowed, first), emissions, LENGTHS
  )
  for row, length in enumerate(LENGTHS):
    legal = {
      tagging: value
      for tagging, value in every(crf, emissions[row], length).items()
      if not (tagging and names[tagging[0]] == "I-x")
      and (0, 2) not in itertools.pairwise(tagging)
    }
    best = max(legal, key=lambda tagging: legal[tagging])
    assert tuple(np.asarray(tags)[row, :length]) == best


def test_bio_constraints():
  names = ["O", "B-a", "I-a", "B-b", "I-b"]
  allowed, first = fields.bio_constraints(names)
  assert first.tolist() == [True, True, False, True, False]
  followed_by_inside = {
    (names[i], names[j])
    for i, j in np.argwhere(allowed)
    if names[j].startswith("I")
  }
  assert followed_by_inside == {
    ("B-a", "I-a"),
    ("I-a", "I-a"),
    ("B-b", "I-b"),
    ("I-b", "I-b"),
  }


def test_padding_plays_no_part(problem):
  crf, emissions, tags = problem
  valid = np.arange(T) < LENGTHS[:, None]
  spoiled = jnp.where(valid[..., None], emissions, 1e6)
  for function, args in (
    (fields.log_likelihood, (tags, LENGTHS)),
    (fields.log_partition, (LENGTHS,)),
  ):
    np.testing.assert_array_equal(
      function(crf, emissions, *args), function(crf, spoiled, *args)
    )
