import collections
import math

import numpy as np
import pytest

from seqjax.data import caption_baselines
from seqjax.data.caption_scores import scores

WORDS = ["a", "the", "dog", "cat", "man", "runs", "sits", "on", "beach"]
# What two kinds of pictures show, by one feature; another says nothing.
FEATURES = np.array(
  [[-5, 3], [-4, 3], [-3, 3], [3, 3], [4, 3], [5, 3]], np.float32
)
CAPTIONS = [
  ["A black dog .", "A dog runs on the sand ."],
  ["A dog runs on the beach .", "My friend !"],
  ["A dog runs on the beach today ."],
  ["Two men sit on a bench .", "People in a park ."],
  ["Two men sit on a red bench ."],
  ["Two men sit on the bench and talk ."],
]


def captions(rng, images):
  draw = lambda: " ".join(rng.choice(WORDS, rng.integers(0, 9)))
  return [[draw() for _ in range(rng.integers(1, 4))] for _ in range(images)]


def grams(words, n):
  runs = (tuple(words[i : i + n]) for i in range(len(words) - n + 1))
  return collections.Counter(runs)


def smoothed_bleu(words, other):
  """Lin and Och 2004, by the definition."""
  product = 1.0
  for n in range(1, 5):
    shared = (grams(words, n) & grams(other, n)).total()
    total = max(len(words) - n + 1, 1)
    product *= shared / total if n == 1 else (shared + 1) / (total + 1)
  brevity = min(1, math.exp(1 - len(other) / max(len(words), 1)))
  return brevity * product**0.25


def reference_consensus(texts):
  words = [text.split() for text in texts]
  sums = [
    sum(smoothed_bleu(c, o) for j, o in enumerate(words) if j != i)
    for i, c in enumerate(words)
  ]
  return texts[int(np.argmax(np.round(sums, 9)))]


def reference_constant(images):
  """Counts of each caption against every other image, by the definition."""
  best, chosen = -math.inf, None
  for i, image in enumerate(images):
    others = [
      [text.split() for text in other]
      for j, other in enumerate(images)
      if j != i
    ]
    for text in image:
      words = text.split()
      log = 0.0
      for n in range(1, 5):
        shared = 0
        for other in others:
          most = collections.Counter()
          for reference in other:
            most |= grams(reference, n)
          shared += (grams(words, n) & most).total()
        total = len(others) * max(len(words) - n + 1, 1)
        log += math.log((1 + shared) / (1 + total)) / 4
      wanted = sum(
        min((abs(len(o) - len(words)), len(o)) for o in other)[1]
        for other in others
      )
      log += min(0, 1 - wanted / max(len(others) * len(words), 1))
      if round(log, 9) > best:
        best, chosen = round(log, 9), text
  return chosen


@pytest.mark.parametrize("seed", range(16))
def test_constant_by_brute_force(seed):
  drawn = captions(np.random.default_rng(seed), 2 + seed)
  assert caption_baselines.constant(drawn) == reference_constant(drawn)


@pytest.mark.parametrize("seed", range(8))
def test_consensus_by_brute_force(seed):
  rng = np.random.default_rng(seed)
  drawn = captions(rng, 9)
  train, features = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
  features[:, 2] *= 100  # which counts no more than another
  train[:, 2] *= 100
  found = caption_baselines.consensus(train, drawn, features, neighbours=4)
  mean, deviation = train.mean(0), train.std(0)
  for row, caption in zip((features - mean) / deviation, found, strict=True):
    cosines = [
      row @ other / math.hypot(*row) / math.hypot(*other)
      for other in (train - mean) / deviation
    ]
    near = np.argsort(cosines)[::-1][:4]
    texts = [text for i in near for text in drawn[i]]
    assert caption == reference_consensus(texts)


def test_of_each_kind_its_own():
  features = np.array([[4.4, 3], [-4.2, 3]])
  found = caption_baselines.consensus(FEATURES, CAPTIONS, features, 3)
  assert found == ["Two men sit on a bench .", "A dog runs on the beach ."]
  found = caption_baselines.nearest(FEATURES, CAPTIONS, features)
  assert found == ["Two men sit on a bench .", "A black dog ."]


def test_constant_is_in_common():
  texts = [*CAPTIONS, ["A dog sits on a beach ."], ["My cat"]]
  found = caption_baselines.constant(texts)
  bleu = {
    text: scores([text] * len(texts), texts)["bleu_2"]
    for image in texts
    for text in image
  }
  assert bleu[found] >= np.quantile([*bleu.values()], 0.75)


def test_constant_draws():
  texts = [[f"the dog {word} runs"] for word in map(str, range(50))]
  found = [caption_baselines.constant(texts, 5, seed) for seed in range(6)]
  assert found == [
    caption_baselines.constant(texts, 5, seed) for seed in range(6)
  ]
  assert len(set(found)) > 1
  # All are as like as each other: the first counts.
  assert caption_baselines.constant(texts) == texts[0][0]


def test_the_first_of_equals():
  # Sizes at which products of copies differ in the last digit.
  rng = np.random.default_rng(0)
  train = np.repeat(rng.normal(size=(3, 33)), 23, axis=0)
  texts = [[f"number {i}"] for i in range(len(train))]
  features = rng.normal(size=(7, 33))
  for count in 1, 5:
    found = caption_baselines.consensus(train, texts, features, count)
    assert {int(text.split()[1]) % 23 for text in found} == {0}
  assert caption_baselines.nearest(train, texts, features) == found


def test_few_images_and_features_that_are_the_mean():
  one = np.ones((1, 2))
  for texts in (["a dog"], ["", "."], ["a", "a b", "a b c"]):
    found = caption_baselines.consensus(one, [texts], one)
    assert found[0] in texts
    assert caption_baselines.nearest(one, [texts], one) == texts[:1]
    assert caption_baselines.constant([texts]) in texts
  assert caption_baselines.consensus(one, [["a"]], np.zeros((0, 2))) == []


def test_what_is_said_does_not_hang_on_case_or_punctuation():
  loud = [[text.upper().replace(".", "!") for text in c] for c in CAPTIONS]
  features = FEATURES[[4, 0]]
  found, expected = (
    caption_baselines.consensus(FEATURES, texts, features)
    for texts in (loud, CAPTIONS)
  )
  assert found == [text.upper().replace(".", "!") for text in expected]


def test_mistakes():
  call = caption_baselines.consensus
  with pytest.raises(ValueError, match=r"features are \[6, 2\] and \[6, 3\]"):
    call(FEATURES, CAPTIONS, np.zeros((6, 3)))
  with pytest.raises(ValueError, match=r"features are \[6, 2\] and \[2\]"):
    caption_baselines.nearest(FEATURES, CAPTIONS, FEATURES[0])
  with pytest.raises(ValueError, match="6 training images and captions of 5"):
    call(FEATURES, CAPTIONS[:5], FEATURES)
  with pytest.raises(ValueError, match="neighbours is 0, expected 1"):
    call(FEATURES, CAPTIONS, FEATURES, 0)
  for bare in ([], "a dog"):
    for run in (
      lambda texts: call(FEATURES, texts, FEATURES),
      caption_baselines.constant,
    ):
      with pytest.raises(ValueError, match=r"of training image 1 are .*a list"):
        run([CAPTIONS[0], bare, *CAPTIONS[2:]])
  with pytest.raises(ValueError, match="no training images"):
    caption_baselines.constant([])
  with pytest.raises(ValueError, match="limit is 0"):
    caption_baselines.constant(CAPTIONS, 0)
