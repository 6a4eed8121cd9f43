import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import alphabets, dna
from seqjax.data.examples import Example
from seqjax.errors import InputError

DNA = alphabets.find("dna")
PROTEIN = alphabets.find("protein")


def test_read(write):
  found = dna.read(write("+,S10,\t\tacgt\n-,  B,   NNRA  \n"), DNA)
  assert [(e.inputs, e.label) for e in found] == [("ACGT", "+"), ("NNRA", "-")]


def test_aligned(write, tmp_path):
  write("ACGT\nTTTT\n", "b/sequences.txt")
  write("0\n1\n", "b/labels.txt")
  found = dna.read(tmp_path / "b", DNA)
  assert [(e.inputs, e.label) for e in found] == [("ACGT", "0"), ("TTTT", "1")]


@pytest.mark.parametrize("name", alphabets.ALPHABETS)
def test_the_motif_is_where_it_should_be(name):
  alphabet = alphabets.find(name)
  for example in dna.generate(300, 0, alphabet):
    found = alphabet.motif[0] in example.inputs
    assert found == (example.label == "motif")
    assert set(example.inputs) <= set(alphabet.letters)


def test_fasta_has_the_class_in_its_header(write):
  text = ">sp|P1|A +\nac gt\nAC\n\n>x|-\nNN\n"
  found = dna.read(write(text), DNA)
  assert found == [
    Example("ACGTAC", "+", group="ACGTAC"),
    Example("NN", "-", group="NN"),
  ]


def test_fasta_of_a_file_for_each_class(write, tmp_path):
  write(">\nMKV*\n>b\nLU\n", "folder/one.fasta")
  write(">c\nGG\n", "folder/two.faa")
  write("what it is", "folder/README.md")
  found = dna.read(tmp_path / "folder", PROTEIN)
  assert [(e.inputs, e.label) for e in found] == [
    ("MKV", "one"),
    ("LU", "one"),
    ("GG", "two"),
  ]


def test_load(write):
  rows = [f"{'+-'[i % 2]},x,{'ACGT'[i // 2 % 4] * (i + 1)}" for i in range(20)]
  data = config_dict.ConfigDict({"path": None, "examples": 20})
  data.alphabet = "dna"
  data.validation, data.test, data.num_folds, data.fold = 0.0, 0.2, 0, 0
  assert [len(part) for part in dna.load(data, 0)] == [16, 0, 4]
  data.path = str(write("\n".join(rows)))
  data.num_folds = 4
  assert [len(part) for part in dna.load(data, 0)] == [15, 0, 5]


@pytest.mark.parametrize(("aligned", "size"), [(False, 4), (True, 16)])
def test_encoder(aligned, size):
  data = config_dict.ConfigDict({"aligned": aligned, "alphabet": "dna"})
  encoder = dna.Encoder.fit([Example("ACG", "+"), Example("A", "-")], data, 0)
  assert (encoder.vocab_size, encoder.input_size) == (0, size)
  again = dna.Encoder(**json.loads(json.dumps(encoder.state)))
  for sequence in "", "A", "CNT", "GATTACA":
    found = encoder.encode(sequence)
    assert found.shape == (len(sequence), size)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, :4], DNA.one_hot(sequence))
    np.testing.assert_array_equal(found, again.encode(sequence))
  if aligned:  # the letter at its own position, nothing past the last of them
    found = encoder.encode("GATT")[:, 4:].reshape(4, 3, 4)
    for step in range(3):
      np.testing.assert_array_equal(found[step, step], DNA.one_hot("GAT")[step])
    assert found.sum() == 3


def test_blank_lines_are_inputs(write):
  encoder = dna.Encoder(0)
  path = str(write("ACG\n\nt\n"))
  assert encoder.read(path) == ["ACG", "", "t"]
  with pytest.raises(InputError, match=":2: 'X' is no nucleotide"):
    encoder.read(str(write("ACG\nAX\n")))


def test_an_encoder_of_another_alphabet():
  data = config_dict.ConfigDict({"aligned": False, "alphabet": "protein"})
  encoder = dna.Encoder.fit([Example("MK", "+")], data, 0)
  assert encoder.input_size == 20
  again = dna.Encoder(**json.loads(json.dumps(encoder.state)))
  np.testing.assert_array_equal(again.encode("MKX"), PROTEIN.one_hot("MKX"))


def test_fasta_without_labels(write):
  path = str(write(">a\nAC\nGT\n>b\nU\n"))
  assert dna.Encoder(0).read(path) == ["ACGT", "U"]


def test_show():
  assert dna.show("ACG") == "ACG"
  assert len(dna.show("A" * 500)) == 70


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("+,A,ACGX\n", ":1: 'X' is no nucleotide"),
    ("+,ACGT\n", r":1: .* has 2 field\(s\), expected CLASS,NAME"),
    (">a +\nAC\nAX\n", ":3: 'X' is no nucleotide"),
    (">a +\n>b -\nAC\n", ":1: no letters follow the header 'a \\+'"),
    (">a +\nAC\n>b -\n\n", ":3: no letters follow the header"),
    ("> \nAC\n", ":1: the header is empty, expected the class"),
  ],
)
def test_mistakes(write, content, message):
  with pytest.raises(InputError, match=message):
    dna.read(write(content), DNA)


def test_files_of_different_length(tmp_path):
  with pytest.raises(InputError, match="expected a folder of CLASS.fasta"):
    dna.read(tmp_path, DNA)
  (tmp_path / "sequences.txt").write_text("A\nC\n")
  (tmp_path / "labels.txt").write_text("1\n")
  with pytest.raises(InputError, match="has 2 rows and labels.txt 1"):
    dna.read(tmp_path, DNA)


def test_a_step_is_a_letter():
  """As many as the encoder makes, ambiguous ones too."""
  assert dna.steps("ACgN") == ["A", "C", "g", "N"]
  assert len(dna.Encoder(2).encode("ACgN")) == 4
