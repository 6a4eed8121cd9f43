import collections
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqjax.data import caption_scores, cider

HYPOTHESES = [
  "A man is riding a red bike on the road .",
  "two dogs run over the green field and the dogs jump",
  "A child sits .",
]
REFERENCES = [
  [
    "A man rides a red bike on the road .",
    "A man on a bike",
    "The man is riding on the road .",
  ],
  ["Two dogs run over a green field ."],
  ["A child sits .", "A boy sits on a bench in the park ."],
]
BLEUS = [f"bleu_{n}" for n in range(1, 5)]


def grams(words, n):
  runs = (tuple(words[i : i + n]) for i in range(len(words) - n + 1))
  return collections.Counter(runs)


def reference_bleu(hypotheses, references, order):
  """Papineni et al. 2002: counts and lengths of all, several references."""
  clean = lambda text: text.lower().replace(".", "").split()
  said = [clean(text) for text in hypotheses]
  wanted = [[clean(text) for text in image] for image in references]
  log = 0.0
  for n in range(1, order + 1):
    found = total = 0
    for words, image in zip(said, wanted, strict=True):
      most = collections.Counter()
      for other in image:
        most |= grams(other, n)
      found += (grams(words, n) & most).total()
      total += grams(words, n).total()
    if not found:
      return 0.0, 0.0
    log += math.log(found / total) / order
  closest = [
    min((abs(len(other) - len(words)), len(other)) for other in image)[1]
    for words, image in zip(said, wanted, strict=True)
  ]
  ratio = sum(map(len, said)) / sum(closest)
  return 100 * min(1, math.exp(1 - 1 / ratio)) * math.exp(log), ratio


@pytest.mark.parametrize(
  ("text", "expected"),
  [
    ("A child , in a PINK dress .", "a child in a pink dress"),
    ("The dog's T-shirt", "the dogs tshirt"),
    ("  two\t dogs -- \n run ... ", "two dogs run"),
    ("“It’s” – a test_case $ 5", "its a testcase 5"),
    (
      "Ein MÄDCHEN läuft über naïve Straßen",
      "ein mädchen läuft über naïve straßen",
    ),
    ("मेरी 猫。", "मेरी 猫"),
    (" . - '", ""),
    ("", ""),
  ],
)
def test_normalize(text, expected):
  assert caption_scores.normalize(text) == expected


@settings(max_examples=50)
@given(st.text(max_size=20))
def test_normalized_text_stays(text):
  once = caption_scores.normalize(text)
  assert caption_scores.normalize(once) == once
  assert once == " ".join(once.split())


def test_bleu_is_that_of_the_paper():
  found = caption_scores.scores(HYPOTHESES, REFERENCES)
  for n, name in enumerate(BLEUS, 1):
    expected, ratio = reference_bleu(HYPOTHESES, REFERENCES, n)
    assert found[name] == pytest.approx(expected, rel=1e-12)
    assert found["length_ratio"] == pytest.approx(ratio)
    assert 20 < expected < 95
  # Short ones are punished.
  short = [text.rsplit(maxsplit=6)[0] for text in HYPOTHESES[:2]]
  found = caption_scores.scores(short, REFERENCES[:2])
  expected, ratio = reference_bleu(short, REFERENCES[:2], 2)
  assert found["bleu_2"] == pytest.approx(expected)
  assert found["length_ratio"] == pytest.approx(ratio)
  assert ratio < 1


def test_no_smoothing():
  found = caption_scores.scores(["a dog runs home"], [["a dog sits home"]])
  expected = [100 * 3 / 4, 100 * (3 / 4 / 3) ** 0.5, 0, 0]
  assert [found[name] for name in BLEUS] == pytest.approx(expected)


def test_the_closest_length_counts_and_the_shorter_of_two():
  ratio = lambda *references: caption_scores.scores(["a b c d"], [references])[
    "length_ratio"
  ]
  assert ratio("a b c d e f", "a") == 4 / 6
  assert ratio("a b c d e f", "a b") == 2


def test_cider_is_a_hundred_times_the_mean():
  found = caption_scores.scores(HYPOTHESES, REFERENCES)["cider"]
  clean = lambda text: text.lower().replace(".", "").split()
  alone = cider.cider_d(
    [clean(text) for text in HYPOTHESES],
    [[clean(text) for text in image] for image in REFERENCES],
  )
  assert found == pytest.approx(100 * np.mean(alone))
  assert found > 100


def test_shares():
  hypotheses = ["A dog .", "a dog", "a cat", "the dog's bed"]
  references = [["a Dog"], ["a dog runs"], ["no cat", "A cat!"], ["dogs bed"]]
  found = caption_scores.scores(hypotheses, references, {"A CAT .", "a horse"})
  assert found["exact"] == 2 / 4
  assert found["distinct"] == 3 / 4
  assert found["novel"] == 3 / 4
  assert caption_scores.scores(hypotheses, references)["novel"] == 1


def test_case_and_punctuation_do_not_count():
  loud = [text.upper().replace(".", "!") for text in HYPOTHESES]
  expected = caption_scores.scores(HYPOTHESES, REFERENCES)
  assert caption_scores.scores(loud, REFERENCES) == expected


def test_captions_without_words():
  found = caption_scores.scores([".", ""], [["a dog"], ["."]])
  assert [found[name] for name in [*BLEUS, "cider", "length_ratio"]] == [0] * 6
  assert found["exact"] == 1 / 2


def test_signature():
  said = caption_scores.signature([["a"] * 5, ["b"] * 5]).split("|")
  expected = {"nrefs:5", "case:lc", "tok:none", "smooth:none", "punct:no"}
  assert expected <= {*said}
  assert "nrefs:var" in caption_scores.signature([["a"], ["b", "c"]])
  assert "nrefs:1|" in caption_scores.signature([["a"]])
  assert any(part.startswith("version:") for part in said)


def test_mistakes():
  for sides in ([], []), (["a"], []), (["a"], [["a"], ["b"]]):
    with pytest.raises(ValueError, match=r"there are \d hypotheses for the"):
      caption_scores.scores(*sides)
  for image in ([], "a dog"):
    with pytest.raises(ValueError, match=r"references of image 1 are .*list"):
      caption_scores.scores(["a", "b"], [["a"], image])
