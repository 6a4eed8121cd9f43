import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data import caption_files
from seqjax.errors import InputError

FOUND = {"b.jpg": ["A dog .", "Two dogs ."], "a.jpg.1": ["A cat"]}
NUMBERED = "b.jpg#0\tA dog .\na.jpg.1#0\tA cat\n\nb.jpg#1\tTwo dogs .\n"
PLAIN = "b.jpg\tA dog .\na.jpg.1\tA cat\nb.jpg\tTwo dogs ."


@pytest.mark.parametrize(
  "text",
  [
    NUMBERED,
    PLAIN,
    PLAIN.replace("\n", "\r\n"),
    "\ufeff" + PLAIN,
    "image\tcaption\n" + PLAIN,
    "Image\tCaption\n" + NUMBERED,
  ],
)
def test_layouts(write, capsys, text):
  path = write(text)
  found = caption_files.read_captions(path)
  assert found == FOUND
  assert list(found) == list(FOUND)
  packed = write(gzip.compress(text.encode()), "file.gz")
  assert caption_files.read_captions(packed) == FOUND
  assert capsys.readouterr().err == ""


def test_a_header_is_one_in_the_first_line_alone(write):
  found = caption_files.read_captions(write("a\tb\nimage\tcaption\n"))
  assert found == {"a": ["b"], "image": ["caption"]}


def test_empty_captions_are_dropped(write, capsys):
  path = write("a#0\t \na#1\tone\nb#0\t\n")
  assert caption_files.read_captions(path) == {"a": ["one"]}
  assert capsys.readouterr().err == f"{path}: 2 empty caption(s) dropped\n"


@pytest.mark.parametrize(
  ("text", "where", "message"),
  [
    ("a\tb\n\nno tab here", ":3", "0 tabs, expected NAME<TAB>caption"),
    ("a\tb\tc", ":1", "2 tabs"),
    ("a\tb\n \tcaption", ":2", "the name is empty"),
    ("#0\tcaption", ":1", "the name is empty"),
    ("a#0\tb\n\tc", ":2", "the name is empty"),
    ("a#0\tb\n #1\tc", ":2", "the name is empty"),
    ("a#0\tb\nc\td", ":2", "'c' does not end in #k, that of line 1 does;"),
    ("\na\tb\nc#1\td", ":3", "'c#1' ends in #k, that of line 2 does not"),
    ("a\t\nb\t", "", "holds no captions"),
    ("image\tcaption\n", "", "holds no captions"),
    ("\n \n", "", "empty"),
    ("", "", "empty"),
  ],
)
def test_wrong_captions(write, text, where, message):
  path = write(text)
  with pytest.raises(InputError, match=message) as caught:
    caption_files.read_captions(path)
  assert str(caught.value).startswith(f"{path}{where}: ")
  assert "\n" not in str(caught.value)


def test_names(write):
  path = write(" b.jpg\r\n\na.jpg \n")
  assert caption_files.read_names(path) == ["b.jpg", "a.jpg"]
  path = write("a\n\nb\na\n")
  with pytest.raises(InputError, match=r":4: the name 'a' is in line 1 alrea"):
    caption_files.read_names(path)
  with pytest.raises(InputError, match="cannot be read"):
    caption_files.read_names(path.with_name("none"))


def captioned(number):
  return {f"{i}.jpg": ["a caption"] for i in range(number)}


@given(
  number=st.integers(10, 60),
  validation=st.sampled_from([0.0, 0.1, 0.3]),
  test=st.sampled_from([0.0, 0.1, 0.3]),
  seed=st.integers(0, 5),
)
def test_at_random(number, validation, test, seed):
  """Each image is in one part; the shares are kept to one image."""
  images = captioned(number)
  made = caption_files.split(images, None, validation, test, seed)
  assert made == caption_files.split(images, None, validation, test, seed)
  assert sorted(sum(made, [])) == sorted(images)
  shares = 1 - validation - test, validation, test
  for part, share in zip(made, shares, strict=True):
    assert abs(len(part) - share * number) <= 1
    assert bool(part) == bool(share)
    assert part == [name for name in images if name in part]


def test_another_seed_draws_others():
  tests = {
    tuple(caption_files.split(captioned(40), None, 0.1, 0.2, seed).test)
    for seed in range(5)
  }
  assert len(tests) == 5
  assert all(test != tuple(captioned(40))[-8:] for test in tests)


@pytest.mark.parametrize(
  ("number", "validation", "test", "message"),
  [
    (3, 0.1, 0.4, "the validation part, a share of 0.1 of 3 images, is empty"),
    (3, 0.5, 0.5, "config.data.validation is 0.5"),
    (3, -0.1, 0.5, "config.data.validation is -0.1"),
    (1, 0.0, 0.5, "the (train|test) part, a share of 0.5 of 1 images"),
  ],
)
def test_shares_that_cannot_be(number, validation, test, message):
  with pytest.raises(InputError, match=message):
    caption_files.split(captioned(number), None, validation, test, 0)


def test_lists(capsys):
  lists = {"test": ["3.jpg", "x.jpg"], "train": ["2.jpg", "0.jpg", "y.jpg"]}
  made = caption_files.split(captioned(5), lists, 0.5, 0.5, 0)
  assert made == (["2.jpg", "0.jpg"], [], ["3.jpg"])
  error = capsys.readouterr().err
  assert error == "2 listed image(s) without captions dropped\n"
  caption_files.split(captioned(5), {"train": ["1.jpg"]}, 0, 0, 0)
  assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
  ("lists", "message"),
  [
    ({"train": ["1.jpg"], "test": ["1.jpg"]}, "test_names has .1.jpg. in"),
    ({"train": ["1.jpg"], "test": ["x", "2.jpg", "x"]}, "has 'x' twice"),
    ({"train": ["x"], "test": ["1.jpg"]}, "train_names names no image"),
    ({"test": ["1.jpg"]}, "train_names names no image"),
    ({"train": ["1.jpg"], "validation": ["x"]}, "validation_names names no"),
    ({"train": ["1.jpg"], "test": []}, "test_names names no image"),
  ],
)
def test_wrong_lists(lists, message):
  with pytest.raises(InputError, match=message):
    caption_files.split(captioned(5), lists, 0, 0, 0)


def test_an_unknown_part():
  with pytest.raises(ValueError, match=r"lists has \['dev'\]"):
    caption_files.split(captioned(5), {"dev": ["1.jpg"]}, 0, 0, 0)
