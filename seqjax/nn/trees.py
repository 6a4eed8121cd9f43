"""Trees of parameters: names, shapes and sizes of their arrays."""

from typing import Any

import jax


def leaf_name(path) -> str:
  """The path of a leaf in words: "rnn.layers.0.params.bias"."""
  return jax.tree_util.keystr(path, simple=True, separator=".")


def count_params(params: Any) -> int:
  """The number of scalars in a tree of arrays."""
  return sum(leaf.size for leaf in jax.tree.leaves(params))


def array_shapes(params) -> dict[str, tuple[int, ...]]:
  """Path, its parts joined by ".", to shape of every array of a tree."""
  leaves = jax.tree_util.tree_leaves_with_path(params)
  return {leaf_name(path): leaf.shape for path, leaf in leaves}
