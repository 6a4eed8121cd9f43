"""Own images with boxes in COCO's format: read, scaled, refused."""

import json

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from seqjax.data import coco, objects
from seqjax.data.boxes import Corners
from seqjax.errors import InputError

CATEGORIES = [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}]


def content(**changes):
  """Two images, one of which has no object."""
  return {
    "images": [
      {"id": 1, "file_name": "a.png", "width": 40, "height": 20},
      {"id": 2, "file_name": "b.png"},
    ],
    "categories": CATEGORIES,
    "annotations": [
      {"image_id": 1, "category_id": 9, "bbox": [4, 2, 8, 10]},
      {"image_id": 1, "category_id": 4, "bbox": [30.5, 0, 100, 5]},
    ],
    "info": {"year": 2020},
    **changes,
  }


@pytest.fixture
def config(tmp_path):
  """From a file's content and names of images to `config.data`."""

  def make(found, names=("a.png", "b.png"), **changes):
    for name in names:
      Image.new("RGB", (40, 20), "red").save(tmp_path / name)
    path = tmp_path / "boxes.json"
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    data = {"images": str(tmp_path), "boxes": str(path), "image_size": 32}
    return ConfigDict({**data, "validation": 0.0, "test": 0.0, **changes})

  return make


def test_boxes_go_along_when_an_image_is_scaled(config):
  found = objects.load(config(content()), 0)
  assert (found.classes, found.most) == (["cat", "dog"], 2)
  first, second = found.splits.train
  assert first.image.shape == (32, 32, 3)
  assert (first.width, first.height) == (40, 20)
  np.testing.assert_array_equal(first.labels, [1, 0])
  # 40 x 20 pixels become 32 x 32; the second box ends with the image.
  expected = Corners(
    [4 * 0.8, 30.5 * 0.8], [2 * 1.6, 0], [12 * 0.8, 32], [12 * 1.6, 5 * 1.6]
  )
  for side, known in zip(first.corners, expected, strict=True):
    np.testing.assert_allclose(side, known, rtol=1e-6)
  assert len(second.labels) == 0  # no object is legal


def test_degenerate_boxes_are_dropped_and_counted(config, capsys):
  odd = [
    {"image_id": 1, "category_id": 4, "bbox": box}
    for box in ([1, 1, 0, 5], [1, 1, 5, -2], [40, 0, 5, 5], [-9, 0, 9, 5])
  ]
  crowd = {"image_id": 2, "category_id": 4, "bbox": [0, 0, 9, 9], "iscrowd": 1}
  annotations = [*content()["annotations"], *odd, crowd]
  found = objects.load(config(content(annotations=annotations)), 0)
  assert [len(each.labels) for each in found.splits.train] == [2, 0]
  told = capsys.readouterr().err
  assert "1 box(es) of crowds are left out" in told
  assert "2 box(es) of no width or height are left out" in told
  assert "2 box(es) without a pixel of their image are left out" in told


def test_images_that_are_not_there_are_counted(config, capsys):
  found = objects.load(config(content(), names=["b.png"]), 0)
  assert [each.name for each in found.splits.train] == ["b.png"]
  assert "1 image(s) that" in capsys.readouterr().err
  empty = config(content(images=[]) | {"annotations": []}, names=[])
  with pytest.raises(InputError, match=r"whose 0 image\(s\) are not in"):
    objects.load(empty, 0)


def test_images_are_parted(config):
  names = [f"{i}.png" for i in range(10)]
  images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
  found = content(images=images)
  data = config(found, names, validation=0.2, test=0.1)
  splits = objects.load(data, 0).splits
  assert [len(part) for part in splits] == [7, 2, 1]
  assert {each.name for part in splits for each in part} == set(names)


WRONG = [
  ("no JSON", "this is no JSON"),
  ([], "there is no list of objects 'images', expected COCO's format"),
  (content(annotations=[3]), "no list of objects 'annotations'"),
  (content(categories=[]), "'categories' is empty"),
  (content(images=[{"id": "1", "file_name": "a"}]), "entry 0 of 'images' has"),
  (content(images=[{"id": 1}]), "file_name None, expected a whole number and"),
  (content(categories=CATEGORIES * 2), "entry 2 of 'categories' has id 9, wh"),
  (
    content(annotations=[{"image_id": 3, "category_id": 4, "bbox": [0] * 4}]),
    "annotation 0 has image_id 3, expected the id of one of 'images'",
  ),
  (
    content(annotations=[{"image_id": 1, "category_id": 5, "bbox": [0] * 4}]),
    "annotation 0 has category_id 5, expected the id of one of 'categories'",
  ),
  (
    content(annotations=[{"image_id": 1, "category_id": 4, "bbox": [0] * 3}]),
    r"annotation 0 has bbox \[0, 0, 0\], expected four finite numbers",
  ),
  (
    json.dumps(content()).replace("30.5", "NaN"),
    r"annotation 1 has bbox \[nan, 0, 100, 5\], expected four finite",
  ),
  (
    content(
      images=[{"id": 1, "file_name": "a.png", "width": 20, "height": 40}],
    ),
    r"the picture is 40 x 20 pixels, expected 20 x 40, as the file",
  ),
  (
    content(images=[{"id": 1, "file_name": "a.png", "width": 20}]),
    "image 1 has width 20 and height None, expected whole numbers above 0",
  ),
]


@pytest.mark.parametrize(("found", "message"), WRONG)
def test_what_cannot_be_read_is_said_in_one_line(config, found, message):
  with pytest.raises(InputError, match=message) as error:
    objects.load(config(found), 0)
  assert "\n" not in str(error.value)


def test_files_that_are_missing(config, tmp_path):
  for field, value, message in (
    ("boxes", "", "config.data.boxes is empty, expected the JSON file"),
    ("boxes", str(tmp_path / "no.json"), "no.json"),
    ("images", str(tmp_path / "none"), "none, expected a folder of pictures"),
  ):
    with pytest.raises(InputError, match=message):
      objects.load(config(content(), **{field: value}), 0)
  with pytest.raises(InputError, match="there is no such file"):
    objects.read(str(tmp_path / "no.png"), 32)
  (tmp_path / "a.png").write_bytes(b"no picture")
  with pytest.raises(InputError, match="this is no picture"):
    objects.read(str(tmp_path / "a.png"), 32)


def test_images_without_boxes(config, tmp_path):
  config(content())
  Image.new("L", (10, 30), 200).save(tmp_path / "b.png")  # grey
  first, second = objects.read(str(tmp_path), 16)
  assert (first.name, second.name) == ("a.png", "b.png")
  assert (second.width, second.height) == (10, 30)
  np.testing.assert_array_equal(second.image, np.full((16, 16, 3), 200))
  assert len(second.labels) == 0


def test_the_order_of_a_file_is_kept(tmp_path):
  """Classes in the order of their ids, images in that of the file."""
  path = tmp_path / "boxes.json"
  path.write_text(json.dumps(content()))
  found = coco.read(path)
  assert found.classes == ["cat", "dog"]
  assert list(found.images) == ["a.png", "b.png"]
  np.testing.assert_array_equal(found.images["a.png"].boxes.width, [8, 100])
  assert found.images["b.png"].size is None
