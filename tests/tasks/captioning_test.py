"""Captioning: what a run makes of images, and what it is measured by."""

import jax
import numpy as np
import pytest
from PIL import Image

import seqjax
from seqjax.data import captions
from seqjax.data.captions import Captioned
from seqjax.data.scenes import Scene, Thing
from seqjax.errors import InputError
from seqjax.tasks import base, captioning_shown
from seqjax.tasks.captioning import Said
from seqjax.train import loop
from tests.experiments import small


def batch_of(task, split="test"):
  examples = getattr(task.splits, split)[:5]
  (batch,) = captions.loader(examples, task.encoder, 8).once()
  return batch


@pytest.fixture
def image(tmp_path):
  rng = np.random.default_rng(0)
  path = tmp_path / "dog.png"
  Image.fromarray(rng.integers(0, 256, (60, 90, 3)).astype(np.uint8)).save(path)
  return path


def grids_config(folder, cells=9, **changes):
  """A run on ready-made regions; returns its config."""
  rng = np.random.default_rng(0)
  names = [f"{i}.png" for i in range(20)]
  values = rng.integers(-99, 99, (20, cells, 5)).astype(np.float32)
  np.savez(folder / "grids.npz", features=values, names=np.array(names))
  words = ["dog", "cat", "ball", "runs", "sleeps"]
  lines = [
    f"{name}#{k}\tA {words[int(i)]} {words[int(j)]} .\n"
    for name in names
    for k, (i, j) in enumerate(rng.integers(0, 5, (3, 2)))
  ]
  (folder / "captions.txt").write_text("".join(lines))
  return small(
    "caption",
    **{
      "data.grids": str(folder / "grids.npz"),
      "data.captions": str(folder / "captions.txt"),
      "data.validation": 0.2,
      "data.test": 0.2,
      **changes,
    },
  )


def test_images_share_no_fate(trained):
  task, params = trained("caption")
  images = list(task.splits.test[:5])
  together = task.caption(params, images)
  assert together == [task.caption(params, [one])[0] for one in images]
  assert task.caption(params, images[::-1]) == together[::-1]
  assert task.caption(params, [one.inputs for one in images]) == together
  assert task.caption(params, []) == []
  several = task.caption(params, images, n_best=3)
  assert [one[0] for one in several] == together
  assert all(len(set(one)) == 3 for one in several)


def test_what_is_refused(trained):
  task, params = trained("caption")
  right = task.splits.test[0].inputs
  for wrong, told in (
    (np.zeros((9, 5), np.uint8), r"image 1 is uint8 \(9, 5\), expected uint8"),
    (np.zeros((64, 64, 3), np.uint8), r"\(64, 64, 3\), expected uint8 \(48,"),
    (right.astype(np.float32), r"image 1 is float32 \(48, 48, 3\), expected"),
    ("a.png", r"image 1 is <U5 \(\), expected uint8"),
  ):
    with pytest.raises(InputError, match=told):
      task.caption(params, [right, wrong])
  with pytest.raises(InputError, match="images is 'a.png', expected a list"):
    task.caption(params, "a.png")
  with pytest.raises(InputError, match="--n_best is 4, expected 1 to 3"):
    task.caption(params, [], n_best=4)
  with pytest.raises(InputError, match="--input is empty"):
    task.caption_mode(params)
  for field, value in (
    ("model.pool", "max"),
    ("decode.max_length", 0),
    ("decode.beam", 0),
    ("decode.min_length", 9),
    ("model.region_size", 0),
    ("model.strides", (4,)),
    ("data.format", "pairs"),
  ):
    with pytest.raises(InputError, match=f"config.{field}"):
      base.create(small("caption", **{field: value}))


def test_what_does_not_exist_is_no_hypothesis(tmp_path):
  changes = {"decode.max_length": 1, "decode.min_length": 0}
  run = seqjax.fit(small("caption", **changes), tmp_path)
  (found,) = run.task.search(run.params, run.task.splits.test[:1], n_best=3)
  assert [said.text for said in found] == [""]
  assert np.isfinite(found[0].score)


def test_photos_are_looked_for_before_training(tmp_path):
  config = small("caption", **{"showcase.photos": "/no"})
  with pytest.raises(InputError, match="config.showcase.photos is '/no'"):
    loop.train(config, tmp_path)


