"""Proteins with a state at each amino acid."""

import json

import numpy as np
import pytest
from ml_collections import config_dict
from sklearn import metrics

from seqjax.data import alphabets, protein
from seqjax.data.examples import Tagged
from seqjax.errors import InputError

PROTEIN = alphabets.find("protein")
UCI = """# of UCI
<>
G _
v e   # a comment
<end>

<>
A h
<>
X _
end
"""


def read(path):
  return protein.read(path, PROTEIN)


def test_uci(write):
  assert read(write(UCI)) == [
    Tagged("GV", ["C", "E"]),
    Tagged("A", ["H"]),
    Tagged("X", ["C"]),
  ]
  assert read(write("<>\nG _\n")) == [Tagged("G", ["C"])]


def test_letters_and_states(write):
  found = read(write("\n>a b\ngvs\nC-E\n>\nA\nH\n"))
  assert found == [Tagged("GVS", ["C", "-", "E"]), Tagged("A", ["H"])]
  assert read(write(protein.write(found))) == found


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("G _\n", "begins with 'G _', expected <> .* or >NAME"),
    ("# nothing\n", "begins with '', expected <>"),
    ("<>\nG _\n<end>\nV e\n", ":4: 'V e', expected <>"),
    ("<>\nG\n", ":2: 'G', expected LETTER STATE, a state of h, e and _"),
    ("<>\nG x\n", ":2: 'G x', expected LETTER STATE"),
    ("<>\n1 _\n", ":2: '1' is no amino acid, expected one of ACDEF"),
    ("<>\n<>\nG _\n", ":1: a sequence without letters"),
    ("<>\nG _\n<>\n<end>\n", ":3: a sequence without letters"),
    (">a\nGV\nCCC\n", ":3: 3 states below 2 letters, expected as many"),
    (">a\nG1\nCC\n", ":2: '1' is no amino acid"),
    (">a\nGV\n", ":1: '>a', expected >NAME, a line of letters and"),
    (">a\nGV\nCC\nGV\nCC\n", ":4: 'GV', expected >NAME"),
  ],
)
def test_mistakes(write, content, message):
  with pytest.raises(InputError, match=message) as error:
    read(write(content))
  assert "\n" not in str(error.value)


def configured(**changes):
  return config_dict.ConfigDict(
    {
      "path": None,
      "alphabet": "protein",
      "examples": 20,
      "validation": 0.1,
      "test": 0.2,
      "num_folds": 0,
      "fold": 0,
      **changes,
    }
  )


def random_sequences(count, seed=0):
  rng = np.random.default_rng(seed)
  made = ["".join(rng.choice(list(PROTEIN.letters), 30)) for _ in range(count)]
  return [Tagged(one, ["C"] * 30) for one in made]


def test_parts(write, tmp_path):
  assert [len(part) for part in protein.load(configured(), 0)] == [14, 2, 4]
  drawn = random_sequences(20)
  path = str(write(protein.write(drawn), "f/my_train.txt"))
  found = protein.load(configured(path=path), 0)
  assert [len(part) for part in found] == [14, 2, 4]
  assert sorted(found.train + found.validation + found.test) == sorted(drawn)
  assert found != protein.load(configured(path=path), 1)
  test = random_sequences(3, seed=1)
  write(protein.write(test), "f/my_test.txt")
  found = protein.load(configured(path=path), 0)
  assert [len(part) for part in found[:2]] == [18, 2]
  assert found.test == test
  folds = [
    protein.load(configured(path=path, num_folds=3, fold=i), 0)
    for i in range(3)
  ]
  together = [one for parts in folds for one in parts.test]
  assert sorted(together) == sorted(drawn)  # the file's own: no test part
  for parts in folds:
    assert sorted(parts.train + parts.test) == sorted(drawn)
    assert parts.validation == []
  with pytest.raises(InputError, match="fold is 3, expected 0 to 2"):
    protein.load(configured(path=path, num_folds=3, fold=3), 0)
  for count in 1, 21:
    with pytest.raises(InputError, match=f"folds is {count}, expected 2 to 20"):
      protein.load(configured(path=path, num_folds=count), 0)


def test_relatives_are_in_one_part(write):
  drawn = random_sequences(30)
  # 3 shares eight letters, three stretches of six, with 7, and 7 with 12.
  for one, other, start in (7, 3, 0), (12, 7, 15):
    text = str(drawn[one].tokens)
    piece = drawn[other].tokens[start : start + 8]
    drawn[one] = Tagged(text[:4] + piece + text[12:], drawn[one].tags)
  families = protein.relatives(drawn)
  assert [f for f in families if len(f) > 1] == [[3, 7, 12]]
  assert sorted(i for f in families for i in f) == list(range(30))
  path = str(write(protein.write(drawn)))
  for seed in range(5):
    for data in (
      configured(path=path, validation=0.3, test=0.3),
      configured(path=path, num_folds=4, fold=seed % 4),
    ):
      parts = protein.load(data, seed)
      holds = [sum(drawn[i] in part for i in (3, 7, 12)) for part in parts]
      assert sorted(holds) == [0, 0, 3]


def test_encoder():
  examples = [Tagged("GV", ["E", "C"]), Tagged("A", ["C"])]
  encoder = protein.Encoder.fit(examples, configured(), 0)
  assert encoder.tags == ["C", "E"]
  again = protein.Encoder(**json.loads(json.dumps(encoder.state)))
  for one in encoder, again:
    (vectors,) = one.encode("GXu")
    np.testing.assert_array_equal(vectors, PROTEIN.one_hot("GXU"))
    assert one.encode([]).vectors.shape == (0, one.input_size)
    np.testing.assert_array_equal(one.unknown, vectors[1])
    assert one.tag_ids("test", examples[0]).tolist() == [1, 0]
    with pytest.raises(InputError, match=r"test part holds the tag 'H' \('G'"):
      one.tag_ids("test", Tagged("G", ["H"]))


def test_scores_are_scikit_learns():
  examples = [Tagged("GVAG", list("CCHE")), Tagged("AAAA", list("HHHC"))]
  found = [list("CHHE"), list("HHCC")]
  scores = protein.scores(examples, found, configured(path="x"))
  true, said = "CCHEHHHC", "CHHEHHCC"
  assert scores["q3"] == 6 / 8
  for state in "CEH":
    here = [[c == state for c in row] for row in (true, said)]
    expected = metrics.matthews_corrcoef(*here)
    assert scores[f"matthews_{state}"] == pytest.approx(expected)
  assert scores["matthews_E"] == scores["sov_E"] == 1
  assert scores["majority"] == 4 / 8
  assert "best_q3" not in scores


def test_report():
  example = Tagged("G" * 70, ["C"] * 70)
  written = protein.report("test", [example], [["C"] * 60 + ["H"] * 10])
  lines = written.splitlines()
  assert lines[0] == "test part, 1 sequences"
  assert "70 letters, 85.7% right" in lines
  assert lines[3:6] == [
    "      1  " + "G" * 60,
    "   true  " + "C" * 60,
    "  model  " + "C" * 60,
  ]
  assert lines[7:] == [
    "     61  " + "G" * 10,
    "   true  " + "C" * 10,
    "  model  " + "H" * 10,
  ]
