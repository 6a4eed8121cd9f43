"""Letters of nucleic acids and proteins, and FASTA."""

import numpy as np
import pytest

from seqjax.data import alphabets
from seqjax.data.alphabets import ALPHABETS, Record
from seqjax.errors import InputError

DNA, RNA, PROTEIN = (ALPHABETS[name] for name in ("dna", "rna", "protein"))


def test_one_hot():
  np.testing.assert_array_equal(DNA.one_hot("ACGU"), np.eye(4))
  np.testing.assert_array_equal(RNA.one_hot("acgt"), np.eye(4))
  np.testing.assert_array_equal(
    DNA.one_hot("nR"), [[0.25] * 4, [0.5, 0, 0.5, 0]]
  )
  np.testing.assert_array_equal(
    PROTEIN.one_hot("ACDEFGHIKLMNPQRSTVWY"), np.eye(20)
  )


@pytest.mark.parametrize(
  ("letter", "stands"),
  [("B", "DN"), ("Z", "EQ"), ("J", "IL"), ("U", "C"), ("O", "K")],
)
def test_amino_acids_that_are_not_sure(letter, stands):
  expected = sum(PROTEIN.one_hot(one) for one in stands) / len(stands)
  np.testing.assert_array_equal(PROTEIN.one_hot(letter), expected)
  np.testing.assert_allclose(PROTEIN.one_hot("X"), 1 / 20)


@pytest.mark.parametrize("name", ALPHABETS)
def test_every_letter_is_one(name):
  alphabet = alphabets.find(name)
  letters = alphabet.letters + "".join(alphabet.others)
  rows = alphabet.one_hot(letters + letters.lower())
  assert rows.dtype == np.float32
  np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)
  assert alphabet.one_hot("").shape == (0, len(alphabet.letters))
  assert set(alphabet.motif[0]) <= set(alphabet.letters)


def test_fasta():
  lines = ["", ">one  ", "MK V", "lx*", "", ">two a b", "G"]
  assert alphabets.is_fasta(lines)
  assert not alphabets.is_fasta(["MKV"])
  assert alphabets.fasta("f", lines, PROTEIN) == [
    Record(2, "one", "MKVLX"),
    Record(6, "two a b", "G"),
  ]


@pytest.mark.parametrize(
  ("lines", "message"),
  [
    (["AC", ">a", "AC"], "f:1: 'AC' comes before the first header"),
    ([">a", "A-C"], "f:2: '-' is no nucleotide, expected one of ACGTU"),
    ([">a", "", ">b", "A"], "f:1: no letters follow the header 'a'"),
    ([">a", "A", ">b"], "f:3: no letters follow the header 'b'"),
  ],
)
def test_mistakes(lines, message):
  with pytest.raises(InputError, match=message) as error:
    alphabets.fasta("f", lines, DNA)
  assert "\n" not in str(error.value)


def test_letters_of_another_alphabet(write):
  path = str(write("ACGT\nAEGT\n"))
  with pytest.raises(InputError, match=f"{path}:2: 'E' is no nucleotide"):
    alphabets.read(path, RNA)
  assert alphabets.read(path, PROTEIN) == ["ACGT", "AEGT"]
  with pytest.raises(InputError, match="is 'greek', expected one of dna, rna,"):
    alphabets.find("greek")
