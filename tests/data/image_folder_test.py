"""Pictures in folders that are classes, and archives of them."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from seqjax.data import image_folder
from seqjax.data.examples import Splits
from seqjax.errors import InputError


def png(value, size=(4, 3), mode="RGB"):
  file = io.BytesIO()
  pixels = np.full((*size, 3), value, np.uint8)
  Image.fromarray(pixels).convert(mode).save(file, "png")
  return file.getvalue()


FLAT = {f"cats/{i}.png": png(i) for i in range(4)}
FLAT |= {f"dogs/{i}.PNG": png(100 + i) for i in range(4)}
PARTED = {f"data/train/{name}": content for name, content in FLAT.items()}
PARTED["data/test/dogs/x.jpg"] = png(200)
PARTED["data/README.md"] = b"no picture"
PARTED["data/train/.hidden.png"] = b"none either"


def stored(tmp_path, files, kind):
  """A folder or an archive that holds `{name: bytes}`."""
  path = tmp_path / f"data{kind}"
  tmp_path.mkdir(exist_ok=True)
  if kind == ".zip":
    with zipfile.ZipFile(path, "w") as archive:
      for name, content in files.items():
        archive.writestr(name, content)
  elif kind:
    with tarfile.open(path, f"w:{kind.rpartition('.')[2]}") as archive:
      for name, content in files.items():
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
  else:
    for name, content in files.items():
      file = path / name
      file.parent.mkdir(parents=True, exist_ok=True)
      file.write_bytes(content)
  return path


@pytest.mark.parametrize("kind", ["", ".zip", ".tar.gz", ".tar.xz"])
def test_classes(tmp_path, kind):
  found = image_folder.read(stored(tmp_path, FLAT, kind), 0, 0.0, 0)
  assert isinstance(found, list)
  assert [e.label for e in found] == ["cats"] * 4 + ["dogs"] * 4
  assert [int(e.inputs[0, 0, 0]) for e in found[:4]] == [0, 1, 2, 3]
  assert found[0].inputs.shape == (4, 3, 3)
  assert len({e.group for e in found}) == 8


@pytest.mark.parametrize("kind", ["", ".tar.bz2"])
def test_parts(tmp_path, kind):
  path = stored(tmp_path, PARTED, kind)
  found = image_folder.read(path, 0, 0.25, 0)
  assert isinstance(found, Splits)
  assert [len(part) for part in found] == [6, 2, 1]
  assert found.test[0].label == "dogs"
  files = {**PARTED, "data/val/cats/y.png": png(9)}
  found = image_folder.read(stored(tmp_path / "b", files, ""), 0, 0.25, 0)
  assert [len(part) for part in found] == [8, 1, 1]


def test_copies_stay_on_one_side(tmp_path):
  files = {f"{label}/{i}.png": png(i % 4) for label in "a" for i in range(20)}
  files |= {f"b/{i}.png": png(50 + i) for i in range(20)}
  found = image_folder.read(stored(tmp_path, files, ""), 0, 0.0, 0)
  assert isinstance(found, list)
  assert len({e.group for e in found if e.label == "a"}) == 4


def test_sizes_and_colours(tmp_path):
  grey = {f"a/{i}.png": png(i, mode="L") for i in range(2)}
  found = image_folder.read(stored(tmp_path, grey, ""), 0, 0.0, 0)
  assert isinstance(found, list)
  assert found[1].inputs.shape == (4, 3)
  assert (found[1].inputs == 1).all()
  mixed = {**grey, "b/x.png": png(7), "b/y.png": png(3, size=(6, 9))}
  path = stored(tmp_path / "b", mixed, ".zip")
  with pytest.raises(
    InputError, match=r"b/y.png is 6 x 9, expected 4 x 3 as a/0.png, or one si"
  ):
    image_folder.read(path, 0, 0.0, 0)
  found = image_folder.read(path, 5, 0.0, 0)
  assert isinstance(found, list)
  assert {e.inputs.shape for e in found} == {(5, 5, 3)}


@pytest.mark.parametrize(
  ("files", "message"),
  [
    ({"README": b"x"}, "no pictures in it, expected CLASS/PICTURE"),
    ({"a.png": png(1)}, "a.png lies in no folder that is a class"),
    ({"test/a.png": png(1)}, "test/a.png lies in no folder that is a class"),
    ({"test/a/b.png": png(1)}, "folders of test, expected classes alone"),
    (
      {"train/a/b.png": png(1), "c/d.png": png(1)},
      "folders of classes, train, expected classes alone, or train and test",
    ),
    ({"a/b.png": b"\x89PNG\r\n\x1a\n"}, "a/b.png: .*(no picture|cannot be re)"),
  ],
)
def test_mistakes(tmp_path, files, message):
  for kind in "", ".tar.gz":
    with pytest.raises(InputError, match=message):
      image_folder.read(stored(tmp_path, files, kind), 0, 0.0, 0)


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_damaged_archives(tmp_path, kind):
  """Cut off or changed: one line, or all that can be read; never a crash."""
  path = stored(tmp_path, FLAT, kind)
  whole = path.read_bytes()
  rng = np.random.default_rng(0)
  for place in rng.integers(0, len(whole), 40):
    changed = bytearray(whole)
    changed[place] ^= 0x55
    for content in changed, whole[:place]:
      path.write_bytes(content)
      said = ""
      try:
        image_folder.read(path, 0, 0.0, 0)
      except InputError as error:
        said = f"{error}"
      assert "\n" not in said
