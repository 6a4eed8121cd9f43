"""Labelled pictures in folders named after their classes, or an archive of it.

FOLDER/CLASS/PICTURE, or FOLDER/PART/CLASS/PICTURE where the folders are called
train, test and perhaps validation (val, valid, dev), as many data sets come. An
archive (.zip, .tar, .tar.gz, .tar.bz2, .tar.xz) holds the same; it is read as
it is, nothing of it is written anywhere.
"""

import hashlib
import io
import lzma
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from seqjax.data import pictures
from seqjax.data.examples import Example, Splits, stratified
from seqjax.errors import InputError

_PARTS = {
  "train": "train", "training": "train",
  "validation": "validation", "valid": "validation", "val": "validation",
  "dev": "validation",
  "test": "test", "testing": "test",
}  # fmt: skip
_MOST_BYTES = 2**28  # of one picture's file
# What the readers of archives raise; RuntimeError where a password is wanted.
_DAMAGED = (
  OSError, EOFError, RuntimeError, lzma.LZMAError, tarfile.TarError,
  zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read(
  path: pathlib.Path, size: int, validation: float, seed: int
) -> list[Example] | Splits:
  """Examples, or the parts where the folders tell them; sorted by name.

  Copies of a picture, to the byte, are of one group.

  Args:
    path: a folder or an archive.
    size: pixels of a side that pictures are made to have; 0 takes them as they
      are, of one size all.
    validation: share of training that is set aside, where there is a folder of
      tests and none of validation.
    seed: of that choice.

  Raises:
    InputError: there are no pictures in it, one of them is damaged or of
      another size, or lies in no folder that is a class.
  """
  found: dict[str, list[Example]] = {}
  shape = None
  for name, content in _pictures(path):
    part, label = _place(path, name)
    image = pictures.decode(f"{path}: {name}", io.BytesIO(content), size)
    shape = shape or (name, image.shape[:2])
    if image.shape[:2] != shape[1]:
      raise InputError(
        f"{path}: {name} is {_said(image.shape)}, expected {_said(shape[1])} as"
        f" {shape[0]}, or one size for all in config.data.image_size"
      )
    group = hashlib.sha256(content).hexdigest()
    found.setdefault(part, []).append(Example(image, label, group))
  if not found:
    raise InputError(
      f"{path}: no pictures in it, expected CLASS/PICTURE, files that end in"
      f" {', '.join(sorted(pictures.ENDINGS))}"
    )
  found = {part: _of_colours(some) for part, some in found.items()}
  if set(found) == {""}:
    return found[""]
  if "" in found or "train" not in found:
    parts = ", ".join(sorted(part or "classes" for part in found))
    raise InputError(
      f"{path}: folders of {parts}, expected classes alone, or train and test"
    )
  train, held = found["train"], found.get("validation", [])
  if not held and "test" in found:
    train, held, _ = stratified(train, validation, 0.0, seed)
  return Splits(train, held, found.get("test", []))


def _said(shape) -> str:
  return " x ".join(map(str, shape[:2]))


def _of_colours(examples: list[Example]) -> list[Example]:
  """All of them in colours if one is."""
  if len({example.inputs.ndim for example in examples}) == 1:
    return examples
  return [
    example
    if example.inputs.ndim == 3
    else example._replace(inputs=example.inputs[..., None].repeat(3, -1))
    for example in examples
  ]


def _place(path: pathlib.Path, name: str) -> tuple[str, str]:
  """`(part, class)` of a picture; the part is "" where there are none."""
  *folders, _ = pathlib.PurePosixPath(name).parts
  for index, folder in enumerate(folders[:-1]):
    if folder.lower() in _PARTS:
      return _PARTS[folder.lower()], folders[index + 1]
  if not folders or folders[-1].lower() in _PARTS:
    raise InputError(
      f"{path}: {name} lies in no folder that is a class, expected"
      " CLASS/PICTURE or train/CLASS/PICTURE"
    )
  return "", folders[-1]


def _is_picture(name: str) -> bool:
  path = pathlib.PurePosixPath(name)
  hidden = any(part.startswith((".", "__")) for part in path.parts)
  return path.suffix.lower() in pictures.ENDINGS and not hidden


def _pictures(path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
  """The name of each picture below `path`, and its bytes; sorted."""
  try:
    if path.is_dir():
      names = {p.relative_to(path).as_posix(): p for p in path.rglob("*")}
      for name in sorted(filter(_is_picture, names)):
        if names[name].is_file():
          yield name, names[name].read_bytes()
    elif zipfile.is_zipfile(path):
      with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda i: i.filename):
          if _is_picture(info.filename):
            _check_bytes(path, info.filename, info.file_size)
            yield info.filename, archive.read(info)
    else:
      yield from _in_tar(path)
  except _DAMAGED as error:
    reason = " ".join(str(error).split())
    raise InputError(
      f"{path}: cannot be read ({reason}), expected a folder of pictures or a"
      " whole archive of one"
    ) from error


def _in_tar(path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
  """Of a tar archive: read from front to end once, then sorted by name."""
  found = []
  with tarfile.open(path) as archive:
    for member in archive:
      if member.isfile() and _is_picture(member.name):
        _check_bytes(path, member.name, member.size)
        file = archive.extractfile(member)
        assert file is not None  # it is of a file
        found.append((member.name, file.read()))
  yield from sorted(found)


def _check_bytes(path: pathlib.Path, name: str, size: int) -> None:
  if size > _MOST_BYTES:
    raise InputError(
      f"{path}: {name} has {size:,} bytes, expected a picture of at most"
      f" {_MOST_BYTES:,}"
    )
