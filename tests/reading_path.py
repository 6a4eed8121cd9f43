"""The way of a token, launcher to cell: the files of the README's reading path.

The list is made, not kept: one training step is run, and the files of `seqjax/`
that are entered between `launch.main` and the end of the first `cell.step` of
that step are taken, in the order in which they are entered.

  python -m tests.reading_path           prints the list
  python -m tests.reading_path --write   writes it into the README
"""

import contextlib
import io
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
README = ROOT / "README.md"
MOST_LINES = 2_800
# One row of the table in the README.
ROW = r"^\| `(seqjax/\S+\.py)` \| (\d+) \|\n"
ARGUMENTS = [
  "launch",
  "--num_cpu_devices=1",
  "--config=experiments/char_lm.py",
  "--config.steps=1",
  "--config.batch_size=2",
  "--config.window=4",
  "--config.eval_window=4",
  "--config.model.hidden_size=4",
  "--config.model.method=scan",
  "--config.data.validation=0.0",
  "--config.data.test=0.0",
  "--config.showcase.num_tokens=1",
]


def files() -> list[str]:
  """Paths such as "seqjax/launch.py"; runs a training in this process."""
  from seqjax import launch

  package = str(ROOT / "seqjax")
  found: list[str] = []
  state = {"inside": False, "done": False}

  def watch(frame, event, argument):
    del argument
    code = frame.f_code
    if state["done"] or not code.co_filename.startswith(package):
      return
    if event == "call":
      if code.co_name == "train_step" and not state["inside"]:
        state["inside"] = True
        above, caller = [], frame
        while caller is not None:
          if caller.f_code.co_filename.startswith(package):
            above.append(caller.f_code.co_filename)
          caller = caller.f_back
        found.extend(dict.fromkeys(reversed(above)))
      elif state["inside"] and code.co_filename not in found:
        found.append(code.co_filename)
    elif event == "return" and state["inside"] and code.co_name == "step":
      state["done"] = "cells" in code.co_filename

  with tempfile.TemporaryDirectory() as directory:
    arguments = [*ARGUMENTS, f"--workdir={directory}/run"]
    sys.argv = arguments
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
      sys.setprofile(watch)
      try:
        code = launch.main(arguments)
      finally:
        sys.setprofile(None)
  assert code == 0, said.getvalue()
  assert state["done"]
  return [str(pathlib.Path(path).relative_to(ROOT)) for path in found]


def count(path: str) -> int:
  """Lines of a file."""
  return len((ROOT / path).read_text("utf-8").splitlines())


def write() -> None:
  """Replaces the rows in the README."""
  rows = "".join(f"| `{path}` | {count(path)} |\n" for path in files())
  text = README.read_text("utf-8")
  first, *others = re.finditer(ROW, text, re.MULTILINE)
  end = others[-1].end() if others else first.end()
  README.write_text(text[: first.start()] + rows + text[end:], "utf-8")


if __name__ == "__main__":
  if sys.argv[1:] == ["--write"]:
    write()
  else:
    for path in files():
      print(path, count(path))
