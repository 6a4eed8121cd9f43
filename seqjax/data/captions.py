"""Images and what is said of them; scenes that are made up.

config.data.grids           regions of another network: FILE.npz, or a FOLDER
                            with one, see `grids`
  images                    or a FOLDER of images, see `pictures`; without
                            either, `examples` scenes, see `scenes`
  captions                  FILE of captions, see `caption_files`; those whose
                            image is not there are dropped and counted
  train_names, validation_names, test_names
                            FILES of image names; without them, shares:
  validation, test          of the images, all captions of one in one part
  image_size                pixels of a side; images are cut square
  held_out                  of scenes: so many more in the test part, if there
                            is one, that show what training never does, a shape
                            of a colour
config.data.min_count       rarer words are unknown
  max_length                words of a caption, with the stop: longer ones are
                            not trained on (0: all)

Captions are in lower case without punctuation, see `caption_scores.normalize`.
"""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax import config as settings
from seqjax.config import Config
from seqjax.data import batching, caption_files, grids, pictures, scenes, tokens
from seqjax.data.caption_scores import normalize
from seqjax.data.examples import Splits
from seqjax.errors import InputError

GRIDS, IMAGES = "grids", "images"  # what a model reads
_LISTS = "train", "validation", "test"


class Captioned(NamedTuple):
  """An image and its captions."""

  name: str
  inputs: np.ndarray  # uint8 [height, width, 3]; or a grid [cells, features]
  captions: Sequence[str] = ()  # normalised
  step: float = 1.0  # what a grid's numbers are multiplied by
  scene: scenes.Scene | None = None  # what a made-up one shows

  @property
  def held_out(self) -> bool:
    """Whether it shows what training never does."""
    return self.scene is not None and self.scene.held_out


def load(data: Config, seed: int) -> Splits:
  """Lists of `Captioned`, as `config.data` asks for.

  Raises:
    InputError: a file cannot be read, two kinds of images are asked for at
      once, or no image has a caption.
  """
  if data.grids and data.images:
    raise InputError(
      f"config.data.grids is {data.grids!r} and config.data.images is"
      f" {data.images!r}, expected one of them"
    )
  if not (data.grids or data.images):
    return _made_up(data, seed)
  if not data.captions:
    raise InputError(
      "config.data.captions is empty, expected the file of the captions"
    )
  captioned = {
    name: _clean(texts)
    for name, texts in caption_files.read_captions(data.captions).items()
  }
  captioned = {name: texts for name, texts in captioned.items() if texts}
  if not captioned:
    raise InputError(
      f"config.data.captions is {data.captions}, which has no word in it, but"
      " punctuation alone"
    )
  if data.grids:
    found = grids.read(data.grids)
    known: dict[str, Any] = {name: i for i, name in enumerate(found.names)}
  else:
    known = dict(pictures.find(data.images, "config.data.images"))
  there = {name: texts for name, texts in captioned.items() if name in known}
  where = data.grids or data.images
  if not there:
    raise InputError(
      f"config.data.captions is {data.captions}, which captions none of the"
      f" {len(known)} images of {where}: it names"
      f" {next(iter(captioned), '')!r}, there is {next(iter(known))!r}"
    )
  if bare := len(known) - len(there):
    print(f"{where}: {bare} image(s) have no caption", file=sys.stderr)
  if dropped := [n for n in captioned if n not in known]:
    lost = sum(len(captioned[n]) for n in dropped)
    print(
      f"{data.captions}: {lost} captions of {len(dropped)} image(s) that"
      f" {where} lacks are dropped (the first: {dropped[0]})",
      file=sys.stderr,
    )
  names = caption_files.split(
    there, _lists(data), data.validation, data.test, seed
  )
  parts = []
  for part in names:
    inputs: Any = [known[name] for name in part]
    if data.grids:
      inputs = [found.values[i] for i in inputs]
    else:
      inputs = pictures.read_all(inputs, data.image_size)
    step = found.step if data.grids else 1.0
    parts.append(
      [
        Captioned(name, image, there[name], step)
        for name, image in zip(part, inputs, strict=True)
      ]
    )
  return Splits(*parts)


def _clean(texts: Sequence[str]) -> list[str]:
  return [text for text in map(normalize, texts) if text]


def _lists(data: Config) -> dict[str, list[str]] | None:
  paths = {part: data[f"{part}_names"] for part in _LISTS}
  paths = {part: path for part, path in paths.items() if path}
  if paths and "train" not in paths:
    raise InputError(
      "config.data.train_names is empty, expected a file of image names as for"
      " the other parts"
    )
  return {p: caption_files.read_names(f) for p, f in paths.items()} or None


