"""Files made of bytes by hand."""

import struct
from fractions import Fraction as F

import pytest

from seqjax.data import midi
from seqjax.data.midi import Counts
from seqjax.data.notes import Note
from seqjax.errors import InputError

ON, OFF, CONTROL = 0x90, 0x80, 0xB0
END = b"\x00\xff\x2f\x00"


def track(*events, end=END, size=None):
  content = b"".join(bytes(event) for event in events) + end
  size = len(content) if size is None else size
  return b"MTrk" + struct.pack(">I", size) + content


def file(*tracks, form=None, division=4, count=None):
  form = (0 if len(tracks) == 1 else 1) if form is None else form
  count = len(tracks) if count is None else count
  head = struct.pack(">4sIHHH", b"MThd", 6, form, count, division)
  return head + b"".join(tracks)


def tempo(delta, micro):
  return bytes([delta, 0xFF, 0x51, 3]) + micro.to_bytes(3, "big")


def pedal(delta, value, channel=0):
  return [delta, CONTROL | channel, 64, value]


@pytest.fixture
def read(write):
  """Reads bytes; notes as (start, end, pitch, voice) and what is not zero."""

  def found(content, **options):
    score, counts = midi.read(write(content, "a.mid"), **options)
    notes = [
      (float(n.start), float(n.start + n.length), n.pitch, n.voice)
      for n in score.notes
    ]
    nonzero = {k: v for k, v in counts._asdict().items() if v}
    return notes, score.tempi, nonzero

  return found


def test_one_track(read):
  """Running status, and a strike without velocity that is an end."""
  notes, tempi, counts = read(
    file(
      track(
        [0, ON, 60, 100],
        [4, 60, 0],
        [1, ON, 64, 1],
        [0, 62, 90],
        [2, OFF, 62, 0],
        [2, 64, 0],
      )
    )
  )
  assert notes == [(0, 1, 60, 0), (1.25, 1.75, 62, 0), (1.25, 2.25, 64, 0)]
  assert tempi == ((0, 120.0),)
  assert counts == {}


def test_velocities_and_exact_times(write):
  content = file(track([1, ON, 60, 7], [1, OFF, 60, 0]), division=3)
  score, counts = midi.read(write(content))
  assert score.notes == [Note(F(1, 3), F(1, 3), 60, 7, 0)]
  assert counts == Counts()


def test_tempi_of_another_track(read):
  notes, tempi, _ = read(
    file(
      track(tempo(0, 600_000), tempo(4, 300_000), tempo(0, 400_000)),
      track([8, ON, 60, 9], [4, OFF, 60, 0]),
      track(tempo(6, 1_000_000)),
    )
  )
  assert notes == [(2, 3, 60, 0)]
  # Two at once: the later one.
  assert tempi == ((0, 100.0), (1, 150.0), (F(3, 2), 60.0))


def test_no_tempo_at_the_beginning(read):
  assert read(file(track(tempo(4, 600_000))))[1] == ((0, 120.0), (1, 100.0))


def test_a_tempo_of_zero_is_left_out(read):
  _, tempi, counts = read(file(track(tempo(4, 0))))
  assert tempi == ((0, 120.0),)
  assert counts == {"stopped": 1}


def test_tracks_and_channels_are_voices(read):
  def played(channel, pitch):
    return [0, ON | channel, pitch, 9, 4, OFF | channel, pitch, 0]

  notes, _, _ = read(
    file(
      track(tempo(0, 500_000)),
      track(played(3, 60), played(1, 61)),
      track(played(1, 62)),
    )
  )
  assert notes == [(0, 1, 60, 1), (0, 1, 62, 2), (1, 2, 61, 0)]


def test_a_note_that_never_ends(read):
  """It ends with its own track."""
  notes, _, counts = read(
    file(
      track([0, ON, 60, 9], [8, ON, 62, 9], [2, OFF, 62, 0]),
      track([0, ON, 64, 9], [40, OFF, 64, 0]),
    )
  )
  assert notes == [(0, 2.5, 60, 0), (0, 10, 64, 1), (2, 2.5, 62, 0)]
  assert counts == {"endless": 1}


