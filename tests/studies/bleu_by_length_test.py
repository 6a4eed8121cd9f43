"""BLEU of bins, and the bootstrap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data import bleu
from seqjax.data.pairs import Pair
from seqjax.studies import bleu_by_length

SIGNATURE = bleu.signatures("es")["bleu"]
WORDS = [f"{a}{b}" for a in "abcdefgh" for b in "aeiou"]
BINS = (1, 4, 8, 20)


def sentence(rng, size):
  return " ".join(rng.choice(WORDS, size))


def data(count=60, longest=12, seed=0):
  rng = np.random.default_rng(seed)
  sizes = rng.integers(1, longest + 1, count)
  return [
    Pair(sentence(rng, n), sentence(rng, n + rng.integers(0, 3)) + " .")
    for n in sizes
  ]


def worse(pairs, rate, seed=1):
  """The right translations, with some of the words lost or changed."""
  rng = np.random.default_rng(seed)
  found = []
  for pair in pairs:
    words = pair.target.split()
    drawn = rng.random(len(words))
    changed = [
      rng.choice(WORDS) if u < rate else w
      for w, u in zip(words, drawn, strict=True)
      if u > rate / 4
    ]
    found.append(" ".join(changed))
  return found


@pytest.mark.parametrize(
  ("language", "metric"),
  [("es", "bleu"), ("es", "bleu_lower"), ("zh", "bleu"), ("ja", "bleu")],
)
def test_the_sum_of_sentences_is_the_corpus(language, metric):
  """As `data.bleu` has it, sacrebleu of the whole: to the last digit."""
  pairs = data()
  upper = [pair.target.upper() for pair in pairs]
  texts = [
    up if i % 3 else text
    for i, (text, up) in enumerate(zip(worse(pairs, 0.2), upper, strict=True))
  ]
  texts[5] = ""
  signature = bleu.signatures(language)[metric]
  for part in (slice(30), slice(5, 6)):
    targets = [pair.target for pair in pairs][part]
    sums = bleu_by_length.statistics(texts[part], targets, signature).sum(0)
    expected = bleu.scores(texts[part], targets, language)[metric]
    found = bleu_by_length.score(sums, signature)
    assert found == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30))
def test_bins_part_the_sentences(sizes):
  pairs = [Pair(" ".join("a" * n), "x") for n in sizes]
  texts = {"one": ["x"] * len(pairs)}
  rows = bleu_by_length.compare(pairs, texts, SIGNATURE, bins=BINS, resamples=2)
  *of_bins, whole = rows
  expected = {
    "1 to 3": [n for n in sizes if n <= 3],
    "4 to 7": [n for n in sizes if 4 <= n <= 7],
    "8 to 19": [n for n in sizes if 8 <= n <= 19],
    "20 or more": [n for n in sizes if n >= 20],
  }
  expected = {name: found for name, found in expected.items() if found}
  assert [(row.name, row.count) for row in of_bins] == [
    (name, len(found)) for name, found in expected.items()
  ]
  for row in of_bins:
    assert row.words == pytest.approx(np.mean(expected[row.name]))
  assert (whole.name, whole.count) == ("all", len(sizes))


def test_a_bin_is_the_bleu_of_its_sentences():
  pairs = data()
  texts = {"a": worse(pairs, 0.1), "b": worse(pairs, 0.4)}
  rows = bleu_by_length.compare(pairs, texts, SIGNATURE, bins=(1, 6))
  for row, chosen in zip(
    rows,
    (lambda n: n < 6, lambda n: n >= 6, lambda n: True),
    strict=True,
  ):
    places = [i for i, p in enumerate(pairs) if chosen(len(p.source.split()))]
    targets = [pairs[i].target for i in places]
    for label, each in texts.items():
      expected = bleu.scores([each[i] for i in places], targets, "es")["bleu"]
      value, low, high = row.scores[label]
      assert value == pytest.approx(expected, abs=1e-9)
      assert low < value < high
    value, low, high = row.differences["b"]
    assert value == row.scores["b"][0] - row.scores["a"][0]
    assert list(row.differences) == ["b"]
    # Far apart: that cannot be chance.
    assert low < value < high < 0


def test_equal_systems_do_not_differ():
  pairs = data()
  texts = worse(pairs, 0.2)
  for row in bleu_by_length.compare(
    pairs, {"a": texts, "b": list(texts)}, SIGNATURE, bins=BINS
  ):
    assert row.differences["b"] == (0.0, 0.0, 0.0)


def test_the_resampling_is_paired_and_seeded():
  """Two models that fail at the same sentences differ by little chance."""
  pairs = data()
  texts = worse(pairs, 0.3)
  other = [text + " ." * (i % 8 == 0) for i, text in enumerate(texts)]
  of = lambda seed: bleu_by_length.compare(
    pairs, {"a": texts, "b": other}, SIGNATURE, bins=(1,), seed=seed
  )[-1]
  row = of(0)
  width = lambda interval: interval[2] - interval[1]
  assert 0 < width(row.differences["b"]) < 0.3 * width(row.scores["a"])
  assert of(0) == row
  assert of(1).scores["a"] != row.scores["a"]
  assert of(1).scores["a"][0] == row.scores["a"][0]


def test_the_interval_covers_as_often_as_it_says():
  """Of many samples of a larger corpus, about 95 % hold its BLEU."""
  pairs = data(1_500, seed=3)
  texts = worse(pairs, 0.25)
  targets = [pair.target for pair in pairs]
  # Many times the sample: its own draw hardly matters.
  truth = bleu.scores(texts, targets, "es")["bleu"]
  rng = np.random.default_rng(0)
  inside = 0
  for _ in range(40):
    places = rng.choice(len(pairs), 60, replace=False)
    (_, row) = bleu_by_length.compare(
      [pairs[i] for i in places],
      {"a": [texts[i] for i in places]},
      SIGNATURE,
      bins=(1,),
      resamples=100,
    )
    _, low, high = row.scores["a"]
    inside += low <= truth <= high
  assert 33 <= inside <= 40


def test_tables():
  pairs = data(40)
  texts = {"bad": worse(pairs, 0.6), "good one": worse(pairs, 0.1)}
  rows = bleu_by_length.compare(
    pairs, texts, SIGNATURE, bins=(1, 7), resamples=20
  )
  header, *lines = [
    line.split("\t") for line in bleu_by_length.tabs(rows).splitlines()
  ]
  assert header[:3] == ["words", "sentences", "bad"]
  assert header[8] == "good one - bad"
  assert [line[0] for line in lines] == ["1 to 6", "7 or more", "all"]
  assert sum(int(line[1]) for line in lines[:2]) == int(lines[2][1]) == 40
  assert all(len(line) == len(header) == 11 for line in lines)
  for line, row in zip(lines, rows, strict=True):
    assert float(line[8]) == pytest.approx(row.differences["good one"][0], 1e-2)
  aligned = bleu_by_length.aligned(rows).splitlines()
  assert len({len(line) for line in aligned}) == 1
  assert f"{rows[0].differences['good one'][0]:+.1f} (+" in aligned[1]