def _made_up(data: Config, seed: int) -> Splits:
  settings.at_least({"data": data}, 1, "data.examples")
  settings.at_least({"data": data}, 0, "data.held_out")
  size = data.image_size
  if data.examples >= 10_000:  # it takes a while
    print(f"making up {data.examples:,} scenes", file=sys.stderr, flush=True)
  made = scenes.generate(data.examples, seed, size=size, held_out=False)
  # No image of training is among them: none shows what these do.
  more = data.held_out if data.test else 0
  never = scenes.generate(more, seed, size=size, held_out=True)
  named = {
    f"scene {i}": Captioned(
      f"scene {i}", scene.image, [scene.caption], scene=scene
    )
    for i, scene in enumerate([*made, *never])
  }
  seen = {
    name: each.captions for name, each in named.items() if not each.held_out
  }
  names = caption_files.split(seen, None, data.validation, data.test, seed)
  parts = [[named[name] for name in part] for part in names]
  # Masks are for those that are looked at, and take as much as the images.
  parts[0] = [each._replace(scene=None) for each in parts[0]]
  if parts[-1]:
    parts[-1] += [each for each in named.values() if each.held_out]
  return Splits(*parts)


class Encoder:
  """Images as arrays, captions as ids that end with the stop, and back.

  Attributes:
    tokens: the words, `tokens.Tokens`.
    kind: "grids" or "images".
    shape: of an image as `encode` gives it.
    state: for JSON, `Encoder(**encoder.state)` is the same encoder again.
  """

  def __init__(
    self,
    tokens_state: dict[str, Any],
    kind: str,
    shape: Sequence[int],
    mean: Sequence[float],
    deviation: Sequence[float],
  ):
    self.tokens = tokens.Tokens.from_state(tokens_state)
    self.kind, self.shape = kind, tuple(shape)
    self._mean = np.array(mean, np.float32)
    self._deviation = np.array(deviation, np.float32)
    self.state = {
      "tokens_state": tokens_state,
      "kind": kind,
      "shape": list(shape),
      "mean": list(mean),
      "deviation": list(deviation),
    }

  @classmethod
  def fit(
    cls, examples: Sequence[Captioned], data: Config, seed: int
  ) -> "Encoder":
    """The words of the training part, and how its grids are standardised."""
    del seed
    settings.at_least({"data": data}, 1, "data.min_count")
    words = [w for each in examples for c in each.captions for w in c.split()]
    known = tokens.Tokens.fit(
      words,
      tokenizer="blanks",
      min_count=data.min_count,
      reserved=tokens.RESERVED,
    )
    first, mean, deviation = examples[0].inputs, [], []
    if data.grids:
      # One image at a time: all of them as floats would be four times as much.
      sums = np.zeros((2, first.shape[-1]))
      for each in examples:
        values = each.inputs.astype(np.float64) * each.step
        sums += values.sum(axis=0), (values**2).sum(axis=0)
      mean, square = sums / (len(examples) * len(first))
      deviation = np.sqrt(np.maximum(square - mean**2, 0))
      deviation[deviation < 1e-6] = 1  # the same everywhere
      mean, deviation = mean.tolist(), deviation.tolist()
    kind = GRIDS if data.grids else IMAGES
    return cls(known.state, kind, first.shape, mean, deviation)

  def check(self, arrays: Sequence[np.ndarray]) -> None:
    """Raises InputError for an image that is none as in training.

    Images have the same size and are bytes; grids have as many features, and
    all of them as many cells.
    """
    for number, array in enumerate(arrays):
      like, kind = self.shape, "uint8"
      if self.kind == GRIDS:
        cells = arrays[0].shape[0] if arrays[0].ndim else 0
        like, kind = (cells, self.shape[1]), str(array.dtype)
      if array.shape != like or array.dtype != kind:
        raise InputError(
          f"image {number} is {array.dtype} {array.shape}, expected {kind}"
          f" {like}, as in training"
        )

  def encode(self, examples: Sequence[Captioned]) -> np.ndarray:
    """Images: uint8 `[n, height, width, 3]`; grids: float32 `[n, cells, d]`,
    each feature with mean 0 and deviation 1 over the training part.
    """
    values = np.stack([each.inputs for each in examples])
    if self.kind == IMAGES:
      return values
    steps = np.array([each.step for each in examples], np.float32)
    scaled = values.astype(np.float32) * steps[:, None, None]
    return (scaled - self._mean) / self._deviation

  def encode_caption(self, text: str) -> np.ndarray:
    """int32 ids `[time]`, the last of them the stop."""
    stop = np.array([self.tokens.stop], np.int32)
    return np.concatenate([self.tokens.encode(text.split()), stop])

  def decode(self, ids: Any) -> str:
    """The text of ids `[time]`; reserved ones are left out."""
    ids = np.asarray(ids, int)
    return " ".join(self.tokens.symbols(ids[ids > self.tokens.stop]))

  def read(self, path: str) -> list[Captioned]:
    """Images without captions: an image, or a folder of them; or grids.

    Raises:
      InputError: there are none, or they are not of the kind that was trained
        on.
    """
    where, option = pathlib.Path(path), "--input"
    if self.kind == IMAGES:
      size = self.shape[0]
      if not where.is_dir():
        return [Captioned(where.name, pictures.read(where, size))]
      found = pictures.find(where, option)
      images = pictures.read_all(list(found.values()), size)
      return [Captioned(n, i) for n, i in zip(found, images, strict=True)]
    folder = where.is_dir() and any(where.glob("*.npz"))
    if not folder and where.suffix != ".npz":
      raise InputError(
        f"--input is {path!r}, expected a file .npz of grids: this model was"
        " trained on regions of another network, which it cannot take from an"
        " image (an image serves --photos alone)"
      )
    read = grids.read(where)
    if read.values.shape[2] != self.shape[1]:
      raise InputError(
        f"--input is {path}, whose regions have {read.values.shape[2]}"
        f" features, expected {self.shape[1]} as in training"
      )
    return [
      Captioned(name, values, step=read.step)
      for name, values in zip(read.names, read.values, strict=True)
    ]