def test_the_mode_captions_an_image_or_a_folder(trained, image, tmp_path):
  task, params = trained("caption")
  picture = tmp_path / "new" / "looked.png"
  said = task.caption_mode(params, input=str(image), attention=str(picture))
  name, caption = said.split("\t")
  assert name == "dog.png"
  assert caption
  with Image.open(picture) as drawn:
    assert drawn.size[0] > 100
  assert task.caption_mode(params, input=str(image.parent)) == said
  lines = task.caption_mode(params, input=str(image), n_best=2).split("\n")
  assert [len(line.split("\t")) for line in lines] == [3, 3]
  assert lines[0].endswith(caption)
  with pytest.raises(InputError, match="--photos is 'x', expected none"):
    task.caption_mode(params, input=str(image), photos="x")
  with pytest.raises(InputError, match=r"--attention is 'x.jpg', expected"):
    task.caption_mode(params, input=str(image), attention="x.jpg")


def test_a_loss_of_several_captions_is_that_of_each(trained):
  task, params = trained("caption")
  one, two = batch_of(task), batch_of(task, "validation")
  rows = min(len(one.weights), len(two.weights))
  time = max(one.target.shape[-1], two.target.shape[-1])

  def wide(batch):
    pad = time - batch.target.shape[-1]
    return np.pad(batch.target, ((0, 0), (0, 0), (0, pad)))[:rows]

  both = one._replace(
    target=np.concatenate([wide(one), wide(two)], axis=1),
    lengths=np.concatenate([one.lengths, two.lengths], axis=1),
  )
  parts = [
    one,
    one._replace(target=wide(two), lengths=two.lengths),
  ]
  nats = lambda batch: np.array(task.evaluate(params, batch, ())[0]["loss"])
  np.testing.assert_allclose(
    nats(both), sum(nats(part) for part in parts), rtol=1e-5
  )


def test_absent_rows_do_not_count(trained):
  task, params = trained("caption")
  batch = batch_of(task)
  junk = jax.tree.map(np.copy, batch)
  absent = batch.weights == 0
  assert absent.any()
  junk.inputs[absent] = 77
  junk.target[absent] = 5
  junk.lengths[absent] = 3
  for one, other in zip(
    task.evaluate(params, batch, ())[0]["loss"],
    task.evaluate(params, junk, ())[0]["loss"],
    strict=True,
  ):
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_run_on_ready_made_regions(tmp_path, image):
  config = grids_config(tmp_path)
  photos = tmp_path / "photos"
  photos.mkdir()
  config.showcase.photos = str(photos)
  # One of them is there to be looked at.
  name = base.create(config).splits.test[1].name
  with Image.open(image) as photo:
    photo.save(photos / name)
  run = seqjax.fit(config, tmp_path / "run")
  assert not (tmp_path / "run" / "showcase" / "error.txt").exists()
  told = (tmp_path / "run" / "showcase" / "captions.txt").read_text()
  assert told.split("\n")[2] == name  # it comes first
  grids = str(tmp_path / "grids.npz")
  lines = run.task.caption_mode(run.params, input=grids).split("\n")
  assert len(lines) == 20
  picture = str(tmp_path / "looked.png")
  shown = run.task.caption_mode(
    run.params, input=grids, photos=str(photos), attention=picture
  )
  assert shown in lines
  with pytest.raises(InputError, match=r"dog.png', expected a file .npz"):
    run.task.caption_mode(run.params, input=str(image))
  values = run.evaluate()
  assert {"bleu_1", "bleu_4", "cider", "beam_bleu_4"} <= values.keys()
  assert not {"attention_in_mask", "held_out_exact"} & values.keys()
  report = run.task.report(run.params, [()], "test")
  assert "consensus of 12" in report


def test_regions_that_are_no_square_cannot_be_drawn(tmp_path):
  config = grids_config(tmp_path, cells=6)
  run = seqjax.fit(config, tmp_path / "run")
  assert not (tmp_path / "run" / "showcase" / "error.txt").exists()
  grids = str(tmp_path / "grids.npz")
  with pytest.raises(InputError, match="has 6 regions here, which are no sq"):
    run.task.caption_mode(run.params, input=grids, attention="a.png")


def test_photos_that_are_of_no_grid(tmp_path, image):
  config = grids_config(tmp_path)
  task = base.create(config)
  with pytest.raises(InputError, match="holds none of the 4 images"):
    captioning_shown.photos(
      task.splits.test, task.encoder, str(image.parent), "--photos"
    )


@pytest.mark.parametrize(
  "changes", [{"model.pool": "mean"}, {"model.attention": "none"}]
)
def test_without_attention_nothing_is_drawn(tmp_path, changes):
  config = grids_config(tmp_path, **changes)
  assert loop.train(config, tmp_path / "run") == 0
  task, params, _ = loop.load(tmp_path / "run")
  grids = str(tmp_path / "grids.npz")
  assert task.caption_mode(params, input=grids)
  with pytest.raises(InputError, match="this model does not attend"):
    task.caption_mode(params, input=grids, attention="a.png")
  showcase = tmp_path / "run" / "showcase"
  assert not list(showcase.glob("attention*"))
  assert not (showcase / "error.txt").exists()


