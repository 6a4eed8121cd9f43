import gzip
import json
import struct

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import config_dict
from PIL import Image

from seqjax.data import images
from seqjax.data.examples import Example
from seqjax.errors import InputError
from seqjax.nn.patches import from_patches


def idx(shape, data, kind=8):
  head = struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)
  return head + bytes(data)


@pytest.fixture
def mnist(write, tmp_path):
  """A folder like MNIST's, 20 and 2 images of 1 x 2."""
  for part, count in (("train", 20), ("t10k", 2)):
    write(idx((count, 1, 2), [7] * 2 * count), f"m/{part}-images-idx3-ubyte")
    labels = gzip.compress(idx((count,), [i % 2 for i in range(count)]))
    write(labels, f"m/{part}-labels-idx1-ubyte.gz")
  return tmp_path / "m"


def test_read_idx(write):
  content = idx((2, 2, 2), range(8))
  for file in (write(content), write(gzip.compress(content))):
    np.testing.assert_array_equal(
      images.read_idx(file), np.arange(8).reshape(2, 2, 2)
    )


def test_read_folder(mnist):
  found = images.read_folder(mnist, 0.1, seed=0)
  assert [len(part) for part in found] == [18, 2, 2]
  assert [e.label for e in found.test] == ["0", "1"]


def test_load(mnist):
  data = config_dict.ConfigDict({"path": None, "examples": 50})
  data.image_size = 0
  data.validation, data.test, data.num_folds, data.fold = 0.2, 0.2, 0, 0
  assert [len(part) for part in images.load(data, 0)] == [30, 10, 10]
  data.path = str(mnist)
  assert [len(part) for part in images.load(data, 0)] == [16, 4, 2]
  data.num_folds = 2
  with pytest.raises(InputError, match="num_folds is 2, expected 0"):
    images.load(data, 0)


def settings(**fields):
  return config_dict.ConfigDict(
    {"order": "patches", "patch": 2, "shift": 0, "flip": False, "erase": 0}
    | {"image_size": 0}
    | fields
  )


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("order", ["rows", "pixels", "permuted"])
def test_encoder(order, colours):
  shape = (2, 3, 3) if colours == 3 else (2, 3)
  count = 6 * colours
  image = np.arange(count, dtype=np.uint8).reshape(shape)
  encoder = images.Encoder.fit([Example(image, "0")], settings(order=order), 4)
  assert encoder.vocab_size == 0
  found = encoder.encode(image)
  assert found.dtype == np.float32
  steps = {"rows": (2, 3 * colours)}.get(order, (6, colours))
  assert found.shape == steps
  assert encoder.input_size == steps[1]
  pixels = np.sort(found.reshape(-1)) if order == "permuted" else found
  np.testing.assert_allclose(
    pixels.reshape(-1), np.arange(count) / 255, rtol=1e-6
  )
  again = images.Encoder(**json.loads(json.dumps(encoder.state)))
  np.testing.assert_array_equal(again.encode(image), found)


@pytest.mark.parametrize("colours", [1, 3])
def test_patches(colours):
  """Squares row by row, each as it stands in the image."""
  shape = (4, 6, 3) if colours == 3 else (4, 6)
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, shape, np.uint8)
  encoder = images.Encoder.fit([Example(image, "0")], settings(), 0)
  found = encoder.encode(image)
  assert found.dtype == np.uint8
  squares = [image[y : y + 2, x : x + 2] for y in (0, 2) for x in (0, 2, 4)]
  expected = np.stack([square.reshape(-1) for square in squares])
  np.testing.assert_array_equal(found, expected)
  whole = from_patches(jnp.array(found)[None], encoder.shape)
  np.testing.assert_array_equal(whole[0], image.reshape(4, 6, colours))
  with pytest.raises(InputError, match="patch is 4, expected a divisor of the"):
    images.Encoder.fit([Example(image, "0")], settings(patch=4), 0)


