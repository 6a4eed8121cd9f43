"""The launcher where some packages are not installed.

python -m tests.outside.without grain,matplotlib --config=char_lm ...
"""

import sys


class Missing:
  """Finds nothing of these packages."""

  def __init__(self, names):
    self._names = set(names)

  def find_spec(self, name, path=None, target=None):
    del path, target
    if name.partition(".")[0] in self._names:
      raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def block(names) -> None:
  """Before any of them is imported."""
  assert not set(names) & set(sys.modules)
  sys.meta_path.insert(0, Missing(names))


if __name__ == "__main__":
  block(sys.argv.pop(1).split(","))
  from seqjax import launch

  sys.exit(launch.main(sys.argv))
