"""Files of captions and of image names, and how images are parted.

A caption file is UTF-8 text, one caption a line, in one of two layouts:

  NAME#k<TAB>caption   k counts the captions of an image
  NAME<TAB>caption     several lines of one name are its several captions; a
                       first line `image<TAB>caption` is a header
"""

import pathlib
import re
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from seqjax.data.examples import Splits, contiguous
from seqjax.data.text import read_utf8
from seqjax.errors import InputError

_PARTS = Splits._fields
_HEADER = ("image", "caption")
_NUMBERED = re.compile(r"(.+)#\d+")
_EXPECTED = "expected NAME<TAB>caption or NAME#0<TAB>caption"


def read_captions(path: str | pathlib.Path) -> dict[str, list[str]]:
  """The captions of each image, names and captions in the order of the file.

  Blank lines are skipped; lines with an empty caption are dropped, and how many
  is said on stderr.

  Args:
    path: of a caption file; one whose name ends in .gz is unpacked.

  Raises:
    InputError: the file cannot be read, is empty, holds no caption, or a line
      has no tab or more than one, no name, or a `#k` where the first line has
      none, or none where the first has one.
  """
  captioned: dict[str, list[str]] = {}
  numbered_first, dropped = None, 0
  for number, line in enumerate(read_utf8(path).split("\n"), 1):
    if not line.strip():
      continue
    where = f"{path}:{number}"
    name, caption = _cells(where, line)
    if number == 1 and (name.lower(), caption.lower()) == _HEADER:
      continue
    numbered = _NUMBERED.fullmatch(name)
    if numbered_first is None:
      numbered_first = (number, bool(numbered))
    elif bool(numbered) != numbered_first[1]:
      # To go on would make images out of the captions of one.
      ends = "ends in #k" if numbered else "does not end in #k"
      other = "does" if numbered_first[1] else "does not"
      raise InputError(
        f"{where}: the name {name!r} {ends}, that of line {numbered_first[0]}"
        f" {other}; expected the same of all names"
      )
    if numbered:
      name = numbered[1].strip()
    if not name:
      raise InputError(f"{where}: the name is empty, {_EXPECTED}")
    if caption:
      captioned.setdefault(name, []).append(caption)
    else:
      dropped += 1
  if dropped:
    print(f"{path}: {dropped} empty caption(s) dropped", file=sys.stderr)
  if not captioned:
    raise InputError(f"{path}: the file holds no captions, {_EXPECTED}")
  return captioned


def _cells(where: str, line: str) -> tuple[str, str]:
  cells = [cell.strip() for cell in line.split("\t")]
  if len(cells) != 2:
    raise InputError(
      f"{where}: the line has {len(cells) - 1} tabs, {_EXPECTED}"
    )
  if not cells[0] or re.fullmatch(r"#\d+", cells[0]):
    raise InputError(f"{where}: the name is empty, {_EXPECTED}")
  return cells[0], cells[1]


def read_names(path: str | pathlib.Path) -> list[str]:
  """The image names of a file, one a line, blank lines skipped.

  Args:
    path: of a text in UTF-8; one whose name ends in .gz is unpacked.

  Raises:
    InputError: the file cannot be read or is empty, or a name occurs twice.
  """
  lines: dict[str, int] = {}
  for number, line in enumerate(read_utf8(path).split("\n"), 1):
    name = line.strip()
    if not name:
      continue
    if name in lines:
      raise InputError(
        f"{path}:{number}: the name {name!r} is in line {lines[name]} already,"
        " expected each name once"
      )
    lines[name] = number
  return list(lines)


def split(
  captioned: Mapping[str, Sequence[str]],
  lists: Mapping[str, Sequence[str]] | None,
  validation: float,
  test: float,
  seed: int,
) -> Splits:
  """The image names of each part, so that no image is in two.

  Args:
    captioned: the captions of each image.
    lists: the names of "train", "validation" and "test"; "train" must be
      there, a part without a list is empty. Names without captions are
      dropped, and how many is said on stderr. None: at random by image.
    validation: share of the images, in [0, 1), without lists.
    test: share of the images, in [0, 1), without lists.
    seed: of the choice, without lists.

  Returns:
    Lists of names: in the order of `lists`, or in that of `captioned`.

  Raises:
    InputError: a name is in two lists or twice in one, a share is out of
      range, or a part is empty that was asked for.
    ValueError: `lists` has another part than those three.
  """
  if lists is not None:
    return _listed(captioned, lists)
  names = list(captioned)
  drawn = np.random.default_rng(seed).permutation(len(names))
  parts = contiguous(drawn, validation, test)
  made = Splits(*([names[i] for i in np.sort(part)] for part in parts))
  shares = Splits(1 - validation - test, validation, test)
  for part, share in shares._asdict().items():
    if share and not getattr(made, part):
      raise InputError(
        f"config.data: the {part} part, a share of {share:g} of {len(names)}"
        " images, is empty; give more images or another share"
      )
  return made


def _listed(
  captioned: Mapping[str, Sequence[str]], lists: Mapping[str, Sequence[str]]
) -> Splits:
  if unknown := set(lists) - set(Splits._fields):
    raise ValueError(f"lists has {sorted(unknown)}, expected {Splits._fields}")
  part_of: dict[str, str] = {}
  for part, names in lists.items():
    for name in names:
      if name in part_of:
        twice = "twice" if part_of[name] == part else f"in {part_of[name]} too"
        raise InputError(
          f"config.data.{part}_names has {name!r} {twice}, expected each"
          " image in one part alone"
        )
      part_of[name] = part
  made = Splits(
    *([n for n in lists.get(p, ()) if n in captioned] for p in _PARTS)
  )
  dropped = len(part_of) - sum(map(len, made))
  if dropped:
    print(
      f"{dropped} listed image(s) without captions dropped", file=sys.stderr
    )
  for part in _PARTS:
    if not getattr(made, part) and (part == "train" or part in lists):
      raise InputError(
        f"config.data.{part}_names names no image with captions, expected"
        " the names of the caption file"
      )
  return made
