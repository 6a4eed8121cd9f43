"""Kinds of attention, beside PyTorch and beside loops from the papers."""

import functools
import pathlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.cells import (
  Additive,
  Dot,
  General,
  LocationAware,
  MultiHead,
  attention,
)
from seqjax.cells.attention_kinds import Past
from tests.cells.loops import (
  SOURCES,
  M,
  S,
  close,
  differentiated,
  drawn,
  gradient,
  look,
  padded,
  single,
  softmax,
)

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "attention.npz"
KINDS = {
  "additive": Additive(3),
  "additive, coverage": Additive(3, coverage=True),
  "dot": Dot(),
  "scaled dot": Dot(scaled=True),
  "general": General(),
  "location-aware": LocationAware(3, filters=2, width=3),
  "location-aware, wide": LocationAware(3, filters=2, width=11),
  "multi-head": MultiHead(6, heads=2),
}


def problem(kind):
  rng = np.random.default_rng(1)
  queries = 4 if isinstance(kind, Dot) else 5
  b = len(SOURCES)
  return {
    "params": drawn(kind.init(jax.random.key(0), queries, M)),
    "query": rng.normal(size=(b, queries)),
    "memory": rng.normal(size=(b, S, M)),
    "last": rng.random((b, S)),
    "coverage": rng.random((b, S)),
  }


@functools.cache
def ours(name):
  """`(tree, sources [batch]) -> ((context, weights), gradients)`."""
  kind = KINDS[name]

  def run(tree, sources):
    mask = attention.source_mask(sources, S, jnp.float32)
    memory = kind.remember(tree["params"], tree["memory"], mask)
    past = Past(tree["last"] * mask, tree["coverage"] * mask)
    return kind(tree["params"], tree["query"], memory, past)

  return differentiated(run)


@pytest.mark.parametrize("name", KINDS)
def test_kinds_are_the_equations(name):
  kind, tree = KINDS[name], problem(KINDS[name])

  def loop(tree):
    rows = [
      look(
        kind,
        tree["params"],
        tree["query"][row],
        *(tree[key][row, :n] for key in ("memory", "last", "coverage")),
      )
      for row, n in enumerate(SOURCES)
    ]
    contexts, weights = zip(*rows, strict=True)
    return np.stack(contexts), np.stack([padded(w) for w in weights])

  (context, weights), grads = ours(name)(single(tree), SOURCES)
  close((context, weights), loop(tree))
  close(grads, gradient(loop, tree))
  valid = np.arange(S) < SOURCES[:, None]
  assert not np.asarray(weights)[~valid].any()
  np.testing.assert_allclose(weights.sum(-1), SOURCES > 0, atol=1e-6)
  assert not np.asarray(context)[SOURCES == 0].any()


@pytest.mark.parametrize("name", KINDS)
def test_what_is_not_valid_leaks_nothing(name):
  """NaN and infinity there change no bit of values and gradients."""
  tree = single(problem(KINDS[name]))
  valid = (np.arange(S) < SOURCES[:, None])[..., None]
  bad = np.resize(np.float32([np.nan, np.inf, -np.inf]), (1, S, M))
  poisoned = tree | {"memory": jnp.where(valid, tree["memory"], bad)}
  both = [ours(name)(each, SOURCES) for each in (tree, poisoned)]
  chex.assert_trees_all_equal(*both)
  chex.assert_tree_all_finite(both)


@pytest.mark.parametrize("name", KINDS)
def test_without_any_memory_nothing_is_read_or_learnt(name):
  """Also where it holds NaN; not even an output's bias."""
  tree = single(problem(KINDS[name]))
  tree["memory"] *= jnp.nan
  everything = ours(name)(tree, np.zeros_like(SOURCES))
  assert not any(leaf.any() for leaf in jax.tree.leaves(everything))


