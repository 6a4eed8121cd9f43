"""Labelled pictures in folders named after their classes, or an archive of it.

FOLDER/CLASS/PICTURE, or FOLDER/PART/CLASS/PICTURE where the folders are called
train, test and perhaps validation (val, valid, dev), as many data sets come. An
archive holds the same, see `packed`.
"""

import hashlib
import io
import pathlib

from seqjax.data import packed, pictures
from seqjax.data.examples import Example, Splits, stratified
from seqjax.errors import InputError

_PARTS = {
  "train": "train", "training": "train",
  "validation": "validation", "valid": "validation", "val": "validation",
  "dev": "validation",
  "test": "test", "testing": "test",
}  # fmt: skip
_MOST_IN_ALL = 2**34  # bytes of an archive


def read(
  path: pathlib.Path, size: int, validation: float, seed: int
) -> list[Example] | Splits:
  """Examples, or the parts where the folders tell them; sorted by name.

  Copies of a picture, to the byte, are of one group.

  Args:
    path: a folder or an archive.
    size: pixels of a side that pictures are made to have; 0 takes them as they
      are, of one size all.
    validation: share of training that is set aside, where there is a folder of
      tests and none of validation.
    seed: of that choice.

  Raises:
    InputError: there are no pictures in it, one of them is damaged or of
      another size, or lies in no folder that is a class.
  """
  found: dict[str, list[Example]] = {}
  shape = None
  expected = "a folder of pictures or a whole archive of one"
  contents = packed.files(path, pictures.ENDINGS, expected, _MOST_IN_ALL)
  for name, content in contents:
    part, label = _place(path, name)
    image = pictures.decode(f"{path}: {name}", io.BytesIO(content), size)
    shape = shape or (name, image.shape[:2])
    if image.shape[:2] != shape[1]:
      raise InputError(
        f"{path}: {name} is {_said(image.shape)}, expected {_said(shape[1])} as"
        f" {shape[0]}, or one size for all in config.data.image_size"
      )
    group = hashlib.sha256(content).hexdigest()
    found.setdefault(part, []).append(Example(image, label, group))
  if not found:
    raise InputError(
      f"{path}: no pictures in it, expected CLASS/PICTURE, files that end in"
      f" {', '.join(sorted(pictures.ENDINGS))}"
    )
  found = {part: _of_colours(some) for part, some in found.items()}
  if set(found) == {""}:
    return found[""]
  if "" in found or "train" not in found:
    parts = ", ".join(sorted(part or "classes" for part in found))
    raise InputError(
      f"{path}: folders of {parts}, expected classes alone, or train and test"
    )
  train, held = found["train"], found.get("validation", [])
  if not held and "test" in found:
    train, held, _ = stratified(train, validation, 0.0, seed)
  return Splits(train, held, found.get("test", []))


def _said(shape) -> str:
  return " x ".join(map(str, shape[:2]))


def _of_colours(examples: list[Example]) -> list[Example]:
  """All of them in colours if one is."""
  if len({example.inputs.ndim for example in examples}) == 1:
    return examples
  return [
    example
    if example.inputs.ndim == 3
    else example._replace(inputs=example.inputs[..., None].repeat(3, -1))
    for example in examples
  ]


def _place(path: pathlib.Path, name: str) -> tuple[str, str]:
  """`(part, class)` of a picture; the part is "" where there are none."""
  *folders, _ = pathlib.PurePosixPath(name).parts
  for index, folder in enumerate(folders[:-1]):
    if folder.lower() in _PARTS:
      return _PARTS[folder.lower()], folders[index + 1]
  if not folders or folders[-1].lower() in _PARTS:
    raise InputError(
      f"{path}: {name} lies in no folder that is a class, expected"
      " CLASS/PICTURE or train/CLASS/PICTURE"
    )
  return "", folders[-1]
