"""Signals: files, parts, what is made of them, and those made up."""

import json

import numpy as np
import pytest

from seqjax.data import baselines, signals
from seqjax.data.examples import Example
from seqjax.errors import InputError
from tests.experiments import load

NAN = np.nan


def config(**fields):
  data = load("signals").data
  data.update(validation=0.0, test=0.0, num_folds=0)
  data.update(fields)
  return data


TABLE = "series,time,b,a,label\nx,1,1,2,1.0\ny,1,5,6,no\nx,2,3,4,1\n"
ROWS = "".join(f"{i % 2 + 1}\t{i}\t{i + 1}\t{i * i}\n" for i in range(20))


def test_a_table(write):
  path = write(TABLE, "a.csv")
  found = signals.load(config(path=str(path)), 0).train
  # Columns in the order of their names; rows of a series in that of the file.
  assert sorted((e.inputs.tolist(), e.label) for e in found) == [
    ([[2, 1], [4, 3]], "1"),
    ([[6, 5]], "no"),
  ]
  named = config(path=str(path), columns=("b",), time="")
  assert sorted(e.inputs.tolist() for e in signals.load(named, 0).train) == [
    [[1], [3]],
    [[5]],
  ]


def test_names_of_a_table_are_the_configs(write):
  path = write("id;when;v;k\n1;2024-01-01;1;a\n1;2024-01-03;2;a\n", "a.csv")
  fields = config(path=str(path), series="id", time="when", label="k")
  (row,) = (row for _, row in signals.read(path, fields))
  assert (row.values.tolist(), row.label) == ([[1], [2]], "a")


def test_a_folder(write, tmp_path):
  write("v\n1\n2\n", "up/1.csv")
  write("v\n2\n1\n", "down/1.csv")
  write("v\n3\n", "down/2.csv")
  data = config(path=str(tmp_path))
  assert [
    (e.inputs.tolist(), e.label) for e in signals.load(data, 0).train
  ] == [
    ([[2], [1]], "down"),
    ([[3]], "down"),
    ([[1], [2]], "up"),
  ]


def test_train_finds_test(write):
  path = write(ROWS, "X_TRAIN.tsv")
  with pytest.raises(InputError, match="beside which there is no X_TEST.tsv"):
    signals.load(config(path=str(path)), 0)
  write("@classLabel true 1 2\n@data\n1,2,3:2\n", "X_TEST.ts")
  sizes = [len(p) for p in signals.load(config(path=str(path)), 0)]
  assert sizes == [20, 0, 1]
  write("1\t1\t2\n2\t1\t2\n", "X_TEST.tsv")  # of the same kind, rather
  data = config(path=str(path), validation=0.2)
  assert [len(p) for p in signals.load(data, 0)] == [16, 4, 2]
  with pytest.raises(InputError, match="num_folds is 3, expected 0: .*X_TRAIN"):
    signals.load(config(path=str(path), num_folds=3), 0)
  write("1\t1\t2\n3.0\t1\t2\n", "X_TEST.tsv")
  with pytest.raises(InputError, match="X_TEST.tsv:2: the label is '3', which"):
    signals.load(data, 0)
  write("@classLabel true 1 2\n@data\n1:2:2\n", "X_TEST.tsv")
  with pytest.raises(InputError, match=r"TEST.tsv:3: a series of 2 col.* ex"):
    signals.load(data, 0)
  path = write("1\t1\t2\n", "Y_TRAIN.tsv")
  write("1\t1\t2\n", "Y_TEST.tsv")
  with pytest.raises(InputError, match="Y_TRAIN.tsv: one class, '1', expected"):
    signals.load(config(path=str(path)), 0)


def test_parts_at_random(write):
  path = write(ROWS, "mine.txt")
  data = config(path=str(path), validation=0.1, test=0.2)
  assert [len(part) for part in signals.load(data, 0)] == [14, 2, 4]
  folds = config(path=str(path), num_folds=5, fold=1)
  assert [len(part) for part in signals.load(folds, 0)] == [16, 0, 4]


