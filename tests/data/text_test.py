"""Corpora: embedded and the user's file; lines; what is shown."""

import gzip
import hashlib
import io
import pathlib
import sys

import pytest

from seqjax.data import text
from seqjax.errors import InputError

SHARED = pathlib.Path(__file__).parents[3] / "shared" / "data"


def test_pydoc_is_half_a_million_characters():
  corpus = text.load("pydoc")
  assert 300_000 < len(corpus.text) < 1_000_000
  assert "lambda" in corpus.text
  assert corpus == text.load("pydoc")


def test_stdlib_is_code_without_tests_and_packages():
  corpus = text.load("stdlib")
  assert len(corpus.text) > 3_000_000
  assert "def dataclass(" in corpus.text
  assert "import pip" not in corpus.text.split("site-packages")[0][:1000]


def test_own_file(tmp_path):
  path = tmp_path / "a.txt"
  path.write_bytes("\ufeffGrüße\r\nzwei".encode())
  corpus = text.load("ignored", str(path))
  assert corpus.text == "Grüße\nzwei"
  assert corpus.sha256 == hashlib.sha256("Grüße\nzwei".encode()).hexdigest()


def test_a_packed_file(tmp_path):
  path = tmp_path / "a.txt.gz"
  packed = gzip.compress("Grüße\r\nzwei".encode())
  path.write_bytes(packed)
  assert text.read_utf8(path) == "Grüße\nzwei"
  # Cut short, changed inside, not packed at all.
  for bad in packed[:-9], packed[:12] + b"\xff\xff" + packed[14:], b"Text":
    path.write_bytes(bad)
    with pytest.raises(InputError, match="a.txt.gz: cannot be unpacked"):
      text.read_utf8(path)


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (b"abc\xffdef", "byte 0xff at offset 3 is not valid UTF-8"),
    ("ä".encode()[:1], "byte 0xc3 at offset 0"),
    (b"", "the file is empty"),
    (b" \n\n", "the file is empty"),
    (None, "cannot be read"),
  ],
)
def test_bad_file(tmp_path, content, message):
  path = tmp_path / "bad.txt"
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(InputError, match=message) as error:
    text.load("", str(path))
  assert str(path) in str(error.value)


def test_a_folder_is_no_file(tmp_path):
  with pytest.raises(InputError, match="cannot be read"):
    text.load("", str(tmp_path))


def test_unknown_name():
  with pytest.raises(InputError, match="expected one of pydoc, stdlib, tiny"):
    text.load("pydok")


def test_lines(write, monkeypatch):
  expected = ["a b", "", " c"]
  assert text.lines_of(str(write("a b\r\n\n c\n"))) == expected
  monkeypatch.setattr(sys, "stdin", io.StringIO("a b\n\n c\n"))
  assert text.lines_of("-") == expected
  assert text.lines_of(str(write("a\n\n"))) == ["a", ""]
  monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
  with pytest.raises(InputError, match="standard input is empty"):
    text.lines_of("-")
  bytes_in = io.TextIOWrapper(io.BytesIO(b"\xff"), "utf-8")
  monkeypatch.setattr(sys, "stdin", bytes_in)
  with pytest.raises(InputError, match="standard input is not valid UTF-8"):
    text.lines_of("-")
  with pytest.raises(InputError, match="nothing.txt: cannot be read"):
    text.lines_of("nothing.txt")


def test_shorten():
  assert text.shorten("a\n b") == "a b"
  assert text.shorten("x" * 70) == "x" * 70
  assert text.shorten("x" * 71) == "x" * 67 + "..."


@pytest.mark.skipif(
  not (SHARED / "tinyshakespeare").is_dir(), reason="the file is not here"
)
def test_the_real_tinyshakespeare(monkeypatch):
  monkeypatch.setenv("SEQJAX_DATA_DIR", str(SHARED))
  corpus = text.load("tinyshakespeare")
  assert len(corpus.text) == 1_115_394
  assert len(set(corpus.text)) == 65
