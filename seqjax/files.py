"""Files of a run: replaced in one go, read with errors of one line."""

import json
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from seqjax.errors import InputError

METRICS_FILE = "metrics.jsonl"


def write(path: pathlib.Path, content: str) -> None:
  """Replaces a text file: a reader sees the old or the new one, whole."""
  temporary = path.with_name(path.name + ".tmp")
  temporary.write_text(content, "utf-8")
  temporary.replace(path)


def write_json(path: pathlib.Path, content: Any, indent: int | None = 2):
  """`write` of JSON; what is not ASCII stays readable."""
  write(path, json.dumps(content, indent=indent, ensure_ascii=False) + "\n")


def read_json(path: pathlib.Path) -> Any:
  """What `write_json` wrote.

  Raises:
    InputError: the file is missing or holds no JSON.
  """
  try:
    return json.loads(path.read_text("utf-8"))
  except (OSError, ValueError) as error:
    raise InputError(f"{path} cannot be read ({error})") from error


def read_records(
  workdir: pathlib.Path, warn: Callable[[str], None] = lambda line: None
) -> list[dict[str, Any]]:
  """`metrics.jsonl`, an object a line; none if there is no file yet.

  A line cut short, by a crash or because it is being written, is dropped.

  Args:
    workdir: of the run.
    warn: is told in one line if other lines were damaged and dropped, too.
  """
  path, found, damaged = workdir / METRICS_FILE, [], 0
  if path.exists():
    content = path.read_text("utf-8", errors="replace")
    for line in content.splitlines(keepends=True):
      try:
        record = json.loads(line)
      except ValueError:
        record = None
      if isinstance(record, dict):
        found.append(record)
      elif line.strip() and line.endswith("\n"):
        damaged += 1
  if damaged:
    warn(f"{path} has {damaged} damaged line(s), left out")
  return found


def write_records(
  workdir: pathlib.Path, records: Iterable[dict[str, Any]]
) -> None:
  """Replaces `metrics.jsonl`."""
  lines = "".join(json.dumps(record) + "\n" for record in records)
  write(workdir / METRICS_FILE, lines)


def check_picture(flag: str, path: str) -> None:
  """Makes the folder of a picture, before the work that it is to show.

  What is found must not be lost for a path.

  Args:
    flag: that names it, for messages.
    path: FILE.png.

  Raises:
    InputError: it has another ending, or cannot be written.
  """
  picture = pathlib.Path(path)
  if picture.suffix != ".png":
    raise InputError(f"{flag} is {path!r}, expected a FILE.png")
  try:
    picture.parent.mkdir(parents=True, exist_ok=True)
    with picture.open("ab") as file:
      empty = not file.tell()
    if empty:
      picture.unlink()
  except OSError as error:
    reason = error.strerror or str(error)
    raise InputError(
      f"{flag} is {path!r}, which cannot be written ({reason})"
    ) from error