def test_standardised_by_training():
  examples = [Example(np.array([[1.0, 7], [3, 7]]), "a")]
  examples += [Example(np.array([[5.0, 7]]), "b")]
  encoder = signals.Encoder.fit(examples, config(), 0)
  again = signals.Encoder(**json.loads(json.dumps(encoder.state)))
  assert (encoder.vocab_size, encoder.input_size) == (0, 2)
  for one in encoder, again:
    found = one.encode(np.array([[3.0, 8], [5, 7]]))
    assert found.dtype == np.float32
    # A column that does not change keeps its unit.
    np.testing.assert_allclose(
      found, [[0, 1], [2 / np.sqrt(8 / 3), 0]], rtol=1e-6
    )
  assert encoder.encode(np.zeros((0, 2))).shape == (0, 2)
  for wrong in np.zeros((3, 1)), np.zeros(3):
    with pytest.raises(InputError, match="a signal has shape .*, expected"):
      encoder.encode(wrong)


def test_each_series_by_itself():
  examples = [Example(np.array([[1.0], [3]]), "a")]
  encoder = signals.Encoder.fit(examples, config(per_series=True), 0)
  found = encoder.encode(np.array([[10.0], [30], [20]]))
  expected = np.array([[-1], [1], [0]]) * np.sqrt(1.5)
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  np.testing.assert_array_equal(encoder.encode(np.array([[7.0]])), [[0]])


@pytest.mark.parametrize("per_series", [False, True])
def test_missing_values_are_filled_and_marked(per_series):
  values = np.array([[NAN, 1], [2, NAN], [NAN, NAN], [4, 5]])
  examples = [Example(values, "a")]
  data = config(missing="mark", per_series=per_series)
  encoder = signals.Encoder.fit(examples, data, 0)
  assert encoder.input_size == 4
  np.testing.assert_allclose(
    encoder.encode(values),
    [[0, -1, 1, 0], [-1, -1, 0, 1], [-1, -1, 1, 1], [1, 1, 0, 0]],
  )
  nothing = np.full((3, 2), NAN)
  found = encoder.encode(nothing)
  np.testing.assert_array_equal(found, [[0, 0, 1, 1]] * 3)
  # A column that is missing everywhere.
  encoder = signals.Encoder.fit([Example(nothing, "a")], data, 0)
  assert np.isfinite(encoder.encode(values)).all()
  plain = signals.Encoder.fit(examples, config(), 0)
  with pytest.raises(InputError, match="missing values; fill.*missing=mark"):
    plain.encode(values)


@pytest.mark.parametrize("missing", ["refuse", "mark"])
def test_inputs_without_labels(write, missing):
  """Each kind of file that training reads, and lines; no label is needed."""
  example = Example(np.array([[1.0, 2.0], [3.0, 5.0]]), "a")
  encoder = signals.Encoder.fit([example], config(missing=missing), 0)
  expected = [[[2, 1], [4, 3]], [[6, 5]]]
  kinds = {
    "a.csv": "series,time,b,a\nx,1,1,2\ny,1,5,6\nx,2,3,4\n",
    "b.csv": TABLE,
    "a.ts": "@classLabel true p q\n@data\n2,4:1,3:p\n6:5:q\n",
    "b.ts": "@classLabel false\n@data\n2,4:1,3\n6:5\n",
    "a.txt": "2 4:1 3\n6:5\n",
  }
  for name, content in kinds.items():
    found = encoder.read(str(write(content, name)))
    assert [one.tolist() for one in found] == expected, name
  one = "2,?:1,3\n"
  if missing == "mark":
    (found,) = encoder.read(str(write(one)))
    assert np.isnan(found[1, 0])
  else:
    with pytest.raises(InputError, match=":1: a value is missing; fill it in"):
      encoder.read(str(write(one)))
  with pytest.raises(InputError, match=r":2: a series of 1 column\(s\), exp"):
    encoder.read(str(write("series,v\nx,1\n", "c.csv")))
  with pytest.raises(InputError, match=":1: no column 'series' in the header"):
    encoder.read(str(write("v\n1\n", "c.csv")))


