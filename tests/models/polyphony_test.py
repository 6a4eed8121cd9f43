"""Distributions over sets of pitches, against all sets there are."""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax import nn
from seqjax.cells import GRU, LSTM
from seqjax.data import polyphony
from seqjax.models.polyphony import OUTPUTS, Polyphony
from tests.nn.building import layers_of

P, TIME = 4, 5
SETS = np.array(list(itertools.product([False, True], repeat=P)))  # [16, P]
FRAMES = np.random.default_rng(0).random((2, TIME + 1, P)) < 0.4
BOTH = pytest.mark.parametrize("output", OUTPUTS)


@functools.cache
def make(output, **options):
  """Parameters and the model, each method one program."""
  options = {
    "note_size": 3,
    "around": 2,
    "around_size": 3,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "compute_dtype": "float32",
    "key": jax.random.key(1),
  } | options
  layers = layers_of(LSTM(5), GRU(6), dropout=options["dropout"])
  params, apply = nn.functionalize(
    Polyphony(layers, P, output=output, **options)
  )
  # Weights that tell: far from equal shares.
  params = jax.tree.map(lambda leaf: 2 * leaf + 0.1, params)
  compiled = jax.jit(apply, static_argnames="method")

  def run(*args, **kwargs):
    rows = kwargs.get("method") == "initial_carry"
    return (apply if rows else compiled)(*args, **kwargs)

  return params, run


def targets(output, frames, most=P):
  return frames if output == "pitches" else polyphony.named(frames, most)


def shares(output, params, apply, carry=None):
  """What each of the 16 sets gets after FRAMES[0], `[16]`."""
  frames = np.repeat(FRAMES[:1, :-1], 16, axis=0)
  asked = np.repeat(FRAMES[:1, 1:], 16, axis=0)
  asked[:, -1] = SETS
  _, nats = apply(params, frames, targets(output, asked))
  return np.exp(-np.asarray(nats[:, -1], np.float64))


@BOTH
def test_all_sets_together_have_probability_one(output):
  found = shares(output, *make(output))
  assert found.sum() == pytest.approx(1, abs=1e-6)
  assert found.max() > 2 * found.min()


def test_pitches_are_independent_and_notes_are_not():
  for output in OUTPUTS:
    found = shares(output, *make(output)).reshape(2, 2, 2, 2)
    product = np.ones(())
    for axis in range(P):
      others = tuple(i for i in range(P) if i != axis)
      product = product[..., None] * found.sum(axis=others)
    apart = np.abs(product - found).max()
    assert (apart < 1e-6) == (output == "pitches")


@pytest.mark.usefixtures("nnx_mode")
@BOTH
def test_streaming_is_the_whole_run(output):
  params, apply = make.__wrapped__(output)  # traced anew in each mode
  asked = targets(output, FRAMES[:, 1:])
  last, whole = apply(params, FRAMES[:, :-1], asked)
  chex.assert_shape(whole, (2, TIME))
  carry = apply(params, 2, method="initial_carry")
  for t in range(TIME):
    one, at = slice(t, t + 1), (carry, FRAMES[:, t])
    window = FRAMES[:, one], asked[:, one], carry
    _, nats = apply(params, *window)
    np.testing.assert_allclose(nats[:, 0], whole[:, t], rtol=1e-5)
    carry, _ = apply(params, *at, method="step")
  chex.assert_trees_all_close(carry, last, atol=1e-6)


@BOTH
def test_neither_the_future_nor_padding_has_influence(output):
  params, apply = make(output)
  _, before = apply(params, FRAMES[:, :-1], targets(output, FRAMES[:, 1:]))
  for changed in range(1, TIME + 1):
    other = FRAMES.copy()
    other[:, changed] ^= True
    asked = targets(output, other[:, 1:])
    _, after = apply(params, other[:, :-1], asked)
    first = changed - 1
    np.testing.assert_array_equal(before[:, :first], after[:, :first])
    assert (np.abs(before - after)[:, first:] > 0).all()
  # More room for notes, and rows of which a part counts.
  asked = targets(output, FRAMES[:, 1:], P + 3)
  lengths = np.array([TIME, 2])
  _, padded = apply(params, FRAMES[:, :-1], asked, lengths=lengths)
  np.testing.assert_allclose(padded[0], before[0], rtol=1e-6)
  np.testing.assert_allclose(padded[1, :2], before[1, :2], rtol=1e-6)


