import collections
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data import tokens
from seqjax.data.subwords import Subwords
from seqjax.errors import InputError

LINES = (
  "the cat sat on the mat .",
  "the dogs sat on the cats ,",
  "der Hund saß auf der Matte .",
  "  two blanks\tand a tab ",
)
FIXED = 4 + 256  # reserved ids and bytes
# What UTF-8 can hold, without the sign that stands for a blank.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"))
CUT = Subwords.fit(LINES, 310)


@given(TEXT)
def test_nothing_is_lost(text):
  ids = CUT.encode(text)
  assert ids.dtype == np.int32
  assert CUT.decode(ids) == text
  # Nothing is unknown, and no text can write a reserved id.
  assert not ids.size or ids.min() >= 4
  sampled = CUT.encode(text, dropout=0.5, seed=len(text))
  assert CUT.decode(sampled) == text


@given(TEXT)
def test_merges_that_are_all_done_are_those_of_the_library(text):
  ids = CUT.encode(text, dropout=1e-12, seed=0)
  np.testing.assert_array_equal(ids, CUT.encode(text))


@pytest.mark.parametrize("text", ["<unk> <stop>", "<0x41>", "", " ", "\0\r\n"])
def test_nothing_is_lost_of_what_looks_special(text):
  assert CUT.decode(CUT.encode(text)) == text
  assert CUT.decode([*CUT.encode(text), CUT.stop]) == text


def test_the_sign_of_a_blank_is_read_as_one():
  assert CUT.decode(CUT.encode("a▁b")) == "a b"


def merges(words, count):
  """Byte pair encoding as the paper's algorithm 1, no two pairs as common."""
  words = {tuple("▁" + word): n for word, n in words.items()}
  found = []
  for _ in range(count):
    pairs = collections.Counter()
    for word, n in words.items():
      for pair in zip(word, word[1:], strict=False):
        pairs[pair] += n
    (best, most), *rest = pairs.most_common()
    assert rest[0][1] < most, "a tie: the reference is not unique"
    found.append("".join(best))
    merged = collections.Counter()
    for word, n in words.items():
      new, i = [], 0
      while i < len(word):
        step = 2 if word[i : i + 2] == best else 1
        new.append("".join(word[i : i + step]))
        i += step
      merged[tuple(new)] += n
    words = merged
  return found


def test_the_commonest_pair_is_merged_first():
  words = {"abab": 6, "abc": 11, "cb": 27, "bca": 4, "ca": 1}
  lines = [" ".join([word] * n) for word, n in words.items()]
  expected = merges(words, 5)
  cut = Subwords.fit(lines, FIXED + len("▁abc") + 5)
  assert cut.symbols(range(FIXED, FIXED + 5)) == expected
  assert sorted(cut.symbols(range(FIXED + 5, len(cut)))) == sorted("▁abc")


def test_learned_twice_it_is_the_same():
  assert Subwords.fit(LINES, 310).state == CUT.state
  code = (
    "import sys, json; from seqjax.data.subwords import Subwords; lines ="
    " json.loads(sys.argv[1]); print(Subwords.fit(lines, 310).state['model'])"
  )
  command = [sys.executable, "-c", code, json.dumps(LINES)]
  said = subprocess.run(command, check=True, capture_output=True, text=True)
  assert said.stdout.strip() == CUT.state["model"]


def test_state():
  again = tokens.from_state(json.loads(json.dumps(CUT.state)))
  assert isinstance(again, Subwords)
  assert (again.state, len(again)) == (CUT.state, 310)
  text = "the unheard cat"
  assert again.encode(text).tolist() == CUT.encode(text).tolist()
  words = tokens.Tokens.fit("a b", tokenizer="words")
  assert tokens.from_state(words.state).state == words.state


def test_reserved_ids():
  ids = CUT.padding, CUT.unknown, CUT.start, CUT.stop
  assert ids == (0, 1, 2, 3)
  assert CUT.symbols(ids) == ["<padding>", "<unk>", "<start>", "<stop>"]
  assert CUT.decode(ids) == ""
  inner = CUT.encode("the cat")
  assert CUT.decode([2, *inner[:1], 1, *inner[1:], 3, 0]) == "the cat"
  assert "".join(CUT.symbols(inner)) == "▁the▁cat"


def test_dropout():
  text = "the cat sat on the mat ."
  draw = lambda seed, rate: CUT.encode(text, dropout=rate, seed=seed).tolist()
  seeds = range(30)
  first = [draw(seed, 0.1) for seed in seeds]
  assert draw(2**40 + 1, 0.1) == draw(2**40 + 1, 0.1)
  assert first == [draw(seed, 0.1) for seed in seeds]
  assert len({tuple(ids) for ids in first}) > 3
  # In every process, or a run would not go on as it was.
  symbols = " ".join(CUT.symbols(draw(5, 0.3)))
  assert symbols == "▁the ▁c at ▁sat ▁ o n ▁t h e ▁ m at ▁."
  # The more merges are left out, the more symbols there are.
  mean = lambda rate: np.mean([len(draw(seed, rate)) for seed in seeds])
  assert len(CUT.encode(text)) < mean(0.1) < mean(0.5) < mean(1.0)
  assert mean(1.0) == len("▁" + text)
  with pytest.raises(ValueError, match="dropout needs a seed"):
    CUT.encode(text, dropout=0.1)


def test_a_long_line_is_learned_from():
  cut = Subwords.fit(["abc " * 5_000], FIXED + 7)
  assert "▁abc" in cut.symbols(range(len(cut)))


@pytest.mark.parametrize(
  ("lines", "size", "message"),
  [
    (["a b", "a b"], 1_000, "is 1000, expected at most 265, as many as the tr"),
    (["a b c ü"], 263, "is 263, expected at least 266: 4 reserved ids, 256 by"),
    (["a b"], 0, "config.data.vocab_size is 0, expected more than 260: 4 res"),
    ([" ", ""], 300, "the training part holds no text to learn subwords of"),
  ],
)
def test_mistakes(lines, size, message):
  with pytest.raises(InputError, match=message) as error:
    Subwords.fit(lines, size)
  assert "\n" not in str(error.value)
