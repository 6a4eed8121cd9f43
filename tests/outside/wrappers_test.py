"""The page on Flax, Haiku and Equinox: each of its sections runs."""

import pathlib
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "flax.md"


def run_section(title):
  """The names that the first block and the one of a section leave."""
  first, *sections = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.M)
  (section,) = (s for s in sections if s.startswith(f"{title}\n"))
  names = {"__name__": "page"}
  with jax.numpy_rank_promotion("allow"):
    for text in (first, section):
      (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
      exec(block, names)
  return names


def agrees(names, run, variables, of_cell):
  """Value and gradient of a wrapper are those of `unroll`.

  Args:
    names: what the section left.
    run: outputs from the library's variables.
    variables: those.
    of_cell: the params of the cell among them.
  """
  cell, x, lengths = names["cell"], names["inputs"], names["lengths"]
  plain = lambda p: seqjax.unroll(cell, of_cell(p), x, lengths=lengths)[1]
  chex.assert_trees_all_equal_structs(
    of_cell(variables), cell.init(jax.random.key(0), 3)
  )
  found, expected = (
    jax.value_and_grad(lambda v, f=f: (f(v) ** 2).sum())(variables)
    for f in (run, plain)
  )
  chex.assert_trees_all_close(found, expected, rtol=1e-5, atol=1e-6)
  assert all(np.any(leaf) for leaf in jax.tree.leaves(of_cell(found[1])))
  np.testing.assert_allclose(
    run(variables), names["outputs"], rtol=1e-5, atol=1e-6
  )
  assert (names["outputs"][1, 2:] == 0).all()


def test_nnx():
  names = run_section("NNX")
  assert names["losses"][-1] < names["losses"][0]
  assert names["outputs"].shape == (5, 2, 5, 4)
  assert not np.allclose(names["outputs"][0], names["outputs"][1])


def test_linen():
  names = run_section("Linen")
  layer, x = names["layer"], names["inputs"]
  agrees(
    names,
    lambda v: layer.apply(v, x, lengths=names["lengths"])[1],
    names["variables"],
    lambda v: v["params"]["cell"],
  )
  noisy = names["LinenRNN"](seqjax.Dropout(seqjax.Elman(4), 0.5))
  variables = noisy.init(jax.random.key(0), x)
  draw = lambda seed: noisy.apply(
    variables, x, rngs={"dropout": jax.random.key(seed)}
  )[1]
  np.testing.assert_array_equal(draw(0), draw(0))
  assert not np.allclose(draw(0), draw(1))


def test_haiku():
  pytest.importorskip("haiku")
  names = run_section("Haiku")
  layer, x, cell = names["layer"], names["inputs"], names["cell"]
  template = jax.eval_shape(lambda: cell.init(jax.random.key(0), 3))

  def of_cell(variables):
    own = variables["haiku_rnn"]
    return jax.tree.map_with_path(
      lambda path, _: own[
        jax.tree_util.keystr(path, simple=True, separator=".")
      ],
      template,
    )

  agrees(
    names,
    lambda v: layer.apply(v, x, lengths=names["lengths"])[1],
    names["params"],
    of_cell,
  )


def test_equinox():
  eqx = pytest.importorskip("equinox")
  names = run_section("Equinox")
  layer, x, lengths = names["layer"], names["inputs"], names["lengths"]
  arrays, static = eqx.partition(layer, eqx.is_array)
  agrees(
    names,
    lambda v: eqx.combine(v, static)(x, lengths=lengths)[1],
    arrays,
    lambda v: v.params,
  )
  one = eqx.filter_jit(eqx.filter_grad(lambda m: m(x)[1].sum()))(layer)
  assert jnp.abs(one.params[0].bias).max() > 0
  chex.assert_shape(names["one_row"], (5, 4))
