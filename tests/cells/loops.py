"""What attention is, in loops written from the papers, to compare with.

They are NumPy and float64, a row, a step and a position at a time, over what
is valid alone. Their gradients are complex steps, Im f(x + ih) / h, which are
exact to rounding (Squire and Trapp 1998).
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from seqjax.cells import (
  Additive,
  Dot,
  General,
  LocationAware,
  MultiHead,
)

S, M = 4, 4
SOURCES = np.array([4, 0, 2, 1])


def close(actual, expected):
  """To 1e-5 of the largest entry of each array; 1e-6 is rounding."""
  chex.assert_trees_all_equal_structs(actual, expected)

  def check(a, e):
    scale = np.abs(e).max(initial=0)
    np.testing.assert_allclose(a, e, rtol=0, atol=max(1e-5 * scale, 1e-6))

  jax.tree.map(check, actual, expected)


def single(tree):
  return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), tree)


def weighed(results):
  """A loss in which every entry of the results has a weight of its own."""
  rng = np.random.default_rng(5)
  return sum((x * rng.normal(size=x.shape)).sum() for x in results)


def gradient(function, tree):
  """Of `weighed(function(tree))` by every entry, by complex steps."""
  leaves, treedef = jax.tree.flatten(tree)
  leaves = [np.array(leaf, complex) for leaf in leaves]
  grads = [np.zeros(leaf.shape) for leaf in leaves]
  for leaf, grad in zip(leaves, grads, strict=True):
    for index in np.ndindex(leaf.shape):
      real, leaf[index] = leaf[index], leaf[index] + 1e-30j
      loss = weighed(function(treedef.unflatten(leaves)))
      leaf[index], grad[index] = real, loss.imag / 1e-30
  return treedef.unflatten(grads)


def differentiated(function):
  """`function(tree, *rest)` compiled: `(its results, gradients by tree)`."""

  def loss(*args):
    results = function(*args)
    return weighed(results), results

  run = jax.jit(
    jax.value_and_grad(loss, has_aux=True),
    compiler_options={"xla_backend_optimization_level": 0},
  )

  def both(*args):
    (_, results), grads = run(*args)
    return results, grads

  return both


def drawn(params, seed=0):
  """Params without zeros, which would hide what is lost, in float64."""
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda p: np.asarray(p, float) + rng.normal(0, 0.3, p.shape), params
  )


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def softmax(scores):
  raised = np.exp(scores - scores.real.max())
  return raised / raised.sum()


# s_j of Bahdanau, Cho, Bengio 2015 (6), Tu et al. 2016 (6), Luong, Pham,
# Manning 2015 (8), Vaswani et al. 2017 (1), Chorowski et al. 2015 (8, 9).
def scores(kind, p, query, memory, last, coverage):
  for j, m in enumerate(memory):
    match kind:
      case Dot(scaled=scaled):
        yield query @ m / (len(m) ** 0.5 if scaled else 1)
      case General():
        yield query @ p.kernel @ m
      case Additive():
        inside = query @ p.query_kernel + m @ p.key_kernel + p.bias
        if kind.coverage:
          inside = inside + coverage[j] * p.coverage_kernel
        yield p.vector @ np.tanh(inside)
      case LocationAware(width=width):
        f = sum(
          last[j + i - width // 2] * p.filters[i]
          for i in range(width)
          if 0 <= j + i - width // 2 < len(memory)
        )
        inside = query @ p.query_kernel + m @ p.key_kernel
        inside = inside + f @ p.location_kernel + p.bias
        yield p.vector @ np.tanh(inside)


def look(kind, p, query, memory, last, coverage):
  """One row, valid positions only: context, weights `[source]`."""
  if not len(memory):
    return np.zeros(kind.context_size(M)), np.zeros(0)
  if not isinstance(kind, MultiHead):
    found = list(scores(kind, p, query, memory, last, coverage))
    weights = softmax(np.array(found))
    return sum(w * m for w, m in zip(weights, memory, strict=True)), weights
  # Vaswani et al. 2017, section 3.2.2
  contexts, all_weights = [], []
  for head in np.split(np.arange(kind.size), kind.heads):
    q = query @ p.query_kernel[:, head] + p.query_bias[head]
    keys = [m @ p.key_kernel[:, head] + p.key_bias[head] for m in memory]
    values = [m @ p.value_kernel[:, head] + p.value_bias[head] for m in memory]
    weights = softmax(np.array([q @ k for k in keys]) / len(head) ** 0.5)
    contexts.append(sum(w * v for w, v in zip(weights, values, strict=True)))
    all_weights.append(weights)
  context = np.concatenate(contexts) @ p.output_kernel + p.output_bias
  return context, sum(all_weights) / kind.heads


def padded(weights):
  return np.pad(weights, (0, S - len(weights)))