BAD = [
  ("a.csv", "series,v\nx,1\n", ":1: no column 'label' in the header, which"),
  ("a.csv", "series,label\nx,1\n", ":1: no columns of values in the header"),
  (
    "a.csv",
    "series,v,label\nx,1,a\nx,1,b\n",
    ":3: series 'x' has the label 'b",
  ),
  ("a.csv", "series,v,label\nx,1,\n", ":2: series 'x' has the label ''"),
  ("a.csv", "series,v,label\nx,one,a\n", ":2: v is 'one', expected a finite"),
  ("a.csv", "series,v,label\nx,,a\n", ":2: a value is missing; fill it in"),
  (
    "a.csv",
    "series,time,v,label\nx,2,1,a\ny,1,1,a\nx,2,1,a\n",
    ":4: time is '2', expected more than in the row before of its series",
  ),
  ("a.csv", "series,time,v,label\nx,noon,1,a\n", ":2: time is 'noon', exp"),
  ("a.csv", "series,v,label\n", "holds no examples, expected a series a li"),
  ("a.tsv", "1\t2\t?\t3\n", ":1: a value is missing; .*missing=mark"),
  ("a.ts", "@classLabel true a\n@data\n", "the file holds no examples"),
  ("no/more.csv", "v\n", "more.csv: the file holds no examples, expected a he"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_mistakes(write, tmp_path, name, content, message):
  path = write(content, name)
  path = tmp_path if "/" in name else path
  with pytest.raises(InputError, match=message) as error:
    signals.read(path, config())
  assert "\n" not in str(error.value)


def test_mistakes_in_fields(write, tmp_path):
  with pytest.raises(InputError, match="expected a folder of CLASS/NAME.csv"):
    signals.read(tmp_path, config())
  with pytest.raises(InputError, match="missing is 'drop', expected refuse or"):
    signals.Encoder.fit(
      [Example(np.zeros((1, 1)), "a")], config(missing="drop"), 0
    )
  with pytest.raises(
    InputError, match="no column 'c' in the header, which has"
  ):
    signals.read(write(TABLE, "a.csv"), config(columns=("c",)))
  write("v\n1\n", "p/a.csv")
  write("v,w\n1,2\n", "q/a.csv")
  with pytest.raises(InputError, match=r"a.csv:1: a series of 2 column\(s\), "):
    signals.read(tmp_path, config())


def test_neither_a_mean_nor_a_window_tells_the_order():
  """Of what is made up: both are at chance, within three deviations."""
  examples = signals.generate(1_200, seed=0)
  arrays = [e.inputs.astype(np.float32) for e in examples]
  labels = np.array([signals.LABELS.index(e.label) for e in examples])
  for classify in baselines.mean, baselines.window:
    found = classify(arrays[:800], labels[:800], arrays[800:])
    assert abs((found == labels[800:]).mean() - 0.5) < 3 * 0.5 / np.sqrt(400)
  lengths = {len(array) for array in arrays}
  assert (min(lengths), max(lengths)) == (40, 80)


def test_the_label_is_which_event_comes_first():
  shape = np.sin(np.pi * np.arange(1, 6) / 6)
  right = 0
  for example in signals.generate(200, seed=1):
    found = np.correlate(example.inputs[:, 0], shape)
    first = "rise" if found.argmax() < found.argmin() else "fall"
    right += example.label == f"{first} first"
  assert right > 190


def test_show():
  shown = signals.show(np.arange(100.0)[:, None])
  assert shown.startswith("100 x 1 ▁")
  assert shown.endswith("█")
  assert len(shown) < 70
  for values in np.zeros((3, 2)), np.full((3, 2), NAN), np.zeros((0, 2)):
    assert signals.show(values).startswith(f"{len(values)} x 2 ")
