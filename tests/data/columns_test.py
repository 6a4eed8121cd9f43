import pytest

from seqjax.data import columns
from seqjax.errors import InputError


def test_read():
  names, rows = columns.read("f", 'a, b\n1,"x, y"\n\n , \n2,z\n')
  assert names == ["a", "b"]
  assert rows == [(2, {"a": "1", "b": "x, y"}), (5, {"a": "2", "b": "z"})]


@pytest.mark.parametrize(
  ("content", "expected"),
  [
    ("a;b,c;d\n1;2;3\n", {"a": "1", "b,c": "2", "d": "3"}),
    ("a,b;c,d\n1,2,3\n", {"a": "1", "b;c": "2", "d": "3"}),
  ],
)
def test_the_commoner_delimiter(content, expected):
  assert columns.read("f", content)[1] == [(2, expected)]


def test_number():
  assert columns.number("f", 1, "a", " -1.5e3 ") == -1500
  for cell in "nan", "inf", "", "one":
    with pytest.raises(InputError, match=f"f:7: a is '{cell}', expected a fin"):
      columns.number("f", 7, "a", cell)


def test_mistakes():
  with pytest.raises(InputError, match="f:3: 1 fields, expected 2"):
    columns.read("f", "a,b\n1,2\n3\n")
  with pytest.raises(
    InputError, match="f:1: 2 columns are named 'a', expected"
  ):
    columns.read("f", "a,b,a\n1,2,3\n")