def test_struck_again(read):
  """The first end ends the second; an end of nothing is none."""
  notes, _, counts = read(
    file(
      track([0, ON, 60, 9], [4, ON, 60, 9], [4, OFF, 60, 0], [4, OFF, 60, 0])
    )
  )
  assert notes == [(0, 1, 60, 0), (1, 2, 60, 0)]
  assert counts == {"restruck": 1}


def test_the_same_pitch_of_another_voice_goes_on(read):
  notes, _, counts = read(
    file(
      track(
        [0, ON, 60, 9], [2, ON | 1, 60, 9], [2, OFF, 60, 0], [2, OFF | 1, 60, 0]
      )
    )
  )
  assert notes == [(0, 1, 60, 0), (0.5, 1.5, 60, 1)]
  assert counts == {}


def test_no_length(read):
  notes, _, counts = read(
    file(
      track(
        [0, ON, 60, 9], [0, OFF, 60, 0], [0, ON, 61, 9], [4, OFF, 61, 0],
        [0, ON, 62, 9],
      )
    )
  )  # fmt: skip
  assert notes == [(0, 1, 61, 0)]
  assert counts == {"empty": 2, "endless": 1}


def test_drums_are_left_out(read):
  notes, _, counts = read(
    file(
      track(
        [0, ON | 9, 36, 9], [0, ON, 60, 9], [4, OFF | 9, 36, 0], [0, OFF, 60, 0]
      )
    )
  )
  assert notes == [(0, 1, 60, 0)]
  assert counts == {"drums": 1}


PEDALLED = file(
  track(
    pedal(0, 127),
    [0, ON, 60, 9],
    [2, OFF, 60, 0],  # held, until it is struck again
    [2, ON, 60, 9],
    [2, OFF, 60, 0],  # held, until the pedal
    [0, ON, 62, 9],
    [0, ON | 1, 64, 9],
    [2, OFF | 1, 64, 0],  # its channel has no pedal
    pedal(2, 63),
    [2, OFF, 62, 0],  # ends itself
    pedal(0, 64),
    [2, ON, 65, 9],
    [2, OFF, 65, 0],  # held, to the end of the track
  ),
)


def test_pedal(read):
  notes, _, counts = read(PEDALLED[:-4] + b"\x04" + END[1:])
  assert notes == [
    (0, 1, 60, 0),
    (1, 2.5, 60, 0),
    (1.5, 3, 62, 0),
    (1.5, 2, 64, 1),
    (3.5, 5, 65, 0),
  ]
  assert counts == {}
  notes, _, _ = read(PEDALLED, pedal=False)
  assert [end for _, end, _, _ in notes] == [0.5, 1.5, 3, 2, 4]


def test_pieces_one_after_the_other(read):
  first = track(tempo(0, 600_000), [0, ON, 60, 9], [4, OFF, 60, 0])
  second = track([4, ON, 62, 9], [4, OFF, 62, 0], tempo(0, 300_000))
  third = track([0, ON, 64, 9], [4, OFF, 64, 0])
  notes, tempi, _ = read(file(first, second, third, form=2))
  assert notes == [(0, 1, 60, 0), (2, 3, 62, 1), (3, 4, 64, 2)]
  # The second has none to begin with; the third neither.
  assert tempi == ((0, 100.0), (1, 120.0), (3, 120.0))


@pytest.mark.parametrize(
  ("frames", "rate"), [(24, 24), (25, 25), (29, F(30_000, 1_001)), (30, 30)]
)
def test_ticks_of_a_frame(frames, rate, write):
  """40 ticks a frame; a second has two quarter notes, whatever the tempo."""
  content = file(
    track(tempo(0, 900_000), [100, ON, 60, 9], [40, OFF, 60, 0]),
    division=(256 - frames) * 256 + 40,
  )
  score, _ = midi.read(write(content))
  assert score.notes == [Note(2 * F(100, 40) / rate, 2 / F(rate), 60, 9)]
  assert score.tempi == ((0, 120.0),)


