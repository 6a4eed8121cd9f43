import gzip
import io
import pickle
import zipfile

import numpy as np
import pytest

from seqjax.data import grids
from seqjax.errors import InputError

NAMES = ["b.jpg", "a.jpg", "ä.jpg"]
FEATURES = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
WHOLE = np.random.default_rng(1).integers(-128, 128, (3, 4, 2)).astype(np.int8)


def save(path, **arrays):
  np.savez(path, allow_pickle=False, **arrays)
  return path


def folder(tmp_path, names="names.txt", **arrays):
  """The second layout; `q` is WHOLE with its axes moved."""
  text = "\n".join(NAMES).encode()
  (tmp_path / names).write_bytes(
    gzip.compress(text) if names.endswith(".gz") else text
  )
  arrays = {"q": WHOLE.transpose(2, 0, 1), "step": 0.25, **arrays}
  save(tmp_path / "grid.npz", **arrays)
  return tmp_path


@pytest.mark.parametrize(
  "dtype", [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int64]
)
def test_features(tmp_path, dtype):
  features = FEATURES * 10
  if dtype == np.uint8:
    features = np.abs(features)
  features = np.asfortranarray(features.astype(dtype))
  found = grids.read(save(tmp_path / "x.npz", features=features, names=NAMES))
  assert found.names == NAMES
  assert found.step == 1
  assert found.values.dtype == (np.int8 if dtype == np.int8 else np.float32)
  assert found.values.flags.c_contiguous
  np.testing.assert_array_equal(found.values, features.astype(np.float32))


@pytest.mark.parametrize(
  "names", ["names.txt", "names.txt.gz", "image_names.txt", "names_x.txt.gz"]
)
def test_components_first(tmp_path, names):
  path = folder(tmp_path, names)
  (tmp_path / "README.txt").write_text("no names", "utf-8")
  # Another file, of how the grids were made, does not count.
  save(tmp_path / "basis.npz", mean=np.zeros(3))
  for found in grids.read(path), grids.read(path / "grid.npz"):
    assert found.names == NAMES
    assert found.values.dtype == np.int8
    assert found.values.flags.c_contiguous
    np.testing.assert_array_equal(found.values, WHOLE)
    assert found.step == 0.25


def test_names_in_bytes(tmp_path):
  names = np.array([name.encode() for name in NAMES])
  path = save(tmp_path / "x.npz", features=FEATURES, names=names)
  assert grids.read(path).names == NAMES


def broken(values):
  features = FEATURES.astype(np.float64)
  features[1, 2, 0] = values
  return features


@pytest.mark.parametrize(
  ("arrays", "message"),
  [
    ({"features": FEATURES[0]}, r"shape \(4, 2\), expected \[images, cells, d"),
    ({"features": broken(np.nan)}, "image 1 has a value that is NaN"),
    ({"features": broken(-np.inf)}, "image 1 has"),
    ({"features": broken(1e300)}, "too large for float32"),
    ({"features": FEATURES[:2]}, "2 images and 3 names"),
    ({"features": FEATURES[:0], "names": NAMES[:0]}, "it has no images"),
    ({"features": FEATURES[:, :0]}, "no cells"),
    ({"features": FEATURES[:, :, :0]}, "no numbers in a cell"),
    ({"features": FEATURES.astype(str)}, "expected numbers"),
    ({"features": FEATURES * 1j}, "expected numbers"),
    ({"names": ["a", "b", "a"]}, "'a' occurs twice"),
    ({"names": ["a", "", "b"]}, "a name is empty"),
    ({"names": [1, 2, 3]}, "expected texts"),
    ({"names": [["a", "b", "c"]]}, "expected texts"),
    ({"names": [b"\xff", b"a", b"b"]}, "not UTF-8"),
    ({"q": WHOLE, "step": 1.0}, "both features and q"),
    ({"step": -1.0}, "step is -1"),
  ],
)
def test_wrong_features(tmp_path, arrays, message):
  arrays = {"features": FEATURES, "names": NAMES, **arrays}
  path = save(tmp_path / "x.npz", **arrays)
  check(path, message)


