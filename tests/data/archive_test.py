"""Files of the archive, and what is not one."""

import numpy as np
import pytest

from seqjax.data import archive
from seqjax.errors import InputError

NAN = np.nan
HEADER = """#a comment
@problemName two words
@timeStamps false
@univariate false
@dimensions 2
@classLabel true 1 two
@data
"""


def ts(content):
  return archive.read_ts("f", content.split("\n"))


def test_ts():
  found = ts(HEADER + "1,2,-3e1:4,?,6:1.0000e+00\n\n7:8:two\n")
  assert [(row.line, row.label) for row in found] == [(8, "1"), (10, "two")]
  np.testing.assert_array_equal(found[0].values, [[1, 4], [2, NAN], [-30, 6]])
  np.testing.assert_array_equal(found[1].values, [[7, 8]])
  # Tags in other letters; the number of columns by the first row.
  found = ts("@CLASSLABEL True a b\n@DATA\n1:2:3:b\n4:5:6:a")
  assert [row.values.shape for row in found] == [(1, 3)] * 2


@pytest.mark.parametrize(
  "content",
  [
    "1.0000000e+00\t1.5\t?\t-2\n",
    "1,1.5,NaN,-2\n",
    "  1.0000000e+00   1.5   NaN   -2 \n",
    "1\t1.5\tnan\t-2\tNaN\tNaN\n",  # filled up to the length of others
  ],
)
def test_rows_with_the_label_in_front(content):
  ((line, values, label),) = archive.read_rows("f", content.split("\n"))
  assert (line, label) == (1, "1")
  np.testing.assert_array_equal(values[:, 0], [1.5, NAN, -2])


@pytest.mark.parametrize(
  ("cell", "label"),
  [
    ("1", "1"),
    (" 1.0000000e+00", "1"),
    ("-0.0", "0"),
    ("0.10", "0.1"),
    ("1e400", "1e400"),
    ("12345678901234567890", "12345678901234567890"),
    ("1_0", "1_0"),
    ("nan", "nan"),
    ("a b", "a b"),
  ],
)
def test_labels(cell, label):
  assert archive.label_of(cell) == label


BAD = [
  ("@targetLabel true\n@data\n1:2.5", "f:1: numbers to be foretold, expected"),
  (
    "@timeStamps true\n@classLabel true a b\n@data\n(1,2):a",
    "f:1: a time for each value, expected",
  ),
  ("@univariate true\n@classLabel false\n@data\n1", "f:2: no classes are dec"),
  ("@classLabel true\n@data\n1:a", "f:1: no classes are declared, expected"),
  ("@univariate true\n@data\n1:a", "f:1: no classes are declared, expected"),
  ("@classLabel true a b\n1,2:a", "f:2: '1,2:a' stands in the header"),
  ("@classLabel true a b\n", "f:2: no @data, after which"),
  ("@dimensions many\n@classLabel true a\n@data\n", "f:1: expected a number"),
  (HEADER + "1:2:1\n1:two\n", r"f:9: 1 dimension\(s\), expected 2, parted"),
  (HEADER + "1,2\n", r"f:8: 0 dimension\(s\), expected 2"),
  (HEADER + "1,2:3:1\n", "f:8: 1 values in dimension 2, expected 2 as in"),
  (HEADER + "::1\n", "f:8: 0 values in dimension 1, expected some"),
  (HEADER + "1:2:3\n", "f:8: the label is '3', expected one of.*: 1, two"),
  (HEADER + "1:x:1\n", "f:8: a value of dimension 2 is 'x', expected a fin"),
  (HEADER + "inf:2:1\n", "f:8: a value of dimension 1 is 'inf', expected"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_mistakes(content, message):
  with pytest.raises(InputError, match=message) as error:
    ts(content)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("1 2\n?\t1\t2\n", "f:2: no label, expected it in front"),
    ("1\n", "f:1: no values, expected a label and"),
    ("1 nan nan\n", "f:1: no values, expected a label and"),
    ("1,2\n1,x\n", "f:2: a value is 'x', expected a finite number"),
  ],
)
def test_mistakes_in_rows(content, message):
  with pytest.raises(InputError, match=message):
    archive.read_rows("f", content.split("\n"))


def test_series_without_labels():
  found = archive.read_unlabelled("f", ["1,2:3 4", "", "5:6"], 2)
  assert [row.values.tolist() for row in found] == [
    [[1, 3], [2, 4]],
    [],
    [[5, 6]],
  ]
  assert found[1].values.shape == (0, 2)
  lines = (HEADER + "1:2:1").split("\n")
  (row,) = archive.read_unlabelled("f", lines, 2)
  assert (row.line, row.values.tolist()) == (8, [[1, 2]])
  lines = HEADER.replace("true 1 two", "false") + "1:2"
  (row,) = archive.read_unlabelled("f", lines.split("\n"), 2)
  assert row.values.tolist() == [[1, 2]]
  with pytest.raises(InputError, match=r"f:1: 1 dimension\(s\), expected 2"):
    archive.read_unlabelled("f", ["1 2"], 2)
