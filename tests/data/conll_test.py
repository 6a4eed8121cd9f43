import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import batching, conll
from seqjax.errors import InputError

SENTENCES = [
  conll.Sentence(["Jim", "ate", "3,000"], ["B-per", "O", "O"]),
  conll.Sentence(["Acme", "Corp.", "ate", "Jim"], ["B-org", "I-org", "O", "O"]),
]


@pytest.fixture
def encoder():
  data = config_dict.ConfigDict({"min_count": 1})
  return conll.Encoder.fit(SENTENCES, data, 0)


def test_tab_only_separators(write):
  text = "Jim\tB-p\nSmith\tI-p\n\t\nate\tO\n\n\n-DOCSTART- O\n\nit\tO"
  found = conll.read(write(text))
  assert [s.tokens for s in found] == [["Jim", "Smith"], ["ate"], ["it"]]
  assert conll.bracketed(found[0]) == "[Jim Smith]p"
  assert conll.read(write(conll.write(found))) == found
  four_columns = "Jim NNP I-NP B-PER\nate VBD I-VP O\n"
  assert conll.read(write(four_columns))[0].tags == ["B-PER", "O"]


def test_bracketed_parts_neighbours():
  sentence = conll.Sentence(["a", "b", "c"], ["B-x", "B-x", "B-y"])
  assert conll.bracketed(sentence) == "[a]x [b]x [c]y"


def test_load(write, tmp_path):
  data = config_dict.ConfigDict(
    {
      "path": None,
      "examples": 20,
      "validation": 0.1,
      "test": 0.2,
      "train_file": "a",
      "validation_file": "b",
      "test_file": "c",
    }
  )
  generated = conll.load(data, 3)
  assert [len(part) for part in generated] == [14, 2, 4]
  assert [*generated.train, *generated.validation, *generated.test] == (
    conll.generate(20, 3)
  )
  data.path = str(write(conll.write(SENTENCES * 5)))
  found = conll.load(data, 0)
  assert found.train == (SENTENCES * 5)[:7]  # in the order of the file
  for name in data.train_file, data.validation_file, data.test_file:
    write(conll.write(SENTENCES[:1]), f"folder/{name}")
  data.path = str(tmp_path / "folder")
  assert conll.load(data, 0) == ([SENTENCES[0]],) * 3
  data.path = "nothing/here"
  with pytest.raises(InputError, match="path is nothing/here, which does not"):
    conll.load(data, 0)


def test_encoder(encoder):
  assert encoder.state == {
    "words": ["ate", "jim", "3,000", "acme", "corp."],
    "shapes": ["Xx", "x"],
    "letters": sorted(set("JimateAcmeCorp.3,0")),
    "tags": ["O", "B-org", "I-org", "B-per", "I-per"],
  }
  again = conll.Encoder(**json.loads(json.dumps(encoder.state)))
  for one in encoder, again:
    found = one.encode(["JIM", "Acme", "x" * 30])
    assert found.words.tolist() == [2, 4, 0]
    assert found.shapes.tolist() == [0, 1, 2]
    assert found.letter_counts.tolist() == [3, 4, conll.MAX_LETTERS]
    assert found.letters.shape == (3, conll.MAX_LETTERS)
    letters = ["", *one.letters.symbols]
    assert [letters[i] for i in found.letters[1, :4]] == list("Acme")
    assert not found.letters[1, 4:].any()
    assert all(array.dtype == np.int32 for array in found)


def test_tags(encoder):
  assert encoder.tag_ids("train", SENTENCES[1]).tolist() == [1, 2, 0, 0]
  stranger = conll.Sentence(["Rome"], ["B-place"])
  with pytest.raises(
    InputError, match=r"the test part holds the tag 'B-place' \('Rome'\), which"
  ):
    encoder.tag_ids("test", stranger)


def test_a_blank_line_is_a_sentence_without_tokens(encoder, write):
  """One among others, and alone in its bucket."""
  lines = encoder.read(str(write("Jim ate\n\n  \nAcme\n")))
  assert lines == [["Jim", "ate"], [], [], ["Acme"]]
  encoded = [encoder.encode(line) for line in lines]
  assert [array.shape for array in encoded[1]] == [
    (0,),
    (0,),
    (0, conll.MAX_LETTERS),
    (0,),
  ]

  def collate(members, rows, length):
    columns = zip(*(encoded[i] for i in members), strict=True)
    return [batching.pad(column, rows, length) for column in columns]

  loader = batching.Loader([2, 0, 0, 1], collate, 2, num_buckets=3)
  shapes = [[array.shape[:2] for array in batch] for batch in loader.once()]
  assert shapes == [[(2, 1)] * 4] * 2 + [[(2, 2)] * 4]


@pytest.mark.parametrize(
  ("word", "expected"),
  [
    ("Jim", "Xx"),
    ("3,000", "d,d"),
    ("@al", "@x"),
    ("McDonald's", "XxXx'x"),
    ("aBcDeFgH", "xXxXxX"),
    ("", ""),
  ],
)
def test_shape(word, expected):
  assert conll.shape(word) == expected


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("Jim B-p\nSmith\n", ":2: 'Smith', expected a token and a BIO"),
    ("Jim PERSON\n", ":1: 'Jim PERSON', expected"),
  ],
)
def test_mistakes(write, content, message):
  with pytest.raises(InputError, match=message):
    conll.read(write(content))
