"""Boxes of images in COCO's JSON format (Lin et al. 2014, "Microsoft COCO").

  {"images": [{"id": 7, "file_name": "a.jpg", "width": 640, "height": 480}],
   "categories": [{"id": 1, "name": "cat"}],
   "annotations": [{"image_id": 7, "category_id": 1, "bbox": [x, y, w, h]}]}

`bbox` is the left upper corner and the sides in pixels; an image may have no
annotation. Width and height of an image may be left out. Annotations with
`iscrowd` 1 are boxes around many and left out. All else in the file is not
read.
"""

import collections
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from seqjax.data.boxes import Coco
from seqjax.data.text import read_utf8
from seqjax.errors import InputError


class Marked(NamedTuple):
  """The boxes of an image, in the order of the file."""

  labels: np.ndarray  # int32 [boxes], places among the classes
  boxes: Coco  # float64 [boxes], in pixels
  size: tuple[int, int] | None  # pixels across and down, if the file says it


class Annotations(NamedTuple):
  """What a file says."""

  classes: list[str]  # in the order of their ids
  images: dict[str, Marked]  # by the name of the file


def read(path: str | pathlib.Path) -> Annotations:
  """The boxes of all images.

  Boxes whose width or height is not above 0, and those of crowds, are left out;
  how many is said on stderr.

  Raises:
    InputError: the file is missing or no such JSON; an id or a name occurs
      twice; an annotation has an image or a category that is not there, or no
      four finite numbers.
  """
  try:
    content = json.loads(read_utf8(path))
  except (ValueError, RecursionError) as error:
    if isinstance(error, InputError):
      raise
    raise InputError(f"{path}: this is no JSON ({error})") from error
  parts = "images", "categories", "annotations"
  for part in parts:
    found = content.get(part) if isinstance(content, dict) else None
    good = isinstance(found, list) and all(isinstance(e, dict) for e in found)
    if not good:
      raise InputError(
        f"{path}: there is no list of objects {part!r}, expected COCO's format:"
        f" {', '.join(parts)}"
      )
  names = _named(path, "categories", content["categories"], "name")
  if not names:
    raise InputError(f"{path}: 'categories' is empty, expected one at least")
  order = sorted(names)
  places = {key: place for place, key in enumerate(order)}
  files = _named(path, "images", content["images"], "file_name")
  marked: dict[int, list[tuple[int, list[float]]]] = collections.defaultdict(
    list
  )
  crowds = flat = 0
  for number, each in enumerate(content["annotations"]):
    where = f"{path}: annotation {number}"
    image, category = each.get("image_id"), each.get("category_id")
    if not (_whole(image) and image in files):
      raise InputError(
        f"{where} has image_id {image!r}, expected the id of one of 'images'"
      )
    if not (_whole(category) and category in names):
      raise InputError(
        f"{where} has category_id {category!r}, expected the id of one of"
        " 'categories'"
      )
    box = each.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(map(_finite, box))):
      raise InputError(
        f"{where} has bbox {box!r}, expected four finite numbers [x, y, width,"
        " height]"
      )
    if each.get("iscrowd"):
      crowds += 1
    elif box[2] <= 0 or box[3] <= 0:
      flat += 1
    else:
      marked[image].append((places[category], box))
  for count, what in ((crowds, "crowds"), (flat, "no width or height")):
    if count:
      print(f"{path}: {count} box(es) of {what} are left out", file=sys.stderr)
  sizes = {each["id"]: _size(path, each) for each in content["images"]}
  return Annotations(
    [names[key] for key in order],
    {
      file: _marked(marked.get(key, []), sizes[key])
      for key, file in files.items()
    },
  )


def _named(
  path: Any, part: str, entries: list[Mapping[str, Any]], field: str
) -> dict[int, str]:
  """Names by id, both of which occur once."""
  found: dict[int, str] = {}
  seen = set()
  for number, each in enumerate(entries):
    key, name = each.get("id"), each.get(field)
    if not _whole(key) or not (isinstance(name, str) and name):
      raise InputError(
        f"{path}: entry {number} of {part!r} has id {key!r} and {field}"
        f" {name!r}, expected a whole number and a text"
      )
    if key in found or name in seen:
      what = f"id {key}" if key in found else f"{field} {name!r}"
      raise InputError(
        f"{path}: entry {number} of {part!r} has {what}, which another has"
        " already"
      )
    found[key] = name
    seen.add(name)
  return found


def _size(path: Any, image: Mapping[str, Any]) -> tuple[int, int] | None:
  if "width" not in image and "height" not in image:
    return None
  width, height = image.get("width"), image.get("height")
  if not (_whole(width) and _whole(height) and width > 0 and height > 0):
    raise InputError(
      f"{path}: image {image['id']} has width {width!r} and height {height!r},"
      " expected whole numbers above 0, or neither"
    )
  return width, height


def _marked(
  found: list[tuple[int, list[float]]], size: tuple[int, int] | None
) -> Marked:
  labels = np.array([label for label, _ in found], np.int32)
  sides = np.array([box for _, box in found], np.float64).reshape(-1, 4).T
  return Marked(labels, Coco(*sides), size)


def _whole(value: Any) -> TypeGuard[int]:
  return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: Any) -> bool:
  number = isinstance(value, int | float) and not isinstance(value, bool)
  return number and -1e9 < value < 1e9
