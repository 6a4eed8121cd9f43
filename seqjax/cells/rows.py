"""What belongs to rows among the params of a cell.

Weights are the same for every row of a batch. An encoder's memory or a mask is
constant over the sequence, too, but has an entry for each row: `Rows` marks it.
"""

import dataclasses
from typing import Any

import jax


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
  """Marks what belongs to rows among the params of a cell.

  An encoder's memory, a mask with an entry for every row: constant over the
  sequence as weights are, but with the axes of the batch in front. The mark
  tells both apart, in checks and where rows are split over devices.

  Attributes:
    value: a tree of floating-point arrays `[*batch, ...]`; a mask is 1 or 0,
      so that `jax.grad` over all params works.
  """

  value: Any


def map_params(params: Any, *, weights=None, rows=None) -> Any:
  """`params` with `weights(leaf)` for weights and `rows(Rows)` for `Rows`."""

  def convert(node):
    function = rows if isinstance(node, Rows) else weights
    return node if function is None else function(node)

  return jax.tree.map(convert, params, is_leaf=_is_rows)


def has_rows(params: Any) -> bool:
  """Whether something in `params` belongs to rows."""
  return any(map(_is_rows, jax.tree.leaves(params, is_leaf=_is_rows)))


def rows_of(cell: Any, params: Any, field: str, method: str) -> Any:
  """What the `Rows` in a field of `params` hold.

  Args:
    cell: whose params they are.
    params: its params.
    field: name of the field.
    method: name of the method of `cell` that fills it.

  Raises:
    ValueError: it has not been filled.
  """
  rows = getattr(params, field)
  if rows is None:
    raise ValueError(
      f"params.{field} is None, expected what {type(cell).__name__}.{method}"
      " puts there: call it before the run"
    )
  return rows.value


def _is_rows(node: Any) -> bool:
  return isinstance(node, Rows)
