import contextlib
import struct

import numpy as np
import pytest
from scipy.io import wavfile

from seqjax.data import wav
from seqjax.errors import InputError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def chunk(name, content, size=None):
  size = len(content) if size is None else size
  return struct.pack("<4sI", name, size) + content + b"\0" * (len(content) % 2)


def head(tag, bits, channels=1, rate=8_000, *, block=None, more=b""):
  block = channels * bits // 8 if block is None else block
  return chunk(
    b"fmt ",
    struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    + more,
  )


def riff(*chunks):
  content = b"WAVE" + b"".join(chunks)
  return struct.pack("<4sI", b"RIFF", len(content)) + content


# Bits and format: samples as bytes, and what they are.
WIDTHS = {
  "8": (PCM, 8, bytes([0, 64, 128, 255]), [-1, -0.5, 0, 127 / 128]),
  "16": (
    PCM,
    16,
    struct.pack("<4h", -(2**15), -1, 1, 2**15 - 1),
    [-1, -1 / 2**15, 1 / 2**15, 1 - 1 / 2**15],
  ),
  "24": (
    PCM,
    24,
    b"\x00\x00\x80" + b"\xff\xff\xff" + b"\x01\x00\x00" + b"\x00\x00\x40",
    [-1, -1 / 2**23, 1 / 2**23, 0.5],
  ),
  "32": (
    PCM,
    32,
    struct.pack("<3i", -(2**31), 2**30, -1),
    [-1, 0.5, -1 / 2**31],
  ),
  "float": (FLOAT, 32, struct.pack("<3f", -1, 0.25, 3), [-1, 0.25, 3]),
  "double": (FLOAT, 64, struct.pack("<3d", -1, 0.1, 0), [-1, 0.1, 0]),
}


@pytest.mark.parametrize("width", WIDTHS)
def test_each_width(width, write):
  tag, bits, data, expected = WIDTHS[width]
  path = write(riff(head(tag, bits), chunk(b"data", data)))
  found = wav.read(path)
  assert found.samples.dtype == np.float32
  np.testing.assert_array_equal(found.samples, np.float32(expected))
  assert (found.rate, found.notice) == (8_000, "")
  # As another reader sees it, which leaves integers as they are.
  rate, other = wavfile.read(path)
  assert rate == found.rate
  if other.dtype.kind != "f":
    zero, scale = (
      (128, 2**7) if bits == 8 else (0, 2 ** min(8 * other.itemsize - 1, 31))
    )
    other = (other.astype(float) - zero) / scale
  np.testing.assert_array_equal(found.samples, other.astype(np.float32))


def test_fewer_bits_than_bytes(write):
  """12 bits are the upper ones of 16, 20 those of 24."""
  data = struct.pack("<2h", -(2**15), 2**4)
  found = wav.read(write(riff(head(PCM, 12, block=2), chunk(b"data", data))))
  np.testing.assert_array_equal(found.samples, [-1, 1 / 2**11])
  found = wav.read(
    write(riff(head(PCM, 20, block=3), chunk(b"data", b"\x10\0\0")))
  )
  np.testing.assert_array_equal(found.samples, [1 / 2**19])


def test_channels_are_averaged(write):
  data = struct.pack("<6h", 2**14, 0, 3, 4, -(2**15), -(2**15))
  path = write(riff(head(PCM, 16, 2), chunk(b"data", data)))
  np.testing.assert_array_equal(
    wav.read(path).samples, np.float32([0.25, 3.5 / 2**15, -1])
  )


def test_extensible_and_other_chunks(write):
  more = struct.pack("<HHIH", 22, 16, 4, PCM) + bytes(14)
  data = struct.pack("<2h", 2**14, -(2**14))
  path = write(
    riff(
      chunk(b"LIST", b"odd"),
      head(EXTENSIBLE, 16, more=more),
      chunk(b"fact", bytes(4)),
      chunk(b"data", data),
      chunk(b"LIST", b"behind"),
    )
    + b"end"
  )
  assert wav.read(path).samples.tolist() == [0.5, -0.5]
  assert wav.read(path).notice == ""


