"""Alphabets of nucleic acids and proteins, and the files of their letters.

dna      A C G T, and U for T
rna      A C G U, and T for U
protein  the twenty amino acids

A letter that stands for several shares 1 among them: those of nucleotides by
Cornish-Bowden 1985, "Nomenclature for incompletely specified bases in nucleic
acid sequences"; of amino acids B (D or N), Z (E or Q), J (I or L) and X (any).
Two rare ones are read as what they are nearest to: U, selenocysteine, is
cysteine with selenium for sulphur, and O, pyrrolysine, is lysine with a ring at
its end; UniProt writes them C and K, too, where a tool knows no others. The
letters: IUPAC-IUB 1984, "Nomenclature and symbolism for amino acids and
peptides"; J, U and O were added to them later.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from seqjax.data import text
from seqjax.errors import InputError

_NUCLEOTIDES = {
  "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
  "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Alphabet:
  """Letters, and what others stand for.

  Attributes:
    letters: their places are the columns of `one_hot`.
    others: what else may be written, each with the letters it may be.
    kind: what a letter is, for messages.
    motif: what is looked for in such sequences, and what it is.
  """

  letters: str
  others: dict[str, str]
  kind: str
  motif: tuple[str, str]

  @functools.cached_property
  def _shares(self) -> dict[str, list[float]]:
    stands = {letter: letter for letter in self.letters} | self.others
    return {
      letter: [(one in may_be) / len(may_be) for one in self.letters]
      for letter, may_be in stands.items()
    }

  def one_hot(self, sequence: str) -> np.ndarray:
    """`[length, letters]`; capitals and small letters are the same.

    Raises:
      ValueError: a letter that is none of this alphabet.
    """
    known = self._shares
    for letter in sequence.upper():
      if letter not in known:
        raise ValueError(
          f"{letter!r} is no {self.kind}, expected one of {''.join(known)}"
        )
    found = [known[letter] for letter in sequence.upper()]
    return np.array(found, np.float32).reshape(-1, len(self.letters))

  def check(self, sequence: str, where: str) -> str:
    """The sequence in capitals.

    Raises:
      InputError: a letter that is none of this alphabet; it begins with
        `where`, `path:line`.
    """
    try:
      self.one_hot(sequence)
    except ValueError as error:
      raise InputError(f"{where}: {error}") from error
    return sequence.upper()


_RNA = {k: v.replace("T", "U") for k, v in _NUCLEOTIDES.items()}
_AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
ALPHABETS = {
  "dna": Alphabet(
    "ACGT",
    {"U": "T", **_NUCLEOTIDES},
    "nucleotide",
    ("TATAAT", "the binding site of most bacterial promoters"),
  ),
  "rna": Alphabet(
    "ACGU",
    {"T": "U", **_RNA},
    "nucleotide",
    ("AGGAGG", "where a bacterial ribosome binds"),
  ),
  "protein": Alphabet(
    _AMINO_ACIDS,
    {"B": "DN", "Z": "EQ", "J": "IL", "X": _AMINO_ACIDS, "U": "C", "O": "K"},
    "amino acid",
    ("LPETGG", "where sortase cuts, to tie a protein to a cell's wall"),
  ),
}


def find(name: str) -> Alphabet:
  """The alphabet that `config.data.alphabet` names.

  Raises:
    InputError: no such alphabet.
  """
  if name not in ALPHABETS:
    raise InputError(
      f"config.data.alphabet is {name!r}, expected one of"
      f" {', '.join(ALPHABETS)}"
    )
  return ALPHABETS[name]


class Record(NamedTuple):
  """An entry of a FASTA file."""

  line: int  # of its header
  header: str  # without the sign
  letters: str


FASTA = ">"  # what begins a header


def is_fasta(lines: list[str]) -> bool:
  """Whether the first line that is not blank begins a FASTA file."""
  return next((ln for ln in lines if ln.strip()), "").startswith(FASTA)


def fasta(path, lines: list[str], alphabet: Alphabet) -> list[Record]:
  """The entries of a FASTA file: `>HEADER`, then letters on one line or more.

  Blanks in the letters do not count, nor a star at the end of a protein.
  Pearson and Lipman 1988, "Improved tools for biological sequence comparison".

  Args:
    path: for messages.
    lines: of the file.
    alphabet: of the letters.

  Raises:
    InputError: letters before the first header or none behind one, or a letter
      that is none of the alphabet.
  """
  found: list[Record] = []
  for number, line in enumerate(lines, 1):
    if line.startswith(FASTA):
      _check_letters(path, found)
      found.append(Record(number, line[1:].strip(), ""))
    elif letters := "".join(line.split()).removesuffix("*"):
      if not found:
        raise InputError(
          f"{path}:{number}: {text.shorten(line, 40)!r} comes before the first"
          " header, expected >HEADER"
        )
      last = found[-1]
      letters = alphabet.check(letters, f"{path}:{number}")
      found[-1] = last._replace(letters=last.letters + letters)
  _check_letters(path, found)
  return found


def _check_letters(path, found: list[Record]) -> None:
  if found and not found[-1].letters:
    raise InputError(
      f"{path}:{found[-1].line}: no letters follow the header"
      f" {text.shorten(found[-1].header, 40)!r}, expected some"
    )


def read(path: str, alphabet: Alphabet) -> list[str]:
  """Sequences without labels: those of a FASTA file, or one a line.

  Args:
    path: a file, "-" is standard input.
    alphabet: of the letters.

  Raises:
    InputError: the file cannot be read, or a letter is none of the alphabet.
  """
  lines = text.lines_of(path)
  if is_fasta(lines):
    return [record.letters for record in fasta(path, lines, alphabet)]
  for number, line in enumerate(lines, 1):
    alphabet.check(line.strip(), f"{path}:{number}")
  return [line.strip() for line in lines]
