"""DNA, RNA or proteins with labels, and sequences with a planted motif.

promoters   `+|-,NAME,<tabs>SEQUENCE` (UCI, Promoter Gene Sequences)
splice      `CLASS,NAME,SEQUENCE`, padded with blanks (UCI, Splice-junction
            Gene Sequences)
binding     a folder with `sequences.txt` and `labels.txt`, aligned by line
FASTA       a file in which the last word of each header is the class, words
            parted by blanks or `|`; or a folder of `CLASS.fasta`, also `.fa`,
            `.fna`, `.faa`

  config.data.path      FILE or FOLDER
  config.data.alphabet  dna, rna or protein, see `alphabets`
  config.data.aligned   whether a letter's place in the sequence tells
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from seqjax.config import Config
from seqjax.data import alphabets, text
from seqjax.data.examples import (
  Example,
  Splits,
  check_not_empty,
  parts,
  path_of,
)
from seqjax.errors import InputError

_SUFFIXES = ".fasta", ".fa", ".fna", ".faa"


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`."""
  path, alphabet = path_of(data), alphabets.find(data.alphabet)
  if path is None:
    return parts(generate(data.examples, seed, alphabet), data, seed)
  found = read(path, alphabet)
  return parts(found, data, seed)


class Encoder:
  """Sequences as `[time, letters]`, see `alphabets` and `formats`.

  With `positions` P > 0, for sequences that are aligned at some place, `[time,
  letters (1 + P)]`: each letter once more, as that letter at that of P
  positions.
  """

  vocab_size = 0
  unknown = None

  def __init__(self, positions: int, alphabet: str = "dna"):
    # The default is for runs from before there were others.
    self.state = {"positions": positions, "alphabet": alphabet}
    self._positions, self._alphabet = positions, alphabets.find(alphabet)
    self.input_size = len(self._alphabet.letters) * (1 + positions)

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """Positions up to the longest sequence, if `data.aligned`."""
    del seed
    longest = max(len(example.inputs) for example in examples)
    return cls(longest if data.aligned else 0, data.alphabet)

  def encode(self, inputs: str) -> np.ndarray:
    letters = self._alphabet.one_hot(inputs)
    time, kinds = letters.shape
    at = np.zeros((time, self._positions, kinds), np.float32)
    known = np.arange(min(time, self._positions))
    at[known, known] = letters[known]
    at = at.reshape(time, self._positions * kinds)
    return np.concatenate([letters, at], axis=1)

  def read(self, path: str) -> list[str]:
    """A FASTA file, or a sequence a line."""
    return alphabets.read(path, self._alphabet)


def show(inputs: str) -> str:
  """The sequence."""
  return text.shorten(inputs)


def steps(inputs: str) -> list[str]:
  """The letters, one for each step that the encoder makes."""
  return list(inputs)


def read(
  path: str | pathlib.Path, alphabet: alphabets.Alphabet
) -> list[Example]:
  """A file or folder of one of the kinds above.

  Equal sequences are one group.

  Raises:
    InputError: a file is missing or empty, a row malformed, or the two aligned
      files are of different length.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    files = [p for p in sorted(path.iterdir()) if p.suffix in _SUFFIXES]
    if not files:
      return _read_aligned(path, alphabet)
    return [one for file in files for one in _read_fasta(file, alphabet, True)]
  if alphabets.is_fasta(text.read_utf8(path).split("\n")):
    return _read_fasta(path, alphabet, False)
  examples = []
  for number, line in _lines(path):
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 3 or not all(cells):
      raise InputError(
        f"{path}:{number}: {line[:60]!r} has {len(cells)} field(s), expected"
        " CLASS,NAME,SEQUENCE, or >HEADER in a FASTA file"
      )
    examples.append(_example(f"{path}:{number}", cells[2], cells[0], alphabet))
  check_not_empty(path, examples, "CLASS,NAME,SEQUENCE a line")
  return examples


def _read_fasta(path, alphabet, one_class: bool) -> list[Example]:
  """The class is the file's name without its end, or the headers' last word."""
  examples = []
  lines = text.read_utf8(path).split("\n")
  for number, header, letters in alphabets.fasta(path, lines, alphabet):
    words = header.replace("|", " ").split()
    if not (one_class or words):
      raise InputError(
        f"{path}:{number}: the header is empty, expected the class as its last"
        " word"
      )
    label = path.stem if one_class else words[-1]
    examples.append(Example(letters, label, group=letters))
  return examples


def _read_aligned(folder: pathlib.Path, alphabet) -> list[Example]:
  if not (folder / "sequences.txt").exists():
    raise InputError(
      f"config.data.path is {folder}, expected a folder of CLASS.fasta files,"
      " or of sequences.txt and labels.txt"
    )
  sequences = _lines(folder / "sequences.txt")
  labels = _lines(folder / "labels.txt")
  if len(sequences) != len(labels):
    raise InputError(
      f"{folder}: sequences.txt has {len(sequences)} rows and labels.txt"
      f" {len(labels)}, expected as many"
    )
  return [
    _example(f"{folder / 'sequences.txt'}:{number}", line, label, alphabet)
    for (number, line), (_, label) in zip(sequences, labels, strict=True)
  ]


def _lines(path: pathlib.Path) -> list[tuple[int, str]]:
  lines = enumerate(text.read_utf8(path).split("\n"), 1)
  return [(number, line) for number, line in lines if line.strip()]


def _example(where: str, sequence: str, label: str, alphabet) -> Example:
  sequence = alphabet.check(sequence.strip(), where)
  return Example(sequence, label.strip(), group=sequence)


def generate(
  count: int, seed: int, alphabet: alphabets.Alphabet, length: int = 50
) -> list[Example]:
  """`count` random sequences; every second holds a motif somewhere.

  It is that of the alphabet, TATAAT in DNA; the others hold its letters in
  another order. Labels "motif" and "none".
  """
  rng = np.random.default_rng(seed)
  motif, _ = alphabet.motif
  examples = []
  while len(examples) < count:
    planted = motif
    if has_none := len(examples) % 2 == 1:
      planted = "".join(rng.permutation(list(motif)))
    letters = "".join(rng.choice(list(alphabet.letters), length))
    start = rng.integers(length - len(motif))
    sequence = letters[:start] + planted + letters[start + len(motif) :]
    if has_none and motif in sequence:
      continue  # by chance
    label = "none" if has_none else "motif"
    examples.append(Example(sequence, label, group=sequence))
  return examples