@pytest.mark.parametrize(
  ("arrays", "message"),
  [
    ({"q": FEATURES}, "expected int8"),
    ({"q": WHOLE[0]}, r"expected \[d, images, cells\]"),
    ({"q": WHOLE[:, :0]}, "no images"),
    ({"q": WHOLE[:0]}, "no numbers in a cell"),
    ({"q": WHOLE[:, :2]}, "2 images and 3 names"),
    ({"step": 0.0}, "step is 0"),
    ({"step": np.nan}, "step is nan"),
    ({"step": [1.0, 2.0]}, "expected one number"),
  ],
)
def test_wrong_components(tmp_path, arrays, message):
  check(folder(tmp_path, **arrays) / "grid.npz", message)


def check(path, message):
  with pytest.raises(InputError, match=message) as caught:
    grids.read(path)
  assert str(caught.value).startswith(f"{path}: ")
  assert "\n" not in str(caught.value)


SPRUNG = []


def spring():
  SPRUNG.append(True)


class Trap:
  def __reduce__(self):
    return spring, ()


def test_no_object_is_unpickled(tmp_path):
  pickle.loads(pickle.dumps(Trap()))
  assert SPRUNG.pop()  # the trap works
  traps = np.array([Trap()] * 3, object)
  np.savez(tmp_path / "x.npz", features=traps, names=NAMES)
  check(tmp_path / "x.npz", "features cannot be read")
  np.savez(tmp_path / "y.npz", features=FEATURES, names=traps)
  check(tmp_path / "y.npz", "names cannot be read")
  (tmp_path / "z.npz").write_bytes(pickle.dumps(Trap()))
  check(tmp_path / "z.npz", "whole .npz file")
  assert not SPRUNG


def test_files_that_are_none(tmp_path):
  path = tmp_path / "x.npz"
  check(path, "no such file")
  for content in b"", b"text", b"PK\x03\x04":
    path.write_bytes(content)
    check(path, "expected a whole .npz file")
  np.save(tmp_path / "x.npy", FEATURES)
  check(tmp_path / "x.npy", "a single array")
  check(save(path, mean=FEATURES), "it holds mean, expected one of")
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("features", "text")
    archive.writestr("names", "text")
  check(path, "is no array")


def test_each_damage_is_said(tmp_path):
  """Cut anywhere, or with a byte changed anywhere: an error or the same."""
  buffer = io.BytesIO()
  np.savez_compressed(buffer, features=FEATURES, names=NAMES)
  whole = buffer.getvalue()
  path = tmp_path / "x.npz"
  for end in range(0, len(whole), 7):
    path.write_bytes(whole[:end])
    check(path, "expected")
  for place in range(0, len(whole), 3):
    path.write_bytes(
      whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
    )
    found, said = None, "\n"
    try:
      found = grids.read(path)
    except InputError as error:
      said = str(error)
    if found is None:
      assert "\n" not in said
    else:
      assert found.names == NAMES
      np.testing.assert_array_equal(found.values, FEATURES)


def test_a_size_that_is_a_lie(tmp_path):
  """A header that claims an exabyte takes no memory."""
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    header,
    {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**8, 1)},
  )
  with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
    archive.writestr("features.npy", header.getvalue())
    archive.writestr("names.npy", header.getvalue())
  check(tmp_path / "x.npz", "cannot be read")


def test_folders(tmp_path):
  check(tmp_path, "0 .npz files with features or q, expected one")
  folder(tmp_path)
  save(tmp_path / "other.npz", features=FEATURES, names=NAMES)
  check(tmp_path, r"2 .npz files .*\(grid.npz, other.npz\)")


def test_names_beside_the_file(tmp_path):
  folder(tmp_path, "names_a.txt")
  (tmp_path / "names_b.txt").write_text("x", "utf-8")
  check(tmp_path / "grid.npz", "2 files beside it look like theirs")
  # The usual name goes before.
  (tmp_path / "names.txt").write_text("\n".join(NAMES[::-1]), "utf-8")
  assert grids.read(tmp_path).names == NAMES[::-1]
  for path in tmp_path.glob("names*"):
    path.unlink()
  check(tmp_path / "grid.npz", "0 files beside it")
  (tmp_path / "names.txt").write_text("a\nb\na\n", "utf-8")
  with pytest.raises(InputError, match=r"names.txt:3: the name 'a' is in"):
    grids.read(tmp_path)
