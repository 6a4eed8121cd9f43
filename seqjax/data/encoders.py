"""From a raw input to an array, by what was learned from the training part.

Each kind has `fit(examples)` to make it, `encode(inputs)` to an array whose
first axis is time, `read(path)` for inputs without labels, and `state` for
JSON: `type(encoder)(**state)` is the same encoder again.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.data import columns, dna, images, text
from seqjax.data.examples import Example
from seqjax.data.vocabulary import CharVocabulary, WordVocabulary
from seqjax.errors import InputError

STDIN = "-"


def lines_of(path: str) -> list[str]:
  """The lines of a file, or of standard input if `path` is "-".

  Raises:
    InputError: the file cannot be read, is empty or is not UTF-8.
  """
  if path != STDIN:
    return text.read_utf8(path).removesuffix("\n").split("\n")
  try:
    content = sys.stdin.read()
  except UnicodeDecodeError as error:
    raise InputError(f"standard input is not valid UTF-8 ({error})") from error
  if not content.strip():
    raise InputError("standard input is empty, expected an input a line")
  return content.removesuffix("\n").split("\n")


class Words:
  """Texts as ids of words; `vocab_size` of them."""

  def __init__(self, words: list[str], lower: bool):
    self._vocabulary, self._lower = WordVocabulary(words), lower
    self.state = {"words": self._vocabulary.words, "lower": lower}
    self.vocab_size, self.input_size = len(self._vocabulary), 0

  @classmethod
  def fit(
    cls, examples: Sequence[Example], min_count: int, lower: bool
  ) -> "Words":
    """The words that occur `min_count` times or more."""
    words = [
      word.lower() if lower else word for e in examples for word in e.inputs
    ]
    return cls(WordVocabulary.count(words, min_count).words, lower)

  def encode(self, inputs: list[str]) -> np.ndarray:
    return self._vocabulary.encode(
      word.lower() if self._lower else word for word in inputs
    )

  def read(self, path: str) -> list[list[str]]:
    """A text a line, words parted by blanks."""
    return [line.split() for line in lines_of(path)]


class Chars:
  """Texts as ids of characters; `vocab_size` of them."""

  def __init__(self, symbols: list[str]):
    self._vocabulary = CharVocabulary(symbols)
    self.state = {"symbols": self._vocabulary.symbols}
    self.vocab_size, self.input_size = len(self._vocabulary), 0

  @classmethod
  def fit(cls, examples: Sequence[Example]) -> "Chars":
    return cls(sorted({symbol for e in examples for symbol in e.inputs}))

  def encode(self, inputs: str) -> np.ndarray:
    return self._vocabulary.encode(inputs)

  def read(self, path: str) -> list[str]:
    """A text a line."""
    return [line.strip() for line in lines_of(path)]


class DNA:
  """Sequences as `[time, 4]`, see `dna.one_hot`.

  With `positions` P > 0, for sequences that are aligned at some place, `[time,
  4 + 4 P]`: each letter once more, as that letter at that of P positions.
  """

  vocab_size = 0

  def __init__(self, positions: int):
    self.state = {"positions": positions}
    self._positions = positions
    self.input_size = len(dna.NUCLEOTIDES) * (1 + positions)

  @classmethod
  def fit(cls, examples: Sequence[Example], aligned: bool) -> "DNA":
    return cls(max(len(e.inputs) for e in examples) if aligned else 0)

  def encode(self, inputs: str) -> np.ndarray:
    letters = dna.one_hot(inputs)
    time, kinds = letters.shape
    at = np.zeros((time, self._positions, kinds), np.float32)
    known = np.arange(min(time, self._positions))
    at[known, known] = letters[known]
    return np.concatenate([letters, at.reshape(time, -1)], axis=1)

  def read(self, path: str) -> list[str]:
    """A sequence a line."""
    found = [line.strip() for line in lines_of(path)]
    for number, sequence in enumerate(found, 1):
      try:
        dna.one_hot(sequence)
      except ValueError as error:
        raise InputError(f"{path}:{number}: {error}") from error
    return found


ORDERS = "rows", "pixels", "permuted"


class Images:
  """Grey images as sequences, values from 0 to 1.

  "rows" is `[height, width]`, a row a step; "pixels" is `[height * width, 1]`,
  one after the other; "permuted" the same in one random order, fixed by a seed
  (Le, Jaitly and Hinton 2015).
  """

  vocab_size = 0

  def __init__(self, height: int, width: int, order: str, seed: int):
    if order not in ORDERS:
      raise InputError(
        f"config.data.order is {order!r}, expected one of {', '.join(ORDERS)}"
      )
    self.state = {
      "height": height,
      "width": width,
      "order": order,
      "seed": seed,
    }
    self._shape = height, width
    self.input_size = width if order == "rows" else 1
    self._order = np.arange(height * width)
    if order == "permuted":
      self._order = np.random.default_rng(seed).permutation(height * width)

  @classmethod
  def fit(cls, examples: Sequence[Example], order: str, seed: int) -> "Images":
    height, width = examples[0].inputs.shape
    return cls(height, width, order, seed)

  def encode(self, inputs: np.ndarray) -> np.ndarray:
    pixels = inputs.reshape(-1)[self._order] / np.float32(255)
    return pixels.reshape(-1, self.input_size)

  def read(self, path: str) -> list[np.ndarray]:
    """An IDX file of images."""
    found = images.read_idx(path)
    if found.shape[1:] != self._shape:
      raise InputError(
        f"{path}: images have shape {found.shape[1:]}, expected {self._shape}"
      )
    return list(found)


class Table:
  """Columns as one vector `[features]`, there is no time.

  Numbers are standardised by mean and deviation of the training part; a column
  of text becomes one entry for each of its values there. A value that did not
  occur is zero in all of them.
  """

  vocab_size = 0

  def __init__(
    self, numbers: dict[str, list[float]], choices: dict[str, list[str]]
  ):
    self.state = {"numbers": numbers, "choices": choices}
    self._numbers, self._choices = numbers, choices
    self.input_size = len(numbers) + sum(map(len, choices.values()))

  @classmethod
  def fit(cls, examples: Sequence[Example]) -> "Table":
    numbers, choices = {}, {}
    for name in examples[0].inputs:
      values = [example.inputs[name] for example in examples]
      if isinstance(values[0], float):  # then all are, see data.table
        deviation = float(np.std(values))
        numbers[name] = [float(np.mean(values)), deviation or 1.0]
      else:
        choices[name] = sorted(set(values))
    return cls(numbers, choices)

  def encode(self, inputs: dict[str, Any]) -> np.ndarray:
    vector = [
      (inputs[name] - mean) / deviation
      for name, (mean, deviation) in self._numbers.items()
    ]
    for name, found in self._choices.items():
      vector += [float(inputs[name] == value) for value in found]
    return np.array(vector, np.float32)

  def read(self, path: str) -> list[dict[str, Any]]:
    """A CSV with a header, fields parted by `;` or `,`."""
    names, rows = columns.read(path, "\n".join(lines_of(path)))
    for name in (*self._numbers, *self._choices):
      if name not in names:
        raise InputError(f"{path}:1: no column {name!r} in the header")
    numbers = [
      {n: columns.number(path, line, n, row[n]) for n in self._numbers}
      for line, row in rows
    ]
    return [
      {**{name: row[name].strip() for name in self._choices}, **known}
      for (_, row), known in zip(rows, numbers, strict=True)
    ]
