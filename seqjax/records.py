"""`metrics.jsonl`: one JSON object a line, made to survive a crash."""

import json
import pathlib
from collections.abc import Iterable
from typing import Any

METRICS_FILE = "metrics.jsonl"


def read(workdir: pathlib.Path) -> list[dict[str, Any]]:
  """The records of a run, none if there is no file yet.

  A line cut short by a crash is dropped.
  """
  path, found = workdir / METRICS_FILE, []
  if path.exists():
    for line in path.read_text("utf-8").splitlines():
      try:
        found.append(json.loads(line))
      except ValueError:
        continue
  return found


def write(workdir: pathlib.Path, records: Iterable[dict[str, Any]]) -> None:
  """Replaces the file as a whole: afterwards it is the old or the new one."""
  path = workdir / METRICS_FILE
  temporary = path.with_suffix(".tmp")
  temporary.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
  temporary.replace(path)
