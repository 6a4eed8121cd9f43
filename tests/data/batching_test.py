from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data import batching
from seqjax.errors import InputError


@given(
  n=st.integers(21, 300),
  batch_size=st.integers(1, 4),
  window=st.integers(1, 5),
  seed=st.integers(0, 5),
)
def test_an_epoch_reads_each_stream_in_order(n, batch_size, window, seed):
  tokens = np.arange(n, dtype=np.int32)
  windows = batching.StreamWindows(tokens, batch_size, window, seed)
  for epoch in range(2):
    first = epoch * windows.steps_per_epoch
    batches = [windows[first + i] for i in range(windows.steps_per_epoch)]
    rows = np.concatenate([b.inputs for b in batches], axis=1)
    # Contiguous in every row, the target is the next token, no token twice.
    assert (np.diff(rows, axis=1) == 1).all()
    assert len(np.unique(rows)) == rows.size
    for batch in batches:
      assert batch.inputs.shape == (batch_size, window)
      np.testing.assert_array_equal(batch.targets, batch.inputs + 1)
    # At most a window and the remainder of the division is left out.
    assert rows.size >= n - 1 - batch_size * window - (batch_size - 1)
    flags = np.concatenate([b.resets for b in batches], axis=1)
    assert flags[:, 0].all()
    assert not flags[:, 1:].any()


def test_a_batch_is_a_function_of_seed_and_step():
  tokens = np.random.default_rng(0).integers(0, 9, 1000).astype(np.int32)
  make = lambda seed: batching.StreamWindows(tokens, 3, 7, seed)
  steps_per_epoch = make(0).steps_per_epoch
  for step in (0, 5, steps_per_epoch, 7 * steps_per_epoch + 3):
    np.testing.assert_array_equal(make(1)[step].inputs, make(1)[step].inputs)
  offsets = {
    tuple(make(seed)[epoch * steps_per_epoch].inputs[0])
    for seed in range(3)
    for epoch in range(3)
  }
  assert len(offsets) > 1  # the streams do not always begin at one place


def test_iterator_position_is_enough_to_continue():
  tokens = np.arange(500, dtype=np.int32)
  windows = batching.StreamWindows(tokens, 2, 5, seed=3)
  iterator = windows.iterator()
  for _ in range(60):
    next(iterator)
  state = iterator.get_state()
  expected = [next(iterator).inputs for _ in range(60)]
  fresh = batching.StreamWindows(tokens, 2, 5, seed=3).iterator()
  fresh.set_state(state)
  np.testing.assert_array_equal(
    [next(fresh).inputs for _ in range(60)], expected
  )
  np.testing.assert_array_equal(windows[60].inputs, expected[0])


def test_too_short():
  tokens = np.arange(20, dtype=np.int32)
  batching.StreamWindows(tokens[:21], 4, 4, 0)
  with pytest.raises(InputError, match="batch_size x window = 4 x 5 = 20"):
    batching.StreamWindows(tokens, 4, 5, 0)


@given(
  n=st.integers(0, 60), batch_size=st.integers(1, 5), window=st.integers(1, 9)
)
def test_evaluation_meets_every_token_once(n, batch_size, window):
  tokens = np.arange(100, 100 + n, dtype=np.int32)
  targets, rows = [], [[] for _ in range(batch_size)]
  for batch in batching.evaluation_windows(tokens, batch_size, window):
    assert batch.inputs.shape == (batch_size, window)
    assert batch.resets is None
    for row, length in enumerate(batch.lengths):
      targets.extend(batch.targets[row, :length])
      rows[row].extend(batch.inputs[row, :length])
      assert (batch.inputs[row, length:] == 0).all()
  assert sorted(targets) == list(range(101, 100 + n))
  assert all((np.diff(row) == 1).all() for row in rows)  # the carry goes on


@given(
  n=st.integers(0, 60),
  batch_size=st.integers(1, 5),
  sizes=st.tuples(st.integers(1, 8), st.integers(1, 8)),
)
def test_windows_that_overlap_count_every_token_once(n, batch_size, sizes):
  tokens = np.arange(100, 100 + n, dtype=np.int32)
  context, stride = sizes
  window = context + stride
  counted = []
  for batch in batching.evaluation_windows(tokens, batch_size, window, context):
    assert batch.inputs.shape == batch.targets.shape == (batch_size, window)
    assert batch.lengths.dtype == batch.context.dtype == np.int32
    assert batch.resets is None
    for inputs, targets, _, length, skipped in zip(
      *batch._replace(resets=batch.lengths), strict=True
    ):
      row = inputs[:length]
      np.testing.assert_array_equal(targets[:length], row + 1)
      assert (np.diff(row) == 1).all()
      assert (inputs[length:] == 0).all()
      # What counts comes after `context` tokens and one, but in the first row.
      assert skipped == (context if length and row[0] > 100 else 0)
      assert length > skipped or not length
      counted.extend(targets[skipped:length])
  assert counted == list(range(101, 100 + n))


