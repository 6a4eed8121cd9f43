import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decode import sampling

LOGITS = jnp.log(jnp.array([[0.5, 0.25, 0.15, 0.07, 0.03]]))


def kept(**options):
  return list(
    np.flatnonzero(sampling.filter_logits(LOGITS, **options)[0] > -1e9)
  )


@pytest.mark.parametrize(
  ("options", "expected"),
  [
    ({}, [0, 1, 2, 3, 4]),
    ({"top_k": 2}, [0, 1]),
    ({"top_k": 9}, [0, 1, 2, 3, 4]),
    ({"top_p": 0.5}, [0]),
    ({"top_p": 0.51}, [0, 1]),
    ({"top_p": 0.9}, [0, 1, 2]),
    ({"top_p": 1e-9}, [0]),
    # Among the two best, 0.5 / 0.75 is less than 0.7: both stay.
    ({"top_k": 2, "top_p": 0.7}, [0, 1]),
    ({"top_k": 2, "top_p": 0.6}, [0]),
  ],
)
def test_filter(options, expected):
  assert kept(**options) == expected


def test_filter_is_by_row():
  logits = jnp.concatenate([LOGITS, LOGITS[:, ::-1]])
  filtered = np.asarray(sampling.filter_logits(logits, top_p=0.6))
  np.testing.assert_array_equal(filtered[0], filtered[1, ::-1])
  assert np.isfinite(filtered).sum() == 4


@pytest.mark.parametrize(
  ("options", "expected"),
  [({"top_p": 0.35}, 4), ({"top_k": 3}, 3), ({"top_k": 6, "top_p": 0.5}, 3)],
)
def test_of_equal_logits_the_first_are_kept(options, expected):
  """The smallest set, not all that are as likely as the last of it."""
  filtered = sampling.filter_logits(jnp.zeros((2, 10)), **options)
  for row in filtered:
    assert np.flatnonzero(np.isfinite(row)).tolist() == list(range(expected))


def by_sorting(logits, top_k, top_p):
  """The definition, of one row: -inf for what is left out."""
  order = np.argsort(-logits, kind="stable")
  kept = np.arange(len(logits)) < (top_k or len(logits))
  probs = np.exp(logits[order] - logits.max(), dtype=np.float64) * kept
  probs /= probs.sum()
  if top_p < 1:
    kept &= np.cumsum(probs) - probs < top_p
  return np.where(np.isin(np.arange(len(logits)), order[kept]), logits, -np.inf)


@pytest.mark.parametrize("top_k", [0, 1, 7, 30, 31, 2_000_000_000])
@pytest.mark.parametrize("top_p", [1e-6, 0.3, 0.93, 1.0])
def test_filter_by_its_definition(top_k, top_p):
  """Both signs, equal ones, excluded ones; options are arguments."""
  rng = np.random.default_rng(0)
  logits = 3 * rng.standard_normal((4, 30)).astype(np.float32)
  logits[1] = np.round(logits[1])
  logits[2, ::3] = -np.inf
  logits[3] = 0
  found = jax.jit(sampling.filter_logits)(
    logits, top_k=np.int32(top_k), top_p=np.float32(top_p)
  )
  for row, kept in zip(logits, np.asarray(found), strict=True):
    np.testing.assert_array_equal(kept, by_sorting(row, top_k, top_p))


def counter(carry, tokens):
  """A model that has each token followed by the next number."""
  logits = jnp.where(jax.nn.one_hot((tokens + 1) % 5, 5, dtype=bool), 10.0, 0.0)
  return carry + 1, logits


def summing(carry, tokens):
  """A model that tells the sum of all tokens so far, modulo 5, likeliest."""
  carry = (carry + tokens.astype(jnp.float32)) % 5
  return carry, 4.0 * jax.nn.one_hot(carry.astype(jnp.int32), 5)