@pytest.mark.parametrize("said", [6, 2**31 - 1, 2**32 - 1])
def test_less_than_is_said_is_read(said, write):
  """5 bytes of samples of 2."""
  data = struct.pack("<2h", 2**14, -(2**14)) + b"\x01"
  path = write(riff(head(PCM, 16), chunk(b"data", data, said))[:-1])
  found = wav.read(path)
  assert found.samples.tolist() == [0.5, -0.5]
  assert found.notice == f"{path}: cut short, 2 of {(said + 1) // 2:,} samples"


def test_every_prefix_of_a_file(write):
  """Is read with a notice, or refused in one line."""
  data = struct.pack("<6h", *range(6))
  whole = riff(head(PCM, 16, 2), chunk(b"data", data))
  for cut in range(len(whole)):
    path = write(whole[:cut])
    if cut < len(whole) - len(data):
      with pytest.raises(InputError, match=r"file: ") as caught:
        wav.read(path)
      assert "\n" not in str(caught.value)
    else:
      found = wav.read(path)
      assert len(found.samples) == (cut - len(whole) + len(data)) // 4
      assert "cut short" in found.notice
  assert wav.read(write(whole)).notice == ""


def test_any_byte_wrong(write):
  """No other exception, no warning, nothing of a size that is only said."""
  whole = riff(head(PCM, 16, 2), chunk(b"data", bytes(12)))
  for place in range(len(whole)):
    for value in (0, 1, 0x7F, 0xFF):
      path = write(whole[:place] + bytes([value]) + whole[place + 1 :])
      with contextlib.suppress(InputError):
        assert len(wav.read(path).samples) <= 12


