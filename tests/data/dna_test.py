import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import dna
from seqjax.data.examples import Example
from seqjax.errors import InputError


def test_read(write):
  found = dna.read(write("+,S10,\t\tacgt\n-,  B,   NNRA  \n"))
  assert [(e.inputs, e.label) for e in found] == [("ACGT", "+"), ("NNRA", "-")]


def test_aligned(write, tmp_path):
  write("ACGT\nTTTT\n", "b/sequences.txt")
  write("0\n1\n", "b/labels.txt")
  found = dna.read(tmp_path / "b")
  assert [(e.inputs, e.label) for e in found] == [("ACGT", "0"), ("TTTT", "1")]


def test_the_motif_is_where_it_should_be():
  for example in dna.generate(500, seed=0):
    assert ("TATAAT" in example.inputs) == (example.label == "motif")


def test_load(write):
  rows = [f"{'+-'[i % 2]},x,{'ACGT'[i // 2 % 4] * (i + 1)}" for i in range(20)]
  data = config_dict.ConfigDict({"path": None, "examples": 20})
  data.validation, data.test, data.num_folds, data.fold = 0.0, 0.2, 0, 0
  assert [len(part) for part in dna.load(data, 0)] == [16, 0, 4]
  data.path = str(write("\n".join(rows)))
  data.num_folds = 4
  assert [len(part) for part in dna.load(data, 0)] == [15, 0, 5]


def test_one_hot():
  np.testing.assert_array_equal(dna.one_hot("ACGU"), np.eye(4))
  np.testing.assert_array_equal(
    dna.one_hot("nR"), [[0.25] * 4, [0.5, 0, 0.5, 0]]
  )


@pytest.mark.parametrize(("aligned", "size"), [(False, 4), (True, 16)])
def test_encoder(aligned, size):
  data = config_dict.ConfigDict({"aligned": aligned})
  encoder = dna.Encoder.fit([Example("ACG", "+"), Example("A", "-")], data, 0)
  assert (encoder.vocab_size, encoder.input_size) == (0, size)
  again = dna.Encoder(**json.loads(json.dumps(encoder.state)))
  for sequence in "", "A", "CNT", "GATTACA":
    found = encoder.encode(sequence)
    assert found.shape == (len(sequence), size)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, :4], dna.one_hot(sequence))
    np.testing.assert_array_equal(found, again.encode(sequence))
  if aligned:  # the letter at its own position, nothing past the last of them
    found = encoder.encode("GATT")[:, 4:].reshape(4, 3, 4)
    for step in range(3):
      np.testing.assert_array_equal(found[step, step], dna.one_hot("GAT")[step])
    assert found.sum() == 3


def test_blank_lines_are_inputs(write):
  encoder = dna.Encoder(0)
  path = str(write("ACG\n\nt\n"))
  assert encoder.read(path) == ["ACG", "", "t"]
  with pytest.raises(InputError, match=":2: 'X' is no nucleotide"):
    encoder.read(str(write("ACG\nAX\n")))


def test_show():
  assert dna.show("ACG") == "ACG"
  assert len(dna.show("A" * 500)) == 70


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("+,A,ACGX\n", ":1: 'X' is no nucleotide"),
    ("+,ACGT\n", r":1: .* has 2 field\(s\), expected CLASS,NAME"),
  ],
)
def test_mistakes(write, content, message):
  with pytest.raises(InputError, match=message):
    dna.read(write(content))


def test_files_of_different_length(tmp_path):
  (tmp_path / "sequences.txt").write_text("A\nC\n")
  (tmp_path / "labels.txt").write_text("1\n")
  with pytest.raises(InputError, match="has 2 rows and labels.txt 1"):
    dna.read(tmp_path)
