import collections
import itertools

import numpy as np
import pytest

from seqjax.data import scenes
from seqjax.errors import InputError

SIZE = 64
MADE = scenes.generate(300, seed=0)


def centre(thing):
  """Of the box around an object: x, and y down the image."""
  down, right = np.nonzero(thing.mask)
  return (right.min() + right.max()) / 2, (down.min() + down.max()) / 2


def gap(first, second):
  """Pixels from one object to the other, brute force: 1 is to touch."""
  a, b = np.argwhere(first.mask), np.argwhere(second.mask)
  return np.abs(a[:, None] - b).max(-1).min()


def test_what_a_scene_holds():
  for scene in MADE:
    assert scene.image.shape == (SIZE, SIZE, 3)
    assert scene.image.dtype == np.uint8
    kinds = [thing[:3] for thing in scene.things]
    assert len(set(kinds)) == len(kinds)
    pairs = {(thing.colour, thing.shape) for thing in scene.things}
    assert scene.held_out == bool(pairs & scenes.HELD_OUT)
    for thing in scene.things:
      assert thing.mask.shape == (SIZE, SIZE)
      assert thing.mask.dtype == bool
  counts = collections.Counter(len(scene.things) for scene in MADE)
  assert set(counts) == {1, 2, 3, 4}
  assert min(counts.values()) > 300 / 4 * 0.7


def test_each_kind_occurs():
  kinds = {
    t[:3] for s in scenes.generate(400, seed=1, size=48) for t in s.things
  }
  assert kinds == set(
    itertools.product(scenes.SIZES, scenes.COLOURS, scenes.SHAPES)
  )
  assert len(kinds) == 60


def test_things_are_apart():
  for scene in MADE:
    for first, second in itertools.combinations(scene.things, 2):
      assert gap(first, second) > 2


def test_things_have_their_size():
  widths = collections.defaultdict(set)
  for scene in MADE:
    for thing in scene.things:
      for axis in 0, 1:
        widths[thing.size].add(int(thing.mask.any(axis).sum()))
  assert widths == {"small": {11, 12, 13}, "large": {19, 20, 21}}


def test_captions_are_true_and_clear():
  """Made again from the masks alone, and no close call in them."""
  for scene in MADE:
    places = [centre(thing) for thing in scene.things]
    phrases = [f"a {t.size} {t.colour} {t.shape}" for t in scene.things]
    words = phrases[:1]
    for (x, y), (to_x, to_y), phrase in zip(
      places, places[1:], phrases[1:], strict=False
    ):
      assert to_x - x >= 5
      assert abs(abs(to_x - x) - abs(to_y - y)) >= 5
      if to_x - x > abs(to_y - y):
        words.append("left of")
      else:
        words.append("above" if y < to_y else "below")
      words.append(phrase)
    assert scene.caption == " ".join(words)
  text = " ".join(scene.caption for scene in MADE)
  for relation in "left of", "above", "below":
    assert text.count(relation) > 50


def test_pixels_show_the_colour_under_the_mask():
  """The nearest colour, grey among them, tells what each pixel is of."""
  for scene in MADE:
    rest = ~np.any([thing.mask for thing in scene.things], axis=0)
    background = scene.image[rest].astype(float)
    grey = background.mean()
    assert background.std() < 10
    assert 55 < grey < 155
    colours = np.array([*scenes.COLOURS.values(), [grey] * 3])
    off = scene.image[:, :, None].astype(float) - colours
    nearest = np.square(off).sum(-1).argmin(-1)
    names = [*scenes.COLOURS]
    expected = np.full((SIZE, SIZE), len(names))
    for thing in scene.things:
      expected[thing.mask] = names.index(thing.colour)
    np.testing.assert_array_equal(nearest, expected)
  greys = [scene.image[0, 0].mean() for scene in MADE]
  assert np.std(greys) > 15


@pytest.mark.parametrize("size", [scenes.SMALLEST, 64, 100])
def test_shapes_differ(size):
  """Each pair of shapes of one width differs by a seventh of the box."""
  masks = collections.defaultdict(dict)
  for scene in scenes.generate(150, seed=0, size=size):
    for thing in scene.things:
      box = thing.mask[np.ix_(thing.mask.any(1), thing.mask.any(0))]
      before = masks[box.shape].setdefault(thing.shape, box)
      np.testing.assert_array_equal(box, before)
  for (height, width), of_shape in masks.items():
    assert height == width
    assert set(of_shape) == set(scenes.SHAPES)
    for first, second in itertools.combinations(of_shape.values(), 2):
      assert (first != second).mean() > 1 / 7


def test_colours_differ():
  colours = np.array([*scenes.COLOURS.values()], float)
  for first, second in itertools.combinations(colours, 2):
    assert np.linalg.norm(first - second) > 100


def test_a_seed_is_a_sequence():
  again = scenes.generate(10, seed=0)
  for first, second in zip(MADE, again, strict=False):
    assert first.caption == second.caption
    np.testing.assert_array_equal(first.image, second.image)
  other = scenes.generate(10, seed=1)
  assert [s.caption for s in other] != [s.caption for s in again]


def test_no_two_scenes_are_alike(monkeypatch):
  """Neither to the pixel nor but for noise and tint."""
  # One kind of thing alone has little more room than there are scenes.
  monkeypatch.setattr(scenes, "_KINDS", [("small", "red", "square")])
  monkeypatch.setattr(scenes, "MOST", 1)
  made = scenes.generate(500, seed=2, size=scenes.SMALLEST)
  assert len({scene.image.tobytes() for scene in made}) == len(made)
  places = {scene.things[0].mask.tobytes() for scene in made}
  assert len(places) == len(made)


def test_held_out():
  none = scenes.generate(200, seed=0, size=48, held_out=False)
  each = scenes.generate(200, seed=0, size=48, held_out=True)
  assert not any(scene.held_out for scene in none)
  assert all(scene.held_out for scene in each)
  assert 0 < sum(scene.held_out for scene in MADE) < len(MADE) / 2
  # As many objects in both: the number tells nothing of what is held out.
  for made in none, each:
    assert abs(np.mean([len(s.things) for s in made]) - 2.5) < 0.3
  seen = {(t.colour, t.shape) for s in none for t in s.things}
  pairs = set(itertools.product(scenes.COLOURS, scenes.SHAPES))
  assert seen == pairs - scenes.HELD_OUT
  assert len(scenes.HELD_OUT) == len(pairs) / 10
  assert {colour for colour, _ in seen} == set(scenes.COLOURS)
  assert {shape for _, shape in seen} == set(scenes.SHAPES)


def test_objects_at():
  for scene in MADE:
    words = scene.caption.split()
    found = scenes.objects_at(scene)
    assert len(found) == len(words)
    for word, index in zip(words, found, strict=True):
      if index is None:
        assert word not in {*scenes.COLOURS, *scenes.SHAPES}
      else:
        assert word in scene.things[index][1:3]
    named = [index for index in found if index is not None]
    assert named == sorted([*range(len(scene.things))] * 2)


def test_a_wrong_size_or_count():
  assert scenes.generate(0, seed=0) == []
  with pytest.raises(
    InputError, match="config.data.image_size is 47, expected 48"
  ):
    scenes.generate(1, seed=0, size=47)
  with pytest.raises(InputError, match="config.data.examples is -1"):
    scenes.generate(-1, seed=0)
