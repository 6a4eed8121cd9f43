"""Sound in WAV files of any width, uncompressed.

Microsoft and IBM 1991, "Multimedia Programming Interface and Data
Specifications 1.0": a file is "RIFF", its size, "WAVE", then chunks, each a
name of 4 bytes, its size as a little-endian 32-bit integer, its content and a
byte of padding where the size is odd. "fmt " says what the samples of "data"
are, frame by frame, with a sample for each channel.

Sizes are what programs get wrong: one that writes into a pipe does not know
them yet, one that is stopped leaves more said than there is. Here the samples
that are there are read, and `Sound.notice` says so.
"""

import fractions
import pathlib
import struct
from typing import NamedTuple

import numpy as np

from seqjax.errors import InputError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_LARGEST_RATE = 1_000_000  # Hz; none that is true is above
_LOWEST_RATE = 1_000  # Hz that a sound is resampled to
_STRETCH = 16  # times as many samples as there were, at most
_DENOMINATOR = 10_000  # of rates as a fraction; 11,025 to 96,000 Hz are exact


class Sound(NamedTuple):
  """What a file holds.

  Attributes:
    samples: float32 `[n]`, -1 to 1; of a file of floats, what it holds.
    rate: samples a second.
    notice: one line about what was mended; "" if nothing was.
  """

  samples: np.ndarray
  rate: int
  notice: str = ""


class _Format(NamedTuple):
  tag: int
  channels: int
  rate: int
  width: int  # bytes of a sample


def read(path: str | pathlib.Path) -> Sound:
  """A WAV file of integers of 8 to 32 bits or of floats.

  Integers become shares of the largest that has a sign: 16 bits are divided by
  2^15. The mean of several channels is one.

  Raises:
    InputError: the file cannot be read, is no WAV file or a compressed one, or
      holds what is no number.
  """
  path = pathlib.Path(path)
  try:
    content = path.read_bytes()
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error})") from error
  return decode(str(path), content)


def decode(where: str, content: bytes) -> Sound:
  """As `read`, of what a file holds.

  Args:
    where: of the file, for messages.
    content: the bytes.

  Raises:
    InputError: as `read`.
  """
  if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
    raise InputError(f"{where}: no WAV file, which begins with RIFF and WAVE")
  head, first, said = _chunks(where, content)
  form = _format(where, head)
  there = min(said, len(content) - first)
  frame = form.channels * form.width
  frames = there // frame
  data = np.frombuffer(content, np.uint8, frames * frame, first)
  values = _values(data, form).reshape(frames, form.channels).mean(axis=1)
  with np.errstate(over="ignore"):
    samples = values.astype(np.float32)
  if not np.isfinite(samples).all():
    raise InputError(
      f"{where}: holds samples that are no finite numbers; write it again"
    )
  notice = ""
  if there < said or there % frame:
    notice = f"{where}: cut short, {frames:,} of {-(-said // frame):,} samples"
  return Sound(samples, form.rate, notice)


def write(path: str | pathlib.Path, samples: np.ndarray, rate: int) -> None:
  """A WAV file of 16 bits, each sample rounded to the nearest of 2^15 a side.

  What `read` found in a file of 16 bits is written as it was. The last half
  step below 1, which has no integer, becomes the largest one.

  Args:
    path: the file.
    samples: floats from -1 to 1, `[n]` or `[n, channels]`.
    rate: samples a second.

  Raises:
    ValueError: samples are not finite or outside of -1 to 1, or the file would
      be larger than its format allows.
  """
  samples = np.asarray(samples)
  if samples.ndim not in (1, 2) or samples.ndim == 2 and not samples.shape[1]:
    raise ValueError(
      f"samples have shape {samples.shape}, expected [n] or [n, channels]"
    )
  if not 1 <= rate <= _LARGEST_RATE:
    raise ValueError(f"rate is {rate}, expected 1 to {_LARGEST_RATE:,}")
  # A NaN is within no bounds.
  if not ((samples >= -1) & (samples <= 1)).all():
    raise ValueError("samples are outside of -1 to 1, or not finite")
  channels = samples.shape[1] if samples.ndim == 2 else 1
  rounded = np.rint(samples.astype(np.float64) * 2**15)
  data = np.minimum(rounded, 2**15 - 1).astype("<i2").tobytes()
  if len(data) > 2**32 - 64 or channels > 2**15 - 1:
    raise ValueError(
      f"samples have shape {samples.shape}, too large for a WAV file"
    )
  block = 2 * channels
  head = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
  head += struct.pack(
    "<4sIHHIIHH", b"fmt ", 16, _PCM, channels, rate, rate * block, block, 16
  )
  head += struct.pack("<4sI", b"data", len(data))
  pathlib.Path(path).write_bytes(head + data)


