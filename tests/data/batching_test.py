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
  n=st.integers(0, 1000),
  validation=st.floats(0, 0.5),
  test=st.floats(0, 0.4),
)
def test_split_is_contiguous_and_whole(n, validation, test):
  tokens = list(range(n))
  train, val, end = batching.split(tokens, validation, test)
  assert train + val + end == tokens
  assert abs(len(val) - n * validation) <= 1
  assert abs(len(end) - n * test) <= 1


def test_split_of_the_reference():
  """tinyshakespeare's customary 90/10: 1,003,854 characters of training."""
  train, validation, test = batching.split("x" * 1_115_394, 0.1, 0.0)
  assert (len(train), len(validation), len(test)) == (1_003_854, 111_540, 0)


@pytest.mark.parametrize(
  "shares", [(0.6, 0.4), (-0.1, 0.0), (0.0, float("nan"))]
)
def test_bad_shares(shares):
  with pytest.raises(InputError, match="expected shares"):
    batching.split("text", *shares)


@given(
  lengths=st.lists(st.integers(0, 30), min_size=1, max_size=40),
  batch_size=st.integers(1, 9),
  num_buckets=st.integers(1, 4),
  seed=st.integers(0, 3),
)
def test_buckets_hold_every_example_once_an_epoch(
  lengths, batch_size, num_buckets, seed
):
  make = lambda: batching.Buckets(
    lengths, batch_size, num_buckets=num_buckets, seed=seed
  )
  buckets = make()
  epoch = buckets.steps_per_epoch
  for begin in (0, epoch):
    seen = []
    for step in range(begin, begin + epoch):
      indices, padded = buckets[step]
      assert len(indices) == batch_size
      present = indices[indices >= 0]
      assert len(present) > 0
      assert max(lengths[i] for i in present) <= padded
      seen += present.tolist()
    assert sorted(seen) == list(range(len(lengths)))
  # A function of (seed, step), in whatever order it is asked.
  later, _ = make()[epoch]
  np.testing.assert_array_equal(later, buckets[epoch][0])
  assert len({buckets[step][1] for step in range(epoch)}) <= num_buckets


def test_buckets_are_shuffled_anew_every_epoch():
  buckets = batching.Buckets([1] * 100, 10, seed=0)
  epochs = [
    np.concatenate([buckets[e * 10 + i][0] for i in range(10)])
    for e in range(2)
  ]
  assert (epochs[0] != epochs[1]).any()
  assert (np.diff(epochs[0]) != 1).any()


def test_buckets_in_order():
  lengths = [3, 1, 2, 3, 1]
  found = [indices.tolist() for indices, _ in batching.Buckets(lengths, 2)]
  order = [i for row in found for i in row if i >= 0]
  assert [lengths[i] for i in order] == sorted(lengths)


def test_buckets_need_examples():
  with pytest.raises(InputError, match="no examples"):
    batching.Buckets([], 2)


def test_pad():
  rows = [np.array([1, 2]), np.array([3])]
  np.testing.assert_array_equal(
    batching.pad(rows, 3, 3), [[1, 2, 0], [3, 0, 0], [0, 0, 0]]
  )
  assert batching.pad([np.ones((2, 4))], 2, 3).shape == (2, 3, 4)
