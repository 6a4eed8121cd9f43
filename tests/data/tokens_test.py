import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data.tokens import (
  RESERVED,
  TOKENIZERS,
  Tokenizer,
  Tokens,
  Vocabulary,
)
from seqjax.errors import InputError

# What UTF-8 can hold: no surrogates; U+FFFD stands for the unknown.
TEXT = st.text(
  st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd")
)
SYMBOLS = "a", "b", "c", "dd", "ee", ",", ".", "f'g", "<unk>"
WORDS = st.lists(st.sampled_from(SYMBOLS))
KEPT = st.lists(st.sampled_from(RESERVED), unique=True)


@given(TEXT.filter(bool))
def test_characters(text):
  tokens = Tokens.fit(text, tokenizer="characters")
  ids = tokens.encode(text)
  assert tokens.decode(ids) == text
  assert ids.dtype == np.int32
  assert tokens.vocabulary.symbols == sorted(set(text))  # by code point
  assert ids.tolist() == [sorted(set(text)).index(c) + 1 for c in text]
  assert len(tokens) == len(set(text)) + 1


@given(TEXT.filter(bool), TEXT)
def test_what_is_not_known_is_unknown(text, other):
  tokens = Tokens.fit(text, tokenizer="characters")
  unknown = np.array([c not in text for c in other], bool)
  np.testing.assert_array_equal(
    tokens.encode(other) == tokens.vocabulary.unknown, unknown
  )
  assert set(tokens.unknown_in(other)) == set(other) - set(text)
  expected = "".join(c if c in text else "\ufffd" for c in other)
  assert tokens.decode(tokens.encode(other)) == expected


@given(WORDS, st.integers(1, 3), st.integers(0, 4))
def test_words_by_count(words, min_count, max_size):
  found = Vocabulary.count(words, min_count, max_size).symbols
  counts = {word: words.count(word) for word in words}
  kept = [w for w, n in counts.items() if n >= min_count]
  ranked = sorted(kept, key=lambda word: (-counts[word], word))
  assert found == ranked[: max_size or None]


@given(WORDS, KEPT)
def test_reserved_ids_come_first(symbols, reserved):
  vocabulary = Vocabulary(symbols, reserved)
  kept = [name for name in RESERVED if name in reserved]
  for name in RESERVED:
    expected = kept.index(name) if name in kept else None
    assert getattr(vocabulary, name) == expected
  ids = vocabulary.encode(symbols)
  assert len(vocabulary) == len(kept) + len(set(symbols))
  assert set(ids.tolist()) == set(range(len(kept), len(vocabulary)))
  assert vocabulary.decode(ids) == symbols
  # Of the reserved ids nothing but the unknown is written.
  every = np.concatenate([np.arange(len(kept)), ids])
  written = ["?"] * ("unknown" in kept)
  assert vocabulary.decode(every, unknown="?") == written + symbols


def test_without_an_id_for_the_unknown():
  vocabulary = Vocabulary("ab", reserved=("start", "stop"))
  assert vocabulary.encode("ba").tolist() == [3, 2]
  with pytest.raises(ValueError, match="'z' is not in the vocabulary"):
    vocabulary.encode("abz")
  with pytest.raises(ValueError, match="reserved holds end, expected some of"):
    Vocabulary("ab", reserved=("start", "end"))


def test_a_vocabulary_may_be_empty():
  vocabulary = Vocabulary([])
  assert vocabulary.encode("ab").tolist() == [0, 0]
  assert vocabulary.decode([0, 0]) == ["<unk>", "<unk>"]
  assert vocabulary.encode("").shape == (0,)