def test_what_training_sees():
  """A shift is what a window over the mirrored image shows."""
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (5, 4), np.uint8)
  wide = np.pad(image, 2, mode="reflect")
  windows = [wide[y : y + 5, x : x + 4] for y in range(5) for x in range(5)]
  given = image[None].repeat(300, 0)
  moved = images.moved(given, np.random.default_rng(1), shift=2, flip=False)
  seen = {one.tobytes() for one in moved}
  assert seen == {window.tobytes() for window in windows}
  turned = images.moved(given, np.random.default_rng(1), shift=0, flip=True)
  mirrored = (turned == image[:, ::-1]).all((1, 2))
  assert (mirrored | (turned == image).all((1, 2))).all()
  assert 110 < mirrored.sum() < 190
  gone = images.erased(given + 0, np.random.default_rng(1), 2) != given
  assert gone.sum((1, 2)).max() == 4
  again = images.erased(given, np.random.default_rng(1), 2)
  np.testing.assert_array_equal(again[gone], 127)


def test_augmentation():
  image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
  assert images.augmentation(settings()) is None
  change = images.augmentation(settings(shift=1, flip=True, erase=2))
  assert change is not None
  first = change([image] * 9, np.random.default_rng(0))
  assert first.shape == (9, 4, 4, 3)
  assert first.dtype == np.uint8
  again = change([image] * 9, np.random.default_rng(0))
  np.testing.assert_array_equal(first, again)
  assert (first != change([image] * 9, np.random.default_rng(1))).any()
  with pytest.raises(InputError, match="shift is 4, expected 0 or more, and l"):
    images.Encoder.fit([Example(image, "0")], settings(shift=4), 0)


def test_pictures_in_the_colours_of_training(tmp_path):
  colours = np.zeros((2, 2, 3), np.uint8)
  colours[0, 0], colours[1, 1] = (255, 0, 0), (9, 9, 9)
  grey = np.array([[76, 0], [0, 9]], np.uint8)
  Image.fromarray(colours).save(tmp_path / "a.png")
  Image.fromarray(grey).save(tmp_path / "b.png")
  found = images.Encoder(2, 2, "rows", 0).read(str(tmp_path))
  np.testing.assert_array_equal(found, [grey, grey])
  encoder = images.Encoder(2, 2, "rows", 0, colours=3)
  found = encoder.read(str(tmp_path))
  np.testing.assert_array_equal(found[0], colours)
  np.testing.assert_array_equal(found[1], grey[..., None].repeat(3, -1))
  path = str(tmp_path / "b.png")
  assert [one.shape for one in encoder.read(path)] == [(2, 2, 3)]
  with pytest.raises(InputError, match=r"shape \(2, 2\), expected \(3, 3\)"):
    images.Encoder(3, 3, "rows", 0).read(path)


def test_permuted_is_one_order_for_all():
  encoder = images.Encoder(3, 3, "permuted", 0)
  first = encoder.encode(np.arange(9).reshape(3, 3)) * 255
  second = encoder.encode(np.arange(9, 18).reshape(3, 3)) * 255
  np.testing.assert_allclose(second - first, 9, rtol=1e-5)
  assert (np.diff(first[:, 0]) != 1).any()


def test_encoder_reads_images_of_its_size(write):
  encoder = images.Encoder(2, 2, "rows", 0)
  found = encoder.read(str(write(idx((3, 2, 2), range(12)))))
  np.testing.assert_array_equal(found[1], [[4, 5], [6, 7]])
  with pytest.raises(InputError, match=r"shape \(1, 4\), expected \(2, 2\)"):
    encoder.read(str(write(idx((3, 1, 4), range(12)))))


def test_show():
  assert images.show(np.zeros((28, 14))) == "an image of 28 x 14"


def test_mistakes(write, tmp_path):
  with pytest.raises(InputError, match="no IDX file"):
    images.read_idx(write(b"PNG?"))
  with pytest.raises(InputError, match="9 bytes, expected 11 for shape"):
    images.read_idx(write(idx((3,), [1])))
  with pytest.raises(InputError, match="train-images-idx3-ubyte"):
    images.read_folder(tmp_path, 0.1, 0)
  with pytest.raises(InputError, match="order is 'spiral', expected one of ro"):
    images.Encoder(2, 2, "spiral", 0)