LENGTHS = st.lists(st.integers(0, 30), max_size=40)
PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=40)


class Example(NamedTuple):
  members: np.ndarray
  padded: Any
  weights: np.ndarray
  indices: np.ndarray


def loader(lengths, batch_size, num_buckets=1, seed=0, **options):
  """A batch says what it was made of."""

  def collate(members, rows, padded):
    return Example(
      members,
      padded,
      batching.fill(np.ones(len(members)), rows, np.float32),
      batching.fill(members, rows, np.int32),
    )

  return batching.Loader(
    lengths, collate, batch_size, num_buckets=num_buckets, seed=seed, **options
  )


def check(batch, lengths, rows):
  """A batch is as it should be; returns the examples in it."""
  assert batch.weights.shape == batch.indices.shape == (rows,)
  assert batch.weights.dtype == np.float32
  present = batch.weights > 0
  assert 0 < present.sum() == len(batch.members)
  np.testing.assert_array_equal(batch.weights, present)
  np.testing.assert_array_equal(batch.indices[present], batch.members)
  assert not batch.indices[~present].any()
  lengths = np.array(lengths)[batch.members]
  assert (lengths.max(axis=0) <= np.array(batch.padded)).all()
  return batch.members.tolist()


@given(
  lengths=LENGTHS.filter(bool) | PAIRS.filter(bool),
  batch_size=st.integers(1, 9),
  num_buckets=st.integers(1, 4),
  seed=st.integers(0, 3),
)
def test_training_meets_every_example_once_an_epoch(
  lengths, batch_size, num_buckets, seed
):
  found = loader(lengths, batch_size, num_buckets, seed)
  iterator, padded = found.train(), set()
  for _ in range(3):
    batches = [next(iterator) for _ in range(found.steps_per_epoch)]
    seen = [i for b in batches for i in check(b, lengths, batch_size)]
    assert sorted(seen) == list(range(len(lengths)))
    padded |= {batch.padded for batch in batches}
  assert len(padded) <= num_buckets


@given(
  lengths=LENGTHS | PAIRS,
  batch_size=st.integers(1, 9),
  rows=st.none() | st.integers(1, 9),
  num_buckets=st.integers(1, 4),
)
def test_once(lengths, batch_size, rows, num_buckets):
  found = loader(lengths, batch_size, num_buckets)
  for _ in range(2):  # as often as it is asked, in order of length
    batches = list(found.once(rows))
    seen = [i for b in batches for i in check(b, lengths, rows or batch_size)]
    assert sorted(seen) == list(range(len(lengths)))
    longest = [np.max(lengths[i]) for i in seen]
    assert longest == sorted(longest)


@given(
  lengths=LENGTHS.filter(bool),
  batch_size=st.integers(1, 9),
  steps=st.lists(st.integers(0, 500), min_size=1, max_size=9),
)
def test_a_training_batch_is_a_function_of_seed_and_step(
  lengths, batch_size, steps
):
  one = loader(lengths, batch_size, 3, seed=5)
  for step in steps:  # in whatever order it is asked
    other = loader(lengths, batch_size, 3, seed=5)
    np.testing.assert_array_equal(one[step].members, other[step].members)


def test_the_position_is_enough_to_continue():
  found = loader(np.arange(50), 4, 3, seed=1)
  iterator = found.train()
  for _ in range(20):
    next(iterator)
  state = iterator.get_state()
  expected = [next(iterator).members.tolist() for _ in range(40)]
  fresh = loader(np.arange(50), 4, 3, seed=1).train()
  fresh.set_state(state)
  assert [next(fresh).members.tolist() for _ in range(40)] == expected


def test_the_shuffle_is_the_seeds_and_the_epochs():
  """Two buckets, drawn one after the other, then the order of the batches."""
  found = loader([1] * 7 + [2] * 5, 4, num_buckets=2, seed=7)
  for epoch in range(2):
    rng = np.random.default_rng((7, epoch))
    buckets = [rng.permutation(np.arange(7)), rng.permutation(np.arange(7, 12))]
    batches = [part[i : i + 4] for part in buckets for i in (0, 4)]
    for step, index in enumerate(rng.permutation(4)):
      np.testing.assert_array_equal(
        found[4 * epoch + step].members, batches[index]
      )


def test_buckets_hold_about_as_many():
  found = list(loader(np.arange(100), 30, num_buckets=4).once())
  assert [len(batch.members) for batch in found] == [26, 25, 25, 24]
  assert [batch.padded for batch in found] == [25, 50, 75, 99]


