"""Names sorted into files: `CLASS.txt`, a name a line, and names made up.

config.data.path   FOLDER of these files
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
  check_room,
  parts,
  path_of,
)
from seqjax.data.tokens import Vocabulary
from seqjax.errors import InputError


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`."""
  path = path_of(data)
  found = read_folder(path) if path else generate(data.examples, seed)
  return parts(found, data, seed)


class Encoder:
  """Names as ids of characters; see `formats`."""

  input_size = 0

  def __init__(self, symbols: list[str]):
    self._vocabulary = Vocabulary(symbols)
    self.state = {"symbols": self._vocabulary.symbols}
    self.vocab_size = len(self._vocabulary)
    self.unknown = self._vocabulary.unknown
    self.names = self._vocabulary.names

  @classmethod
  def fit(
    cls, examples: Sequence[Example], data: Config, seed: int
  ) -> "Encoder":
    """All characters of the names."""
    del data, seed
    return cls(sorted({symbol for e in examples for symbol in e.inputs}))

  def encode(self, inputs: str) -> np.ndarray:
    return self._vocabulary.encode(inputs)

  def read(self, path: str) -> list[str]:
    """A name a line."""
    return [line.strip() for line in text.lines_of(path)]


def show(inputs: str) -> str:
  """The name."""
  return text.shorten(inputs)


def steps(inputs: str) -> list[str]:
  """Its letters."""
  return list(inputs)


def read_folder(folder: str | pathlib.Path) -> list[Example]:
  """All `*.txt` of a folder; a name twice in a class is taken once.

  The same name in several classes is kept in each: nobody can get both right.

  Raises:
    InputError: no such files, or they are empty.
  """
  paths = sorted(pathlib.Path(folder).glob("*.txt"))
  if not paths:
    raise InputError(
      f"config.data.path is {folder}, expected a folder of CLASS.txt files with"
      " a name a line"
    )
  examples = []
  for path in paths:
    lines = text.read_utf8(path).split("\n")
    names = dict.fromkeys(line.strip() for line in lines if line.strip())
    examples += [Example(name, path.stem) for name in names]
  check_not_empty(folder, examples, "names")
  return examples


# Syllables of four languages that do not exist, and how they follow each other.
_LANGUAGES = {
  "Avarian": ("a", "li", "ora", "ne", "mi", "ssa", "via", "lo"),
  "Brokk": ("gr", "okk", "ut", "zak", "dur", "brog", "ath", "urk"),
  "Celish": ("mac", "don", "fin", "ley", "ough", "wen", "dy", "lyn"),
  "Dorin": ("ski", "vod", "ova", "rin", "pet", "niko", "lev", "ich"),
}


def generate(count: int, seed: int) -> list[Example]:
  """`count` distinct names by a Markov chain over syllables for each language.

  Languages share a fifth of their syllables, so that none can be told from one
  letter and some names from none.
  """
  rng = np.random.default_rng(seed)
  everyone = [s for syllables in _LANGUAGES.values() for s in syllables]
  chains = {
    label: rng.dirichlet(np.full(len(syllables), 0.4), len(syllables))
    for label, syllables in _LANGUAGES.items()
  }
  found: dict[tuple[str, str], Example] = {}
  made = in_vain = 0
  while len(found) < count:
    in_vain = in_vain + 1 if len(found) == made else 0
    made = len(found)
    check_room(made, in_vain, count)
    label = list(_LANGUAGES)[len(found) % len(_LANGUAGES)]
    syllables = _LANGUAGES[label]
    state = rng.integers(len(syllables))
    name = ""
    for _ in range(rng.integers(2, 5)):
      foreign = rng.random() < 0.2
      name += str(rng.choice(everyone)) if foreign else syllables[state]
      state = rng.choice(len(syllables), p=chains[label][state])
    name = name.capitalize()
    found.setdefault((name, label), Example(name, label))
  return list(found.values())
