"""From a Flax NNX module to `(params, apply)`: pure functions from here on.

The only file that says split or merge. A module is a container of parameters
and a way to write the forward pass; everything above deals with nested dicts
of arrays and JAX's own transformations.
"""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx


def functionalize(
  module: nnx.Module,
) -> tuple[dict[str, Any], Callable[..., Any]]:
  """Splits a module into its parameters and a pure function of them.

    params, apply = functionalize(LanguageModel(...))
    carry, logits = apply(params, tokens, carry, key=key)
    carry = apply(params, 32, method="initial_carry")

  Args:
    module: holds `nnx.Param` only: no random state, no batch statistics (they
      would break `jax.grad` or repeat one dropout mask). Keys are arguments.

  Returns:
    `params`, nested plain dicts whose leaves are the values of the parameters,
    and `apply(params, *args, method="__call__", **kwargs)`.

  Raises:
    ValueError: the module holds variables that are not `nnx.Param`.
  """
  graphdef, state = nnx.split(module)
  is_variable = lambda x: isinstance(x, nnx.Variable)
  leaves = jax.tree_util.tree_leaves_with_path(state, is_leaf=is_variable)
  for path, leaf in leaves:
    if not isinstance(leaf, nnx.Param):
      raise ValueError(
        f"module{jax.tree_util.keystr(path)} is {type(leaf).__name__}, expected"
        " nnx.Param only: pass random keys as arguments"
      )

  def apply(params, *args, method: str = "__call__", **kwargs):
    return getattr(nnx.merge(graphdef, params), method)(*args, **kwargs)

  return nnx.to_pure_dict(state), apply