@pytest.mark.parametrize(
  ("tokenizer", "text", "expected"),
  [
    ("characters", "a b\n", ["a", " ", "b", "\n"]),
    (
      "words",
      "Don't, he said.\nI've 3 <unk> cats!",
      ["Don't", ",", "he", "said", ".", "I've", "3", "<unk>", "cats", "!"],
    ),
    (
      "blanks",
      " no it was n't \n\n the end .\n",
      ["no", "it", "was", "n't", "<eos>", "the", "end", ".", "<eos>"],
    ),
    (
      "blanked",
      "the Dog isn't 27, <unk>",
      ["▁the", "▁Dog", "▁isn't", "▁2", "7", ",", "▁<unk>"],
    ),
    ("blanked", " a  b\n", ["▁", "▁a", "▁", "▁b", "\n"]),
    ("blanked", "", []),
    # A prompt's last line goes on.
    ("blanks", "the end .\nthe ", ["the", "end", ".", "<eos>", "the"]),
  ],
)
def test_split(tokenizer, text, expected):
  assert list(Tokenizer(tokenizer).split(text)) == expected
  low = list(Tokenizer(tokenizer, lower=True).split(text))
  assert low == [symbol.lower() for symbol in expected]


def test_words_are_joined_for_reading():
  tokens = Tokens.fit("Well, (he said) don't!", tokenizer="words")
  ids = tokens.encode("Well , said he ! unheard")
  assert tokens.decode(ids) == "Well, said he! <unk>"
  lines = Tokens.fit("one .\ntwo .", tokenizer="blanks")
  assert lines.decode(lines.encode("one .\ntwo .")) == "one. \n two."


def test_what_stands_for_the_unknown_is_unknown():
  words = Tokens.fit("a <unk> <unk> b", tokenizer="words")
  assert words.vocabulary.symbols == ["a", "b"]
  assert words.encode("<unk> a").tolist() == [0, 1]
  assert words.unknown_in("a c <unk> c") == ["c", "<unk>"]
  assert Tokens.fit("a\ufffd", tokenizer="characters").vocabulary.symbols == [
    "a"
  ]


@given(TEXT.filter(lambda text: "▁" not in text and text))
def test_words_that_remember_their_blank(text):
  tokens = Tokens.fit(text, tokenizer="blanked", reserved=RESERVED)
  assert tokens.decode(tokens.encode(text)) == text
  assert not any(" " in symbol for symbol in tokens.split(text))
  assert all(sum(map(str.isdigit, s)) < 2 for s in tokens.split(text))


def test_a_symbol_for_each_id():
  tokens = Tokens.fit("a b", tokenizer="blanked", reserved=RESERVED)
  assert (tokens.padding, tokens.unknown, tokens.start, tokens.stop) == (
    *range(4),
  )
  reserved = ["<padding>", "▁<unk>", "<start>", "<stop>"]
  assert tokens.symbols(range(6)) == [*reserved, "▁a", "▁b"]
  assert tokens.decode([2, 4, 1, 3, 0]) == "a <unk>"
  few = Tokens.fit("a b", tokenizer="words")
  assert (few.padding, few.unknown, few.start) == (None, 0, None)
  assert few.symbols([0, 1]) == ["<unk>", "a"]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("lower", [False, True])
def test_state(tokenizer, lower):
  text = "The cat sat\non the MAT; the\u2028end"
  tokens = Tokens.fit(
    text,
    tokenizer=tokenizer,
    lower=lower,
    max_size=9,
    reserved=("padding", "unknown", "stop"),
  )
  again = Tokens.from_state(json.loads(json.dumps(tokens.state)))
  assert again.state == tokens.state
  other = text + " THE DOG"
  np.testing.assert_array_equal(again.encode(other), tokens.encode(other))
  assert again.decode(again.encode(other)) == tokens.decode(
    tokens.encode(other)
  )
  assert again.vocabulary.stop == 2


def test_a_text_is_as_good_as_its_symbols():
  text = "The cat, the Dog."
  cut = Tokenizer("words", lower=True)
  one = Tokens.fit(text, tokenizer="words", lower=True)
  other = Tokens.fit(cut.split(text), tokenizer="words", lower=True)
  assert one.state == other.state
  np.testing.assert_array_equal(one.encode(text), other.encode(cut.split(text)))


def test_mistakes():
  with pytest.raises(InputError, match="tokenizer is 'bpe', expected one of c"):
    Tokenizer("bpe")
  with pytest.raises(InputError, match="has 3 words, none .*min_count = 2 ti"):
    Tokens.fit("a b c", tokenizer="words", min_count=2)
  with pytest.raises(InputError, match="has 0 characters"):
    Tokens.fit("", tokenizer="characters")