class Batch(NamedTuple):
  """Padded captions with their images; an absent row has weight 0."""

  inputs: Any  # uint8 [batch, height, width, 3] or float32 [batch, cells, d]
  target: Any  # int32 [batch, captions, time], with the stop
  lengths: Any  # int32 [batch, captions], 0 for none
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the image's place in its split


def training_loader(
  examples: Sequence[Captioned],
  encoder: Encoder,
  batch_size: int,
  *,
  max_length: int,
  num_buckets: int,
  seed: int,
) -> batching.Loader:
  """A row for each caption that is not too long, in buckets by length.

  Raises:
    InputError: none is short enough.
  """
  pairs = [
    (i, encoder.encode_caption(text))
    for i, each in enumerate(examples)
    for text in each.captions
  ]
  kept = [pair for pair in pairs if len(pair[1]) <= (max_length or np.inf)]
  if not kept:
    raise InputError(
      f"config.data.max_length is {max_length}, which leaves none of"
      f" {len(pairs)} captions; the shortest has"
      f" {min(len(ids) for _, ids in pairs)} words with the stop"
    )
  if dropped := len(pairs) - len(kept):
    print(
      f"training: {dropped} of {len(pairs)} captions are longer than"
      f" config.data.max_length = {max_length} words and dropped",
      file=sys.stderr,
    )

  def collate(members, rows, padded):
    images, ids = zip(*(kept[i] for i in members), strict=True)
    return _collate(
      [examples[i] for i in images],
      [[one] for one in ids],
      images,
      rows,
      padded,
      1,
      encoder,
    )

  lengths = [len(ids) for _, ids in kept]
  return batching.Loader(
    lengths, collate, batch_size, num_buckets=num_buckets, seed=seed
  )


def loader(
  examples: Sequence[Captioned], encoder: Encoder, batch_size: int
) -> batching.Loader:
  """A row for each image, with all its captions; there may be none."""
  ids = [[encoder.encode_caption(c) for c in e.captions] for e in examples]
  most = max([1, *map(len, ids)])  # of all: one shape

  def collate(members, rows, padded):
    return _collate(
      [examples[i] for i in members],
      [ids[i] for i in members],
      members,
      rows,
      padded,
      most,
      encoder,
    )

  longest = [max([0, *map(len, captions)]) for captions in ids]
  return batching.Loader(longest, collate, batch_size)


def _collate(examples, ids, members, rows, padded, most, encoder) -> Batch:
  target = np.zeros((rows, most, padded), np.int32)
  lengths = np.zeros((rows, most), np.int32)
  for row, captions in enumerate(ids):
    for k, caption in enumerate(captions):
      target[row, k, : len(caption)] = caption
      lengths[row, k] = len(caption)
  return Batch(
    batching.fill(encoder.encode(examples), rows),
    target,
    lengths,
    batching.fill(np.ones(len(members)), rows, np.float32),
    batching.fill(members, rows, np.int32),
  )
