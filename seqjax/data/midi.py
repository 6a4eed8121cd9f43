"""Standard MIDI files, by mido.

The MIDI Association 1996, "Standard MIDI Files 1.0". A file of format 0 has one
track, one of format 1 several that sound together, one of format 2 several
pieces, played here one after the other. Times are in ticks: parts of a quarter
note, or, where a file counts frames of film, of a second; then a quarter note
lasts half a second.
"""

import functools
import io
import math
import pathlib
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from seqjax import errors
from seqjax.data.notes import PITCHES, Note, Score, in_order
from seqjax.errors import InputError

_LARGEST = 2 * 2**20  # bytes; a concert of two hours has fewer
_DRUMS, _PEDAL = 9, 64  # a channel, counted from 0; a controller
_LATEST = 2**28 - 1  # ticks between two events, at most: four bytes of 7 bits
_TICKS = 480  # of a quarter note, at least
_MOST_TICKS = 2**15 - 1
_SMOOTH = 30_240  # 2^5 3^3 5 7: where nothing is exact, most things are
_DEFAULT = 500_000  # microseconds of a quarter note
_MINUTE = 60_000_000


class Counts(NamedTuple):
  """What was mended or left out, in notes; the last one, in tempi.

  Attributes:
    drums: on channel 10, left out.
    endless: never ended; they end with their track.
    restruck: ended by the next one of their pitch, not by an end of their own.
    empty: without length, left out.
    stopped: tempi of 0, left out.
  """

  drums: int = 0
  endless: int = 0
  restruck: int = 0
  empty: int = 0
  stopped: int = 0


class Reading(NamedTuple):
  """The score of a file, and what was not read as it stands."""

  score: Score
  counts: Counts


class _Event(NamedTuple):
  tick: int
  track: int
  message: Any


def read(path: str | pathlib.Path, *, pedal: bool = True) -> Reading:
  """The notes of a MIDI file.

  A voice is a channel of a track; those with notes are numbered from 0, track
  by track. A pitch that is struck again while it sounds ends there.

  Args:
    path: the file.
    pedal: whether the sustain pedal lengthens notes, up to its release or until
      the same pitch is struck again.

  Raises:
    InputError: the file cannot be read, or is no MIDI file or a damaged one.
  """
  path = pathlib.Path(path)
  file = _parsed(path)
  if file.type not in (0, 1, 2):
    raise InputError(f"{path}: has format {file.type}, expected 0, 1 or 2")
  quarter = _quarter(path, file.ticks_per_beat)
  tracks = [
    list(_events(path, index, track)) for index, track in enumerate(file.tracks)
  ]
  together = [[each] for each in tracks] if file.type == 2 else [tracks]
  counts, found, tempi, begins = dict.fromkeys(Counts._fields, 0), [], {}, 0
  for part in together:
    # Those of one tick in the order of the tracks.
    events = sorted((e for each in part for e in each), key=lambda e: e.tick)
    lasts = {e.track: e.tick for e in events}
    found += [
      (begins + start, length, pitch, velocity, key)
      for start, length, pitch, velocity, key in _sounding(
        events, lasts, pedal, counts
      )
    ]
    tempi |= _tempi(events, begins, counts)
    begins += max(lasts.values(), default=0)
  unit = 1 / quarter
  voices = {key: i for i, key in enumerate(sorted({each[4] for each in found}))}
  played = [
    Note(unit * start, unit * length, pitch, velocity, voices[key])
    for start, length, pitch, velocity, key in found
  ]
  if file.ticks_per_beat < 0:  # a tick lasts as long at any tempo
    tempi = {0: _DEFAULT}
  speeds = tuple((unit * tick, _MINUTE / each) for tick, each in tempi.items())
  return Reading(Score(in_order(played), speeds), Counts(**counts))


