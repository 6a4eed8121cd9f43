import numpy as np
import pytest
from ml_collections.config_dict import ConfigDict

from seqjax.data import sound_augmentation
from seqjax.errors import InputError

NONE = {
  "speed": 0.0, "shift": 0.0, "noise": 0.0, "time_masks": 0, "time_mask": 0,
  "frequency_masks": 0, "frequency_mask": 0,
}  # fmt: skip


def options(**changes):
  return ConfigDict(NONE | changes)


def many(sound, count=200, rate=1_000, **changes):
  augment = sound_augmentation.augmentation(options(**changes))
  return augment([sound] * count, rate, np.random.default_rng(0))


def tone(count=1_000, hertz=50, rate=1_000):
  return np.float32(np.sin(2 * np.pi * hertz * np.arange(count) / rate))


def test_nothing_to_do():
  assert sound_augmentation.augmentation(options()) is None
  # Masks are not of sounds.
  assert sound_augmentation.augmentation(options(time_masks=2)) is None


def test_all_is_drawn_from_the_generator():
  augment = sound_augmentation.augmentation(
    options(speed=0.1, shift=0.1, noise=0.1)
  )
  sounds = [tone(), tone(500, 80)]
  kept = [sound.copy() for sound in sounds]
  a, b = (augment(sounds, 1_000, np.random.default_rng(3)) for _ in range(2))
  other = augment(sounds, 1_000, np.random.default_rng(4))
  for i in range(2):
    np.testing.assert_array_equal(a[i], b[i])
    assert a[i].dtype == np.float32
    assert not np.array_equal(a[i], other[i])
    np.testing.assert_array_equal(sounds[i], kept[i])


def test_speed():
  """As long as it should be, higher by as much, and no louder."""
  found = many(tone(), speed=0.1)
  lengths = np.array([len(sound) for sound in found])
  assert lengths.min() == 910  # 1,000 / 1.1
  assert lengths.max() == 1_112  # 1,000 / 0.9
  assert len(set(lengths)) > 30
  assert abs((1_000 / lengths).mean() - 1) < 0.02
  for sound in found[:20]:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**14))
    hertz = spectrum.argmax() * 1_000 / 2**14
    np.testing.assert_allclose(hertz, 50 * 1_000 / len(sound), atol=0.15)
    np.testing.assert_allclose(np.abs(sound[100:-100]).max(), 1, atol=0.03)


def test_what_is_too_high_does_not_come_back_low():
  """A tone that would be above half the rate, once it is faster, is lost."""
  sound = tone(4_000, 440)
  faster = sound_augmentation._faster(sound, 300)
  assert len(faster) == 2_667
  assert faster[200:-200].std() < 0.01 * sound.std()


def test_shift():
  """Silence before and behind, and nothing is cut off."""
  sound = np.ones(100, np.float32)
  found = many(sound, shift=0.05)
  before = np.array([each.argmax() for each in found])
  behind = np.array([each[::-1].argmax() for each in found])
  for each, first, last in zip(found, before, behind, strict=True):
    assert len(each) == 100 + first + last
    np.testing.assert_array_equal(each[first : len(each) - last], sound)
    assert each.sum() == 100
  for pauses in (before, behind):
    assert pauses.min() <= 3
    assert pauses.max() in (48, 49, 50)
  assert abs(np.corrcoef(before, behind)[0, 1]) < 0.3


def test_noise():
  """Relative to the sound: of silence there is none."""
  for scale in (1, 1e-3):
    found = many(np.float32(scale) * tone(), noise=0.2)
    shares = [(each / scale - tone()).std() / tone().std() for each in found]
    assert max(shares) < 0.21
    assert max(shares) > 0.18
    assert min(shares) < 0.01
  assert not any(each.any() for each in many(np.zeros(50), noise=0.2))


def test_empty_sounds():
  found = many(np.zeros(0), 3, speed=0.1, shift=0.01, noise=0.1)
  assert all(len(each) <= 20 and not each.any() for each in found)


def test_masks():
  """Whole frames and bands become the mean; widths are those that are said."""
  rng = np.random.default_rng(0)
  features = np.random.default_rng(1).normal(size=(100, 12)).astype(np.float32)
  kept, mean = features.copy(), features.mean(axis=0)
  data = options(time_masks=1, time_mask=7, frequency_masks=1, frequency_mask=3)
  frames, bands = [], []
  for _ in range(300):
    found = sound_augmentation.masked(features, data, rng)
    assert found.dtype == np.float32
    covered = found != features
    rows, columns = covered.all(axis=1), covered.all(axis=0)
    np.testing.assert_array_equal(covered, rows[:, None] | columns)
    expected = np.where(covered, mean, features)
    np.testing.assert_array_equal(found, expected)
    for places in (np.flatnonzero(rows), np.flatnonzero(columns)):
      assert (np.diff(places) == 1).all()
    frames.append(rows)
    bands.append(columns)
  np.testing.assert_array_equal(features, kept)
  assert set(np.sum(frames, axis=1)) == set(range(8))
  assert set(np.sum(bands, axis=1)) == set(range(4))
  # Anywhere, the ends included.
  assert np.any(frames, axis=0).all()
  assert np.any(bands, axis=0).all()


def test_masks_of_short_sounds():
  """A fifth of the frames at most, all of the bands at most."""
  data = options(
    time_masks=1, time_mask=50, frequency_masks=1, frequency_mask=50
  )
  rng = np.random.default_rng(0)
  features = np.arange(40.0).reshape(10, 4)
  covered = [
    (sound_augmentation.masked(features, data, rng) != features)
    for _ in range(100)
  ]
  assert max(each.all(axis=1).sum() for each in covered if not each.all()) == 2
  assert any(each.all() for each in covered)
  for shape in ((0, 4), (1, 4), (3, 1)):
    assert sound_augmentation.masked(np.ones(shape), data, rng).shape == shape


def test_masks_of_slopes():
  """The same bands are covered there."""
  data = options(frequency_masks=1, frequency_mask=2, features={"deltas": 2})
  features = np.random.default_rng(1).normal(size=(9, 15))
  seen = set()
  for seed in range(50):
    rng = np.random.default_rng(seed)
    covered = sound_augmentation.masked(features, data, rng) != features
    columns = covered.all(axis=0).reshape(3, 5)
    assert (columns == columns[0]).all()
    seen.add(columns.sum())
  assert seen == {0, 3, 6}


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("speed", -0.1, "speed is -0.1, expected >= 0"),
    ("speed", 0.6, "speed is 0.6, expected at most 0.5"),
    ("shift", 61.0, "shift is 61.0, expected at most 60"),
    ("noise", float("nan"), "noise is nan, expected >= 0"),
    ("noise", 1e9, "noise is 1000000000.0, expected at most 100"),
    ("time_masks", -1, "time_masks is -1, expected a whole number >= 0"),
    ("frequency_mask", -2, "frequency_mask is -2, expected a whole"),
  ],
)
def test_refused(field, value, message):
  with pytest.raises(InputError, match=rf"config\.data\.{message}"):
    sound_augmentation.augmentation(options(**{field: value}))