def test_the_softmax_over_a_mask():
  """Also with huge scores, masks with holes and anything outside of them."""
  rng = np.random.default_rng(0)
  size = np.float32([[1], [1e4], [1e30], [1]])
  scores = size * rng.normal(size=(4, 6)).astype(np.float32)
  mask = np.float32([[1, 1, 0, 1, 0, 0], [0, 1, 1, 1, 1, 1], [1] * 6, [0] * 6])
  expected = np.zeros((4, 6))
  for row, there in enumerate(mask > 0):
    if there.any():
      expected[row, there] = softmax(scores[row, there].astype(float))
  outside = np.resize(np.float32([np.nan, np.inf, -np.inf, 1e38]), (4, 6))
  scores = np.where(mask > 0, scores, outside)
  weights, pull = jax.vjp(jax.jit(attention.normalize), scores, mask)
  np.testing.assert_allclose(weights, expected, atol=1e-6)
  assert (np.asarray(weights)[mask == 0] == 0).all()
  d_scores, _ = pull(jnp.asarray(rng.normal(size=(4, 6)), jnp.float32))
  chex.assert_tree_all_finite(d_scores)
  assert (np.asarray(d_scores)[mask == 0] == 0).all()
  assert d_scores[0, :2].any()
  nowhere = jnp.zeros((2, 0))
  assert attention.normalize(nowhere, nowhere).shape == (2, 0)


@pytest.mark.parametrize("name", ["same", "memory", "apart"])
def test_pytorch_agrees(name):
  """Multi-head attention: values, each head's weights, and all gradients."""
  with np.load(GOLDENS) as file:
    lengths = file["lengths"]
    case = {
      key.removeprefix(f"{name}/"): np.float32(file[key])
      for key in file.files
      if key.startswith(f"{name}/")
    }
  part = lambda prefix: {
    key.removeprefix(prefix): value
    for key, value in case.items()
    if key.startswith(prefix)
  }
  kind, arrays = MultiHead(8, heads=2), ("queries", "keys", "values")
  inputs = {key: case[key] for key in arrays if key in case}
  mask = attention.source_mask(
    jnp.asarray(lengths), case["keys"].shape[1], jnp.float32
  )

  # From the state dict, so that gradients come out under PyTorch's names.
  def run(state, inputs):
    kernels = (
      jnp.split(state["in_proj_weight"], 3)
      if "in_proj_weight" in state
      else [state[f"{which}_proj_weight"] for which in "qkv"]
    )
    biases = jnp.split(state["in_proj_bias"], 3)
    kernels.append(state["out_proj.weight"])
    biases.append(state["out_proj.bias"])
    params = type(kind.init(jax.random.key(0), 1, 1))(
      *(x for k, b in zip(kernels, biases, strict=True) for x in (k.T, b))
    )
    memory = inputs["keys"]
    if "values" not in inputs:
      remembered = kind.remember(params, memory, mask)
      read = lambda q: kind(params, q, remembered, Past(mask))
      return jax.vmap(read, 1, 1)(inputs["queries"])
    keys = memory @ params.key_kernel + params.key_bias[None, None]
    values = inputs["values"] @ params.value_kernel
    values += params.value_bias[None, None]
    queries = inputs["queries"] @ params.query_kernel
    context, weights = jax.vmap(
      lambda q: attention.multi_head(q, keys, values, mask, 2), 1, (1, 2)
    )(queries + params.query_bias[None, None])
    context = context @ params.output_kernel + params.output_bias[None, None]
    return context, weights.mean(1)

  def loss(state, inputs):
    outputs, weights = run(state, inputs)
    total = (case["loss.outputs"] * outputs).sum()
    return total + (case["loss.weights"] * weights).sum(), (outputs, weights)

  state = part("params/")
  run_both = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))
  (_, results), (d_state, d_inputs) = run_both(state, inputs)
  close(results, (case["outputs"], case["weights"].mean(1)))
  close(d_state, part("grads/"))
  close(d_inputs, {key: case[f"{key}.grad"] for key in inputs})
