r"""Sounds from WAV files: one, a folder of them, an archive; all at one rate.

Archives are those of `packed`. What is said of a sound stands in its file's
name, and a pattern tells where:

  config.data.pattern           a regular expression of a file's name without
                                folders and ending; its group `label` is what is
                                said; `speaker` and `clip`, a number, may be
                                there. FSDD's is the default of the experiments:
                                (?P<label>\d)_(?P<speaker>\w+)_(?P<clip>\d+)
  config.data.held_out          a speaker; all of theirs are the test part
  config.data.test_clips        or clips, "0-4" or "0-4,9": those are
  config.data.validation_clips  clips of the others that are set aside
"""

import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from seqjax.config import Config
from seqjax.data import packed, text, wav
from seqjax.data.examples import Splits
from seqjax.data.wav import Sound
from seqjax.errors import InputError

_ENDINGS = {".wav", ".wave"}
_MOST_IN_ALL = 2**31  # of all files in one
_LOWEST_RATE, _HIGHEST_RATE = 1_000, 200_000  # samples a second
_LONGEST = 14_400  # seconds of what is resampled


class Clip(NamedTuple):
  """A sound and what the name of its file tells."""

  sound: Sound
  label: str
  speaker: str = ""
  number: int | None = None  # of several of one label by one speaker
  name: str = ""


def check_rate(data: Config) -> None:
  """Raises InputError for a `config.data.rate` that no sound has."""
  rate = data.rate
  if not (isinstance(rate, int) and _LOWEST_RATE <= rate <= _HIGHEST_RATE):
    raise InputError(
      f"config.data.rate is {rate!r}, expected {_LOWEST_RATE:,} to"
      f" {_HIGHEST_RATE:,} samples a second"
    )


def read_all(
  path: str | pathlib.Path, rate: int = 0
) -> list[tuple[str, Sound]]:
  """The sounds and their names below the path, sorted by them.

  What was mended or resampled is said on standard error.

  Args:
    path: a WAV file, a folder or an archive of some, also in folders.
    rate: that all shall have, in samples a second; 0 is that of the first.

  Raises:
    InputError: there is no WAV file, or one of them is damaged.
  """
  path = pathlib.Path(path)
  found = list(_sounds(path))
  if not found:
    raise InputError(f"{path}: no WAV files in it, expected names in .wav")
  notices = [sound.notice for _, sound in found if sound.notice]
  if notices:
    more = f" ({len(notices) - 1} more like this)" if notices[1:] else ""
    print(f"{notices[0]}{more}", file=sys.stderr)
  rate = rate or found[0][1].rate
  if other := [sound.rate for _, sound in found if sound.rate != rate]:
    were = ", ".join(f"{r:,}" for r in sorted(set(other))[:3])
    print(
      f"{path}: {len(other)} of {len(found)} sound(s) of {were} samples a"
      f" second resampled to {rate:,}",
      file=sys.stderr,
    )
  return [
    (name, at_rate(sound, rate, f"{path}: {name}")) for name, sound in found
  ]


def read_named(path: str, rate: int) -> list[tuple[str, Sound]]:
  """As `read_all`, or of the paths that a text names, one a line.

  Args:
    path: as for `read_all`; or a text file of such paths, "-" is standard
      input.
    rate: that all shall have.
  """
  place = pathlib.Path(path)
  if path != text.STDIN and (os.path.isdir(path) or _is_sound(place)):
    return read_all(place, rate)
  found = []
  for number, line in enumerate(text.lines_of(path), 1):
    if not (line := line.strip()):
      continue
    if not os.path.exists(line):  # also False of what can be no name
      raise InputError(
        f"{path}:{number}: {text.shorten(line, 40)!r} does not exist, expected"
        " the path of a WAV file, a line each"
      )
    found += read_all(line, rate)
  return found


def at_rate(sound: Sound, rate: int, where: Any = "a sound") -> Sound:
  """The sound at another rate, if it has not that one.

  Raises:
    InputError: its rate is too low to be true.
  """
  if sound.rate == rate:
    return sound
  # A header that lies about its rate may ask for gigabytes.
  if sound.rate < _LOWEST_RATE or len(sound.samples) > _LONGEST * sound.rate:
    raise InputError(
      f"{where}: {len(sound.samples):,} samples at {sound.rate:,} a second,"
      f" expected {_LOWEST_RATE:,} or more and four hours at most; is its rate"
      " right?"
    )
  return wav.resample(sound, rate)


def stem(name: str) -> str:
  """A file's name without its folders and its ending."""
  return pathlib.PurePosixPath(name).stem


