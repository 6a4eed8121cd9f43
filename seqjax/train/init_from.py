"""A start from the parameters of another run: `config.init_from`."""

import collections
import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from seqjax.errors import InputError
from seqjax.nn.trees import leaf_name
from seqjax.tasks import base
from seqjax.train import restore

_OTHER = "of another vocabulary"


def take(
  run: str, task: base.Task, params: Any
) -> tuple[dict[str, np.ndarray], str]:
  """What fits of the best parameters of another run.

  An array is taken if the run has one of the same name and shape there, and the
  two tasks mean the same by its rows and columns (`Task.vocabularies`). Where
  they do not, but name them, each row or column is taken by its name, and those
  that the run lacks are drawn. An array of which no name is known, or not which
  axis is named, is left out.

  Args:
    run: its directory.
    task: that is to be trained.
    params: its parameters, shapes will do.

  Returns:
    `(arrays, text)`: the arrays taken by the names of `leaf_name`, NaN for
    numbers that are to be drawn, and what was taken and what was not, a line
    for each top module.

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
    part, fate = None, "not there"
    if name in theirs:
      here, there = (_of(m, name) for m in meanings)
      part, fate = fitting(name, leaf, theirs[name], here, there)
    if part is not None:
      taken[name] = part
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


def _of(vocabularies: dict[str, Any], name: str) -> Any:
  """What `vocabularies` say of a parameter; None if nothing."""
  for prefix, meaning in vocabularies.items():
    if f"{name}.".startswith(f"{prefix}."):
      return meaning
  return None


def fitting(
  name: str, leaf: Any, array: np.ndarray, here: Any, there: Any
) -> tuple[np.ndarray | None, str]:
  """What of another run's array fits a parameter, and what became of it.

  Args:
    name: of both.
    leaf: the parameter, its shape will do.
    array: the other one.
    here: what is meant by the parameter's rows or columns.
    there: likewise, of the other one.
  """
  axes = _axes(name, array.ndim)
  same = json.dumps(here) == json.dumps(there)
  if same or axes == ():
    if (array.shape, array.dtype) == (leaf.shape, leaf.dtype):
      return array, "taken"
    return None, "of another shape"
  if axes is None or not (_are_names(here) and _are_names(there)):
    return None, _OTHER
  wanted = list(array.shape)
  for axis in axes:
    if array.shape[axis] != len(there):
      return None, _OTHER
    wanted[axis] = len(here)
  if (tuple(wanted), array.dtype) != (leaf.shape, leaf.dtype):
    return None, "of another shape"
  place = {symbol: i for i, symbol in enumerate(there)}
  places = np.array([place.get(symbol, -1) for symbol in here])
  known = np.flatnonzero(places >= 0)
  if not len(known):
    return None, _OTHER
  part = np.full(leaf.shape, np.nan, array.dtype)
  inside = [known if a in axes else range(n) for a, n in enumerate(leaf.shape)]
  other = [places[known] if a in axes else i for a, i in enumerate(inside)]
  part[np.ix_(*inside)] = array[np.ix_(*other)]
  new = len(here) - len(known)
  return part, f"taken by name ({len(known):,} known, {new:,} new)"


def _axes(name: str, ndim: int) -> tuple[int, ...] | None:
  """The axes of a parameter that a vocabulary names; None: it is not known."""
  if name.endswith("embed.embedding"):
    return (0,)
  if re.fullmatch(r"head\.\w+|bias", name):
    return (ndim - 1,)
  if name.startswith("crf."):
    return tuple(range(ndim))
  if name.startswith("rnn."):
    # One-hot symbols are the rows of what multiplies a layer's inputs; of a
    # stack of cells the first alone reads them.
    reads = name.endswith(("input_kernel", "skip_kernel", "linear.kernel"))
    above = re.search(r"\.params\.(.*\.)?[1-9]\d*\.", name)
    return (0,) if reads and not above else ()
  return None


def _are_names(meaning: Any) -> bool:
  """Whether it is a list of texts that differ."""
  return (
    isinstance(meaning, Sequence)
    and not isinstance(meaning, str)
    and all(isinstance(name, str) for name in meaning)
    and len({*meaning}) == len(meaning)
  )