def test_two_lengths():
  """The longer of the two decides on the bucket; each is padded by itself."""
  lengths = [(1, 2), (9, 1), (2, 1), (3, 8), (2, 2)]
  found = list(loader(lengths, 3, num_buckets=2).once())
  assert [batch.members.tolist() for batch in found] == [[0, 2, 4], [3, 1]]
  assert [batch.padded for batch in found] == [(2, 2), (9, 8)]
  assert next(loader([(0, 0)], 1).train()).padded == (1, 1)


@given(
  lengths=LENGTHS.filter(bool) | PAIRS.filter(bool),
  batch_size=st.integers(1, 40),
  num_buckets=st.integers(1, 4),
)
def test_batches_by_tokens(lengths, batch_size, num_buckets):
  """Fewer rows where the examples are long; each still once an epoch."""
  make = lambda: loader(lengths, batch_size, num_buckets, 3, by_tokens=True)
  found = make()
  longest = np.reshape(lengths, (len(lengths), -1)).max(axis=1)
  tokens = batch_size * longest.mean()
  for epoch in range(2):
    steps = range(found.steps_per_epoch)
    batches = [found[epoch * len(steps) + step] for step in steps]
    seen = []
    for batch in batches:
      rows = len(batch.weights)
      assert rows % batching.ROWS == 0
      seen += check(batch, lengths, rows)
      # To the nearest such number of rows, and not without any.
      padded = np.max(batch.padded)
      error = abs(rows * padded - tokens)
      assert error <= batching.ROWS / 2 * padded or rows == batching.ROWS
    assert sorted(seen) == list(range(len(lengths)))
  last = found.steps_per_epoch - 1
  np.testing.assert_array_equal(make()[last].members, found[last].members)
  # What is not trained on has as many rows as are asked for.
  assert {len(batch.weights) for batch in found.once(5)} == {5}


def test_about_as_many_tokens_a_batch():
  lengths = [10] * 501 + [20] * 501 + [50] * 498
  found = loader(lengths, 60, num_buckets=3, by_tokens=True)
  batches = [found[step] for step in range(found.steps_per_epoch)]
  shapes = {(len(b.weights), b.padded) for b in batches}
  assert shapes == {(160, 10), (80, 20), (32, 50)}


def test_examples_that_are_never_twice_the_same():
  """`vary` stands in for `collate` in training alone, and is told the step."""

  def vary(members, rows, padded, step):
    return members.tolist(), rows, padded, step

  make = lambda: loader([1, 2, 3, 9, 8], 2, 2, seed=4, vary=vary)
  found, plain = make(), loader([1, 2, 3, 9, 8], 2, 2, seed=4)
  for step in (7, 0, 3, 40, 3):
    members, rows, padded, told = found[step]
    assert (rows, told) == (2, step)
    assert members == plain[step].members.tolist()
    assert padded == plain[step].padded
    assert make()[step] == found[step]
  iterator = found.train()
  assert [next(iterator)[-1] for _ in range(5)] == list(range(5))
  assert all(isinstance(batch, Example) for batch in found.once())
  assert all(isinstance(batch, Example) for batch in found.few_shapes(4))


def test_a_loader_needs_examples_to_train():
  with pytest.raises(InputError, match="no examples"):
    loader([], 2).train()
  with pytest.raises(ValueError, match="batch_size is 0"):
    loader([1], 0)
  with pytest.raises(ValueError, match="num_buckets is 0"):
    loader([1], 1, num_buckets=0)


def test_pad():
  rows = [np.array([1, 2]), np.array([3])]
  np.testing.assert_array_equal(
    batching.pad(rows, 3, 3), [[1, 2, 0], [3, 0, 0], [0, 0, 0]]
  )
  assert batching.pad([np.ones((2, 4))], 2, 3).shape == (2, 3, 4)


def test_pad_without_arrays():
  found = batching.pad([], 2, 3, like=np.ones((7, 4), np.int32))
  assert found.dtype == np.int32
  np.testing.assert_array_equal(found, np.zeros((2, 3, 4)))
  assert batching.pad([], 0, 3, like=np.ones(7)).shape == (0, 3)


def test_fill():
  np.testing.assert_array_equal(batching.fill([3, 4], 3), [3, 4, 0])
  found = batching.fill(np.ones((1, 2)), 2, np.float32)
  assert found.dtype == np.float32
  np.testing.assert_array_equal(found, [[1, 1], [0, 0]])
  assert batching.fill([], 2, np.int32).tolist() == [0, 0]


