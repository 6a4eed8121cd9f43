import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import table
from seqjax.errors import InputError

CSV = 'a;"b";G1;G2;G3\r\n"x";"5";1;2;"10"\r\n"y";6;1;2;9\r\n'


def test_read(write):
  path = write(CSV)
  found = table.read(path, grades=False)
  assert [(e.inputs, e.label) for e in found] == [
    ({"a": "x", "b": 5.0}, "pass"),
    ({"a": "y", "b": 6.0}, "fail"),
  ]
  assert "G1" in table.read(path, grades=True)[0].inputs


def test_load(write):
  rows = "".join(f"{i},{i}\n" for i in range(20))
  data = config_dict.ConfigDict({"path": None, "examples": 100})
  data.validation, data.test, data.num_folds, data.fold = 0.1, 0.1, 0, 0
  data.grades = True
  assert [len(part) for part in table.load(data, 0)] == [80, 10, 10]
  data.path = str(write(f"hours,G3\n{rows}"))
  found = table.load(data, 0)
  assert [len(part) for part in found] == [16, 2, 2]
  assert found.train[0].inputs.keys() == {"hours"}


def test_a_row_is_one_step(write):
  encoder = table.Encoder.fit(table.read(write(CSV), grades=False), 0, 0)
  assert (encoder.vocab_size, encoder.input_size) == (0, 3)
  again = table.Encoder(**json.loads(json.dumps(encoder.state)))
  for one in encoder, again:
    found = one.encode({"a": "y", "b": 6.0})
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[1, 0, 1]])
    np.testing.assert_allclose(one.encode({"a": "new", "b": 5.5}), [[0, 0, 0]])


def test_a_column_that_does_not_change(write):
  found = table.read(write("a;G3\n7;1\n7;12\n"), grades=False)
  encoder = table.Encoder.fit(found, 0, 0)
  np.testing.assert_allclose(encoder.encode({"a": 8.0}), [[1.0]])


def test_encoder_reads_rows_without_grades(write):
  encoder = table.Encoder({"b": [0.0, 1.0]}, {"a": ["x", "y"]})
  found = encoder.read(str(write("b,more,a\n5,1, x\n6,2,z\n")))
  assert found == [{"a": "x", "b": 5.0}, {"a": "z", "b": 6.0}]
  with pytest.raises(InputError, match=":1: no column 'a' in the header"):
    encoder.read(str(write("b\n5\n")))
  with pytest.raises(InputError, match=r":3: b is '\?', expected a finite"):
    encoder.read(str(write("b,a\n5,x\n?,x\n")))


def test_show():
  assert table.show({"a": "x", "b": 5.0}) == "a x, b 5.0"
  assert len(table.show({f"column {i}": i for i in range(50)})) == 70


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("a;G3\n1;2\n3\n", ":3: 1 fields, expected 2"),
    ("a;b\n1;2\n", "expected G3"),
    ("a;G3\nnan;2\n", ":2: a is 'nan', expected a fin"),
    ("a;G3\n", "holds no examples"),
  ],
)
def test_mistakes(write, content, message):
  with pytest.raises(InputError, match=message):
    table.read(write(content), False)