def scene(words, cells, side=4):
  """A scene of one thing that covers some cells of a grid."""
  mask = np.zeros((side, side), bool)
  mask.reshape(-1)[cells] = True
  mask = mask.repeat(4, axis=0).repeat(4, axis=1)
  size, colour, shape = words
  caption = f"a {size} {colour} {shape}"
  image = np.zeros((16, 16, 3), np.uint8)
  made = Scene(image, caption, (Thing(size, colour, shape, mask),), False)
  return Captioned("s", image, [caption], scene=made)


def test_pointing_counts_words_of_a_thing():
  example = scene(("small", "red", "circle"), [5, 6])
  weights = np.full((5, 16), 0.01)
  weights[2, 5] = 0.9  # "red": inside
  weights[3, 0] = 0.9  # "circle": outside
  weights[0, 5] = weights[1, 5] = 0.9  # "a", "small": no such words
  words = ["a", "small", "red", "circle", "<stop>"]
  said = Said("a small red circle", 0.0, words, weights)
  found = captioning_shown.pointing([said], [example])
  assert found["attention_in_mask"] == found["attention_touches_mask"] == 0.5
  assert found["blind_in_mask"] == pytest.approx(2 / 16)
  assert found["centre_in_mask"] == 0  # that is cell 10
  # A corner of the region is a touch.
  corner = scene(("small", "red", "circle"), [15])
  corner.scene.things[0].mask[8, 8] = True
  weights[2], weights[3] = np.eye(16)[10], np.eye(16)[15]
  found = captioning_shown.pointing([said._replace(weights=weights)], [corner])
  assert found["attention_touches_mask"] == found["centre_touches_mask"] == 1
  assert found["attention_in_mask"] == 0.5
  assert found["centre_in_mask"] == 0
  assert found["blind_touches_mask"] == pytest.approx(2 / 16)
  weights[2], weights[3] = np.eye(16)[5], np.eye(16)[0]
  wrong = said._replace(words=["a", "small", "blue", "circle", "<stop>"])
  found = captioning_shown.pointing([wrong], [example])
  assert found["attention_in_mask"] == 0  # "blue" is not there: not counted
  assert captioning_shown.pointing([said], [example._replace(scene=None)]) == {}


def test_it_goes_on_bit_by_bit(tmp_path):
  changes = {
    "model.dropout": 0.3,
    "scheduled_sampling": 0.3,
    "optimizer.decay_steps": 4,
    "checkpoint_every": 1,
    "eval_every": 4,
  }
  found = []
  for name, stops in ("whole", (4,)), ("stopped", (3, 4)):
    for steps in stops:
      config = small("caption", **changes)
      config.steps = steps
      assert loop.train(config, tmp_path / name) == 0
    found.append(loop.load(tmp_path / name, "last")[1])
  jax.tree.map(np.testing.assert_array_equal, *found)


def test_images_get_captions_of_their_own(tmp_path):
  """The mistake of many: one caption for all that is."""
  config = small(
    "caption",
    **{
      "data.examples": 40,
      "data.held_out": 0,
      "data.validation": 0.2,
      "data.test": 0.0,
      "steps": 250,
      "eval_every": 250,
      "checkpoint_every": 250,
      "batch_size": 32,
      "model.hidden_size": 48,
      "model.embed_size": 32,
      "model.channels": (16,),
      "model.region_size": 32,
      "model.cell": "gru",
      "decode.max_length": 24,
      "optimizer.learning_rate": 1e-2,
      "optimizer.ema_decay": 0.0,
    },
  )
  run = seqjax.fit(config, tmp_path)
  examples = run.task.splits.train
  said = run.caption(examples)
  wanted = [each.captions[0] for each in examples]
  right = np.mean([a == b for a, b in zip(said, wanted, strict=True)])
  assert right > 0.8
  assert len(set(said)) > 25


def test_a_transformer_is_searched_and_looked_into(tmp_path):
  """Not trained; regions of another image in the batch change nothing."""
  config = grids_config(
    tmp_path,
    **{
      "model.decoder": "transformer(heads=2, feed_forward=8)",
      "model.bridge": "none",
      "model.deep_output": False,
    },
  )
  task = base.create(base.resolve(config))
  params = jax.jit(task.init)(jax.random.key(0))
  images = list(task.splits.test)
  assert task.caption(params, images)[1:2] == task.caption(params, images[1:2])
  task.showcase(params, tmp_path)
  assert (tmp_path / "attention_1.png").stat().st_size > 0
  ((said,),) = task.search(params, images[:1], looks=True)
  np.testing.assert_allclose(said.weights.sum(axis=1), 1, rtol=1e-5)
