import gzip
import json
import struct

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import images
from seqjax.data.examples import Example
from seqjax.errors import InputError


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
  data.validation, data.test, data.num_folds, data.fold = 0.2, 0.2, 0, 0
  assert [len(part) for part in images.load(data, 0)] == [30, 10, 10]
  data.path = str(mnist)
  assert [len(part) for part in images.load(data, 0)] == [16, 4, 2]
  data.num_folds = 2
  with pytest.raises(InputError, match="num_folds is 2, expected 0"):
    images.load(data, 0)


@pytest.mark.parametrize("order", images.ORDERS)
def test_encoder(order):
  image = np.arange(6, dtype=np.uint8).reshape(2, 3)
  data = config_dict.ConfigDict({"order": order})
  encoder = images.Encoder.fit([Example(image, "0")], data, 4)
  assert encoder.vocab_size == 0
  found = encoder.encode(image)
  assert found.dtype == np.float32
  steps = {"rows": (2, 3)}.get(order, (6, 1))
  assert found.shape == steps
  assert encoder.input_size == steps[1]
  pixels = np.sort(found.reshape(-1)) if order == "permuted" else found
  np.testing.assert_allclose(pixels.reshape(-1), np.arange(6) / 255, rtol=1e-6)
  again = images.Encoder(**json.loads(json.dumps(encoder.state)))
  np.testing.assert_array_equal(again.encode(image), found)


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