def resample(sound: Sound, rate: int) -> Sound:
  """The sound at another rate; its notice says from which.

  A polyphase filter takes off what the lower rate cannot hold. Peaks may come
  out a little higher than they were.

  Args:
    sound: at any rate.
    rate: samples a second, from now on.

  Raises:
    InputError: `rate` is none of sound, or the sound's own cannot be true.
  """
  if rate == sound.rate:
    return sound
  if not _LOWEST_RATE <= rate <= _LARGEST_RATE:
    raise InputError(
      f"the rate to resample to is {rate}, expected {_LOWEST_RATE:,} to"
      f" {_LARGEST_RATE:,}"
    )
  if rate > _STRETCH * sound.rate:  # a header may ask for gigabytes
    raise InputError(
      f"a sound of {sound.rate:,} samples a second cannot become one of"
      f" {rate:,}, expected {-(-rate // _STRETCH):,} or more; check its header"
    )
  from scipy import signal

  # A ratio of odd rates asks for a filter of millions; one nearby is as good.
  exact = fractions.Fraction(rate, sound.rate)
  ratio = exact.limit_denominator(_DENOMINATOR)
  samples = np.asarray(sound.samples, np.float32)
  if len(samples):
    samples = signal.resample_poly(samples, ratio.numerator, ratio.denominator)
  notice = f"resampled from {sound.rate:,} to {rate:,} samples a second"
  if sound.notice:
    notice = f"{sound.notice}; {notice}"
  return Sound(samples.astype(np.float32), rate, notice)


def _chunks(where: str, content: bytes) -> tuple[bytes, int, int]:
  """Content of "fmt ", where that of "data" begins, the size it says."""
  head, data, place = None, None, 12
  while place + 8 <= len(content) and (head is None or data is None):
    name, size = struct.unpack_from("<4sI", content, place)
    place += 8
    if name == b"fmt " and head is None:
      head = content[place : place + min(size, 40)]
    elif name == b"data" and data is None:
      data = place, size
    place += size + size % 2
  if head is None or data is None:
    missing = "fmt" if head is None else "data"
    raise InputError(f"{where}: a WAV file without a whole chunk {missing!r}")
  return head, *data


def _format(where: str, head: bytes) -> _Format:
  """What a "fmt " says; a tag above those of old stands in its last part."""
  if len(head) < 16:
    raise InputError(f"{where}: its chunk 'fmt' has {len(head)} of 16 bytes")
  tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", head)
  if tag == _EXTENSIBLE and len(head) >= 26:
    tag = struct.unpack_from("<H", head, 24)[0]
  if tag not in (_PCM, _FLOAT):
    raise InputError(
      f"{where}: is compressed (format {tag:#06x}); save it as PCM of 16 bits"
    )
  if not channels or not 1 <= rate <= _LARGEST_RATE:
    raise InputError(f"{where}: has {channels} channels and a rate of {rate}")
  width, rest = divmod(block, channels)
  widths = (1, 2, 3, 4) if tag == _PCM else (4, 8)
  if rest or width not in widths or not 1 <= bits <= 8 * width:
    raise InputError(
      f"{where}: has samples of {bits} bits in {block} bytes for {channels}"
      " channels; save it as PCM of 16 bits"
    )
  return _Format(tag, channels, rate, width)


def _values(data: np.ndarray, form: _Format) -> np.ndarray:
  """Bytes as floats: exact, but for floats of 64 bits what they are."""
  if form.tag == _FLOAT:
    return data.view(f"<f{form.width}").astype(np.float64)
  if form.width == 1:  # these alone have no sign
    return (data.astype(np.float64) - 2**7) / 2**7
  # Fewer bits than the bytes have are the upper ones; so are they here.
  wide = np.zeros((len(data) // form.width, 4), np.uint8)
  wide[:, 4 - form.width :] = data.reshape(-1, form.width)
  return wide.view("<i4")[:, 0] / 2**31