def test_greedy_follows_the_model():
  start = jnp.where(jax.nn.one_hot(jnp.array([0, 3]), 5, dtype=bool), 9.0, 0.0)
  tokens = jax.jit(
    lambda: sampling.sample(
      counter,
      jnp.zeros(()),
      start,
      jax.random.key(0),
      num_tokens=6,
      temperature=0,
    )
  )()
  expected = [[0, 1, 2, 3, 4, 0], [3, 4, 0, 1, 2, 3]]
  np.testing.assert_array_equal(tokens, expected)
  assert tokens.dtype == jnp.int32


def test_draws_follow_the_probabilities():
  """No memory: every draw comes from LOGITS, sharpened by temperature."""
  step = lambda carry, tokens: (carry, jnp.tile(LOGITS, (tokens.shape[0], 1)))
  tokens = sampling.sample(
    step,
    (),
    jnp.tile(LOGITS, (200, 1)),
    jax.random.key(1),
    num_tokens=100,
    temperature=0.5,
  )
  expected = jax.nn.softmax(LOGITS[0] / 0.5)
  counts = np.bincount(np.asarray(tokens).ravel(), minlength=5) / tokens.size
  # Five standard deviations of a share over 20,000 draws.
  np.testing.assert_allclose(counts, expected, atol=5 * 0.5 / np.sqrt(20_000))


def test_seed_decides_and_longer_begins_with_shorter():
  draw = lambda seed, n: sampling.sample(
    counter,
    jnp.zeros(()),
    LOGITS,
    jax.random.key(seed),
    num_tokens=n,
    temperature=3.0,
  )
  np.testing.assert_array_equal(draw(0, 30), draw(0, 30))
  np.testing.assert_array_equal(draw(0, 30)[:, :10], draw(0, 10))
  assert not np.array_equal(draw(0, 30), draw(1, 30))


@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_a_prompt_is_read_first(temperature):
  """As if the step had been called for each of its tokens before."""
  prompt, key = jnp.array([[2, 2, 4, 0, 0, 0, 0]], jnp.int32), jax.random.key(3)
  carry, logits = jnp.zeros((1,)), LOGITS
  for token in (2, 2, 4):
    carry, logits = summing(carry, jnp.array([token]))
  options = {"num_tokens": 4, "temperature": temperature}
  expected = sampling.sample(summing, carry, logits, key, **options)
  found = sampling.sample(
    summing,
    jnp.zeros((1,)),
    LOGITS,
    key,
    prompt=prompt,
    length=3,
    size=7,
    **options,
  )
  np.testing.assert_array_equal(found[0, :3], [2, 2, 4])
  np.testing.assert_array_equal(found[:, 3:], expected)


@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_options_are_arguments(temperature):
  """One program; what is drawn is what constants give."""
  size = 12
  draw = lambda **options: sampling.sample(
    counter, jnp.zeros(()), LOGITS, jax.random.key(0), **options
  )
  traces = []

  @jax.jit
  def compiled(**options):
    traces.append(options)
    return draw(size=size, **options)

  for count in (1, 5, 12):
    found = compiled(
      num_tokens=np.int32(count),
      temperature=np.float32(temperature),
      top_k=np.int32(4),
      top_p=np.float32(0.95),
    )
    expected = draw(
      num_tokens=count, temperature=temperature, top_k=4, top_p=0.95
    )
    np.testing.assert_array_equal(found[:, :count], expected)
  assert len(traces) == 1
  greedy = sampling.greedy(counter, jnp.zeros(()), LOGITS, num_tokens=4)
  np.testing.assert_array_equal(greedy, draw(num_tokens=4, temperature=0.0))


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"num_tokens": 0}, "num_tokens is 0"),
    ({"temperature": -1.0}, "temperature is -1.0"),
    ({"temperature": float("nan")}, "temperature is nan"),
    ({"top_k": -1}, "top_k is -1"),
    ({"top_p": 0.0}, "top_p is 0.0"),
    ({"top_p": 1.5}, "top_p is 1.5"),
  ],
)
def test_bad_options(options, message):
  options = {
    "num_tokens": 1,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
  } | options
  with pytest.raises(ValueError, match=message):
    sampling.check_options(**options)