def drawn(output, temperature, rows):
  """Sets drawn after FRAMES[0], as their places in SETS."""
  params, apply = make(output)
  carry = apply(params, 1, method="initial_carry")
  y = jnp.zeros(())
  for t in range(TIME):
    carry, y = apply(params, carry, FRAMES[:1, t], method="step")
  y = jnp.broadcast_to(y, (rows, y.shape[-1]))
  key = jax.random.key(0)
  found = apply(params, y, key, jnp.float32(temperature), method="draw")
  chex.assert_shape(found, (rows, P))
  assert found.dtype == bool
  return np.asarray(found) @ np.array([8, 4, 2, 1])


def choices(output, told):
  """The choices that lead to each set, as shares, by what is known of all.

  A choice is `[n]`, and the one that was taken. Pitches: each on or off. Notes:
  the next one, or none, among the sets that begin with the notes so far.
  """
  for one, frame in enumerate(SETS):
    if output == "pitches":
      for pitch in range(P):
        on = told[SETS[:, pitch]].sum()
        yield one, np.array([1 - on, on]), int(frame[pitch])
      continue
    last = -1
    while last < P:
      same = (SETS[:, : last + 1] == frame[: last + 1]).all(axis=1)
      share = np.zeros(P + 1)
      for other in np.flatnonzero(same):
        later = np.flatnonzero(SETS[other, last + 1 :])
        share[last + 1 + later[0] if len(later) else P] += told[other]
      later = np.flatnonzero(frame[last + 1 :])
      last = last + 1 + int(later[0]) if len(later) else P
      yield one, share / share.sum(), last


@BOTH
@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_what_is_drawn_has_the_probability_that_it_is_told(output, temperature):
  """By the shares of all sets: each choice is warmed by itself."""
  told = shares(output, *make(output))
  expected = np.ones(16)
  for one, share, taken in choices(output, told):
    warm = share ** (1 / temperature)
    expected[one] *= warm[taken] / warm.sum()
  if temperature == 1:
    np.testing.assert_allclose(expected, told, rtol=1e-4)
  rows = 20_000
  counts = np.bincount(drawn(output, temperature, rows), minlength=16)
  error = np.sqrt(expected * (1 - expected) / rows)
  assert (np.abs(counts / rows - expected) < 4.5 * error + 1e-9).all()


@BOTH
def test_at_temperature_0_the_likelier_choice_is_taken(output):
  told = shares(output, *make(output))
  likelier = np.ones(16, bool)
  for one, share, taken in choices(output, told):
    likelier[one] &= taken == share.argmax()
  assert likelier.sum() == 1
  assert drawn(output, 0, 3).tolist() == [likelier.argmax()] * 3


@BOTH
@pytest.mark.parametrize("rate", ["dropout", "input_dropout"])
def test_dropout_acts_only_with_a_key(output, rate):
  params, apply = make(output, **{rate: 0.5})
  _, plain = make(output)
  arguments = FRAMES[:, :-1], targets(output, FRAMES[:, 1:])
  same = apply(params, *arguments), plain(params, *arguments)
  chex.assert_trees_all_equal(*same)
  noisy = apply(params, *arguments, key=jax.random.key(1))[1]
  assert not np.allclose(noisy, same[0][1])


