"""Writes average_precision.json: what pycocotools says of random detections.

  pip install pycocotools==2.0.11 numpy
  python tests/goldens/make_average_precision.py

Crowded on purpose: doubles, boxes that overlap, many equal scores, images
without boxes or without detections, a class that is never there.
"""

import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

CLASSES, IMAGES = 4, 12


def draw(rng):
  """Boxes `[x, y, width, height]` by image and class, and detections."""
  true, found = [], []
  for _ in range(IMAGES):
    count = int(rng.integers(0, 7))
    labels = rng.integers(0, CLASSES - 1, count)  # the last is never there
    boxes = np.concatenate(
      [rng.integers(0, 40, (count, 2)), rng.integers(8, 30, (count, 2))], 1
    )
    true.append((labels.tolist(), boxes.tolist()))
    said, places, scores = [], [], []
    for label, box in zip(labels, boxes, strict=True):
      for _ in range(int(rng.integers(0, 4))):  # missed, found, doubled
        moved = box + rng.integers(-3, 4, 4)
        said.append(int(label if rng.random() < 0.8 else rng.integers(CLASSES)))
        places.append(moved.tolist())
        scores.append(round(float(rng.integers(1, 8)) / 8, 3))
    for _ in range(int(rng.integers(0, 3))):
      said.append(int(rng.integers(CLASSES)))
      places.append([*rng.integers(0, 40, 2).tolist(), 15, 15])
      scores.append(round(float(rng.integers(1, 8)) / 8, 3))
    found.append((said, places, scores))
  return true, found


def evaluate(true, found, thresholds):
  """Precisions `[thresholds, classes, 101]`, NaN as None."""
  truth = COCO()
  annotations = []
  for image, (labels, boxes) in enumerate(true):
    for label, box in zip(labels, boxes, strict=True):
      annotations.append(
        {
          "id": len(annotations) + 1,
          "image_id": image,
          "category_id": label,
          "bbox": box,
          "area": box[2] * box[3],
          "iscrowd": 0,
        }
      )
  truth.dataset = {
    "images": [{"id": image} for image in range(len(true))],
    "categories": [
      {"id": label, "name": str(label)} for label in range(CLASSES)
    ],
    "annotations": annotations,
  }
  results = [
    {"image_id": image, "category_id": label, "bbox": box, "score": score}
    for image, each in enumerate(found)
    for label, box, score in zip(*each, strict=True)
  ]
  with contextlib.redirect_stdout(io.StringIO()):
    truth.createIndex()
    scorer = COCOeval(truth, truth.loadRes(results), "bbox")
    scorer.params.iouThrs = np.array(thresholds)
    scorer.evaluate()
    scorer.accumulate()
  # [thresholds, recalls, classes, areas, most detections]
  precision = scorer.eval["precision"][:, :, :, 0, -1]
  rows = np.moveaxis(precision, 1, 2).round(10)
  return [
    [None if (row < 0).any() else row.tolist() for row in each] for each in rows
  ]


def main():
  """Three draws."""
  cases = []
  for seed in range(3):
    true, found = draw(np.random.default_rng(seed))
    cases.append(
      {
        "true": true,
        "found": found,
        "thresholds": [0.5, 0.75],
        "precisions": evaluate(true, found, [0.5, 0.75]),
      }
    )
  path = pathlib.Path(__file__).with_name("average_precision.json")
  path.write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
  main()
