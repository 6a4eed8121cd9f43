"""Linear attention: a recurrence, a prefix and masked attention are one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.cells.linear_attention import FEATURE_MAPS
from seqjax.recurrence import Associative, Quadratic, Scan

B, T, D = 4, 7, 3
KEY = jax.random.key(7)
CELL = seqjax.LinearAttention(6, heads=2)
FORMS = {
  "scan": Scan(),
  "associative": Associative(),
  "whole": Quadratic(chunk=0),
  "chunks of 1": Quadratic(chunk=1),
  "chunks of 3": Quadratic(chunk=3),  # no divisor of T
}
KINDS = "associative", "whole", "chunks of 3"
OTHERS = [form for form in FORMS if form != "scan"]
LENGTHS = {"none": [0] * B, "ragged": [0, 7, 2, 4], "full": [T] * B}
RESETS = np.random.default_rng(1).random((B, T)) < 0.3
NO_RESETS = np.zeros((B, T), bool)


def make(cell=CELL, dtype="float32"):
  """Params without zeros, inputs, and a carry as a sequence leaves one."""
  rng = np.random.default_rng(0)
  draw = lambda shape: jnp.asarray(rng.normal(size=shape), dtype)
  params = cell.init(KEY, D, jnp.dtype(dtype))
  params = jax.tree.map(lambda p: p + 0.3 * draw(p.shape), params)
  carry, _ = seqjax.unroll(cell, params, draw((B, 3, D)), method="scan")
  return params, draw((B, T, D)), carry


def result(cell, form, reverse=False, given=True):
  """Value, outputs and gradients as a compiled function.

  Of `(params, inputs, carry, lengths, resets)`; without the last two if not
  `given`. The value weighs each entry of outputs and carry on its own.
  """

  def loss(params, inputs, carry, lengths, resets):
    options = {"lengths": lengths, "resets": resets} if given else {}
    leaves = seqjax.unroll(
      cell,
      params,
      inputs,
      initial_carry=carry,
      reverse=reverse,
      method=FORMS[form],
      **options,
    )
    rng = np.random.default_rng(9)
    weighted = (
      (leaf * jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype)).sum()
      for leaf in jax.tree.leaves(leaves)
    )
    return sum(weighted), leaves

  return jax.jit(
    jax.value_and_grad(loss, (0, 1, 2), has_aux=True),
    compiler_options={"xla_backend_optimization_level": 0},
  )


def close(actual, expected, tolerance=1e-5):
  def check(a, e):
    assert a.dtype == e.dtype
    a, e = np.asarray(a, np.float64), np.asarray(e, np.float64)
    scale = max(1.0, np.abs(e).max(initial=0.0))
    np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * scale)

  jax.tree.map(check, actual, expected)


@functools.cache
def by_scan(reverse, given):
  compiled = result(CELL, "scan", reverse, given)
  return [compiled(*make(), *case) for case in cases(given)]


def cases(given):
  if not given:
    return [(jnp.array(LENGTHS["full"]), NO_RESETS)]
  return [
    (jnp.array(lengths), resets)
    for lengths in LENGTHS.values()
    for resets in (NO_RESETS, RESETS)
  ]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("form", OTHERS)
def test_all_forms_agree(form, reverse, given):
  """In value and every gradient, with a carry to start from."""
  actual = result(CELL, form, reverse, given)
  for case, expected in zip(cases(given), by_scan(reverse, given), strict=True):
    close(actual(*make(), *case), expected)


@pytest.mark.parametrize("form", ["scan", *KINDS])
@pytest.mark.usefixtures("float64")
def test_float64(form):
  """To 1e-12; the scan itself is held to the sums of the definition."""
  params, inputs, carry = make(dtype="float64")
  case = jnp.array(LENGTHS["ragged"]), jnp.asarray(RESETS)
  _, (_, outputs) = result(CELL, form)(params, inputs, carry, *case)[0]
  expected = np.zeros((B, T, 6))
  w, b = (np.asarray(p) for p in params)
  projected = np.asarray(inputs) @ w + b
  feature = lambda x: np.where(x > 0, x + 1, np.exp(x))
  for row in range(B):
    for head in (slice(0, 3), slice(3, 6)):
      q, k, v = np.split(projected[row], 3, axis=-1)
      q, k, v = feature(q[:, head]), feature(k[:, head]), v[:, head]
      s, z = (np.asarray(c)[row, head.start // 3] for c in carry)
      for t in range(LENGTHS["ragged"][row]):
        starts = np.flatnonzero(RESETS[row, : t + 1])
        first = starts[-1] if len(starts) else 0
        weights = q[t] @ k[first : t + 1].T
        old = 0.0 if len(starts) else 1.0
        expected[row, t, head] = (
          weights @ v[first : t + 1] + old * (q[t] @ s)
        ) / (weights.sum() + old * (q[t] @ z))
  np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)
  if form != "scan":
    expected = result(CELL, "scan")(params, inputs, carry, *case)
    close(result(CELL, form)(params, inputs, carry, *case), expected, 1e-12)


OPTIONS = {
  "normalize": ({"normalize": False}, 1e-5),
  "relu": ({"feature_map": "relu"}, 1e-5),
  "one head": ({"heads": 1}, 1e-5),
  "heads of one feature": ({"heads": 6}, 1e-5),
  # Gradients are rounded to bfloat16 step by step, or once.
  "compute_dtype": ({"compute_dtype": "bfloat16"}, 0.02),
}


@pytest.mark.parametrize("form", KINDS)
@pytest.mark.parametrize("name", OPTIONS)
def test_options(name, form):
  options, tolerance = OPTIONS[name]
  cell = seqjax.LinearAttention(6, **{"heads": 2, **options})
  args = *make(cell), jnp.array(LENGTHS["ragged"]), RESETS
  close(result(cell, form)(*args), result(cell, "scan")(*args), tolerance)


@pytest.mark.parametrize("form", KINDS)
def test_a_reset_puts_in_what_has_been_learned(form):
  """The fresh carry has a gradient, that of the start stays its own."""
  cell = seqjax.LearnedCarry(CELL)
  params, inputs, carry = make(cell)
  args = params, inputs, carry, jnp.array(LENGTHS["ragged"]), RESETS
  actual, expected = result(cell, form)(*args), result(cell, "scan")(*args)
  assert all(leaf.any() for leaf in jax.tree.leaves(expected[1]))
  close(actual, expected)


@pytest.mark.parametrize("form", ["scan", *KINDS])
def test_bfloat16(form):
  """All in 16 bits but the sums: near the same numbers in float32."""
  params, inputs, carry = make(dtype="bfloat16")
  case = jnp.array(LENGTHS["ragged"]), jnp.asarray(RESETS)
  actual = result(CELL, form)(params, inputs, carry, *case)
  wide = lambda tree: jax.tree.map(lambda x: x.astype(jnp.float32), tree)
  expected = result(CELL, "scan")(*wide((params, inputs, carry)), *case)
  (_, leaves), grads = actual
  assert {leaf.dtype for leaf in jax.tree.leaves((leaves, grads))} == {
    jnp.dtype("bfloat16")
  }
  close(wide((leaves, grads)), (expected[0][1], expected[1]), 0.03)


@pytest.mark.parametrize("form", ["associative", "chunks of 3"])
def test_long_sums_are_wider_than_bfloat16(form):
  """2,000 steps are as near to float32 as the projection of one is."""
  params = CELL.init(KEY, D, jnp.bfloat16)
  params = params._replace(bias=params.bias.at[12:].set(1))
  inputs = jax.random.normal(KEY, (B, 2_000, D), jnp.bfloat16)
  wide = lambda tree: jax.tree.map(lambda x: x.astype(jnp.float32), tree)
  run = lambda args, form: seqjax.unroll(CELL, *args, method=FORMS[form])[1]
  expected = run(wide((params, inputs)), "scan")
  close(wide(run((params, inputs), form)), expected, 0.007)


@pytest.mark.parametrize("form", ["scan", *KINDS])
@pytest.mark.parametrize(
  ("feature_map", "bias"), [("relu", -100.0), ("elu", -200.0), ("elu", -15.0)]
)
def test_weights_that_sum_to_nothing(form, feature_map, bias):
  """Cut off or underflowed: 0. Small, their ratios are what they were."""
  cell = seqjax.LinearAttention(6, heads=2, feature_map=feature_map)
  params, inputs, _ = make(cell)
  params = params._replace(bias=params.bias.at[:12].set(bias))
  carry = cell.initial_carry(params, (B,))
  args = params, inputs, carry, jnp.array(LENGTHS["full"]), NO_RESETS
  (_, (_, outputs)), grads = result(cell, form)(*args)
  assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))
  if bias == -15.0:
    # Of the first step: its own value alone.
    first = inputs[:, 0] @ params.input_kernel[:, 12:] + params.bias[None, 12:]
    np.testing.assert_allclose(outputs[:, 0], first, rtol=1e-4, atol=1e-5)
  else:
    assert not outputs.any()


def test_features_keep_their_digits():
  """elu(x) + 1 by way of elu would be 0 from x = -17 on."""
  np.testing.assert_allclose(
    FEATURE_MAPS["elu"](jnp.array([-20.0, 0.0, 2.0])),
    [np.exp(-20.0), 1.0, 3.0],
    rtol=1e-6,
  )
  slope = jax.grad(FEATURE_MAPS["elu"])
  assert [float(slope(x)) for x in (200.0, 0.0)] == [1.0, 1.0]


@pytest.mark.parametrize("form", ["whole", "chunks of 3"])
@pytest.mark.parametrize("reverse", [False, True])
def test_what_comes_later_has_no_influence(form, reverse):
  params, inputs, carry = make()
  changed = inputs.at[:, 4].add(1.0)
  run = lambda x: seqjax.unroll(
    CELL,
    params,
    x,
    initial_carry=carry,
    reverse=reverse,
    method=FORMS[form],
  )[1]
  moved = (run(inputs) != run(changed)).any(axis=(0, 2))
  before = [True] * 5 + [False] * 2
  after = [False] * 4 + [True] * 3
  assert list(moved) == (before if reverse else after)


@pytest.mark.parametrize("form", ["whole", "chunks of 3"])
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_may_hold_anything(form, reverse):
  params, inputs, carry = make()
  lengths = jnp.array(LENGTHS["ragged"])
  valid = np.arange(T) < np.asarray(lengths)[:, None]
  poisoned = jnp.where(valid[..., None], inputs, jnp.nan)
  run = result(CELL, form, reverse)
  (_, clean), grads = run(params, inputs, carry, lengths, RESETS)
  (_, dirty), dirty_grads = run(params, poisoned, carry, lengths, RESETS)
  close((dirty, dirty_grads), (clean, grads), 0.0)
  assert not clean[1][~valid].any()


@pytest.mark.parametrize("form", ["whole", "chunks of 3"])
def test_derivatives_of_every_kind(form):
  params, inputs, carry = make()
  tangents = jax.tree.map(jnp.ones_like, (params, inputs, carry))

  def loss(form):
    def value(params, inputs, carry):
      _, outputs = seqjax.unroll(
        CELL,
        params,
        inputs,
        resets=RESETS,
        initial_carry=carry,
        method=FORMS[form],
      )
      return jnp.sin(outputs).sum()

    return value

  def kinds(f):
    args = params, inputs, carry
    return (
      jax.jvp(f, args, tangents)[1],
      jax.jvp(jax.grad(f, (0, 1, 2)), args, tangents)[1],
    )

  close(kinds(loss(form)), kinds(loss("scan")))


def test_a_batch_of_any_rank():
  params, inputs, carry = make()
  lengths = jnp.array(LENGTHS["ragged"])
  run = lambda of_rows: seqjax.unroll(
    CELL,
    params,
    of_rows(inputs),
    lengths=of_rows(lengths),
    resets=of_rows(jnp.asarray(RESETS)),
    initial_carry=jax.tree.map(of_rows, carry),
    method=Quadratic(chunk=3),
  )
  one = run(lambda x: x)
  close(run(lambda x: x[1]), jax.tree.map(lambda x: x[1], one))
  two = run(lambda x: x.reshape(2, 2, *x.shape[1:]))
  close(jax.tree.map(lambda x: x.reshape(B, *x.shape[2:]), two), one)


def test_a_chunk_longer_than_the_sequence_is_the_whole():
  params, inputs, carry = make()
  run = lambda chunk: seqjax.unroll(
    CELL, params, inputs, initial_carry=carry, method=Quadratic(chunk)
  )
  close(run(100), run(0), 0.0)
  close(run(T), run(0), 0.0)


@pytest.mark.parametrize("chunk", [-1, 2.0, True, "all"])
def test_bad_chunks(chunk):
  with pytest.raises(ValueError, match="chunk is .*, expected 0") as error:
    Quadratic(chunk=chunk)
  assert "\n" not in str(error.value)


def test_other_cells_are_refused():
  cell = seqjax.LRU(4, 2)
  params = cell.init(KEY, D)
  with pytest.raises(
    ValueError, match="method 'quadratic' needs a cell with queries, keys"
  ) as error:
    seqjax.unroll(cell, params, jnp.ones((B, T, D)), method="quadratic")
  assert "\n" not in str(error.value)
