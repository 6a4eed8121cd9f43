"""The launcher, many times at the price of one.

Importing JAX and all else takes longer than finding a mistake in a command
line. A process that has imported everything forks a child for each of them,
before JAX has touched a device: to the child it is as if it had just started.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[1]


class Result(NamedTuple):
  returncode: int
  stdout: str
  stderr: str


class Launcher:
  """Use as a context manager; call it with the arguments."""

  def __enter__(self):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("JAX_NUM_CPU_DEVICES", None)
    self._folder = tempfile.TemporaryDirectory()
    self._process = subprocess.Popen(
      [sys.executable, "-m", "tests.launcher", self._folder.name],
      cwd=ROOT,
      env=environment,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )
    return self

  def __exit__(self, *_):
    self._process.communicate(timeout=60)
    self._folder.cleanup()

  def __call__(self, *arguments) -> Result:
    line = json.dumps(["launch", *map(str, arguments)])
    self._process.stdin.write(line + "\n")
    self._process.stdin.flush()
    code = int(self._process.stdout.readline())
    said = (pathlib.Path(self._folder.name) / str(n) for n in (1, 2))
    return Result(code, *(path.read_text() for path in said))


def serve(folder: str) -> None:
  """Answers each line of standard input, a JSON list, with an exit code."""
  from seqjax import launch
  from seqjax.studies import gradient_norms
  from seqjax.tasks import classification, language_model
  from seqjax.train import folds

  # What the launcher itself imports later, if at all.
  del classification, folds, gradient_norms, language_model
  for line in sys.stdin:
    child = os.fork()
    if not child:
      for number in (1, 2):
        file = os.open(
          f"{folder}/{number}", os.O_CREAT | os.O_RDWR | os.O_TRUNC
        )
        os.dup2(file, number)
      sys.argv = json.loads(line)
      code = 1  # of an exception that nobody caught
      try:
        code = launch.main(sys.argv)
      except BaseException:
        sys.excepthook(*sys.exc_info())
      sys.stdout.flush()
      sys.stderr.flush()
      os._exit(code)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
  serve(sys.argv[1])
