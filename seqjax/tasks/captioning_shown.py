"""What a captioner is compared with, and where it looked."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax import files
from seqjax.data import caption_baselines, caption_scores, captions, pictures
from seqjax.data.captions import Captioned
from seqjax.data.examples import Splits
from seqjax.data.scenes import objects_at
from seqjax.errors import InputError

_PHOTO = 224  # pixels of a side, of an image to be looked at
_PICTURES = 4  # of a showcase
_POINTING = (
  "attention_in_mask",
  "centre_in_mask",
  "blind_in_mask",
  "attention_touches_mask",
  "centre_touches_mask",
  "blind_touches_mask",
)
_BLOCKS = 8  # an image without a network is the colours of so many squares


def baselines(encoder: Any, splits: Splits, split: str) -> str:
  """What captions of training images are worth for a part, a line each."""
  examples = getattr(splits, split)
  seen = [each for each in examples if not each.held_out]
  known = [each.captions for each in splits.train]
  train = _features(encoder, splits.train)
  features = _features(encoder, seen)
  found = {
    "one caption for all": [caption_baselines.constant(known)] * len(seen),
    "the nearest image's": caption_baselines.nearest(train, known, features),
    "consensus of 12": caption_baselines.consensus(train, known, features),
  }
  told = [f"{split}, without a model:  bleu_1 bleu_2 bleu_3 bleu_4   cider"]
  for name, texts in found.items():
    worth = caption_scores.scores(texts, [each.captions for each in seen])
    bleus = " ".join(f"{worth[f'bleu_{n}']:6.1f}" for n in range(1, 5))
    told.append(f"  {name:<22} {bleus}  {worth['cider']:6.1f}")
  return "\n".join(told)


def _features(encoder: Any, examples: Sequence[Captioned]) -> np.ndarray:
  """What images are compared by: the mean region, or colours by place."""
  rows = []
  for first in range(0, len(examples), 256):
    values = encoder.encode(examples[first : first + 256])
    if encoder.kind == captions.IMAGES:
      rows.append(_blocks(values))
    else:
      rows.append(values.mean(axis=1))
  return np.concatenate(rows)


def _blocks(images: np.ndarray) -> np.ndarray:
  n, height, width, _ = images.shape
  down = [
    np.linspace(0, size, _BLOCKS + 1).astype(int) for size in (height, width)
  ]
  values = images.astype(np.float32)
  for axis, edges in enumerate(down, 1):
    counts = np.diff(edges).reshape((-1,) + (1,) * (3 - axis))
    values = np.add.reduceat(values, edges[:-1], axis=axis) / counts
  return values.reshape(n, -1)


def pointing(
  said: Sequence[Any], examples: Sequence[Captioned]
) -> dict[str, float]:
  """How often the largest weight lay in the thing that was written of.

  The pointing game (Zhang et al. 2016, "Top-down neural attention by excitation
  backprop") over the words of colour and of shape that stand where the right
  caption has them. "in_mask": the thing covers the centre of the region;
  "touches_mask": it covers any of its pixels. Beside them what the middle of
  the image reaches, and a region that is chosen blindly.

  Args:
    said: of each image what was written, with weights.
    examples: the images; those that are no scenes, or show what training never
      does, are passed over.

  Returns:
    Shares by name; none where there is nothing to be pointed at.
  """
  hits: list[Any] = []
  for one, each in zip(said, examples, strict=True):
    if each.scene is None or each.held_out or one.weights is None:
      continue
    side = square(one.weights.shape[1])
    if not side:
      continue
    right = each.captions[0].split()
    for word, wanted, place, weights in zip(
      one.words, right, objects_at(each.scene), one.weights, strict=False
    ):
      if place is not None and word == wanted:
        ways = _cells(each.scene.things[place].mask, side)
        largest, middle = weights.argmax(), (side // 2) * (side + 1)
        hits.append(
          [x for way in ways for x in (way[largest], way[middle], way.mean())]
        )
  if not hits:
    return {}
  means = np.mean(np.array(hits, float), axis=0).tolist()
  return dict(zip(_POINTING, means, strict=True))


def _cells(mask: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
  """Whether the centre of each cell is covered, and any pixel, `[cells]`."""
  edges = [np.linspace(0, n, side + 1).astype(int) for n in mask.shape]
  touched = mask
  for axis, of_axis in enumerate(edges):
    touched = np.logical_or.reduceat(touched, of_axis[:-1], axis=axis)
  middles = [(of_axis[:-1] + of_axis[1:]) // 2 for of_axis in edges]
  return mask[np.ix_(*middles)].reshape(-1), touched.reshape(-1)


def square(cells: int) -> int:
  """The side of a square grid of so many cells; 0 if there is none."""
  side = math.isqrt(cells)
  return side if side * side == cells else 0


def photos(
  examples: Sequence[Captioned], encoder: Any, folder: str, option: str
) -> dict[str, np.ndarray]:
  """What there is to see of the images, by name: uint8 arrays.

  Args:
    examples: images, or ready-made grids of some.
    encoder: says which.
    folder: of the images of such grids; "" for none.
    option: that names it, for messages.

  Raises:
    InputError: a folder is named for a model that reads the images themselves,
      or holds none of them.
  """
  if encoder.kind == captions.IMAGES:
    if folder:
      raise InputError(
        f"{option} is {folder!r}, expected none: this model reads images, which"
        " are shown themselves"
      )
    return {each.name: each.inputs for each in examples}
  if not folder:
    return {}
  there = pictures.find(folder, option)
  found = {
    each.name: pictures.read(there[each.name], _PHOTO)
    for each in examples
    if each.name in there
  }
  if not found:
    raise InputError(
      f"{option} is {folder!r}, which holds none of the {len(examples)} images"
      f" that the grids are of; it has {next(iter(there))!r}, they are named as"
      f" {examples[0].name!r}"
    )
  return found


def draw(picture: Any, said: Any, path: Any) -> None:
  """Draws where the model looked, if it did and the cells are a square."""
  if said.weights is not None and square(said.weights.shape[1]):
    from seqjax.show import captions as drawn  # no use to a caption alone

    drawn.draw(picture, said.words, said.weights, pathlib.Path(path))


def check_picture(path: str, attends: bool, cells: int) -> None:
  """Makes the folder of a picture, before a search that is to be drawn.

  Raises:
    InputError: the model does not look, its cells are no square, or nothing can
      be written there.
  """
  if not attends:
    raise InputError(
      f"--attention is {path!r}, expected none: this model does not attend"
      " (config.model.attention is 'none' or config.model.pool is 'mean')"
    )
  if not square(cells):
    raise InputError(
      f"--attention is {path!r}, expected none: an image has {cells} regions"
      " here, which are no square grid"
    )
  files.check_picture("--attention", path)


def show(
  examples: Sequence[Captioned],
  said: Sequence[Any],
  seen: Mapping[str, np.ndarray],
  part: str,
  directory: pathlib.Path,
) -> str:
  """Writes captions beside those of people, and where the model looked.

  Args:
    examples: the images.
    said: of each what was written.
    seen: what there is to see of them, by name.
    part: of the data.
    directory: of `captions.txt` and `attention_N.png`.

  Returns:
    The text.
  """
  told = [f"Of the {part} part"]
  for each, one in zip(examples, said, strict=True):
    told += ["", f"{each.name}", f"  written    {one.text}"]
    told += [f"  reference  {caption}" for caption in each.captions[:2]]
  files.write(directory / "captions.txt", "\n".join(told) + "\n")
  pairs = zip(examples, said, strict=True)
  for number, (each, one) in enumerate(list(pairs)[:_PICTURES], 1):
    draw(seen.get(each.name), one, directory / f"attention_{number}.png")
  return "\n".join(told)
