"""Images with captions: files to parts, arrays and back."""

import json

import numpy as np
import pytest
from PIL import Image

from seqjax.data import captions
from seqjax.data.captions import Encoder
from seqjax.errors import InputError
from tests.experiments import small

CAPTIONS = [
  ("a.jpg", "A dog's ball !"), ("a.jpg", "The ball of a dog ."),
  ("b.jpg", "Two cats sleep ."), ("b.jpg", "Cats ."), ("b.jpg", "Some cats"),
  ("c.jpg", "A red car"), ("lost.jpg", "Nobody sees this"),
]  # fmt: skip


def config(folder, **changes):
  made = small("caption").data
  made.captions = str(folder / "captions.txt")
  made.validation = made.test = 0.0
  made.update(changes)
  return made


@pytest.fixture
def folder(tmp_path):
  lines = [f"{name}\t{text}\n" for name, text in CAPTIONS]
  (tmp_path / "captions.txt").write_text("".join(lines))
  rng = np.random.default_rng(0)
  values = rng.normal(3, 5, (4, 9, 6)).astype(np.float32)
  values[..., 5] = 2.0  # says nothing
  names = np.array(["c.jpg", "b.jpg", "unnamed.jpg", "a.jpg"])
  np.savez(tmp_path / "grids.npz", features=values, names=names)
  images = tmp_path / "images"
  images.mkdir()
  for name in ("a.jpg", "b.jpg", "c.jpg"):
    pixels = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(images / name)
  return tmp_path


def test_grids_meet_their_captions(folder, capsys):
  data = config(folder, grids=str(folder / "grids.npz"))
  train, validation, test = captions.load(data, 0)
  assert [each.name for each in train] == ["a.jpg", "b.jpg", "c.jpg"]
  assert validation == test == []
  said = capsys.readouterr().err
  assert "1 captions of 1 image(s) that" in said
  assert "lost.jpg" in said
  assert "grids.npz: 1 image(s) have no caption" in said
  with np.load(folder / "grids.npz") as file:
    np.testing.assert_array_equal(train[0].inputs, file["features"][3])
  assert train[0].captions == ["a dogs ball", "the ball of a dog"]

  encoder = Encoder.fit(train, data, 0)
  again = Encoder(**json.loads(json.dumps(encoder.state)))
  grids = again.encode(train)
  flat = grids.reshape(-1, 6)
  np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-5)
  np.testing.assert_allclose(flat.std(axis=0)[:5], 1, rtol=1e-4)
  np.testing.assert_allclose(flat[:, 5], 0, atol=1e-6)
  for text in train[1].captions:
    ids = again.encode_caption(text)
    assert ids[-1] == again.tokens.stop
    assert again.decode(ids) == text


def test_a_grid_is_its_numbers_times_the_step(folder):
  data = config(folder, grids=str(folder / "grids.npz"))
  train = captions.load(data, 0).train
  encoder = Encoder.fit(train, data, 0)
  doubled = [e._replace(inputs=e.inputs / 2, step=2.0) for e in train]
  np.testing.assert_allclose(
    encoder.encode(doubled), encoder.encode(train), rtol=1e-4, atol=1e-5
  )


def test_images_of_a_folder(folder):
  data = config(folder, images=str(folder / "images"), image_size=8)
  train = captions.load(data, 0).train
  assert {each.inputs.shape for each in train} == {(8, 8, 3)}
  encoder = Encoder.fit(train, data, 0)
  assert encoder.encode(train).dtype == np.uint8
  (one,) = encoder.read(str(folder / "images" / "b.jpg"))
  np.testing.assert_array_equal(one.inputs, train[1].inputs)
  read = encoder.read(str(folder / "images"))
  assert [each.name for each in read] == ["a.jpg", "b.jpg", "c.jpg"]


