"""Objects with options, written as calls: "zoneout(lstm, h=0.2, c=0.3)".

The syntax is Python's, read by `ast`: names, calls of names, literals. Nothing
is evaluated. Names are compared without case and underscores, so the repr of an
object is legal, too: "LSTM(hidden_size=4)".
"""

import ast
import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Grammar:
  """What may be written in one field of a config.

    grammar.parse("lstm(peepholes=True)")   LSTM(hidden_size=8, peepholes=True)
    grammar.spell(LSTM(8))                  "lstm(forget_bias=1.0, ...)"

  Attributes:
    field: the field's name, for errors.
    classes: frozen dataclasses by name.
    given: values for fields of a class that need not be written, from other
      fields of the config.
    words: names that stand for themselves.
  """

  field: str
  classes: Mapping[str, type]
  given: Callable[[type], Mapping[str, Any]] = lambda kind: {}
  words: tuple[str, ...] = ()

  def parse(self, text: str) -> Any:
    """The object that `text` describes.

    Raises:
      InputError: `text` is no such expression, a name or option is unknown, a
        value is missing, or the object refuses its options.
    """
    try:
      if not isinstance(text, str):
        raise _Wrong("expected a string")
      try:
        tree = ast.parse(text.strip(), mode="eval").body
      except SyntaxError as error:
        where = f", column {error.offset}" if error.offset else ""
        raise _Wrong(f"{_WRITTEN} ({error.msg}{where})") from error
      except (ValueError, MemoryError, RecursionError) as error:
        raise _Wrong(f"{_WRITTEN} ({error})") from error
      return self._build(tree)
    except ValueError as error:
      joint = ", " if isinstance(error, _Wrong) else ": "
      raise InputError(f"{self.field} is {text!r}{joint}{error}") from error

  def spell(self, value: Any) -> str:
    """`value` as an expression with every option but those that are given.

    `parse` makes an equal object of it.
    """
    if value in self.words:
      return value
    kind = type(value)
    (name,) = (n for n, listed in self.classes.items() if listed is kind)
    given, parts = self._given(kind), []
    for field in dataclasses.fields(kind):
      option = getattr(value, field.name)
      if isinstance(option, tuple) and option and self._knows(option[0]):
        parts += map(self.spell, option)
      elif self._knows(option):
        written = self.spell(option)
        named = "" if not parts else f"{field.name}="
        parts.append(named + written)
      elif field.name not in given or given[field.name] != option:
        parts.append(f"{field.name}={option!r}")
    return f"{name}({', '.join(parts)})" if parts else name

  def _knows(self, value: Any) -> bool:
    return type(value) in self.classes.values()

  def _given(self, kind: type) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {k: v for k, v in self.given(kind).items() if k in names}

  def _class(self, name: str) -> type:
    plain = lambda text: text.replace("_", "").lower()
    for known, kind in self.classes.items():
      if plain(known) == plain(name):
        return kind
    listed = ", ".join((*self.words, *self.classes))
    raise _Wrong(f"expected one of {listed} for {name!r}")

  def _build(self, node: ast.expr) -> Any:
    args: list[ast.expr] = []
    keywords: list[ast.keyword] = []
    match node:
      case ast.Name(id=name):
        if name in self.words:
          return name
      case ast.Call(func=ast.Name(id=name)):
        args, keywords = node.args, node.keywords
      case _:
        raise _Wrong(f"{_WRITTEN}, not {ast.unparse(node)!r}")
    kind = self._class(name)
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    first = next(iter(fields), None)
    several = bool(args) and not isinstance(args[0], ast.Tuple | ast.List)
    if first and several and typing.get_origin(hints[first]) is tuple:
      args = [ast.Tuple(args)]  # stack(a, b) is stack((a, b))
    if len(args) > len(fields):
      raise _Wrong(
        f"expected at most {len(fields)} options of {name}, not {len(args)}"
      )
    written = list(zip(fields, args, strict=False))
    written += [(keyword.arg or "**", keyword.value) for keyword in keywords]
    values: dict[str, Any] = {}
    for option, value in written:
      if option not in fields:
        listed = ", ".join(fields) or "none"
        raise _Wrong(f"expected options of {name} ({listed}), not {option!r}")
      if option in values:
        raise _Wrong(f"expected {option} of {name} once")
      values[option] = self._value(value, hints[option], option)
    values = {**self._given(kind), **values}
    for option, field in fields.items():
      if option not in values and field.default is dataclasses.MISSING:
        raise _Wrong(f"expected a value for {option}, an option of {name}")
    return kind(**values)

  def _value(self, node: ast.expr, hint: Any, option: str) -> Any:
    """A value of the type that the dataclass says."""
    is_none = isinstance(node, ast.Constant) and node.value is None
    if typing.get_origin(hint) is tuple:
      if not isinstance(node, ast.Tuple | ast.List):
        node = ast.Tuple([node])
      inner = typing.get_args(hint)[0]
      return tuple(self._value(one, inner, option) for one in node.elts)
    if (hint is Any and not is_none) or self._holds(hint):
      return self._build(node)
    union = isinstance(hint, types.UnionType)
    kinds = typing.get_args(hint) if union else (hint,)
    wanted = " or ".join(getattr(kind, "__name__", "None") for kind in kinds)
    wrong = _Wrong(
      f"expected a literal ({wanted}) for {option}, not {ast.unparse(node)!r}"
    )
    try:
      value = ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
      raise wrong from error
    if hint is Any or type(value) in kinds:
      if isinstance(value, float) and not math.isfinite(value):
        raise wrong
      return value
    if type(value) is int and float in kinds:
      return float(value)
    raise wrong

  def _holds(self, hint: Any) -> bool:
    hint = typing.get_origin(hint) or hint  # Cell[Params, Carry] is a Cell
    return isinstance(hint, type) and any(
      issubclass(kind, hint) for kind in self.classes.values()
    )


