"""The parameters of a layer as Flax wants them: one `nnx.Param` a leaf."""

import functools
from typing import TYPE_CHECKING, Any

import jax
from flax import nnx


class Parameters[Tree](nnx.Module):
  """A tree of arrays as a module with one `nnx.Param` for every leaf.

    layer.params.recurrent_kernel   an nnx.Param, as optimizers and filters want
    layer.params.get_value()        the tree again, as `cell.step` takes it

  A field that holds a tree is a level of its own, a field that is None has no
  Param. The tree is put together by name: Flax returns names in the order of
  the alphabet, which is not the order of a NamedTuple's fields.
  """

  def __init__(self, tree: Tree):
    leaves, self._structure = jax.tree_util.tree_flatten_with_path(tree)
    self._paths = tuple(_names(path) for path, _ in leaves)
    for (*above, name), (_, leaf) in zip(self._paths, leaves, strict=True):
      node = self
      for level in above:
        # Not `hasattr`: a field may have the name of a module's method.
        if level not in vars(node):
          setattr(node, level, nnx.Dict())
        node = vars(node)[level]
      setattr(node, name, nnx.Param(leaf))

  def get_value(self) -> Tree:
    """The tree, with the present values of its Params."""
    params = (functools.reduce(getattr, path, self) for path in self._paths)
    leaves = [param.get_value() for param in params]
    return jax.tree.unflatten(self._structure, leaves)

  if TYPE_CHECKING:

    def __getattr__(self, name: str) -> Any: ...


def _names(path: tuple[Any, ...]) -> tuple[str, ...]:
  """The fields on the way to a leaf; a tree may be a single array."""
  names = (jax.tree_util.keystr((entry,), simple=True) for entry in path)
  return tuple(names) or ("value",)