def test_lists_part_the_images(folder):
  for part, names in (("train", "c.jpg\n"), ("test", "b.jpg\na.jpg\n")):
    (folder / f"{part}.txt").write_text(names)
  lists = {f"{p}_names": str(folder / f"{p}.txt") for p in ("train", "test")}
  data = config(folder, grids=str(folder / "grids.npz"), **lists)
  train, validation, test = captions.load(data, 0)
  assert [each.name for each in train] == ["c.jpg"]
  assert [each.name for each in test] == ["b.jpg", "a.jpg"]
  assert validation == []
  (folder / "train.txt").write_text("c.jpg\na.jpg\n")
  with pytest.raises(InputError, match=r"a\.jpg"):
    captions.load(data, 0)
  data.train_names = ""
  with pytest.raises(InputError, match="config.data.train_names is empty"):
    captions.load(data, 0)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"grids": "g.npz", "images": "i"}, "expected one of them"),
    ({"grids": "g.npz", "captions": ""}, "config.data.captions is empty"),
    ({"grids": "missing.npz"}, "missing.npz: there is no such file"),
    ({"images": "nowhere"}, "config.data.images is nowhere, expected"),
  ],
)
def test_what_is_refused(folder, changes, message):
  with pytest.raises(InputError, match=message):
    captions.load(config(folder, **changes), 0)


def test_captions_of_other_images_are_a_mistake(folder):
  (folder / "captions.txt").write_text("1\tA dog\n")
  data = config(folder, grids=str(folder / "grids.npz"))
  with pytest.raises(InputError, match="captions none of the 4 images") as told:
    captions.load(data, 0)
  assert "\n" not in str(told.value)
  (folder / "captions.txt").write_text("a.jpg\t...\n")
  with pytest.raises(InputError, match="has no word in it"):
    captions.load(data, 0)


def test_an_image_is_no_input_for_a_model_of_grids(folder):
  data = config(folder, grids=str(folder / "grids.npz"))
  encoder = Encoder.fit(captions.load(data, 0).train, data, 0)
  with pytest.raises(
    InputError, match=r"a\.jpg', expected a file .npz"
  ) as told:
    encoder.read(str(folder / "images" / "a.jpg"))
  assert "\n" not in str(told.value)
  with pytest.raises(InputError, match=r"images', expected a file .npz"):
    encoder.read(str(folder / "images"))
  assert len(encoder.read(str(folder / "grids.npz"))) == 4
  assert len(encoder.read(str(folder))) == 4
  other = np.zeros((1, 9, 5), np.float32)
  np.savez(folder / "other.npz", features=other, names=np.array(["a"]))
  with pytest.raises(InputError, match="regions have 5 features, expected 6"):
    encoder.read(str(folder / "other.npz"))


def scenes(**changes):
  data = small("caption").data
  data.update({"examples": 60, "held_out": 7, **changes})
  return data, captions.load(data, 0)


def test_what_training_never_shows_is_in_the_test_part_alone():
  _, parts = scenes()
  assert [sum(e.held_out for e in part) for part in parts] == [0, 0, 7]
  names = [each.name for part in parts for each in part]
  assert len(set(names)) == len(names) == 67
  assert [len(part) for part in parts] == [54, 3, 10]


def test_a_loader_brings_every_caption_of_training_once(folder):
  data = config(folder, grids=str(folder / "grids.npz"))
  train = captions.load(data, 0).train
  encoder = Encoder.fit(train, data, 0)
  loader = captions.training_loader(
    train, encoder, 2, max_length=0, num_buckets=2, seed=0
  )
  found = []
  for step in range(loader.steps_per_epoch):
    batch = loader[step]
    for row in np.flatnonzero(batch.weights):
      each = train[batch.indices[row]]
      ids = batch.target[row, 0, : batch.lengths[row, 0]]
      found.append((each.name, encoder.decode(ids)))
      (grid,) = encoder.encode([each])
      np.testing.assert_array_equal(batch.inputs[row], grid)
  wanted = [(each.name, text) for each in train for text in each.captions]
  assert sorted(found) == sorted(wanted)
  # Evaluation: an image a row, with all of its captions.
  (batch,) = captions.loader(train, encoder, 4).once()
  assert batch.target.shape == (4, 3, 6)
  assert batch.lengths.tolist() == [[4, 2, 3], [4, 0, 0], [4, 6, 0], [0] * 3]
  assert batch.weights.tolist() == [1, 1, 1, 0]


def test_captions_that_are_too_long_are_said(folder, capsys):
  data = config(folder, grids=str(folder / "grids.npz"))
  train = captions.load(data, 0).train
  encoder = Encoder.fit(train, data, 0)
  capsys.readouterr()
  how = {"num_buckets": 1, "seed": 0}
  captions.training_loader(train, encoder, 2, max_length=4, **how)
  assert "1 of 6 captions are longer" in capsys.readouterr().err
  with pytest.raises(InputError, match="leaves none of 6 captions"):
    captions.training_loader(train, encoder, 2, max_length=1, **how)
