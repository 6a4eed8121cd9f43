import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import tsv
from seqjax.data.examples import Example
from seqjax.errors import InputError


def config(**fields):
  defaults = {
    "path": None,
    "examples": 40,
    "validation": 0.2,
    "test": 0.2,
    "num_folds": 0,
    "fold": 0,
    "min_count": 1,
    "lower": True,
  }
  return config_dict.ConfigDict({**defaults, **fields})


def test_read(write):
  found = tsv.read(write("a good film\t1\r\n\nbad , bad\t0\n"))
  assert [(e.inputs, e.label) for e in found] == [
    (["a", "good", "film"], "1"),
    (["bad", ",", "bad"], "0"),
  ]


def test_the_same_words_have_both_labels():
  """No bag of words can tell the generated reviews apart."""
  bags = {}
  for example in tsv.generate(4_000, seed=0):
    bag = tuple(sorted(example.inputs))
    bags.setdefault(bag, set()).add(example.label)
  assert all(len(labels) == 2 for labels in bags.values())
  for one, other in zip(tsv.SHOWN[::2], tsv.SHOWN[1::2], strict=True):
    assert sorted(one.inputs) == sorted(other.inputs)
    assert one.label != other.label


def test_load(write, tmp_path):
  assert sum(map(len, tsv.load(config(), 0))) == 40
  rows = "".join(f"word{i}\t{i % 2}\n" for i in range(20))
  path = write(rows)
  assert [len(p) for p in tsv.load(config(path=str(path)), 0)] == [12, 4, 4]
  folds = tsv.load(config(path=str(path), num_folds=5, fold=1), 0)
  assert [len(part) for part in folds] == [16, 0, 4]
  for name, count in zip(tsv.PARTS, (3, 2, 1), strict=True):
    write("one\t1\n" * count, f"parts/{name}")
  folder = str(tmp_path / "parts")
  assert [len(part) for part in tsv.load(config(path=folder), 0)] == [3, 2, 1]
  with pytest.raises(InputError, match="num_folds is 5, expected 0: .*parts"):
    tsv.load(config(path=folder, num_folds=5), 0)


def test_encoder(write):
  examples = [Example(["Good", "film"], "1"), Example(["good", "Bad"], "0")]
  encoder = tsv.Encoder.fit(examples, config(), 0)
  assert encoder.state == {"words": ["good", "bad", "film"], "lower": True}
  assert (encoder.vocab_size, encoder.input_size) == (4, 0)
  ids = encoder.encode(["GOOD", "new", "film"])
  assert ids.dtype == np.int32
  assert ids.tolist() == [1, encoder.unknown, 3]
  again = tsv.Encoder(**json.loads(json.dumps(encoder.state)))
  assert again.encode(["GOOD", "new", "film"]).tolist() == ids.tolist()
  assert again.state == encoder.state
  rare = tsv.Encoder.fit(examples, config(min_count=2, lower=False), 0)
  assert rare.state == {"words": [], "lower": False}
  assert rare.encode(["Good"]).tolist() == [rare.unknown]


def test_blank_lines_are_inputs(write):
  encoder = tsv.Encoder(["good"], True)
  found = encoder.read(str(write("good\n\n \nbad good\n")))
  assert found == [["good"], [], [], ["bad", "good"]]
  empty = encoder.encode(found[1])
  assert (empty.shape, empty.dtype) == ((0,), np.int32)


def test_show():
  assert tsv.show(["good", "film"]) == "good film"
  long = tsv.show(["word"] * 50)
  assert len(long) == 70
  assert long.endswith("...")


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("good\t1\nno label\n", r":2: 'no label' has 1 column\(s\)"),
    (" \n", "the file is empty"),
  ],
)
def test_mistakes(write, content, message):
  with pytest.raises(InputError, match=message):
    tsv.read(write(content))


def test_no_more_reviews_than_there_are():
  with pytest.raises(InputError, match="is 10000000, expected no more"):
    tsv.generate(10_000_000, seed=0)
