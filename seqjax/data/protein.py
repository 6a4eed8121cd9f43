"""Proteins with a state at each amino acid: helix (H), sheet (E), coil (C).

Two kinds of files are read, told apart by how they begin:

  <>           UCI's, Molecular Biology (Protein Secondary Structure): after
  G _          `<>` a letter and its state a line, `h`, `e` or `_` (read as H,
  V e          E, C), until `<end>` or the next `<>`; `#` begins a comment
  <end>

  >NAME        three lines a sequence: a header as in FASTA, the letters, and
  GVSA         as many states, one sign each, as they are
  CEEC

  config.data.path       FILE; where its name holds "train" and one with "test"
                         in that place is beside it, that is the test part
  config.data.alphabet   of the letters, see `alphabets`

Relatives, sequences that share three stretches of six letters or more, are in
one part or fold, as are their relatives. Without a path sequences are drawn,
see `hidden_markov`.
"""

import collections
import itertools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.config import Config
from seqjax.data import alphabets, hidden_markov, overlap, text
from seqjax.data import examples as labelled
from seqjax.data.examples import Splits, Tagged
from seqjax.errors import InputError, extra

REPORT = "structures.txt"
_UCI = {"h": "H", "e": "E", "_": "C"}
_WIDTH = 60  # letters of a line for people


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for; see `formats`."""
  path, alphabet = labelled.path_of(data), alphabets.find(data.alphabet)
  if path is None:
    drawn = hidden_markov.generate(data.examples, seed)
    return labelled.contiguous(drawn, data.validation, data.test)
  found = read(path, alphabet)
  beside = path.with_name(path.name.replace("train", "test"))
  families = relatives(found)
  np.random.default_rng(seed).shuffle(families)
  if data.num_folds:
    return _fold(found, families, data.fold, data.num_folds)
  if beside != path and beside.exists():
    train, validation, _ = _cut(found, families, data.validation, 0.0)
    return Splits(train, validation, read(beside, alphabet))
  return Splits(*_cut(found, families, data.validation, data.test))


def _cut(found, families, validation: float, test: float) -> Splits:
  """Shares of the sequences, whole families."""
  order = [i for family in families for i in family]
  ends = np.cumsum([len(family) for family in families])
  cut = labelled.contiguous(range(len(order)), validation, test)
  first, second = (
    int(ends[np.searchsorted(ends, n)]) if n else 0
    for n in (len(cut.train), len(cut.train) + len(cut.validation))
  )
  parts = order[:first], order[first:second], order[second:]
  return Splits(*([found[i] for i in part] for part in parts))


def _fold(found, families, index: int, count: int) -> Splits:
  """The largest families first, each into the smallest fold so far."""
  if not 0 <= index < count:
    raise InputError(
      f"config.data.fold is {index}, expected 0 to {count - 1}, one of"
      f" config.data.num_folds = {count}"
    )
  if not 2 <= count <= len(families):
    raise InputError(
      f"config.data.num_folds is {count}, expected 2 to {len(families)}, as"
      " many as there are families"
    )
  folds: list[list[int]] = [[] for _ in range(count)]
  for family in sorted(families, key=len, reverse=True):
    min(folds, key=len).extend(family)
  test = [found[i] for i in folds.pop(index)]
  return Splits([found[i] for fold in folds for i in fold], [], test)


def relatives(
  found: Sequence[Tagged], size: int = 6, least: int = 3
) -> list[list[int]]:
  """Families: places of sequences that share `least` stretches of `size`."""
  holders = collections.defaultdict(set)
  for index, (letters, _) in enumerate(found):
    for start in range(len(letters) - size + 1):
      holders[letters[start : start + size]].add(index)
  shared = collections.Counter(
    pair
    for members in holders.values()
    for pair in itertools.combinations(sorted(members), 2)
  )
  family = list(range(len(found)))
  for (one, other), count in shared.items():
    if count >= least:
      kept, gone = family[one], family[other]
      family = [kept if name == gone else name for name in family]
  members = collections.defaultdict(list)
  for index, name in enumerate(family):
    members[name].append(index)
  return list(members.values())


class Encoded(NamedTuple):
  """The letters of a sequence."""

  vectors: Any  # float32 [time, letters of the alphabet]


class Encoder:
  """Letters as vectors, ambiguous ones as shares; see `formats`.

  Attributes:
    tags: the states of training, the commonest first.
  """

  embeds = ()

  def __init__(self, alphabet: str, tags: list[str]):
    self._alphabet, self.tags = alphabets.find(alphabet), tags
    self.state = {"alphabet": alphabet, "tags": tags}
    self.columns: dict[str, Any] = {}
    self.input_size = size = len(self._alphabet.letters)
    self.unknown = np.full(size, 1 / size, np.float32)

  @classmethod
  def fit(
    cls, examples: Sequence[Tagged], data: Config, seed: int
  ) -> "Encoder":
    """The states that there are."""
    del seed
    counts = collections.Counter(tag for one in examples for tag in one.tags)
    return cls(data.alphabet, sorted(counts, key=lambda t: (-counts[t], t)))

  def encode(self, tokens: str | Sequence[str]) -> Encoded:
    return Encoded(self._alphabet.one_hot("".join(tokens)))

  def tag_ids(self, part: str, example: Tagged) -> np.ndarray:
    """int32 `[time]`; see `examples.tag_ids`."""
    return labelled.tag_ids(part, example, self.tags)

  def read(self, path: str) -> list[str]:
    """A FASTA file, or a sequence a line."""
    return alphabets.read(path, self._alphabet)


def read(
  path: str | pathlib.Path, alphabet: alphabets.Alphabet
) -> list[Tagged]:
  """The sequences of a file, of either kind.

  Raises:
    InputError: the file cannot be read or is of neither kind, a row is not as
      it should be, or a sequence has no letters or another number of states.
  """
  lines = enumerate(text.read_utf8(path).split("\n"), 1)
  rows = [(n, ln.strip()) for n, ln in lines if ln.split("#")[0].strip()]
  first = rows[0][1] if rows else ""
  if first.startswith("<"):
    return _read_uci(path, rows, alphabet)
  if first.startswith(alphabets.FASTA):
    return _read_three(path, rows, alphabet)
  raise InputError(
    f"{path}: begins with {first[:40]!r}, expected <> (UCI's format) or >NAME"
    " (letters and states on the two lines below)"
  )


def _read_uci(path, rows, alphabet) -> list[Tagged]:
  found: list[Tagged] = []
  letters, states, begun = "", [], 0
  # One more begin, so that the last sequence ends.
  for number, line in [*rows, (rows[-1][0] + 1, "<>")]:
    mark, cells = line.lower(), line.split("#")[0].split()
    if mark in ("<>", "<end>", "end"):
      if begun and not letters:
        raise InputError(f"{path}:{begun}: a sequence without letters")
      if begun:
        found.append(Tagged(letters, states))
      letters, states, begun = "", [], number if mark == "<>" else 0
      continue
    if not begun or len(cells) != 2 or cells[1] not in _UCI:
      raise InputError(
        f"{path}:{number}: {line[:40]!r}, expected "
        + ("LETTER STATE, a state of h, e and _" if begun else "<>")
      )
    letters += alphabet.check(cells[0], f"{path}:{number}")
    states = [*states, _UCI[cells[1]]]
  return found


def _read_three(path, rows, alphabet) -> list[Tagged]:
  found = []
  for header, *rest in itertools.batched([*rows], 3):
    number, name = header
    if not name.startswith(alphabets.FASTA) or len(rest) != 2:
      raise InputError(
        f"{path}:{number}: {name[:40]!r}, expected >NAME, a line of letters and"
        " a line of states"
      )
    (at, letters), (below, states) = rest
    letters = alphabet.check(letters, f"{path}:{at}")
    if len(letters) != len(states):
      raise InputError(
        f"{path}:{below}: {len(states)} states below {len(letters)} letters,"
        " expected as many"
      )
    found.append(Tagged(letters, list(states)))
  return found


def write(examples: Sequence[Tagged]) -> str:
  """The sequences as `read` reads them, named by their place."""
  return "\n".join(
    f">{number}\n{''.join(tokens)}\n{''.join(tags)}"
    for number, (tokens, tags) in enumerate(examples, 1)
  )


def scores(
  examples: Sequence[Tagged], found: Sequence[Sequence[str]], data: Config
) -> dict[str, float]:
  """`q3`, `sov`, and of each state `matthews_STATE` and `sov_STATE`.

  Q3 is the share of right states. Matthews' correlation (1975) of a state is
  that of "here" and "not here" over all letters, as in Qian and Sejnowski
  1988. SOV: see `overlap`. Beside them `majority`, the share of the state that
  is commonest here, and where sequences are drawn the best possible Q3.
  """
  with extra():
    from sklearn import metrics
  true = np.array([tag for example in examples for tag in example.tags])
  said = np.array([tag for tags in found for tag in tags])
  total, each = overlap.overlap([one.tags for one in examples], found)
  values = {"q3": float((true == said).mean()), "sov": total}
  for state, value in each.items():
    correlation = metrics.matthews_corrcoef(true == state, said == state)
    values[f"matthews_{state}"] = float(correlation)
    values[f"sov_{state}"] = value
  values["majority"] = float(max((true == state).mean() for state in each))
  if not data.path:
    values["best_q3"] = hidden_markov.best_accuracy(examples)
  return values


def report(
  part: str, examples: Sequence[Tagged], found: Sequence[Sequence[str]]
) -> str:
  """Sequences with the true states and the found ones below each other."""
  lines = [f"{part} part, {len(examples)} sequences"]
  for example, tags in list(zip(examples, found, strict=True))[:4]:
    right = np.mean([a == b for a, b in zip(example.tags, tags, strict=True)])
    lines.append(f"\n{len(tags)} letters, {right:.1%} right")
    for start in range(0, len(tags), _WIDTH):
      rows = {"letters": example.tokens, "true": example.tags, "model": tags}
      for name, row in rows.items():
        cut = "".join(row[start : start + _WIDTH])
        lines.append(f"{name if name != 'letters' else start + 1:>7}  {cut}")
      lines.append("")
  return "\n".join(lines).rstrip()
