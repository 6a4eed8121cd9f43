"""Which objects are in an image, and where: a set of boxes with labels."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from seqjax import config as settings
from seqjax import files, nn
from seqjax.data import average_precision, batching, boxes, objects
from seqjax.data.average_precision import Detected, Truth
from seqjax.data.boxes import Centred, Corners
from seqjax.data.examples import Splits, check_several, held_out
from seqjax.data.objects import Pictured
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.detector import Detector
from seqjax.models.set_prediction import Guesses, Objects, set_loss
from seqjax.nn.regions import ConvGrid
from seqjax.tasks import base, detection_shown

# The IoU from which on a box counts as found.
IOUS = {"ap50": 0.5, "ap75": 0.75}


class Batch(NamedTuple):
  """Images and their objects; rows without have weight 0."""

  images: Any  # uint8 [batch, size, size, 3]
  objects: Objects  # [batch, objects]
  weights: Any  # float32 [batch]
  indices: Any  # int32 [batch], the image's place in its split


class Found(NamedTuple):
  """An object that was found."""

  label: str
  score: float  # the probability of the label
  corners: Corners  # numbers, in pixels of the image as it came


class Detection(base.Task):
  """Images and boxes of `data.objects`, by `Detector`.

  What is measured takes each query for one detection: of the likeliest class,
  as sure as its probability.
  """

  unit = "images"
  loss_unit = "nats, and distances of boxes"
  modes = ("detect",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "eval_batch_size", "data.image_size")
    settings.at_least(config, 1, "model.hidden_size", "model.num_queries")
    settings.at_least(config, 1, "model.num_layers", "model.decoder_layers")
    settings.at_least(config, 1, "model.region_size")
    settings.at_least(config, 0, "showcase.images")
    settings.at_least(config, 0.0, "auxiliary_weight")
    settings.rate(config, "model.dropout")
    model = config.model
    if len(model.strides) != len(model.channels) + 1:
      raise InputError(
        f"config.model.strides is {tuple(model.strides)}, expected one more"
        f" than config.model.channels = {tuple(model.channels)}: the last is of"
        " the convolution that makes the regions"
      )

  @functools.cached_property
  def _data(self) -> objects.Data:
    return objects.load(self.config.data, self.config.seed)

  @property
  def splits(self) -> Splits:
    """The images of each part."""
    return self._data.splits

  @functools.cached_property
  def classes(self) -> list[str]:
    """What objects there are."""
    return self.saved["classes"] if self.saved else self._data.classes

  def state(self):
    return {"classes": self.classes}

  def vocabularies(self):
    columns = [*self.classes, ""]  # the last: no object
    return dict.fromkeys(("guess.classes", "propose.classes"), columns)

  def build(self, key):
    model = self.config.model
    how = {"compute_dtype": model.compute_dtype}
    options = nn.Transformer(
      heads=model.heads,
      feed_forward=model.feed_forward,
      activation="relu",
      positions="none",
    )

    def make_block(memory_size, key):
      return nn.TransformerBlock(
        options,
        model.hidden_size,
        causal=False,
        memory_size=memory_size,
        dropout=model.dropout,
        residual_scale=(3 * model.decoder_layers) ** -0.5,
        key=key,
        **how,
      )

    channels = (*model.channels, model.region_size)
    return Detector(
      lambda key: ConvGrid(channels, model.strides, key=key, **how),
      layers.transformer(options, ConfigDict(model), causal=False),
      make_block,
      len(self.classes),
      num_queries=model.num_queries,
      num_blocks=model.decoder_layers,
      anchored=model.anchored,
      key=key,
      **how,
    )

  def _loader(self, images: Sequence[Pictured], most: int) -> batching.Loader:
    """Batches of images with at most so many objects each."""

    def collate(members, rows, _):
      return _collate([images[i] for i in members], members, rows, most)

    # All of one length: an image is one.
    return batching.Loader(
      np.ones(len(images)),
      collate,
      self.config.batch_size,
      seed=self.config.seed,
    )

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    """All parts at once: a mistake in one is found before training."""
    most = self._data.most
    if most > (queries := self.config.model.num_queries):
      raise InputError(
        f"config.model.num_queries is {queries}, expected at least {most}: so"
        " many objects are in one image"
      )
    return {
      name: self._loader(part, max(1, most))
      for name, part in self.splits._asdict().items()
    }

  def train_batches(self):
    return self._loaders["train"].train()

  def evaluation_batches(self, split):
    return self._loaders[split].once(self.config.eval_batch_size)

  def loss(self, params, batch: Batch, carry, key):
    found = self.apply(params, batch.images, key=key)
    # Of all blocks at once: one program for all their searches.
    each = jax.vmap(set_loss, in_axes=(0, None, None))
    sums, counts = each(found.blocks, batch.objects, batch.weights)
    before, last = sums[:-1].sum(), (sums[-1], counts[-1])
    if found.regions is not None:
      before += set_loss(found.regions, batch.objects, batch.weights)[0]
    total = last[0] + self.config.auxiliary_weight * before
    # One count for all parts, so that it can be divided by once.
    return (total, last[1]), {"loss": last}, carry

  def evaluate(self, params, batch: Batch, carry):
    guesses = self._last(params, batch.images)
    loss = set_loss(guesses, batch.objects, batch.weights)
    outputs = _detected(guesses), batch.indices, batch.weights
    return {"loss": loss}, carry, outputs

  def _last(self, params, images) -> Guesses:
    """The guesses that count, `[batch, queries]`."""
    found = self.apply(params, images)
    return jax.tree.map(lambda each: each[-1], found.blocks)

  @functools.cached_property
  def _find(self):
    return jax.jit(lambda params, images: _detected(self._last(params, images)))

  def scores(self, outputs, split):
    """COCO's AP, mean of the classes; on validation also the threshold.

    "objects_right": the share of images of which as many objects as there are
    were found, that many detections being above the threshold.
    """
    if not outputs:
      return {}
    found, true = _in_order(outputs), self._truths(split)
    values = {}
    for name, iou in IOUS.items():
      rows = average_precision.precisions(found, true, len(self.classes), iou)
      values[name] = average_precision.average_precision(rows)[1]
    if split == "validation":
      threshold, right = average_precision.best_threshold(found, true)
      values |= {"objects_right": right, "threshold": threshold}
    return values

  def thorough_scores(self, params, split):
    """The share of images right, by the threshold that validation asks for."""
    if split == "validation":
      return {}
    found = _in_order(self.outputs(params, self.evaluation_batches(split)))
    threshold = self.threshold(params)
    right = average_precision.objects_right(
      found, self._truths(split), threshold
    )
    return {"objects_right": right, "threshold": threshold}

  def threshold(self, params) -> float:
    """From which score on most validation images have their number of objects.

    .5 without a validation part.
    """
    batches = self.evaluation_batches("validation")
    if not (outputs := self.outputs(params, batches)):
      return 0.5
    true = self._truths("validation")
    return average_precision.best_threshold(_in_order(outputs), true)[0]

  def _truths(self, split: str) -> list[Truth]:
    """The objects of a part, in shares of the image as detections are."""
    return [
      Truth(each.labels, _shares(each)) for each in getattr(self.splits, split)
    ]

  def report(self, params, outputs, split):
    """The AP of each class, a line each."""
    if not outputs:
      return ""
    found, true = _in_order(outputs), self._truths(split)
    each = [
      average_precision.average_precision(
        average_precision.precisions(found, true, len(self.classes), iou)
      )[0]
      for iou in IOUS.values()
    ]
    columns = dict(zip(IOUS, each, strict=True))
    return detection_shown.table(split, true, columns, self.classes)

  def detect(
    self, params, images: Sequence[Any], *, threshold: float = 0.5
  ) -> list[list[Found]]:
    """The objects of each image, the surest first.

    Args:
      params: the model's parameters.
      images: uint8 `[height, width, 3]` or grey `[height, width]`, of any size;
        or `Pictured`.
      threshold: how sure a detection must be; 0: as the validation part, which
        is read for it, asks for.

    Raises:
      InputError: the threshold is out of range, or an image is no image.
    """
    if not 0 <= threshold <= 1:
      raise InputError(f"--threshold is {threshold}, expected 0 to 1")
    check_several("images", images)
    size = self.config.data.image_size
    given = [
      each
      if isinstance(each, Pictured)
      else objects.unlabelled(f"image {number}", np.asarray(each), size)
      for number, each in enumerate(images)
    ]
    if not given:
      return []
    threshold = threshold or self.threshold(params)
    loader = self._loader(given, max(len(each.labels) for each in given))
    outputs = []
    for batch in loader.few_shapes(self.config.eval_batch_size):
      detected = jax.device_get(self._find(params, batch.images))
      outputs.append((detected, batch.indices, batch.weights))
    return [
      self._sure(detected, each, threshold)
      for detected, each in zip(_in_order(outputs), given, strict=True)
    ]

  def _sure(
    self, detected: Detected, image: Pictured, threshold: float
  ) -> list[Found]:
    width, height = image.width, image.height
    corners = boxes.scaled(detected.corners, width, height)
    corners = boxes.clipped(corners, width, height)
    return [
      Found(
        self.classes[detected.labels[place]],
        float(detected.scores[place]),
        Corners(*(float(side[place]) for side in corners)),
      )
      for place in np.argsort(-detected.scores, kind="stable")
      if detected.scores[place] >= threshold
    ]

  def detect_mode(
    self, params, *, input: str = "", threshold: float = 0.5, picture: str = ""
  ) -> str:
    """A line for each object: image, label, score, left, top, right, bottom.

    Parted by tabs, in pixels of the image as it is; of an image in which
    nothing is found its name alone.

    Args:
      params: the model's parameters.
      input: an image or a folder of them.
      threshold: how sure a detection must be; 0: as the validation part, which
        is read for it, asks for.
      picture: a picture to write, FILE.png, of the first image with its boxes.
    """
    if not input:
      raise InputError("--input is empty, expected an image or a folder")
    if picture:
      files.check_picture("--picture", picture)
    images = objects.read(input, self.config.data.image_size)
    found = self.detect(params, images, threshold=threshold)
    if picture:
      detection_shown.draw(
        images[:1], found[:1], self.classes, pathlib.Path(picture)
      )
    lines = []
    for image, some in zip(images, found, strict=True):
      lines += [] if some else [image.name]
      for one in some:
        numbers = "\t".join(f"{side:.1f}" for side in one.corners)
        lines.append(f"{image.name}\t{one.label}\t{one.score:.3f}\t{numbers}")
    return "\n".join(lines)

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Some images with their boxes, and precision over recall."""
    count = self.config.showcase.images
    if not count:
      return ""
    name = held_out(self.splits)
    threshold = self.threshold(params)
    outputs = self.outputs(params, self.evaluation_batches(name))
    every, true = _in_order(outputs), self._truths(name)
    images = getattr(self.splits, name)[:count]
    found = [
      self._sure(detected, each, threshold)
      for detected, each in zip(every, images, strict=False)
    ]
    path, drawn = directory / "boxes.png", directory / "precision.png"
    detection_shown.draw(images, found, self.classes, path)
    curves = {
      iou: average_precision.precisions(every, true, len(self.classes), iou)
      for iou in IOUS.values()
    }
    detection_shown.draw_precision(curves, self.classes, drawn)
    return (
      f"Of the {name} part, threshold {threshold:.2f}\n{path}: true boxes and"
      f" those found\n{drawn}: precision over recall"
    )


