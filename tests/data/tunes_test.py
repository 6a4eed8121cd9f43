"""Tunes of files, cut and parted."""

import gzip
import io
import tarfile
import zipfile

import pytest
from ml_collections import config_dict

from seqjax.data import tunes
from seqjax.errors import InputError


def tune(number, title="A", music="ABc"):
  return f"X:{number}\nT:{title}\nM:C\nK:D\n{music}|"


def configured(path=None, **changes):
  values = {"path": path and str(path), "examples": 30}
  return config_dict.ConfigDict(
    {**values, "validation": 0.1, "test": 0.2, **changes}
  )


BOOK = "\n\n".join(
  tune(i, f"T{'abcdefghij'[i]}", "A" * (i + 1)) for i in range(10)
)


def test_cut():
  text = (
    f"a book\n\n{tune(1)}\n\nabout it\nand more\n\n\n{tune(2)}\n{tune(3)}\n"
  )
  assert tunes.cut(text) == [tune(1), tune(2), tune(3)]
  for end in "\r\n", "\r":
    assert tunes.cut(text.replace("\n", end)) == [tune(1), tune(2), tune(3)]
  assert tunes.cut("\ufeff  X: 1 \nK:C\t\nA \n \nB") == ["X: 1\nK:C\nA"]
  assert tunes.cut("") == tunes.cut("nothing") == []


def test_what_is_left_out(write, capsys):
  other = tune(4).replace("K:D", "K:G")
  path = write(
    f"a book\n\n{tune(1)}\n\n{tune(2, 'B', 'A Bc')}\n\n{other}\n\n"
    "X:3\nT:A\nK:D\n\nX:4\nT:A\n"
  )
  assert tunes.read(path) == [tune(1), other]
  assert capsys.readouterr().err == (
    f"{path}: left out 1 double(s), 2 tune(s) without a key or music, 1 line(s)"
    " outside of tunes\n"
  )
  tunes.read(write(tune(1)))
  assert not capsys.readouterr().err


def test_latin_1(write, capsys):
  text = tune(1, "Siúil a Rún")
  path = write(text.encode("latin-1"), "latin.abc")
  assert tunes.read(path) == [text]
  assert capsys.readouterr().err == f"{path}: not UTF-8, read as Latin-1\n"
  assert tunes.read(write(text)) == [text]
  assert not capsys.readouterr().err


def zipped(files):
  made = io.BytesIO()
  with zipfile.ZipFile(made, "w") as archive:
    for name, content in files.items():
      archive.writestr(name, content)
  return made.getvalue()


def tarred(files):
  made = io.BytesIO()
  with tarfile.open(fileobj=made, mode="w") as archive:
    for name, content in files.items():
      info = tarfile.TarInfo(name)
      info.size = len(content)
      archive.addfile(info, io.BytesIO(content))
  return made.getvalue()


def test_files_folders_archives(write, tmp_path):
  one, two = tune(1, music="A"), tune(2, music="B")
  packed = gzip.compress(two.encode())
  assert tunes.read(write(packed, "x.abc.gz")) == [two]
  files = {
    "a/one.abc": one.encode(),
    "a/two.txt.gz": packed,
    "a/picture.png": b"X:1\nK:C\nC",
    "a/.hidden.abc": b"X:1\nK:C\nD",
  }
  for content in zipped(files), tarred(files), gzip.compress(tarred(files)):
    assert tunes.read(write(content, "archive")) == [one, two]
  for name, content in files.items():
    write(content, f"folder/{name[2:]}")
  assert tunes.read(tmp_path / "folder") == [one, two]