def write(path: str | pathlib.Path, score: Score) -> None:
  """A MIDI file of format 1: a track of tempi, and one for each voice.

  Ticks are such that all times are exact where a file can have as many; else
  times are rounded to 1/30240 of a quarter note. Tempi are rounded to
  microseconds a quarter note. What of a voice overlaps in one pitch, which a
  file cannot tell apart, ends where the next begins.

  Raises:
    InputError: a pitch, a velocity, a time or a tempo is one that a MIDI file
      cannot hold.
  """
  path = pathlib.Path(path)
  with errors.extra():
    import mido
  ticks = _ticks(score)
  file = mido.MidiFile(type=1, ticks_per_beat=ticks)
  tempi = [
    (_tick(start, ticks), mido.MetaMessage("set_tempo", tempo=_micro(tempo)))
    for start, tempo in score.tempi
  ]
  file.tracks.append(_track(tempi))
  voices = sorted({note.voice for note in score.notes})
  free = [channel for channel in range(16) if channel != _DRUMS]
  for index, voice in enumerate(voices):
    channel = free[index % len(free)]
    mine = [note for note in score.notes if note.voice == voice]
    events = []
    for start, end, note in _apart(mine, ticks):
      of = functools.partial(mido.Message, channel=channel, note=note.pitch)
      events.append((end, of("note_off")))
      events.append((start, of("note_on", velocity=note.velocity)))
    # Of one tick, the end of a pitch comes before its next start.
    file.tracks.append(_track(sorted(events, key=lambda event: event[0])))
  content = io.BytesIO()
  file.save(file=content)
  path.write_bytes(content.getvalue())


def _parsed(path: pathlib.Path):
  """A `mido.MidiFile`; whatever it raises becomes one line."""
  with errors.extra():
    import mido
  try:
    if path.stat().st_size > _LARGEST:
      raise InputError(
        f"{path}: has more than {_LARGEST:,} bytes, which no tune has"
      )
    content = path.read_bytes()
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error})") from error
  # A time is a number of any length to mido, longer with each such byte.
  if re.search(rb"[\x80-\xff]{4096}", content):
    raise InputError(f"{path}: is damaged, a number in it has no end")
  _know_all()
  try:
    return mido.MidiFile(file=io.BytesIO(content))
  except Exception as error:  # mido has no class of its own for them
    reason = " ".join(str(error).split()) or "it ends too early"
    raise InputError(
      f"{path}: no MIDI file, or a damaged one ({reason})"
    ) from error


@functools.cache
def _know_all() -> None:
  """Has mido read meta events it does not know: it would lose their time."""
  from mido.midifiles import meta

  def decode(self, message, data):
    message.data = tuple(data)

  for byte in range(256):
    if byte not in meta._META_SPECS:
      fields = {
        "type_byte": byte,
        "type": f"unknown_{byte}",
        "attributes": ["data"],
        "defaults": [()],
        "decode": decode,
        "encode": lambda self, message: list(message.data),
      }
      meta.add_meta_spec(type("Spec", (meta.MetaSpec,), fields))


def _quarter(path: pathlib.Path, division: int) -> Fraction:
  """Ticks of a quarter note; of half a second in a file that counts frames."""
  if division > 0:
    return Fraction(division)
  frames, ticks = 256 - (division & 0xFFFF) // 256, division % 256
  if division == 0 or frames not in (24, 25, 29, 30) or not ticks:
    raise InputError(
      f"{path}: its division is {division & 0xFFFF:#06x}, neither ticks of a"
      " quarter note nor of a frame"
    )
  # 29 stands for the 29.97 of colour television.
  rate = Fraction(30_000, 1_001) if frames == 29 else Fraction(frames)
  return rate * ticks / 2


def _events(path: pathlib.Path, index: int, track) -> Iterator[_Event]:
  """A track's messages at their ticks, up to its end."""
  tick = 0
  for message in track:
    if message.time > _LATEST:
      raise InputError(
        f"{path}: is damaged, a time in it is longer than a file can say"
      )
    tick += message.time
    yield _Event(tick, index, message)
    if message.type == "end_of_track":
      return


