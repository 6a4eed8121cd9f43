"""What a model is made of: a line a module, its arrays and its share."""

import math
from collections.abc import Mapping

# Longer lists of arrays are counted; more modules are put together.
_WIDEST, _MOST = 40, 20


def table(shapes: Mapping[str, tuple[int, ...]]) -> str:
  """An aligned text: modules two levels deep, shapes, numbers, shares, total.

    module          arrays                 numbers   share
    embed           65 x 128                 8,320    2.5%
    head            65, 128 x 65             8,385    2.6%
    rnn.layers.0    ...

  A number in a path counts as one level with the name before it. Of many
  modules only the first level is told.

  Args:
    shapes: path to shape of every array, the parts of a path joined by ".":
      `{"rnn.layers.0.params.bias": (256,)}`.
  """
  for depth in (2, 1):
    modules: dict[str, list[tuple[int, ...]]] = {}
    for path, shape in shapes.items():
      modules.setdefault(_module(path, depth), []).append(shape)
    if len(modules) <= _MOST:
      break
  sizes = [sum(map(math.prod, found)) for found in modules.values()]
  total = sum(sizes)
  rows = [("module", "arrays", "numbers", "share")]
  for (name, found), size in zip(modules.items(), sizes, strict=True):
    share = f"{size / max(total, 1):.1%}"
    rows.append((name, _arrays(found), f"{size:,}", share))
  rows.append(("total", _count(len(shapes)), f"{total:,}", ""))
  first, second, third = (max(len(row[i]) for row in rows) for i in range(3))
  return "\n".join(
    f"{a:{first}}  {b:{second}}  {c:>{third}}  {d:>6}".rstrip()
    for a, b, c, d in rows
  )


def _module(path: str, depth: int) -> str:
  """The first names of a path, without that of the array itself."""
  words: list[str] = []
  for word in path.split(".")[:-1]:
    if word.isdigit() and words:
      words[-1] += f".{word}"
    elif len(words) == depth:
      break
    else:
      words.append(word)
  return ".".join(words) or path


def _arrays(shapes: list[tuple[int, ...]]) -> str:
  said = ", ".join(" x ".join(map(str, shape)) or "1" for shape in shapes)
  return said if len(said) <= _WIDEST else _count(len(shapes))


def _count(arrays: int) -> str:
  return f"{arrays} array{'s' * (arrays != 1)}"