@BOTH
def test_gradients_are_finite_and_right(output):
  """Of silence and of all pitches at once, too; against differences."""
  params, apply = make(output)
  frames = np.stack([0 * FRAMES[0], FRAMES[0] | True])
  asked = targets(output, frames[:, 1:])

  @jax.jit
  def loss(params):
    return apply(params, frames[:, :-1], asked)[1].mean()

  slopes = jax.grad(loss)(params)
  chex.assert_tree_all_finite(slopes)
  # Along themselves they are as steep as they are long.
  length = float(optax.tree.norm(slopes))
  ends = [
    jax.tree.map(lambda a, b, e=e: a + e / length * b, params, slopes)
    for e in (1e-3, -1e-3)
  ]
  slope = (loss(ends[0]) - loss(ends[1])) / 2e-3
  assert float(slope) == pytest.approx(length, rel=1e-2)


@BOTH
def test_what_all_pitches_share(output):
  """That term alone, by loops: what sounded around, what is named so far."""
  params, apply = make(output)
  alone = jax.tree.map(np.array, params)
  for name in {"head", "note_head", "given"} & set(alone):
    alone[name] = jax.tree.map(np.zeros_like, alone[name])
  asked = targets(output, FRAMES[:, 1:])
  _, nats = apply(alone, FRAMES[:, :-1], asked)
  kernel, bias = alone["near"]["kernel"], alone["near"]["bias"]

  def logit(pitch, *frames):
    hidden = bias.copy()
    for part, frame in zip(np.split(kernel, len(frames)), frames, strict=True):
      for d in range(-2, 3):
        if 0 <= pitch + d < P and frame[pitch + d]:
          hidden += part[d + 2]
    return (np.maximum(hidden, 0) @ alone["near_head"]["kernel"]).item()

  for row, t in np.ndindex(2, TIME):
    before, frame = FRAMES[row, t], FRAMES[row, t + 1]
    expected, found, last = 0.0, np.zeros(P, bool), -1
    if output == "pitches":
      for pitch in range(P):
        sign = 1 if frame[pitch] else -1
        expected += np.log1p(np.exp(-sign * logit(pitch, before)))
    else:
      for note in [*np.flatnonzero(frame), P]:
        open_ = range(last + 1, P)
        logits = [logit(pitch, before, found) for pitch in open_] + [0.0]
        expected += np.log(np.exp(logits).sum()) - logits[note - last - 1]
        last = note
        found |= np.arange(P) == note
    assert nats[row, t] == pytest.approx(expected, rel=1e-5)


@BOTH
def test_judge_says_both(output):
  params, apply = make(output)
  arguments = FRAMES[:, :-1], targets(output, FRAMES[:, 1:])
  carry, nats, likeliest = apply(params, *arguments, method="judge")
  chex.assert_trees_all_equal((carry, nats), apply(params, *arguments))
  place = np.asarray(likeliest[0, -1]) @ np.array([8, 4, 2, 1])
  assert [place] == drawn(output, 0, 1).tolist()


def test_gradient_norms_are_those_of_the_last_loss():
  """At the last step: the gradient of the loss with respect to the output."""
  params, apply = make("pitches", around=0)
  arguments = FRAMES[:, :-1], FRAMES[:, 1:]
  carry = apply(params, 2, method="initial_carry")
  norms = apply(params, *arguments, carry, method="gradient_norms")
  chex.assert_shape(jax.tree.leaves(norms), (2, TIME))
  for t in range(TIME):
    carry, y = apply(params, carry, FRAMES[:, t], method="step")
  kernel, bias = params["head"]["kernel"], params["head"]["bias"]
  told = jax.nn.sigmoid(y[:, :6] @ kernel + bias[None])
  residual = np.asarray(told) - FRAMES[:, -1]
  expected = np.linalg.norm(residual @ np.asarray(kernel).T, axis=-1)
  np.testing.assert_allclose(norms["layer 1"][:, -1], expected, rtol=1e-4)


def test_mistakes():
  with pytest.raises(ValueError, match="output is 'chords', expected one of"):
    make("chords")
  both = layers_of(LSTM(5), bidirectional=True)
  options = {"output": "notes", "note_size": 3, "compute_dtype": "float32"}
  options |= {"around": 0, "around_size": 1}
  with pytest.raises(ValueError, match="layers are not causal"):
    Polyphony(
      both, P, **options, dropout=0.0, input_dropout=0.0, key=jax.random.key(0)
    )