def _detected(guesses: Guesses) -> Detected:
  """Each query as a detection, `[batch, queries]`, in shares of the image."""
  shares = jax.nn.softmax(guesses.logits)[..., :-1]
  corners = boxes.corners_of_centred(guesses.boxes)
  return Detected(shares.argmax(axis=-1), shares.max(axis=-1), corners)


def _shares(each: Pictured) -> Corners:
  """Boxes as shares of the image."""
  height, width = each.image.shape[:2]
  return boxes.scaled(each.corners, 1 / width, 1 / height)


def _collate(
  chosen: Sequence[Pictured], members: Any, rows: int, most: int
) -> Batch:
  labels = [each.labels for each in chosen]
  sides = [boxes.centred_of_corners(_shares(each)) for each in chosen]
  pad = functools.partial(batching.pad, rows=rows, length=most)
  return Batch(
    batching.fill([each.image for each in chosen], rows),
    Objects(
      pad(labels),
      Centred(*(pad(list(side)) for side in zip(*sides, strict=True))),
      batching.fill([len(each) for each in labels], rows, np.int32),
    ),
    batching.fill(np.ones(len(members)), rows, np.float32),
    batching.fill(members, rows, np.int32),
  )


def _in_order(outputs) -> list[Detected]:
  """What `evaluate` found in each image, in the order of the split."""
  rows = []
  for detected, _, _ in outputs:
    flat = jax.tree.leaves(detected)
    rows.append(list(zip(*flat, strict=True)))
  _, indices, weights = zip(*outputs, strict=True)
  return [
    Detected(row[0], row[1], Corners(*row[2:]))
    for row in batching.in_order(rows, indices, weights)
  ]
