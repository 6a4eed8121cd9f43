import collections
import math

import numpy as np
import pytest

from seqjax.data import bleu

# Parted by blanks: each way to find words finds these.
HYPOTHESES = [
  "the cat sat on the red mat in the old house",
  "a dog and a dog run over a green field",
  "two men are near the boat",
]
REFERENCES = [
  "the cat sat on a red mat in the house",
  "a dog and a horse run over the green field today",
  "two men wait near the old boat on the river",
]


def grams(items, n):
  runs = (tuple(items[i : i + n]) for i in range(len(items) - n + 1))
  return collections.Counter(runs)


def reference_bleu(hypotheses, references):
  """Papineni et al. 2002: clipped counts and lengths of the whole corpus."""
  sides = [
    (h.split(), r.split()) for h, r in zip(hypotheses, references, strict=True)
  ]
  logs = 0.0
  for n in range(1, 5):
    found = sum((grams(h, n) & grams(r, n)).total() for h, r in sides)
    logs += math.log(found / sum(grams(h, n).total() for h, _ in sides)) / 4
  said, wanted = (sum(map(len, side)) for side in zip(*sides, strict=True))
  brevity = min(1.0, math.exp(1 - wanted / said))
  return 100 * brevity * math.exp(logs), brevity, said / wanted


def reference_chrf(hypotheses, references):
  """Popovic 2015, beta 2: mean precision and recall of 1- to 6-grams."""
  precisions, recalls = [], []
  for n in range(1, 7):
    both = [
      [grams(text.replace(" ", ""), n) for text in side]
      for side in (hypotheses, references)
    ]
    found = sum((h & r).total() for h, r in zip(*both, strict=True))
    precisions.append(found / sum(h.total() for h in both[0]))
    recalls.append(found / sum(r.total() for r in both[1]))
  p, r = np.mean(precisions), np.mean(recalls)
  return 100 * 5 * p * r / (4 * p + r)


def test_scores_are_those_of_the_papers():
  found = bleu.scores(HYPOTHESES, REFERENCES, "de")
  expected, brevity, ratio = reference_bleu(HYPOTHESES, REFERENCES)
  for name in "bleu", "bleu_lower", "bleu_tokenized":
    assert found[name] == pytest.approx(expected, rel=1e-12)
  assert 20 < expected < 80
  assert found["brevity_penalty"] == pytest.approx(brevity)
  assert found["length_ratio"] == pytest.approx(ratio)
  assert brevity < 1
  assert found["chrf"] == pytest.approx(reference_chrf(HYPOTHESES, REFERENCES))
  assert found["exact"] == 0
  # A mean over sentences is something else.
  alone = [
    bleu.scores([h], [r], "de")["bleu"]
    for h, r in zip(HYPOTHESES, REFERENCES, strict=True)
  ]
  assert abs(np.mean(alone) - expected) > 1


def test_case_and_punctuation():
  """What is perfect but for these is so in its own row alone."""
  references = [
    f"Ein Mann, der „{word}“ sagt, trägt T-Shirts." for word in "ABC"
  ]
  lower = [text.lower() for text in references]
  plain = [text.replace("„", '"').replace("“", '"') for text in references]
  found = {
    name: bleu.scores(texts, references, "de")
    for name, texts in (
      ("same", references),
      ("lower", lower),
      ("plain", plain),
    )
  }
  figures = ["bleu", "bleu_lower", "bleu_tokenized"]
  perfect = {
    name: [round(scores[f], 9) == 100 for f in figures]
    for name, scores in found.items()
  }
  assert perfect == {
    "same": [True, True, True],
    "lower": [False, True, True],
    "plain": [False, False, True],
  }
  assert [scores["exact"] for scores in found.values()] == [1, 0, 0]
  assert found["same"]["chrf"] == 100


def test_blanks_beside_punctuation_do_not_count():
  found = bleu.scores(["Nein , wer ?"], ["Nein, wer?"], "de")
  assert found["bleu_tokenized"] == pytest.approx(100)
  assert found["exact"] == 0


def test_a_hyphen_stays_in_its_word():
  found = bleu.scores(["a b c-d e f"], ["a b c-x e f"], "en")
  # 4 of 5 words, 2 of 4 pairs, none of 3 and 2: halved and halved again.
  product = (4 / 5) * (2 / 4) * (1 / (2 * 3)) * (1 / (4 * 2))
  assert found["bleu_tokenized"] == pytest.approx(100 * product**0.25)


def test_chinese_is_scored_by_character():
  hypotheses, references = ["这里夏天非常热。"], ["这里夏天非常炎热。"]
  spaced = [" ".join(*side) for side in (hypotheses, references)]
  expected, brevity, _ = reference_bleu(spaced[:1], spaced[1:])
  found = bleu.scores(hypotheses, references, "zh")
  assert found["bleu"] == pytest.approx(expected)
  assert found["brevity_penalty"] == pytest.approx(brevity)
  for name in ("zh-CN", "zh_tw", "cmn"):
    assert bleu.scores(hypotheses, references, name)["bleu"] == found["bleu"]
  assert bleu.scores(hypotheses, references, "de")["bleu"] == 0


def test_signatures():
  found = bleu.signatures("de")
  names = {n for n in bleu.scores(["a"], ["a"], "de") if n in found}
  assert names == {"bleu", "bleu_lower", "bleu_tokenized", "chrf"} == set(found)
  parts = {
    "bleu": ("case:mixed", "tok:13a"),
    "bleu_lower": ("case:lc", "tok:13a"),
    "bleu_tokenized": ("tok:none", "moses:lower,normalize,tokenize"),
    "chrf": ("nc:6", "nw:0"),
  }
  for name, wanted in parts.items():
    said = found[name].split("|")
    assert {*wanted, "nrefs:1"} <= {*said}
    assert any(part.startswith("version:") for part in said)
  assert "tok:zh" in bleu.signatures("zh")["bleu"]


def test_sentences_are_ranked():
  texts = [*HYPOTHESES, REFERENCES[0]]
  found = bleu.sentence_scores(texts, [*REFERENCES, REFERENCES[0]])
  expected = [
    reference_chrf([h], [r])
    for h, r in zip(HYPOTHESES, REFERENCES, strict=True)
  ]
  np.testing.assert_allclose(found, [*expected, 100])


def test_mistakes():
  for sides in ([], []), (["a"], []):
    with pytest.raises(ValueError, match=r"there are \d hypotheses and 0 ref"):
      bleu.scores(*sides, "de")
