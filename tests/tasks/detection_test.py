"""Detection: from outputs to scores, thresholds, lines and pictures."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from seqjax.data import average_precision, boxes
from seqjax.data.average_precision import Detected, Truth
from seqjax.data.boxes import Corners
from seqjax.errors import InputError
from seqjax.tasks import base
from tests.experiments import small

SIDE = 32


@pytest.fixture(scope="module")
def run(trained):
  return trained("detect")


def test_what_is_right_scores_one(run):
  """And with two boxes exchanged less, with all doubled fewer counts."""
  task, _ = run
  images = task.splits.validation

  def outputs(change):
    rows = [change(each) for each in images]
    pad = lambda x: np.pad(np.asarray(x, float), (0, 12 - len(x)))
    stacked = [np.stack([pad(row[i]) for row in rows]) for i in range(6)]
    detected = Detected(
      stacked[0].astype(int), stacked[1], Corners(*stacked[2:])
    )
    return [(detected, np.arange(len(rows)), np.ones(len(rows)))]

  def right(each):
    corners = boxes.scaled(each.corners, 1 / SIDE, 1 / SIDE)
    return each.labels, np.full(len(each.labels), 0.9), *corners

  values = task.scores(outputs(right), "validation")
  assert values["ap50"] == values["ap75"] == values["objects_right"] == 1
  assert 0.05 <= values["threshold"] <= 0.9
  doubled = lambda each: tuple(np.repeat(part, 2) for part in right(each))
  values = task.scores(outputs(doubled), "validation")
  assert values["objects_right"] < 0.5
  assert values["ap50"] < 0.9
  moved = lambda each: (*right(each)[:2], *(p + 1 for p in right(each)[2:]))
  assert task.scores(outputs(moved), "validation")["ap50"] < 0.05


def test_what_is_detected_is_what_is_measured(run):
  task, params = run
  images = list(task.splits.validation)
  values, outputs = task.evaluate_split(params, "validation")
  found = task.detect(params, images, threshold=1e-9)
  every = [
    Detected(
      np.array([task.classes.index(one.label) for one in some]),
      np.array([one.score for one in some]),
      Corners(*np.array([one.corners for one in some]).T),
    )
    for some in found
  ]
  true = [Truth(each.labels, each.corners) for each in images]
  rows = average_precision.precisions(every, true, 3, 0.5)
  expected = average_precision.average_precision(rows)[1]
  assert values["ap50"] == pytest.approx(expected, abs=1e-3)
  table = task.report(params, outputs, "validation").split("\n")
  assert [line.split()[0] for line in table[1:]] == task.classes
  counts = sum(int(line.split()[1]) for line in table[1:])
  assert counts == sum(len(each.labels) for each in images)


def test_images_of_any_size(run):
  task, params = run
  pixels = task.splits.test[0].image
  wide = np.array(Image.fromarray(pixels).resize((60, 20)))
  grey = wide[..., 0]
  first, second = task.detect(params, [wide, grey], threshold=1e-9)
  for found in first, second:
    assert len(found) == 6
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    for one in found:
      left, top, right, bottom = one.corners
      assert 0 <= left <= right <= 60
      assert 0 <= top <= bottom <= 20
  sure = task.detect(params, [wide], threshold=first[2].score)[0]
  assert sure == first[:3]
  assert task.detect(params, []) == []
  by_validation = task.detect(params, [wide], threshold=0)[0]
  threshold = task.threshold(params)
  assert by_validation == [o for o in first if o.score >= threshold]
  with pytest.raises(InputError, match="threshold is 1.5, expected 0 to 1"):
    task.detect(params, [wide], threshold=1.5)
  for wrong in wide / 255, wide[..., :2], wide[0, 0], wide[:0]:
    with pytest.raises(InputError, match="image 0 is .* expected uint8 .heigh"):
      task.detect(params, [wrong])


def test_a_line_for_each_object_and_a_picture(run, tmp_path):
  task, params = run
  for name in "a.png", "b.png":
    Image.fromarray(task.splits.test[0].image).save(tmp_path / name)
  picture = tmp_path / "out" / "found.png"
  lines = task.detect_mode(
    params, input=str(tmp_path), threshold=1e-9, picture=str(picture)
  ).split("\n")
  assert len(lines) == 12
  name, label, score, *edges = lines[0].split("\t")
  assert (name, len(edges)) == ("a.png", 4)
  assert label in task.classes
  assert 0 < float(score) < 1
  with Image.open(picture) as drawn:
    assert drawn.size[0] > 200
  # Nothing is found: the name alone.
  lines = task.detect_mode(params, input=str(tmp_path), threshold=1.0)
  assert lines == "a.png\nb.png"
  with pytest.raises(InputError, match="--input is empty, expected an image"):
    task.detect_mode(params)
  with pytest.raises(InputError, match=r"--picture is 'x.jpg', expected a FIL"):
    task.detect_mode(params, input=str(tmp_path), picture="x.jpg")


@pytest.fixture
def own(tmp_path):
  """A config of six images with 0 to 2 boxes each, not square."""
  images, annotations = [], []
  for i in range(6):
    Image.new("RGB", (40, 20), (40 * i, 0, 0)).save(tmp_path / f"{i}.png")
    images.append({"id": i, "file_name": f"{i}.png"})
    for k in range(i % 3):
      box = [10 * k, 5, 10, 10]
      annotations.append({"image_id": i, "category_id": 7, "bbox": box})
  found = {
    "images": images,
    "annotations": annotations,
    "categories": [{"id": 7, "name": "thing"}],
  }
  (tmp_path / "boxes.json").write_text(json.dumps(found))
  return {
    "data.images": str(tmp_path),
    "data.boxes": str(tmp_path / "boxes.json"),
    "data.validation": 0.34,
    "data.test": 0.0,
  }


def test_batches_of_own_images(own):
  task = base.create(base.resolve(small("detect", **own)))
  assert task.state() == {"classes": ["thing"]}
  assert [len(part) for part in task.splits] == [3, 3, 0]
  batch = next(task.train_batches())
  counts = np.array(batch.objects.counts)
  assert batch.weights.sum() == 3
  assert batch.images.shape == (8, SIDE, SIDE, 3)
  assert batch.objects.labels.shape == (8, 2)
  for row in np.flatnonzero(batch.weights):
    true = task.splits.train[batch.indices[row]]
    assert counts[row] == len(true.labels)
    sides = [side[row, : counts[row]] for side in batch.objects.boxes]
    x = np.arange(counts[row])
    expected = (10 * x + 5) / 40, 0.5 + 0 * x, 0.25 + 0 * x, 0.5 + 0 * x
    np.testing.assert_allclose(sides, expected, rtol=1e-6)
  # An absent row has no object and no image.
  assert not counts[batch.weights == 0].any()
  params = task.shapes
  loss = jax.eval_shape(
    lambda params: task.loss(params, batch, (), jax.random.key(0))[0], params
  )
  assert [part.shape for part in loss] == [(), ()]
  few = small("detect", **own, **{"model.num_queries": 1})
  with pytest.raises(InputError, match="num_queries is 1, expected at least 2"):
    base.create(base.resolve(few)).train_batches()
