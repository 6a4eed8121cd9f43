"""The files of a folder, or of an archive of it.

An archive (.zip, .tar, .tar.gz, .tar.bz2, .tar.xz) is read as it is, nothing of
it is written anywhere. What is hidden is passed over.
"""

import lzma
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator

from seqjax.errors import InputError

_MOST_BYTES = 2**28  # of one file in an archive
# What the readers of archives raise; RuntimeError where a password is wanted.
DAMAGED = (
  OSError, EOFError, RuntimeError, ValueError, lzma.LZMAError,
  tarfile.TarError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def is_archive(path: pathlib.Path) -> bool:
  """Whether a file is one, or begins like one."""
  if zipfile.is_zipfile(path):
    return True
  try:
    return tarfile.is_tarfile(path)
  except DAMAGED:
    return True


def files(
  path: pathlib.Path,
  endings: Collection[str],
  expected: str,
  most_in_all: int = 2**31,
) -> Iterator[tuple[str, bytes]]:
  """The name below `path` of each file, and what it holds; sorted by name.

  Args:
    path: a folder or an archive.
    endings: of the names, such as ".wav"; a capital is as good.
    expected: what the path should be, for messages.
    most_in_all: bytes that an archive may hold, unpacked.

  Raises:
    InputError: it cannot be read, is damaged, or holds too much.
  """
  try:
    if path.is_dir():
      names = {p.relative_to(path).as_posix(): p for p in path.rglob("*")}
      for name in sorted(names):
        if _is_meant(name, endings) and names[name].is_file():
          yield name, names[name].read_bytes()
    elif zipfile.is_zipfile(path):
      with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        total = 0
        for name in sorted(infos):
          if _is_meant(name, endings) and not infos[name].is_dir():
            total += _bounded(
              path, name, infos[name].file_size, total, most_in_all
            )
            yield name, archive.read(infos[name])
    else:
      yield from _in_tar(path, endings, most_in_all)
  except InputError:
    raise
  except DAMAGED as error:
    raise unreadable(path, error, expected) from error


def unreadable(
  path: pathlib.Path, error: Exception, expected: str
) -> InputError:
  """What to say of one of `DAMAGED`."""
  reason = " ".join(str(error).split()) or type(error).__name__
  return InputError(f"{path}: cannot be read ({reason}), expected {expected}")


def _in_tar(
  path: pathlib.Path, endings: Collection[str], most_in_all: int
) -> Iterator[tuple[str, bytes]]:
  """Read from front to end once, then sorted; of two of one name the last."""
  found, total = {}, 0
  with tarfile.open(path) as archive:
    for member in archive:
      if not member.isfile():
        continue
      # Others count too: to pass over them they are unpacked.
      total += _bounded(path, member.name, member.size, total, most_in_all)
      if _is_meant(member.name, endings):
        file = archive.extractfile(member)
        assert file is not None  # it is of a file
        found[member.name] = file.read()
  yield from sorted(found.items())


def _is_meant(name: str, endings: Collection[str]) -> bool:
  parts = pathlib.PurePosixPath(name).parts
  hidden = any(part.startswith((".", "__")) for part in parts)
  return name.lower().endswith(tuple(endings)) and not hidden


def _bounded(
  path: pathlib.Path, name: str, size: int, before: int, most_in_all: int
) -> int:
  """The size, if it is one that a file may have in an archive."""
  if size > _MOST_BYTES or before + size > most_in_all:
    raise InputError(
      f"{path}: {name} has {size:,} bytes, expected at most {_MOST_BYTES:,} a"
      f" file and {most_in_all:,} in all; unpack the archive into a folder"
    )
  return size