@given(LENGTHS, st.integers(1, 9), st.integers(1, 4))
def test_outputs_in_the_order_of_the_examples(lengths, rows, num_buckets):
  """Outputs as long as their bucket is padded, cut to each one's own length."""
  lengths = np.array(lengths, int)
  batches = list(loader(lengths, rows, num_buckets).once())
  outputs = [
    np.arange(b.padded)[None, :] + 100 * (b.indices[:, None] + 1)
    for b in batches
  ]
  found = batching.in_order(
    outputs, [b.indices for b in batches], [b.weights for b in batches]
  )
  assert len(found) == len(lengths)
  for index, row in enumerate(found):
    np.testing.assert_array_equal(
      row[: lengths[index]], 100 * (index + 1) + np.arange(lengths[index])
    )


# How the tasks use it: small, but whole.


def test_one_label_each():
  """Classification: sequences, labels, weights, and outputs put back."""
  rng = np.random.default_rng(0)
  arrays = [rng.normal(size=(n, 3)).astype(np.float32) for n in (4, 1, 3, 0, 2)]
  labels = np.array([0, 1, 2, 3, 4], np.int32)

  def collate(members, rows, length):
    chosen = [arrays[i] for i in members]
    return {
      "inputs": batching.pad(chosen, rows, length),
      "lengths": batching.fill([len(a) for a in chosen], rows, np.int32),
      "labels": batching.fill(labels[members], rows, np.int32),
      "weights": batching.fill(np.ones(len(members)), rows, np.float32),
      "indices": batching.fill(members, rows, np.int32),
    }

  lengths = [len(array) for array in arrays]
  batches = list(batching.Loader(lengths, collate, 2, num_buckets=2).once())
  for batch in batches:
    for row in np.flatnonzero(batch["weights"]):
      expected = arrays[batch["indices"][row]]
      length = batch["lengths"][row]
      np.testing.assert_array_equal(batch["inputs"][row, :length], expected)
      assert not batch["inputs"][row, length:].any()
  found = batching.in_order(
    [batch["inputs"].sum(axis=1) for batch in batches],
    [batch["indices"] for batch in batches],
    [batch["weights"] for batch in batches],
  )
  np.testing.assert_allclose(
    np.stack(found), [array.sum(axis=0) for array in arrays], rtol=1e-5
  )


def test_windows_of_one_length():
  """Forecasting and trajectories: no lengths to speak of."""
  values, starts = np.arange(20.0), np.arange(3, 14)

  def collate(members, rows, _):
    windows = values[starts[members][:, None] + np.arange(5)]
    return (
      batching.fill(windows, rows, np.float32),
      batching.fill(np.ones(len(members)), rows, np.float32),
    )

  windows = batching.Loader(np.ones(len(starts)), collate, 4, seed=1)
  assert windows.steps_per_epoch == 3
  begins = []
  for found, weights in windows.once(8):
    assert found.shape == (8, 5)
    np.testing.assert_array_equal(np.diff(found), np.outer(weights, [1] * 4))
    begins += found[weights > 0, 0].tolist()
  assert begins == starts.tolist()


def test_a_sentence_and_its_translation():
  source = [np.arange(1, n + 1) for n in (3, 1, 2)]
  target = [np.arange(1, n + 1) for n in (1, 2, 6)]

  def collate(members, rows, padded):
    return [
      batching.pad([side[i] for i in members], rows, length)
      for side, length in zip((source, target), padded, strict=True)
    ]

  lengths = [(len(s), len(t)) for s, t in zip(source, target, strict=True)]
  (first, second), (third, fourth) = batching.Loader(
    lengths, collate, 2, num_buckets=2
  ).once()
  np.testing.assert_array_equal(first, [[1, 0, 0], [1, 2, 3]])
  np.testing.assert_array_equal(second, [[1, 2], [1, 0]])
  np.testing.assert_array_equal(third, [[1, 2], [0, 0]])
  assert fourth.shape == (2, 6)


@given(st.integers(0, 5000), st.sampled_from([1, 8, 16]))
def test_sizes_are_few(count, least):
  found = batching.size(count, least)
  assert max(count, least) <= found < max(2 * count, least + 1)
  assert found in [least << power for power in range(14)]


@given(lengths=st.one_of(LENGTHS, PAIRS), most=st.integers(1, 20))
def test_few_shapes(lengths, most):
  """Each once, the short ones first, in rows and lengths of few sizes."""
  shown = list(loader(lengths, 3, num_buckets=3).few_shapes(most))
  members = [index for example in shown for index in example.members]
  assert sorted(members) == list(range(len(lengths)))
  longest = [np.max(lengths[index]) for index in members]
  assert longest == sorted(longest)
  for example in shown:
    assert len(example.weights) == min(batching.size(len(lengths), 8), most)
    assert (example.weights.sum()) == len(example.members)
    taken = np.array(lengths)[example.members].max(axis=0)
    padded = [batching.size(max(int(n), 1), 16) for n in np.atleast_1d(taken)]
    np.testing.assert_array_equal(np.atleast_1d(example.padded), padded)
