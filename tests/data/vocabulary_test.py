import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data.vocabulary import UNKNOWN, CharVocabulary
from seqjax.errors import InputError

# What UTF-8 can hold: no surrogates; U+FFFD stands for the unknown.
TEXT = st.text(
  st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd")
)


@given(TEXT.filter(bool))
def test_round_trip(text):
  vocabulary = CharVocabulary(text)
  ids = vocabulary.encode(text)
  assert vocabulary.decode(ids) == text
  assert ids.dtype == np.int32
  assert UNKNOWN not in ids
  assert ids.max(initial=0) < len(vocabulary) == len(set(text)) + 1


@given(TEXT.filter(bool), TEXT)
def test_what_is_not_known_is_unknown(text, other):
  vocabulary = CharVocabulary(text)
  unknown = np.array([c not in text for c in other], bool)
  np.testing.assert_array_equal(vocabulary.encode(other) == UNKNOWN, unknown)
  assert set(vocabulary.unknown_in(other)) == set(other) - set(text)
  expected = "".join(c if c in text else "\ufffd" for c in other)
  assert vocabulary.decode(vocabulary.encode(other)) == expected


@given(TEXT.filter(bool))
def test_order_of_the_text_does_not_matter(text):
  symbols = CharVocabulary(text).symbols
  assert symbols == CharVocabulary(reversed(text)).symbols == sorted(set(text))


def test_save_and_load(tmp_path):
  path = tmp_path / "vocabulary.json"
  vocabulary = CharVocabulary('a"\n\\ü\u2028')
  vocabulary.save(path)
  assert CharVocabulary.load(path).symbols == vocabulary.symbols


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}"])
def test_unreadable_file(tmp_path, content):
  path = tmp_path / "vocabulary.json"
  if content is not None:
    path.write_text(content)
  with pytest.raises(InputError, match="no readable vocabulary"):
    CharVocabulary.load(path)
