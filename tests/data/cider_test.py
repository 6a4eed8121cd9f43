"""CIDEr-D; what its authors' program computed: see goldens/make_cider.py."""

import json
import pathlib

import numpy as np
import pytest

from seqjax.data import cider

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "cider.json"
WORDS = [f"w{i}" for i in range(9)]


def split(texts):
  return [text.split() for text in texts]


@pytest.mark.parametrize("name", ["many", "same", "single", "two", "short"])
def test_the_authors_program_agrees(name):
  case = json.loads(GOLDENS.read_text())["cases"][name]
  references = [split(image) for image in case["references"]]
  found = cider.cider_d(split(case["hypotheses"]), references)
  assert found.dtype == np.float64
  np.testing.assert_allclose(found, case["scores"], rtol=1e-9, atol=1e-9)


def test_the_goldens_say_something():
  cases = json.loads(GOLDENS.read_text())["cases"]
  many = np.array(cases["many"]["scores"])
  assert ((many > 0.1) & (many < 9)).sum() > 20
  assert {len(image) for image in cases["many"]["references"]} == {*range(1, 6)}
  assert "" in cases["many"]["hypotheses"]
  assert cases["single"]["scores"] == [0]


def test_a_caption_that_is_its_reference_has_ten():
  references = [split(["a b c d e"]), split(["f g h i j"])]
  found = cider.cider_d(split(["a b c d e", "f g h i x"]), references)
  assert found[0] == pytest.approx(10)
  assert 0 < found[1] < 10


def test_by_hand():
  """Two images, single words: only n = 1 is not 0, idf is log 2 or 0."""
  references = [split(["cat"]), split(["dog"])]
  found = cider.cider_d(split(["cat", "cat"]), references)
  np.testing.assert_allclose(found, [10 / 4, 0])
  # g = (2, 0) log 2, clipped to 1; one word too many; no bigram of the other.
  found = cider.cider_d(split(["cat cat", "dog"]), references, sigma=2.0)
  np.testing.assert_allclose(found, [10 / 4 * np.exp(-1 / 8) / 2, 10 / 4])


def test_sigma_is_the_price_of_words():
  references = [split(["a b c d e f"]), split(["x y z"])]
  hypotheses = split(["a b c", "x y z"])
  wide, narrow = (
    cider.cider_d(hypotheses, references, sigma=sigma) for sigma in (1e9, 3.0)
  )
  np.testing.assert_allclose(narrow, wide * np.exp([-9 / 18, 0]))


def test_order_of_references_and_images():
  rng = np.random.default_rng(0)
  draw = lambda: list(rng.choice(WORDS, rng.integers(1, 9)))
  references = [[draw() for _ in range(rng.integers(1, 5))] for _ in range(20)]
  hypotheses = [draw() for _ in references]
  found = cider.cider_d(hypotheses, references)
  turned = [image[::-1] for image in references[::-1]]
  again = cider.cider_d(hypotheses[::-1], turned)[::-1]
  np.testing.assert_allclose(found, again, rtol=1e-12)
  assert (found > 0).any()


def test_mistakes():
  words = [["a"]]
  for sides in ([], []), (words, []), (words, [words, words]):
    with pytest.raises(ValueError, match=r"there are \d hypotheses for the"):
      cider.cider_d(*sides)
  with pytest.raises(ValueError, match="image 1 has no references"):
    cider.cider_d([["a"], ["b"]], [words, []])
  for sides in (["a b"], [words]), (words, [["a b"]]), (words, ["a b"]):
    with pytest.raises(ValueError, match="image 0: 'a b' is a text, expected"):
      cider.cider_d(*sides)