def labelled(
  found: Sequence[tuple[str, Sound]], pattern: str, path: Any
) -> list[Clip]:
  """Sounds with what `pattern` finds in their names.

  Files that it does not match are left out, which standard error says.

  Args:
    found: names and sounds, as `read_all` gives them.
    pattern: see above.
    path: what was read, for messages.

  Raises:
    InputError: this is no pattern, has no group `label`, or matches no name.
  """
  try:
    matcher = re.compile(pattern)
  except re.error as error:
    raise InputError(
      f"config.data.pattern is {pattern!r}, no regular expression ({error})"
    ) from error
  if "label" not in matcher.groupindex:
    raise InputError(
      f"config.data.pattern is {pattern!r}, expected a group (?P<label>...)"
    )
  clips, missed = [], []
  for name, sound in found:
    match = matcher.fullmatch(stem(name))
    said = match.groupdict() if match else {}
    if not said.get("label"):
      missed.append(name)
      continue
    number, speaker = said.get("clip") or "", said.get("speaker") or ""
    if number and not re.fullmatch(r"[0-9]{1,9}", number):
      raise InputError(
        f"{path}: {name}: the group 'clip' of config.data.pattern is"
        f" {number!r}, expected a number"
      )
    place = int(number) if number else None
    clips.append(Clip(sound, said["label"], speaker, place, name))
  if not clips:
    raise InputError(
      f"{path}: config.data.pattern is {pattern!r}, which matches no file's"
      f" name, such as {stem(missed[0])!r}"
    )
  if missed:
    print(
      f"{path}: {len(missed)} file(s) left out whose name config.data.pattern"
      f" does not match, such as {missed[0]}",
      file=sys.stderr,
    )
  return clips


def split(clips: Sequence[Clip], data: Config) -> Splits:
  """Parts by speaker or by number, as `config.data` asks; see above.

  Raises:
    InputError: there is no such speaker, or no numbers to choose by.
  """
  rest, test = list(clips), []
  if data.held_out:
    speakers = sorted({clip.speaker for clip in clips} - {""})
    if data.held_out not in speakers:
      raise InputError(
        f"config.data.held_out is {data.held_out!r}, expected one of"
        f" {', '.join(speakers) or 'some speakers, but there are none'}"
      )
    test = [clip for clip in rest if clip.speaker == data.held_out]
    rest = [clip for clip in rest if clip.speaker != data.held_out]
  elif data.test_clips:
    test, rest = _chosen("test_clips", data.test_clips, rest)
  validation: list[Clip] = []
  if data.validation_clips:
    chosen = data.validation_clips
    validation, rest = _chosen("validation_clips", chosen, rest)
  if not rest:
    raise InputError(
      f"config.data.test_clips is {data.test_clips!r} and"
      f" config.data.validation_clips is {data.validation_clips!r}, which leave"
      " no clips to train on"
    )
  return Splits(rest, validation, test)


def _chosen(
  field: str, said: str, clips: Iterable[Clip]
) -> tuple[list[Clip], list[Clip]]:
  """`(those that are meant, the others)`."""
  meant, inside, outside = _numbers(field, said), [], []
  for clip in clips:
    if clip.number is None:
      raise InputError(
        f"config.data.{field} is {said!r}, but config.data.pattern finds no"
        f" number in {stem(clip.name)!r}; give it a group (?P<clip>\\d+)"
      )
    (inside if meant(clip.number) else outside).append(clip)
  if not inside:
    raise InputError(
      f"config.data.{field} is {said!r}, which no clip has as its number"
    )
  return inside, outside


def _numbers(field: str, said: str) -> Callable[[int], bool]:
  """Whether a number is among those that a text means, "0-4,9"."""
  ends = []
  for part in str(said).split(","):
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?", part)
    if not match:
      raise InputError(
        f"config.data.{field} is {said!r}, expected numbers such as 0-4 or"
        " 0-4,9"
      )
    ends.append((int(match[1]), int(match[2] or match[1])))
  return lambda number: any(low <= number <= high for low, high in ends)


def _is_sound(path: pathlib.Path) -> bool:
  """Whether a file is, or ought to be, a WAV file or an archive."""
  if path.suffix.lower() in _ENDINGS:
    return True
  return _begin(path) == b"RIFF" or packed.is_archive(path)


def _begin(path: pathlib.Path) -> bytes:
  try:
    with path.open("rb") as file:
      return file.read(4)
  except (OSError, ValueError) as error:
    reason = getattr(error, "strerror", None) or str(error)
    shown = text.shorten(str(path), 200)
    raise InputError(f"{shown}: cannot be read ({reason})") from error


def _sounds(path: pathlib.Path) -> Iterator[tuple[str, Sound]]:
  """Sorted by name."""
  if not os.path.isfile(path) and not os.path.isdir(path):
    there = os.path.exists(path)
    what = "is no file or folder" if there else "does not exist"
    raise InputError(f"{path}: {what}, expected WAV files")
  if os.path.isfile(path) and (
    path.suffix.lower() in _ENDINGS or _begin(path) == b"RIFF"
  ):
    yield path.name, wav.read(path)
    return
  expected = "a WAV file, a folder or a whole archive of some"
  for name, content in packed.files(path, _ENDINGS, expected, _MOST_IN_ALL):
    yield name, wav.decode(f"{path}: {name}", content)
