"""A start from the parameters of another run: `config.init_from`."""

import collections
import json
import pathlib
from typing import Any

import jax
import numpy as np

from seqjax.errors import InputError
from seqjax.nn.trees import leaf_name
from seqjax.tasks import base
from seqjax.train import restore


def take(
  run: str, task: base.Task, params: Any
) -> tuple[dict[str, np.ndarray], str]:
  """What fits of the best parameters of another run.

  An array is taken if the run has one of the same name and shape there, and the
  two tasks mean the same by its rows and columns (`Task.vocabularies`).

  Args:
    run: its directory.
    task: that is to be trained.
    params: its parameters, shapes will do.

  Returns:
    `(arrays, text)`: the arrays taken by the names of `leaf_name`, and what
    was taken and what was not, a line for each top module.

  Raises:
    InputError: there is no such run, it is of another format, or nothing fits.
  """
  try:
    donor, found, step = restore.load(pathlib.Path(run))
  except InputError as error:
    raise InputError(f"config.init_from: {error}") from error
  theirs = {
    leaf_name(path): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found)
  }
  meanings = task.vocabularies(), donor.vocabularies()
  taken = {}
  tally = collections.defaultdict(collections.Counter)
  for path, leaf in jax.tree_util.tree_leaves_with_path(params):
    name = leaf_name(path)
    array, here, there = theirs.get(name), *(_of(m, name) for m in meanings)
    if array is None:
      fate = "not there"
    elif here != there:
      fate = "of another vocabulary"
    elif (array.shape, array.dtype) != (leaf.shape, leaf.dtype):
      fate = "of another shape"
    else:
      fate, taken[name] = "taken", array
    tally[name.split(".")[0]][fate] += 1
  lines = [
    f"{module}: " + ", ".join(f"{n} {fate}" for fate, n in fates.items())
    for module, fates in tally.items()
  ]
  if not taken:
    raise InputError(
      f"config.init_from is {run!r}, of which nothing fits: {'; '.join(lines)}"
    )
  title = f"from {run}, step {step}, {len(taken)} of its {len(theirs)} arrays:"
  return taken, "\n".join([title, *(f"  {line}" for line in lines)])


def _of(vocabularies: dict[str, Any], name: str) -> str:
  """What `vocabularies` say of a parameter, as JSON; null if nothing."""
  for prefix, meaning in vocabularies.items():
    if f"{name}.".startswith(f"{prefix}."):
      return json.dumps(meaning)
  return json.dumps(None)