def brief(texts: Sequence[str]) -> list[str]:
  """Expressions without what they have in common, to be told apart.

    brief(["lstm(bias=1.0, peepholes=True)", "lstm(bias=1.0, peepholes=False)",
           "gru(reset_after=True)"])
    ["lstm(peepholes=True)", "lstm(peepholes=False)", "gru"]

  Args:
    texts: from `Grammar.spell`; left as they are if one is no expression.
  """
  try:
    trees = [ast.parse(text, mode="eval").body for text in texts]
  except (SyntaxError, ValueError, MemoryError, RecursionError):
    return list(texts)
  if not all(isinstance(tree, ast.Call | ast.Name) for tree in trees):
    return list(texts)
  return [_brief(tree, trees) for tree in trees]


def _brief(tree: ast.expr, trees: Sequence[ast.expr]) -> str:
  """`tree` without the options that are equal in all of its name."""
  name, options = _parts(tree)
  alike = [parts for of, parts in map(_parts, trees) if of == name]
  shown = []
  for option, value in options.items():
    peers = [parts[option] for parts in alike if option in parts]
    texts = {ast.unparse(peer) for peer in peers}
    inner = isinstance(value, ast.Call | ast.Name)
    if inner or len(texts) > 1 or len(peers) < len(alike):
      text = _brief(value, peers) if inner else ast.unparse(value)
      shown.append(text if isinstance(option, int) else f"{option}={text}")
  return f"{name}({', '.join(shown)})" if shown else name


def _parts(tree: ast.expr) -> tuple[str, dict[int | str, ast.expr]]:
  """Name and options; those without a name by their number."""
  if not isinstance(tree, ast.Call):
    return ast.unparse(tree), {}
  options: dict[int | str, ast.expr] = dict(enumerate(tree.args))
  options.update(
    {keyword.arg or "**": keyword.value for keyword in tree.keywords}
  )
  return ast.unparse(tree.func), options


_WRITTEN = "expected a name or a call such as name(option=1)"


class _Wrong(ValueError):
  """What was expected instead."""