def test_damaged(write, tmp_path, monkeypatch):
  packed = gzip.compress(BOOK.encode())
  whole = zipped({"a.abc": BOOK * 50})
  for content in (
    packed[:-10],
    packed[:10] + b"\0" * 20,
    whole[:40] + b"\xff" * 20 + whole[60:],
    gzip.compress(tarred({"a.abc": packed}))[:150],
    tarred({"a.abc": BOOK.encode()})[:600],
    packed[:2],
  ):
    with pytest.raises(InputError, match="cannot be read") as error:
      tunes.read(write(content))
    assert "\n" not in str(error.value)
  for content in b"", b"\0\xff" * 99, b"X:1\nT:A\n", zipped({"a.png": "X:1"}):
    with pytest.raises(InputError, match="holds no tune, expected ABC"):
      tunes.read(write(content))
  (tmp_path / "empty").mkdir()
  with pytest.raises(InputError, match="holds no tune"):
    tunes.read(tmp_path / "empty")
  with pytest.raises(InputError, match="which does not exist"):
    tunes.load(configured("nowhere"), 0)
  # However small a file is packed, no more than so much of it is unpacked.
  monkeypatch.setattr(tunes, "_MOST_BYTES", 1000)
  inside = zipped({"a.abc": gzip.compress(b"A" * 2000)})
  for content in gzip.compress(b"A" * 2000), inside:
    with pytest.raises(InputError, match="more than 1,000 bytes"):
      tunes.read(write(content))
  for content in zipped({"a.abc": "A" * 2000}), tarred({"a.abc": b"A" * 2000}):
    with pytest.raises(InputError, match="a.abc has 2,000 bytes, .* 1,000 in"):
      tunes.read(write(content))


@pytest.mark.parametrize(
  ("one", "other"),
  [
    ("The Lark", "lark, the"),
    ("Lark No. 2", "Lark #3"),
    ("Lark 2", "Lark (2nd)"),
    ("Siúil a Rún", "SIUIL A' RUN"),
    ("King's Lark", "Kings Lark"),
    ("Lark  in-the Morning", "Lark In Morning"),
    ("Lark version 2 % mine", "Lark"),
  ],
)
def test_spellings(one, other):
  assert tunes.plain(one) == tunes.plain(other) != ""


def test_other_titles():
  names = "Lark", "Larks Morning", "The 42nd", "42", "No", "King's Lark", "2nd"
  assert len({tunes.plain(name) for name in names}) == len(names)
  assert tunes.plain("42nd Regiment") == "42ndregiment"


def test_variants():
  some = [
    tune(1, "A"), tune(2, "Bee"), tune(3, "Cee\nT:Dee"),
    tune(4, "B, the\nT:Bee"), tune(5, "Dee 2\nT:Eee"), tune(6, "E"),
    tune(7, "?"), tune(8, "!"),
    tune(9, "Bee\nT:Eee"),
  ]  # fmt: skip
  families = tunes.variants(some)
  assert sorted(sorted(family) for family in families) == [
    [0], [1, 2, 3, 4, 8], [5], [6], [7],
  ]  # fmt: skip


def test_parts(write):
  path = write(BOOK)
  parts = tunes.load(configured(path), 0)
  assert [len(part) for part in parts] == [7, 1, 2]
  assert sorted(sum(parts, [])) == tunes.cut(BOOK)
  assert tunes.load(configured(path), 0) == parts
  assert tunes.load(configured(path), 1) != parts
  assert parts.train != sorted(parts.train)
  with pytest.raises(InputError, match="expected shares"):
    tunes.load(configured(path, test=0.95), 0)
  with pytest.raises(InputError, match="leaves none of 1 tunes to train on"):
    tunes.load(configured(write(tune(1))), 0)


def test_variants_are_in_one_part():
  some = [tune(i, f"T{'abcdefghij'[i % 10]} {i}") for i in range(40)]
  for seed in range(5):
    parts = tunes.split(some, 0.2, 0.2, seed)
    assert [len(part) for part in parts] == [24, 8, 8]
    names = [{one.split("\n")[1][:4] for one in part} for part in parts]
    assert not names[0] & names[1]
    assert not names[0] & names[2]
    assert not names[1] & names[2]


def test_made_up():
  parts = tunes.load(configured(), 0)
  assert sum(len(part) for part in parts) == 30
  assert all(one.startswith("X:") for one in parts.train)
