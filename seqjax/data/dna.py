"""DNA with labels: three formats, and sequences with a planted motif.

promoters   `+|-,NAME,<tabs>SEQUENCE` (UCI, Promoter Gene Sequences)
splice      `CLASS,NAME,SEQUENCE`, padded with blanks (UCI, Splice-junction
            Gene Sequences)
binding     a folder with `sequences.txt` and `labels.txt`, aligned by line

  config.data.path      FILE or FOLDER
  config.data.aligned   whether a letter's place in the sequence tells
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from seqjax.config import Config
from seqjax.data import text
from seqjax.data.examples import (
  Example,
  Splits,
  check_not_empty,
  parts,
  path_of,
)
from seqjax.errors import InputError

NUCLEOTIDES = "ACGT"
# What each letter may stand for (IUPAC, Cornish-Bowden 1985).
AMBIGUITY = {
  "A": "A", "C": "C", "G": "G", "T": "T", "U": "T",
  "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
  "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
_ROWS = {
  letter: [(n in stands) / len(stands) for n in NUCLEOTIDES]
  for letter, stands in AMBIGUITY.items()
}


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`."""
  path = path_of(data)
  found = read(path) if path else generate(data.examples, seed)
  return parts(found, data, seed)


class Encoder:
  """Sequences as `[time, 4]`, see `one_hot` and `formats`.

  With `positions` P > 0, for sequences that are aligned at some place, `[time,
  4 + 4 P]`: each letter once more, as that letter at that of P positions.
  """

  vocab_size = 0
  unknown = None

  def __init__(self, positions: int):
    self.state = {"positions": positions}
    self._positions = positions
    self.input_size = len(NUCLEOTIDES) * (1 + positions)

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """Positions up to the longest sequence, if `data.aligned`."""
    del seed
    longest = max(len(example.inputs) for example in examples)
    return cls(longest if data.aligned else 0)

  def encode(self, inputs: str) -> np.ndarray:
    letters = one_hot(inputs)
    time, kinds = letters.shape
    at = np.zeros((time, self._positions, kinds), np.float32)
    known = np.arange(min(time, self._positions))
    at[known, known] = letters[known]
    at = at.reshape(time, self._positions * kinds)
    return np.concatenate([letters, at], axis=1)

  def read(self, path: str) -> list[str]:
    """A sequence a line."""
    found = [line.strip() for line in text.lines_of(path)]
    for number, sequence in enumerate(found, 1):
      try:
        one_hot(sequence)
      except ValueError as error:
        raise InputError(f"{path}:{number}: {error}") from error
    return found


def show(inputs: str) -> str:
  """The sequence."""
  return text.shorten(inputs)


def one_hot(sequence: str) -> np.ndarray:
  """`[length, 4]`, A C G T; an ambiguity code shares 1 among what it may be.

  Raises:
    ValueError: a letter that is no nucleotide code.
  """
  for letter in sequence.upper():
    if letter not in _ROWS:
      raise ValueError(
        f"{letter!r} is no nucleotide, expected one of {''.join(_ROWS)}"
      )
  rows = [_ROWS[letter] for letter in sequence.upper()]
  return np.array(rows, np.float32).reshape(-1, 4)


def read(path: str | pathlib.Path) -> list[Example]:
  """A comma-separated file, or the folder of two aligned ones.

  Equal sequences are one group.

  Raises:
    InputError: a file is missing or empty, a row malformed, or the two files
      are of different length.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    return _read_aligned(path)
  examples = []
  for number, line in _lines(path):
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 3 or not all(cells):
      raise InputError(
        f"{path}:{number}: {line[:60]!r} has {len(cells)} field(s), expected"
        " CLASS,NAME,SEQUENCE"
      )
    examples.append(_example(path, number, cells[2], cells[0]))
  check_not_empty(path, examples, "CLASS,NAME,SEQUENCE a line")
  return examples


def _read_aligned(folder: pathlib.Path) -> list[Example]:
  sequences = _lines(folder / "sequences.txt")
  labels = _lines(folder / "labels.txt")
  if len(sequences) != len(labels):
    raise InputError(
      f"{folder}: sequences.txt has {len(sequences)} rows and labels.txt"
      f" {len(labels)}, expected as many"
    )
  return [
    _example(folder / "sequences.txt", number, line.strip(), label.strip())
    for (number, line), (_, label) in zip(sequences, labels, strict=True)
  ]


def _lines(path: pathlib.Path) -> list[tuple[int, str]]:
  lines = enumerate(text.read_utf8(path).split("\n"), 1)
  return [(number, line) for number, line in lines if line.strip()]


def _example(path, number, sequence, label) -> Example:
  try:
    one_hot(sequence)
  except ValueError as error:
    raise InputError(f"{path}:{number}: {error}") from error
  sequence = sequence.upper()
  return Example(sequence, label, group=sequence)


def generate(count: int, seed: int, length: int = 50) -> list[Example]:
  """`count` random sequences; every second holds a motif somewhere.

  The motif is TATAAT, the binding site of most bacterial promoters; the others
  hold its letters in another order. Labels "motif" and "none".
  """
  rng = np.random.default_rng(seed)
  motif = "TATAAT"
  examples = []
  while len(examples) < count:
    planted = motif
    if has_none := len(examples) % 2 == 1:
      planted = "".join(rng.permutation(list(motif)))
    letters = "".join(rng.choice(list(NUCLEOTIDES), length))
    start = rng.integers(length - len(motif))
    sequence = letters[:start] + planted + letters[start + len(motif) :]
    if has_none and motif in sequence:
      continue  # by chance
    label = "none" if has_none else "motif"
    examples.append(Example(sequence, label, group=sequence))
  return examples