def _sounding(
  events: list[_Event],
  lasts: dict[int, int],
  pedal: bool,
  counts: dict[str, int],
) -> list[tuple[int, int, int, int, tuple[int, int]]]:
  """Notes as (start, length, pitch, velocity, voice), times in ticks.

  Args:
    events: in the order in which they happen.
    lasts: the last tick of each track.
    pedal: see `read`.
    counts: what is left out is added to them.
  """
  found = []
  struck: dict[tuple[int, int, int], tuple[int, int]] = {}
  held: set[tuple[int, int, int]] = set()  # by the pedal alone
  down: set[int] = set()  # channels

  def finish(key, tick):
    start, velocity = struck.pop(key)
    held.discard(key)
    track, channel, pitch = key
    if tick > start:
      found.append((start, tick - start, pitch, velocity, (track, channel)))
    else:
      counts["empty"] += 1

  for tick, track, message in events:
    if message.type == "control_change" and message.control == _PEDAL:
      if pedal and message.value >= 64:
        down.add(message.channel)
      else:
        down.discard(message.channel)
        for key in [key for key in held if key[1] == message.channel]:
          finish(key, tick)
    if message.type not in ("note_on", "note_off"):
      continue
    key = track, message.channel, message.note
    on = message.type == "note_on" and message.velocity > 0
    if message.channel == _DRUMS:
      counts["drums"] += on
    elif on:
      if key in struck:
        counts["restruck"] += key not in held
        finish(key, tick)
      struck[key] = tick, message.velocity
    elif key in struck and message.channel in down:
      held.add(key)
    elif key in struck:
      finish(key, tick)
  for key in list(struck):
    counts["endless"] += key not in held
    finish(key, lasts[key[0]])
  return found


def _tempi(
  events: list[_Event], begins: int, counts: dict[str, int]
) -> dict[int, int]:
  """Tick to microseconds of a quarter note, where it changes."""
  found = {0: _DEFAULT}
  for tick, _, message in events:
    if message.type == "set_tempo":
      if message.tempo:
        found[tick] = message.tempo
      else:
        counts["stopped"] += 1
  return {begins + tick: tempo for tick, tempo in found.items()}


def _ticks(score: Score) -> int:
  """Ticks of a quarter note that are exact for all times, if there are."""
  times = {start for start, _ in score.tempi}
  times |= {note.start for note in score.notes}
  times |= {note.start + note.length for note in score.notes}
  needed = 1
  for time in times:
    needed = math.lcm(needed, time.denominator)
    if needed > _MOST_TICKS:
      return _SMOOTH
  finer = needed * -(-_TICKS // needed)
  return finer if finer <= _MOST_TICKS else needed


def _tick(time: Fraction, ticks: int) -> int:
  if time < 0:
    raise InputError(f"a tune has a time of {time}, expected 0 or more")
  return math.floor(time * ticks + Fraction(1, 2))


def _micro(tempo: float) -> int:
  """A tempo in microseconds of a quarter note."""
  micro = round(_MINUTE / tempo) if tempo > 0 else 0
  if not 1 <= micro < 2**24:
    raise InputError(
      f"a tune has {tempo:g} quarter notes a minute, expected 3.6 to"
      f" {_MINUTE:,}"
    )
  return micro


def _apart(notes: list[Note], ticks: int) -> Iterator[tuple[int, int, Note]]:
  """Notes of a voice with start and end in ticks; no pitch overlaps itself."""
  by_pitch: dict[int, list[tuple[int, int, Note]]] = {}
  for note in notes:
    if not (0 <= note.pitch < PITCHES and 1 <= note.velocity < 128):
      raise InputError(
        f"a tune has a note of pitch {note.pitch} and velocity"
        f" {note.velocity}, expected 0 to 127 and 1 to 127"
      )
    start = _tick(note.start, ticks)
    end = max(_tick(note.start + note.length, ticks), start + 1)
    by_pitch.setdefault(note.pitch, []).append((start, end, note))
  for same in by_pitch.values():
    same.sort()  # of those that begin together the longest is kept
    for index, (start, end, note) in enumerate(same):
      if index + 1 < len(same):
        end = min(end, same[index + 1][0])
      if end > start:
        yield start, end, note


def _track(events: list[tuple[int, Any]]):
  """A `mido.MidiTrack` of messages at ticks, which are in order."""
  import mido

  track, now = mido.MidiTrack(), 0
  for tick, message in events:
    if tick - now > _LATEST:
      raise InputError(
        f"a tune has {tick - now:,} ticks from one event to the next, expected"
        f" at most {_LATEST:,}"
      )
    track.append(message.copy(time=tick - now))
    now = tick
  return track
