"""Which of another run's numbers mean what ours do, by hand-made names."""

from typing import Any

import jax
import numpy as np
import pytest

from seqjax.train.init_from import fitting

ABC, CAB = ["a", "b", "c"], ["c", "a", "b", "d"]
OTHER = "of another vocabulary"


def draw(*shape):
  return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


def take(name, shape, array, here, there) -> tuple[Any, str]:
  leaf = jax.ShapeDtypeStruct(shape, np.float32)
  return fitting(name, leaf, array, here, there)


@pytest.mark.parametrize(
  ("name", "axis"),
  [
    ("embed.embedding", 0),
    ("chars.embed.embedding", 0),
    ("head.kernel", 1),
    ("rnn.layers.0.params.input_kernel", 0),
    ("rnn.layers.0.forward.params.input_kernel", 0),
    ("rnn.layers.0.params.0.input_kernel", 0),
    ("rnn.layers.0.linear.kernel", 0),
  ],
)
def test_one_axis_goes_by_name(name, axis):
  """The other one is as long as the vocabulary is, so that no shape tells."""
  array = np.moveaxis(draw(4, 3), 0, axis)
  found, fate = take(name, (3, 3), array, ABC, CAB)
  expected = np.take(array, [1, 2, 0], axis=axis)
  np.testing.assert_array_equal(found, expected)
  assert fate == "taken by name (3 known, 0 new)"
  # The other way: one of four is new.
  shape = (4, 4) if axis else (4, 3)
  array = draw(4, 3) if axis else draw(3, 3)
  found, fate = take(name, shape, array, CAB, ABC)
  expected = np.take(array, [2, 0, 1], axis=axis)
  np.testing.assert_array_equal(np.take(found, range(3), axis), expected)
  assert np.isnan(np.take(found, 3, axis)).all()
  assert fate == "taken by name (3 known, 1 new)"


def test_labels_in_another_order():
  """As many, so that by position all would fit."""
  here, there = ABC, ["c", "a", "b"]
  bias, moves = draw(3), draw(3, 3)
  for name in ("head.bias", "bias", "crf.start"):
    found, _ = take(name, (3,), bias, here, there)
    np.testing.assert_array_equal(found, bias[[1, 2, 0]])
  found, _ = take("crf.transitions", (3, 3), moves, here, there)
  for i, one in enumerate(here):
    for j, other in enumerate(here):
      assert found[i, j] == moves[there.index(one), there.index(other)]
  found, _ = take("crf.transitions", (3, 3), moves, ["a", "b", "x"], there)
  assert np.isnan(found[2]).all()
  assert np.isnan(found[:, 2]).all()
  np.testing.assert_array_equal(found[:2, :2], moves[1:, 1:])


@pytest.mark.parametrize(
  "name",
  [
    "rnn.layers.0.params.recurrent_kernel",
    "rnn.layers.0.params.1.input_kernel",
    "rnn.layers.0.params.bias",
    "rnn.layers.1.params.feed_forward.input_kernel",
  ],
)
def test_what_reads_no_symbols_stays_as_it_is(name):
  """Even with as many rows as there are symbols."""
  if name.endswith("feed_forward.input_kernel"):
    here = there = None  # a vocabulary is of the first layer
  else:
    here, there = ABC, ["c", "a", "b"]
  array = draw(3, 3)
  found, fate = take(name, (3, 3), array, here, there)
  np.testing.assert_array_equal(found, array)
  assert fate == "taken"


@pytest.mark.parametrize(
  ("name", "shape", "here", "there", "fate"),
  [
    # No name in common; one side says none, or no list; a name twice.
    ("embed.embedding", (3, 3), ["x", "y", "z"], ABC, OTHER),
    ("embed.embedding", (3, 3), None, ABC, OTHER),
    ("embed.embedding", (3, 3), {"words": ABC}, {"words": CAB}, OTHER),
    ("embed.embedding", (3, 3), ["a", "a", "b"], ABC, OTHER),
    # A vocabulary that is not as long as its axis.
    ("embed.embedding", (3, 3), ABC, CAB, OTHER),
    # Which axis is named is not known.
    ("mine.kernel", (3, 3), ["b", "a", "c"], ABC, OTHER),
    # As wide as the other is not.
    ("embed.embedding", (3, 5), ["b", "a", "c"], ABC, "of another shape"),
    ("head.kernel", (5, 3), ["b", "a", "c"], ABC, "of another shape"),
    ("embed.embedding", (3, 5), ABC, ABC, "of another shape"),
    ("rnn.layers.1.params.bias", (3, 5), None, None, "of another shape"),
  ],
)
def test_what_is_left_out(name, shape, here, there, fate):
  assert take(name, shape, draw(3, 3), here, there) == (None, fate)


def test_equal_names_are_taken_whole():
  array = draw(3, 3)
  for here, there in ((ABC, tuple(ABC)), ({"a": 1}, {"a": 1}), (None, None)):
    found, fate = take("embed.embedding", (3, 3), array, here, there)
    np.testing.assert_array_equal(found, array)
    assert fate == "taken"
