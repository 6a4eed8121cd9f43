"""The notebooks: percent scripts, and the `.ipynb` beside each, made of it.

`notebooks/NN_name.py` is the source. What all have alike, the badge and the
cell that installs seqjax, is written into it from here; so are the paired
`.ipynb` without outputs and the table of the README.

  python -m tests.notebooks                       lists them
  python -m tests.notebooks --write               writes all that is made
  python -m tests.notebooks --run FILE [FOLDER]   runs one, pictures to FOLDER

An exercise is three cells: its text with the solution folded away, the reader's
own cell (tag `exercise`, `answer = None`), and the check of the answer (tag
`check`). A run tries the check with the empty answer, which passes, with one
that is nothing but wrong, which fails, and with the solution, which passes.
"""

import dataclasses
import inspect
import linecache
import pathlib
import re
import sys
import time
import traceback
import types

import jupytext
import nbformat

from tests import notebooks_install

ROOT = pathlib.Path(__file__).parents[1]
README = ROOT / "README.md"
FOLDER = ROOT / "notebooks"
# "https://github.com/OWNER/NAME"; empty until there is one.
REPOSITORY = ""
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
# One row of the table in the README.
ROW = r"^\| \[\d+\. .*\n"
SOLUTION = r"<details><summary>Solution</summary>\n\n```python\n(.*?)```\n\n"


def sources() -> list[pathlib.Path]:
  return sorted(FOLDER.glob("[0-9]*.py"))


def badge(path: pathlib.Path) -> str:
  """The line below the title; without a repository it leads to the file."""
  name = path.with_suffix(".ipynb").name
  place = REPOSITORY.replace(
    "//github.com", "//colab.research.google.com/github"
  )
  link = f"{place}/blob/main/notebooks/{name}" if REPOSITORY else name
  return f"[![Open in Colab]({BADGE})]({link})"


def install_cell() -> str:
  source = f"git+{REPOSITORY}" if REPOSITORY else ""
  code = inspect.getsource(notebooks_install).partition("# ---\n")[2]
  return (
    '# %% cellView="form"\n# @title Installs seqjax where it is missing\n'
    + code.replace('SOURCE = ""', f'SOURCE = "{source}"')
  )


def stamped(path: pathlib.Path) -> str:
  """The source with the badge and the first code cell as they shall be."""
  before, title, *cells = re.split(r"(?m)^(?=# %%)", path.read_text("utf-8"))
  title = re.sub(r"(?m)^# \[!\[.*\n#\n", "", title)
  title = re.sub(
    r"(?m)^(# # .*\n#\n)", lambda m: f"{m[1]}# {badge(path)}\n#\n", title
  )
  if "cellView" in cells[0].partition("\n")[0]:
    cells = cells[1:]
  return "".join([before, title, install_cell() + "\n", *cells])


def notebook(path: pathlib.Path):
  """The cells of a source, as nbformat has them."""
  found = jupytext.reads(path.read_text("utf-8"), "py:percent")
  for index, cell in enumerate(found.cells):
    cell["id"] = f"cell-{index}"
  found.metadata = nbformat.from_dict(
    {
      "jupytext": {
        "formats": "ipynb,py:percent",
        "notebook_metadata_filter": "-all",
      },
      "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
      },
      "language_info": {"name": "python"},
    }
  )
  found.nbformat, found.nbformat_minor = 4, 5
  return found


def paired(path: pathlib.Path) -> str:
  """What stands in the `.ipynb`."""
  return nbformat.writes(notebook(path)) + "\n"


def row(path: pathlib.Path) -> str:
  """The README's: the title, and the first sentence below the badge."""
  title, _, text, *_ = notebook(path).cells[0].source.split("\n\n")
  sentence = re.match(r".*?[.:](?=\s|$)", " ".join(text.split()))[0]
  link = f"notebooks/{path.with_suffix('.ipynb').name}"
  return f"| [{title.removeprefix('# ')}]({link}) | {sentence[:-1]} |\n"


def table() -> str:
  return "".join(row(path) for path in sources())


def write():
  for path in sources():
    path.write_text(stamped(path), "utf-8")
    path.with_suffix(".ipynb").write_text(paired(path), "utf-8")
  for path in FOLDER.glob("*.ipynb"):
    if not path.with_suffix(".py").exists():
      path.unlink()
  first, *others = re.split(ROW, README.read_text("utf-8"), flags=re.MULTILINE)
  README.write_text(first + table() + "".join(others), "utf-8")


@dataclasses.dataclass
class Exercise:
  """The solution's code, and the name that it gives a value."""

  solution: str
  answer: str


def exercise(text: str, cell) -> Exercise:
  """Of the text above the reader's cell.

  Raises:
    ValueError: there is no solution, or the cell has no empty answer.
  """
  solution = re.search(SOLUTION, text, re.DOTALL)
  answer = re.search(r"^(\w+) = None\b", cell.source, re.MULTILINE)
  if not solution or not answer:
    raise ValueError(f"an exercise without solution or answer: {cell.source}")
  return Exercise(solution[1], answer[1])


def run(path: pathlib.Path, pictures: pathlib.Path | None = None):
  """Runs the cells in this process, with the exercises' solutions."""
  import matplotlib

  matplotlib.use("agg")
  import matplotlib.pyplot as plt

  count = 0

  def show():
    nonlocal count
    for number in plt.get_fignums():
      figure = plt.figure(number)
      if pictures is None:
        figure.canvas.draw()
      else:
        figure.savefig(pictures / f"{path.stem}-{count:02}.png", dpi=80)
      count += 1
      plt.close(figure)

  plt.show = show
  module = types.ModuleType("__main__")
  sys.modules["__main__"] = module
  names = module.__dict__

  def execute(code, place):
    place = f"{path.name}, {place}"
    lines = code.splitlines(keepends=True)
    linecache.cache[place] = (len(code), None, lines, place)
    exec(compile(code, place, "exec"), names)

  text, open_exercise = "", None
  for index, cell in enumerate(notebook(path).cells):
    place = f"cell {index}"
    tags = cell.metadata.get("tags", [])
    if cell.cell_type == "markdown":
      text = cell.source
      continue
    execute(cell.source, place)
    if "exercise" in tags:
      open_exercise = exercise(text, cell)
    if "check" in tags:
      if open_exercise is None:
        raise ValueError(f"{path.name}, {place}: a check of no exercise")
      name = open_exercise.answer
      names[name] = lambda *args, **kwargs: 0
      try:
        execute(cell.source, place)
      except Exception:
        pass
      else:
        raise ValueError(f"{path.name}, {place}: the check takes any answer")
      names[name] = None
      execute(open_exercise.solution, f"solution above {place}")
      if names[name] is None:
        raise ValueError(f"{path.name}, {place}: {name} is not in the solution")
      execute(cell.source, place)
      open_exercise = None
  if plt.get_fignums():
    raise ValueError(f"{path.name}: a picture without plt.show()")


if __name__ == "__main__":
  match sys.argv[1:]:
    case ["--write"]:
      write()
    case ["--run", file, *folder]:
      started = time.perf_counter()
      try:
        run(pathlib.Path(file), *map(pathlib.Path, folder))
      except Exception:
        traceback.print_exc()  # with the cells' lines, which no file holds
        sys.exit(1)
      print(f"{file}: {time.perf_counter() - started:.1f} s")
    case _:
      print(table(), end="")