REFUSED = {
  "empty": (b"", "no WAV file"),
  "other": (b"ID3\x03" + bytes(60), "no WAV file"),
  "avi": (b"RIFF\0\0\0\0AVI " + bytes(60), "no WAV file"),
  "no head": (riff(chunk(b"data", bytes(4))), "without a whole chunk 'fmt'"),
  "no data": (riff(head(PCM, 16)), "without a whole chunk 'data'"),
  "short head": (
    riff(chunk(b"fmt ", bytes(14)), chunk(b"data", b"")),
    "has 14 of 16 bytes",
  ),
  "mp3": (
    riff(head(0x55, 16), chunk(b"data", b"")),
    r"compressed \(format 0x0",
  ),
  "ulaw": (riff(head(7, 8), chunk(b"data", b"")), r"compressed \(format 0x000"),
  "extensible": (
    riff(head(EXTENSIBLE, 16), chunk(b"data", b"")),
    r"compressed \(format 0xfffe\)",
  ),
  "no channel": (riff(head(PCM, 16, 0), chunk(b"data", b"")), "has 0 channels"),
  "no rate": (riff(head(PCM, 16, 1, 0), chunk(b"data", b"")), "a rate of 0"),
  "fast": (
    riff(head(PCM, 16, 1, 10**9), chunk(b"data", b"")),
    "a rate of 1000000000",
  ),
  "no block": (
    riff(head(PCM, 16, block=0), chunk(b"data", b"")),
    "samples of 16 bits in 0 bytes for 1 channels",
  ),
  "64 bits": (riff(head(PCM, 64), chunk(b"data", b"")), "samples of 64 bits"),
  "too many bits": (
    riff(head(PCM, 24, block=2), chunk(b"data", b"")),
    "samples of 24 bits in 2 bytes",
  ),
  "nan": (
    riff(head(FLOAT, 32), chunk(b"data", struct.pack("<f", float("nan")))),
    "no finite numbers",
  ),
  "huge": (
    riff(head(FLOAT, 64), chunk(b"data", struct.pack("<d", 1e300))),
    "no finite numbers",
  ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, write):
  content, message = REFUSED[name]
  with pytest.raises(InputError, match=message) as caught:
    wav.read(write(content, "a.wav"))
  assert "a.wav: " in str(caught.value)
  assert "\n" not in str(caught.value)


def test_no_file(tmp_path):
  for path in (tmp_path, tmp_path / "none.wav"):
    with pytest.raises(InputError, match="cannot be read"):
      wav.read(path)


def test_write_is_read_by_another(tmp_path):
  path = tmp_path / "a.wav"
  samples = np.array([0, 0.25, -1, 1, 1.4 / 2**15, -1.6 / 2**15], np.float32)
  wav.write(path, samples, 22_050)
  rate, found = wavfile.read(path)
  assert (rate, found.dtype) == (22_050, np.int16)
  assert found.tolist() == [0, 2**13, -(2**15), 2**15 - 1, 1, -2]
  wav.write(path, np.stack([samples, -samples], 1), 22_050)
  _, found = wavfile.read(path)
  assert found[:4].T.tolist() == [
    [0, 2**13, -(2**15), 2**15 - 1],
    [0, -(2**13), 2**15 - 1, -(2**15)],
  ]
  wav.write(path, np.zeros(0), 8_000)
  assert wav.read(path).samples.shape == (0,)


def test_all_integers_are_written_as_they_were_read(tmp_path, write):
  every = np.arange(-(2**15), 2**15).astype("<i2").tobytes()
  path = write(riff(head(PCM, 16), chunk(b"data", every)))
  wav.write(tmp_path / "b.wav", wav.read(path).samples, 8_000)
  assert (tmp_path / "b.wav").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
  ("samples", "message"),
  [
    ([1.0001], "outside of -1 to 1"),
    ([-1.0001], "outside of -1 to 1"),
    ([np.nan], "not finite"),
    ([np.inf], "not finite"),
    (0.5, r"shape \(\), expected"),
    (np.zeros((2, 0)), r"shape \(2, 0\), expected"),
    (np.zeros((1, 2, 3)), r"shape \(1, 2, 3\), expected"),
  ],
)
def test_write_refuses(samples, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    wav.write(tmp_path / "a.wav", np.asarray(samples), 8_000)
  assert not (tmp_path / "a.wav").exists()


@pytest.mark.parametrize("rate", [0, -1, 10**7])
def test_write_refuses_a_rate(rate, tmp_path):
  with pytest.raises(ValueError, match=f"rate is {rate}, expected 1"):
    wav.write(tmp_path / "a.wav", np.zeros(3), rate)


def tone(hertz, rate, seconds=1):
  return np.float32(
    0.5 * np.sin(2 * np.pi * hertz * np.arange(rate * seconds) / rate)
  )


@pytest.mark.parametrize(
  ("rate", "new"),
  [
    (44_100, 8_000),
    (22_050, 8_000),
    (8_000, 16_000),
    (11_025, 8_000),
    (48_000, 16_000),
    (7_919, 8_000),  # a prime
  ],
)
def test_resampled(rate, new):
  """A tone is that tone, but at the ends, and what is too high is gone."""
  low = wav.Sound(tone(440, rate), rate)
  found = wav.resample(low, new)
  assert (found.rate, len(found.samples)) == (new, new)
  assert found.samples.dtype == np.float32
  np.testing.assert_allclose(
    found.samples[200:-200], tone(440, new)[200:-200], atol=2e-3
  )
  assert found.notice == f"resampled from {rate:,} to {new:,} samples a second"
  if rate > 1.5 * new:
    high = wav.resample(wav.Sound(tone(0.49 * rate, rate), rate), new)
    assert np.abs(high.samples[200:-200]).max() < 2e-3


def test_resampled_to_its_own_rate():
  sound = wav.Sound(tone(440, 8_000), 8_000, "cut short")
  assert wav.resample(sound, 8_000) is sound
  assert wav.resample(sound, 4_000).notice == (
    "cut short; resampled from 8,000 to 4,000 samples a second"
  )
  empty = wav.resample(wav.Sound(np.zeros(0, np.float32), 44_100), 8_000)
  assert (empty.samples.shape, empty.rate) == ((0,), 8_000)


def test_rates_that_lie():
  """Neither gigabytes of samples nor a filter of millions."""
  sound = wav.Sound(np.zeros(1_000_000, np.float32), 1)
  with pytest.raises(InputError, match="a sound of 1 samples a second cannot"):
    wav.resample(sound, 8_000)
  for rate in (503, 999_983):
    short = wav.Sound(np.zeros(999, np.float32), rate)
    assert len(wav.resample(short, 8_000).samples) == -(-999 * 8_000 // rate)
  for rate in (0, -1, 999, 10**7):
    with pytest.raises(InputError, match=f"is {rate}, expected 1,000 to"):
      wav.resample(sound, rate)