def test_what_is_not_known_takes_its_time(read):
  """A meta event of a kind that mido has no name for, system exclusive."""
  notes, _, _ = read(
    file(
      track(
        [2, 0xFF, 0x60, 2, 1, 2], [2, 0xFF, 0xF0, 0], [4, 0xF0, 2, 1, 0xF7],
        [0, ON, 60, 9], [4, OFF, 60, 0],
      )
    )
  )  # fmt: skip
  assert notes == [(2, 3, 60, 0)]


def test_nothing_behind_the_end(read):
  late = [4, ON, 62, 9, 4, OFF, 62, 0]
  notes, _, counts = read(
    file(track([0, ON, 60, 9], [4, OFF, 60, 0], END, late))
  )
  assert notes == [(0, 1, 60, 0)]
  assert counts == {}


NOTE = [0, ON, 60, 9, 4, OFF, 60, 0]
WRONG = {
  "empty": (b"", "it ends too early"),
  "text": (b"X:1\nT:a tune\nK:C\n", "MThd not found"),
  "head": (b"MThd\0\0\0\6\0\0\0\1", "it ends too early"),
  "format": (file(track(NOTE), form=3), "has format 3, expected 0, 1 or 2"),
  "division": (file(track(NOTE), division=0), "its division is 0x0000"),
  "frames": (file(track(NOTE), division=0xE000), "its division is 0xe000"),
  "no ticks": (file(track(NOTE), division=0xE800), "its division is 0xe800"),
  "no track": (file(count=1), "it ends too early"),
  "short track": (file(track(NOTE, size=2**32 - 1)), "it ends too early"),
  "long track": (file(track(NOTE, size=3)), "."),
  "chunk": (file(b"XFIH\0\0\0\0", track(NOTE), count=1), "no MTrk header"),
  "status": (file(track([0, 60, 9])), "running status without"),
  "undefined": (file(track([0, 0xF4])), "undefined status byte 0xf4"),
  "data": (file(track([0, ON, 0x80, 9])), "data byte must be in"),
  "key": (file(track([0, 0xFF, 0x59, 2, 99, 0])), "Could not decode key"),
  "tempo": (file(track([0, 0xFF, 0x51, 1, 7])), "index out of range"),
  "frame": (file(track([0, 0xFF, 0x54, 5, 0xFF, 0, 0, 0, 0])), "."),
  "meta": (
    file(track([0, 0xFF, 1, 0xFF, 0xFF, 0xFF, 0x7F])),
    "exceeds maximum length",
  ),
  "no end": (file(track([0xFF] * 10**6)), "a number in it has no end"),
  "time": (
    file(track([0x81, 0x80, 0x80, 0x80, 0, ON, 60, 9])),
    "a time in it is longer than a file can say",
  ),
  "times": (
    file(track([0xFF] * 4_000 + [0, ON, 60, 9])),
    "a time in it is longer than a file can say",
  ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_refused_in_a_line(name, write):
  content, message = WRONG[name]
  with pytest.raises(InputError, match=message) as caught:
    midi.read(write(content, "a.mid"))
  assert "a.mid: " in str(caught.value)
  assert "\n" not in str(caught.value)


def test_no_file_and_a_large_one(tmp_path, write):
  for path in (tmp_path, tmp_path / "none.mid"):
    with pytest.raises(InputError, match="cannot be read"):
      midi.read(path)
  with pytest.raises(InputError, match="more than 2,097,152 bytes, which no"):
    midi.read(write(bytes(2**21 + 1)))


def test_any_byte_wrong_and_any_end(write):
  """Nothing but a reading or a line."""
  content = file(
    track(tempo(0, 600_000), [0, 0xFF, 0x59, 2, 1, 0]), track(NOTE, [0, 60, 0])
  )
  odd = [content[:cut] for cut in range(len(content))]
  odd += [
    content[:place] + bytes([value]) + content[place + 1 :]
    for place in range(len(content))
    for value in (0, 0x51, 0x7F, 0x80, 0xFF)
  ]
  refused = 0
  for each in odd:
    try:
      midi.read(write(each))
    except InputError:
      refused += 1
  assert len(content) < refused < len(odd)
