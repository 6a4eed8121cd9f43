"""Features of sound; librosa: see tests/goldens/make_spectrogram.py."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_collections.config_dict import ConfigDict as Config

from seqjax.data.spectrogram import Features
from seqjax.errors import InputError

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "spectrogram.npz"
CASES = 9
# Small, so that a test compiles little.
SMALL = {"rate": 1_000, "window": 0.03, "hop": 0.01, "fft": 64, "mels": 5}
CAUSAL = {
  "none": {"normalise": "none"},
  "running": {"normalise": "running", "memory": 0.2},
  "slopes": {"normalise": "none", "deltas": 1, "delta_ahead": False},
  "all": {
    "normalise": "running",
    "memory": 0.2,
    "deltas": 2,
    "delta_ahead": False,
    "delta_frames": 3,
  },
}


@pytest.fixture(scope="module")
def goldens():
  with np.load(GOLDENS) as arrays:
    return dict(arrays)


def noise(count, seed=0, scale=0.3):
  return np.float32(scale * np.random.default_rng(seed).normal(size=count))


def of_golden(goldens, number, **more):
  options = json.loads(str(goldens[f"{number}/options"]))
  frame, step = options.pop("frame"), options.pop("step")
  return frame, Features(
    rate=16_000,
    window=frame / 16_000,
    hop=step / 16_000,
    normalise="none",
    **options,
    **more,
  )


@pytest.mark.parametrize("number", range(CASES))
def test_librosa_agrees(goldens, number):
  """Each scale with and without norm, magnitude and energy, centred or not."""
  frame, features = of_golden(goldens, number, log=False)
  samples, expected = goldens["samples"], goldens[f"{number}/energies"]
  if not features.centre:  # librosa's windows begin in the middle of its zeros
    samples = samples[(features.points - frame) // 2 :]
  found = features.of(samples)[: len(expected)]
  assert found.shape == expected.shape
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
  if number in (1, 7):
    _, logarithm = of_golden(goldens, number)
    np.testing.assert_allclose(
      logarithm.of(samples)[: len(expected)],
      np.log(np.maximum(expected, 1e-5)),
      atol=1e-4,
    )


def test_librosa_has_as_many_frames(goldens):
  centred = 0
  for number in range(CASES):
    frame, features = of_golden(goldens, number, log=False)
    count = len(goldens[f"{number}/energies"])
    if features.centre or frame == features.points:
      centred += 1
      assert features.count(len(goldens["samples"])) == count
      assert len(features.of(goldens["samples"])) == count
  assert centred >= 5


@pytest.mark.parametrize("width", [3, 9])
def test_librosa_agrees_on_slopes(goldens, width):
  _, features = of_golden(goldens, 1, deltas=1, delta_frames=width // 2)
  found = features.of(goldens["samples"])[:, features.mels :]
  np.testing.assert_allclose(found, goldens[f"1/slopes{width}"], atol=1e-4)


def test_the_definition():
  """Frame by frame, with a Fourier sum that is written out."""
  features = Features(**SMALL, normalise="none", taper="hamming", power=1.0)
  samples = noise(95)
  at, bins = np.arange(30), np.arange(33)
  wave = np.exp(-2j * np.pi * np.outer(bins, at) / 64)
  taper = 0.54 - 0.46 * np.cos(2 * np.pi * at / 30)
  edges = np.linspace(20, 500, 7)  # below 1 kHz a mel is 200 / 3 Hz
  expected = []
  for first in range(0, 95 - 29, 10):
    magnitude = np.abs(wave @ (taper * samples[first : first + 30]))
    row = []
    for m in range(5):
      left, middle, right = edges[m : m + 3]
      weights = np.interp(bins * 1_000 / 64, [left, middle, right], [0, 1, 0])
      row.append(np.log(weights @ magnitude * 2 / (right - left)))
    expected.append(row)
  found = features.of(samples)
  assert found.shape == (7, 5)
  np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_tone_is_in_its_filter():
  """Of 440 Hz at full scale, and ten times as loud is 20 dB more."""
  features = Features(normalise="none")
  tone = np.sin(2 * np.pi * 440 * np.arange(4_000) / 8_000)
  found = features.of(tone)
  # Slaney's mel of f is 3 f / 200 up to 1 kHz; the middles are a step apart.
  top = 15 + 27 * np.log(4) / np.log(6.4)
  step = (top - 0.3) / 41
  middles = 0.3 + step * np.arange(1, 41)
  assert (found.argmax(axis=1) == np.abs(middles - 6.6).argmin()).all()
  louder = features.of(10 * tone)[:, found[0].argmax()]
  np.testing.assert_allclose(
    louder - found.max(axis=1), 2 * np.log(10), atol=1e-4
  )


def test_count():
  for centre in (False, True):
    features = Features(**SMALL, centre=centre)
    lengths = np.arange(100)
    each = [features.count(int(length)) for length in lengths]
    np.testing.assert_array_equal(features.count(lengths), each)
    np.testing.assert_array_equal(features.count(jnp.array(lengths)), each)
    assert [len(features.of(np.zeros(n))) for n in (0, 29, 30, 95)] == [
      each[n] for n in (0, 29, 30, 95)
    ]
    expected = [0, 3, 4, 10] if centre else [0, 0, 1, 7]
    assert [each[n] for n in (0, 29, 30, 95)] == expected


@pytest.mark.parametrize(
  ("centre", "normalise"),
  [(False, "none"), (True, "utterance"), (False, "running")],
)
def test_rows_do_not_see_their_padding(centre, normalise):
  """A row in a batch is what it is alone; past its end are zeros."""
  features = Features(**SMALL, centre=centre, normalise=normalise, deltas=1)
  lengths = np.array([120, 0, 29, 30, 77], np.int32)
  rows = np.full((5, 120), np.nan, np.float32)
  for row, length in enumerate(lengths):
    rows[row, :length] = noise(length, row)
  found, frames = features(jnp.array(rows), jnp.array(lengths))
  np.testing.assert_array_equal(frames, features.count(lengths))
  assert found.shape == (5, features.count(120), features.size)
  assert features.size == 10
  for row, length in enumerate(lengths):
    alone = features.of(rows[row, :length])
    np.testing.assert_allclose(found[row, : frames[row]], alone, atol=1e-5)
    assert (found[row, frames[row] :] == 0).all()


def test_rows_shorter_than_a_window():
  features = Features(**SMALL)
  found, frames = features(jnp.ones((2, 20)), jnp.array([20, 7]))
  assert found.shape == (2, 0, 5)
  assert frames.tolist() == [0, 0]


def test_utterances_are_standardised():
  plain = Features(**SMALL, normalise="none")
  values = plain.of(noise(400))
  found = Features(**SMALL).of(noise(400))
  np.testing.assert_allclose(
    found, (values - values.mean(axis=0)) / values.std(axis=0), atol=1e-4
  )


def test_running_means():
  """Of all frames up to each one; with a memory, the old ones fade."""
  values = Features(**SMALL, normalise="none").of(noise(400))
  found = Features(**SMALL, normalise="running", memory=9.0).of(noise(400))
  variance = np.ones(5)
  for t in range(len(values)):
    seen = values[: t + 1]
    middle, before = seen.mean(axis=0), seen[:-1].sum(axis=0) / max(t, 1)
    spread = (values[t] - (before if t else middle)) * (values[t] - middle)
    variance += (spread - variance) / (t + 1 + 10)
    np.testing.assert_allclose(
      found[t], (values[t] - middle) / np.sqrt(variance), atol=1e-4
    )
  # From the end of a loud beginning on, the mean comes near the new level.
  samples = np.concatenate([noise(2_000), noise(4_000, 1, 0.01)])
  for memory, near in ((0.2, True), (60.0, False)):
    features = Features(**SMALL, normalise="running", memory=memory)
    assert (np.abs(features.of(samples)[-100:].mean()) < 0.3) == near


def test_slopes():
  """By least squares; of what does not look ahead, as many frames later."""
  values = Features(**SMALL, normalise="none").of(noise(300))
  ahead = Features(**SMALL, normalise="none", deltas=2, delta_frames=3)
  found = ahead.of(noise(300))
  np.testing.assert_array_equal(found[:, :5], values)
  for part in (0, 5):
    padded = np.pad(found[:, part : part + 5], ((3, 3), (0, 0)), "edge")
    for t in range(len(values)):
      line = np.polyfit(np.arange(7), padded[t : t + 7], 1)
      np.testing.assert_allclose(
        found[t, part + 5 : part + 10], line[0], atol=1e-5
      )
  behind = Features(
    **SMALL, normalise="none", deltas=1, delta_frames=3, delta_ahead=False
  )
  late = behind.of(noise(300))[:, 5:]
  # The end of a row is in sight of the other's last slopes.
  np.testing.assert_allclose(late[6:], found[3:-3, 5:10], atol=1e-6)


@pytest.mark.parametrize("kind", CAUSAL)
@settings(max_examples=25)
@given(st.lists(st.integers(0, 400), max_size=12))
def test_any_cut_of_a_stream(kind, cuts):
  """Gives the frames of the whole file, each as soon as it is complete."""
  features = Features(**SMALL, **CAUSAL[kind])
  samples = noise(1_203)
  whole, stream, place, found = features.of(samples), features.stream(), 0, []
  for size in [*cuts, 1_203]:
    found.append(stream.push(samples[place : place + size]))
    place = min(place + size, 1_203)
    assert stream.frames == features.count(place) == sum(map(len, found))
  found.append(stream.finish())
  found = np.concatenate(found)
  assert found.dtype == np.float32
  assert found.shape == whole.shape == (118, features.size)
  np.testing.assert_allclose(found, whole, rtol=0, atol=1e-6)


def test_a_stream_of_speech_features():
  """At the sizes that are used, and far below the loudest part of a frame."""
  features = Features(normalise="running", deltas=1, delta_ahead=False)
  samples = noise(8_000) * np.float32(np.geomspace(1, 1e-5, 8_000))
  samples[2_000:3_000] = 0
  whole = features.of(samples)
  for size in (1, 37, 640, 8_000):
    stream = features.stream()
    found = [stream.push(samples[i : i + size]) for i in range(0, 8_000, size)]
    np.testing.assert_allclose(np.concatenate(found), whole, rtol=0, atol=1e-6)


def test_what_is_to_come_changes_nothing():
  features = Features(**SMALL, **CAUSAL["all"])
  samples = noise(400)
  changed = np.concatenate([samples[:200], noise(200, 1)])
  before = features.count(200)
  a, b = features.of(samples), features.of(changed)
  np.testing.assert_array_equal(a[:before], b[:before])
  assert (np.abs(a[before:] - b[before:]) > 1e-3).any(axis=1).all()


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"normalise": "utterance"}, "^normalise='utterance' looks ahead"),
    ({"normalise": "none", "centre": True}, "^centre=True looks ahead"),
    ({"normalise": "none", "deltas": 1}, "^delta_ahead=True looks ahead"),
  ],
)
def test_what_looks_ahead_is_no_stream(options, message):
  with pytest.raises(ValueError, match=message):
    Features(**SMALL, **options).stream()


def test_a_finished_stream():
  stream = Features(**SMALL, normalise="none").stream()
  assert stream.push(np.zeros(29)).shape == (0, 5)
  assert stream.push(np.zeros(0)).shape == (0, 5)
  assert stream.finish().shape == (0, 5)
  with pytest.raises(ValueError, match="finished"):
    stream.push(np.zeros(1))


@pytest.mark.parametrize("normalise", ["none", "utterance", "running"])
def test_silence(normalise):
  """Is the floor, or 0 once that is taken off; then a click is finite."""
  features = Features(**SMALL, normalise=normalise)
  found = features.of(np.zeros(5_000))
  expected = np.log(1e-5) if normalise == "none" else 0
  np.testing.assert_allclose(found, expected, atol=1e-3)
  samples = np.zeros(5_000)
  samples[4_000] = 1
  assert np.isfinite(features.of(samples)).all()
  loud = features.of(1e6 * (samples - 0.5))
  assert np.isfinite(loud).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_none(value):
  features = Features(**SMALL, normalise="running")
  samples = np.array([0, value, 0], np.float32)
  with pytest.raises(InputError, match="no finite numbers, or beyond"):
    features.of(samples)
  stream = features.stream()
  with pytest.raises(InputError, match="no finite numbers, or beyond"):
    stream.push(samples)
  with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
    stream.push(np.zeros((2, 2)))


@pytest.mark.parametrize("normalise", ["utterance", "running"])
def test_what_hardly_changes_is_not_blown_up(normalise):
  """A hum whose loudness varies by a hundred-thousandth."""
  features = Features(**SMALL, normalise=normalise, memory=0.02)
  loud = 1 + 1e-5 * np.random.default_rng(0).normal(size=500)
  hum = np.sin(2 * np.pi * 100 * np.arange(5_000) / 1_000) * loud.repeat(10)
  found = features.of(hum)
  assert np.abs(found[-200:]).max() < 0.05
  plain = Features(**SMALL, normalise="none").of(hum)[-200:]
  assert (plain.std(axis=0) > 1e-6).any()


def test_gradients_are_finite():
  """In silence, and with rows of no length or less than a window."""
  features = Features(**SMALL)
  lengths = jnp.array([100, 100, 0, 7])
  rows = jnp.zeros((4, 100)).at[1].set(noise(100))

  def total(samples):
    return (features(samples, lengths)[0] ** 3).sum()

  found = np.asarray(jax.grad(total)(rows))
  assert np.isfinite(found).all()
  assert found[1].any()
  assert not found[2:].any()


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"scale": "bark"}, "scale is 'bark', expected one of slaney, htk"),
    ({"taper": "box"}, "taper is 'box', expected one of hann, hamming"),
    ({"normalise": "all"}, "normalise is 'all', expected one of utterance"),
    ({"deltas": 3}, "deltas is 3, expected one of 0, 1, 2"),
    ({"rate": 0}, "rate is 0, expected 1 to"),
    ({"power": 0.0}, "power is 0.0, expected more than 0"),
    ({"floor": float("nan")}, "floor is nan, expected more than 0"),
    ({"memory": -1.0}, "memory is -1.0, expected more than 0"),
    ({"hop": 0.0}, "hop is 0.0, expected a sample"),
    ({"hop": 0.03}, "hop is 0.03, expected a sample or more, at most"),
    ({"window": float("inf")}, "hop is 0.01, expected"),
    ({"window": 60.0}, "window is 60.0, expected at most 65,536 samples"),
    ({"fft": 100}, "fft is 100, expected the 200 samples"),
    ({"fft": 2**40}, "fft is 1099511627776, expected the 200 samples"),
    ({"low": 4_000.0}, "low is 4000.0, expected 0 <= low < high <= 4000"),
    ({"high": 4_001.0}, "low is 20.0, expected 0 <= low < high <= 4000"),
    ({"mels": 0}, "mels is 0, expected 1 to 128"),
    ({"mels": 129}, "mels is 129, expected 1 to 128"),
    (
      {"mels": 128, "scale": "htk"},
      "mels is 128, expected fewer or a longer fft, since filter 5 lies",
    ),
    ({"delta_frames": 0}, "delta_frames is 0, expected 1 to 100"),
  ],
)
def test_refused(options, message):
  with pytest.raises(InputError, match=message) as caught:
    Features(**options)
  assert str(caught.value).startswith("config.data.features.")
  assert "\n" not in str(caught.value)


def test_from_config():
  data = Config({"features": {"mels": 20, "deltas": 1, "rate": 16_000}})
  features = Features.from_config(data)
  assert features == Features(rate=16_000, mels=20, deltas=1)
  assert features.size == 40
  assert features.frame == 400
  assert Features.from_config(data, 11_025).rate == 11_025
  assert Features.from_config(Config()) == Features()
  assert hash(features) == hash(Features(rate=16_000, mels=20, deltas=1))
  with pytest.raises(InputError, match=r"features\.mel is unknown, expected"):
    Features.from_config(Config({"features": {"mel": 20}}))
