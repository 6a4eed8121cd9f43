"""Frames of music: files, parts, what is made of them, what is made up."""

import io
import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import io as scipy_io

from seqjax.data import midi, polyphony, progressions
from seqjax.data.notes import Note, Score
from seqjax.errors import InputError
from tests.experiments import load

C, E, G = 60, 64, 67
PARTS = {
  "train": [[[C, E], [], [G, -1.0, 60.0]], [[21, 108]]],
  "valid": [[[-1, -1]]],
  "test": [[[C]]],
}


def config(**fields):
  data = load("chorales").data
  data.update(fields)
  return data


def told(pieces):
  """Frames as sets of MIDI numbers."""
  return [[set(np.flatnonzero(f) + 21) for f in piece] for piece in pieces]


def matlab(parts, **options):
  """The bytes of a MATLAB file of the benchmark's form."""
  cells = {}
  for name, part in zip(polyphony._MATLAB, parts, strict=True):
    cells[name] = np.empty((1, len(part)), object)
    for i, piece in enumerate(part):
      cells[name][0, i] = piece.astype(np.uint8)
  file = io.BytesIO()
  scipy_io.savemat(file, cells, **options)
  return file.getvalue()


def test_json(write):
  found = polyphony.read(write(json.dumps(PARTS), "a.json"))
  assert told(found.train) == [[{C, E}, set(), {C, G}], [{21, 108}]]
  assert told(found.validation) == [[set()]]
  assert told(found.test) == [[{C}]]
  assert all(p.dtype == bool and p.shape[1] == 88 for p in found.train)


@pytest.mark.parametrize("compressed", [False, True])
def test_matlab_is_the_same(write, compressed):
  expected = polyphony.read(write(json.dumps(PARTS), "a.json"))
  content = matlab(expected, do_compression=compressed)
  found = polyphony.read(write(content, "a.mat"))
  assert [told(part) for part in found] == [told(part) for part in expected]


ONE = {"train": [[[C]]], "valid": [], "test": []}


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("", "no JSON"),
    ("[" * 100_000, "no JSON"),
    ("[1]", "expected {"),
    (json.dumps({"train": [], "test": []}), "expected {"),
    (json.dumps(ONE | {"train": 3}), "train is 3, expected a list of pi"),
    (json.dumps(ONE | {"valid": [3]}), r"valid\[0\] is 3, expected a list"),
    (json.dumps(ONE | {"test": [[3]]}), r"test\[0\]\[0\] is 3, expected"),
    (json.dumps(ONE | {"train": [[[C], [20]]]}), r"\[0\]\[1\] holds 20, exp"),
    (json.dumps(ONE | {"train": [[[109]]]}), "holds 109"),
    (json.dumps(ONE | {"train": [[[60.5]]]}), "holds 60.5"),
    (json.dumps(ONE | {"train": [[[math.nan]]]}), "holds NaN"),
    (json.dumps(ONE | {"train": [[[True]]]}), "holds true"),
    (json.dumps(ONE | {"train": [[[None]]]}), "holds null"),
    (
      json.dumps(ONE)[:-1]
      + ', "valid": ['
      + '{"a":' * 900
      + "1"
      + "}" * 900
      + "]}",
      r"valid\[0\] is an object, expected a list of frames",
    ),
    (json.dumps(ONE | {"train": [[["60"]]]}), 'holds "60"'),
    (json.dumps(ONE | {"train": [[[[60]]]]}), "holds a list, expected"),
    (b"\xff\xfe\x00{", "no JSON"),
    (b"MThd\0\0\0\6", "one MIDI file, expected a folder"),
    (b"MATLAB 5.0", "damaged"),
    (b"MATLAB 5.0" + bytes(200), "damaged"),
    (b"MATLAB 7.3 MAT-file" + bytes(200), "no JSON"),
  ],
)
def test_damaged_files(write, content, message):
  path = write(content, "a")
  with pytest.raises(InputError, match=message) as error:
    polyphony.read(path)
  assert str(path) in str(error.value)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  "piece",
  [
    np.zeros((3, 87)),
    np.zeros((3, 88, 2)),
    np.full((2, 88), 2),
    np.full((2, 88), np.nan),
  ],
)
def test_cells_that_are_no_frames(write, piece):
  cells = np.empty((1, 1), object)
  cells[0, 0] = piece
  file = io.BytesIO()
  scipy_io.savemat(file, dict.fromkeys(polyphony._MATLAB, cells))
  path = write(file.getvalue(), "a.mat")
  with pytest.raises(InputError, match="damaged .a piece") as error:
    polyphony.read(path)
  assert str(path) in str(error.value)


def test_a_folder_of_midi_files(tmp_path, capsys):
  for index in range(10):
    notes = [Note(Fraction(1, 3), Fraction(1), 60 + index)]
    notes += [Note(Fraction(2), Fraction(1), 10)] if index == 3 else []
    folder = tmp_path / str(index % 2)
    folder.mkdir(exist_ok=True)
    midi.write(folder / f"{index}.mid", Score(notes))
  (tmp_path / "notes.txt").write_text("no music")
  data = config(path=str(tmp_path), step="1/2", validation=0.2, test=0.1)
  found = polyphony.load(data, 0)
  assert [len(part) for part in found] == [7, 2, 1]
  said = capsys.readouterr().err
  assert "10 file(s)" in said
  assert "10 moved" in said
  assert "1 dropped" in said
  # From 1/3 to 4/3: frames of a half that begin at 1/2 and end at 3/2.
  pieces = sorted(told([p for part in found for p in part]), key=str)
  assert pieces == [[set(), {60 + i}, {60 + i}] for i in range(10)]
  again = polyphony.load(data, 0)
  assert told(again.test) == told(found.test)
  orders = {str(told(polyphony.load(data, seed).train)) for seed in range(4)}
  assert len(orders) > 1
  (tmp_path / "1" / "11.MID").write_bytes(b"MThd nonsense")
  with pytest.raises(InputError, match=r"11\.MID"):
    polyphony.load(data, 0)


def test_nothing_to_read(write, tmp_path, capsys):
  with pytest.raises(InputError, match="holds no MIDI files"):
    polyphony.load(config(path=str(tmp_path)), 0)
  path = write(json.dumps(ONE | {"train": [[]]}), "a.json")
  with pytest.raises(InputError, match="leaves no pieces to train on"):
    polyphony.load(config(path=str(path)), 0)
  assert "1 piece(s) without a frame dropped" in capsys.readouterr().err
  with pytest.raises(InputError, match="which does not exist"):
    polyphony.load(config(path=str(tmp_path / "no.json")), 0)


@pytest.mark.parametrize("step", ["1", "1/4", "16", "1/64", "3/2", 1])
def test_steps(step):
  assert polyphony.step_of(config(step=str(step))) == Fraction(step)


@pytest.mark.parametrize(
  "step", ["0", "1/0", "-1", "1/65", "17", "1e999999999", "", "one", "1/"]
)
def test_steps_that_are_none(step):
  with pytest.raises(InputError, match=r"config.data.step is '.*', expected"):
    polyphony.step_of(config(step=step))


def test_moved_pieces_keep_their_intervals():
  rng = np.random.default_rng(0)
  piece = polyphony.frames_of([[C, E], [], [E]])
  found = set()
  for one in polyphony.moved([piece] * 200, 2, rng):
    ((first, silence, last),) = told([one])
    assert (len(first), silence) == (2, set())
    assert max(first) - min(first) == 4
    assert last == {max(first)}
    found.add(min(first) - C)
  assert found == {-2, -1, 0, 1, 2}
  # At the ends of the keyboard there is no room; silence stays silence.
  pieces = [[[21, 108]], [[22]], [[107]], [[]]]
  pieces = [polyphony.frames_of(piece) for piece in pieces] * 50
  ends = [min(f) if f else 0 for (f,) in told(polyphony.moved(pieces, 3, rng))]
  assert set(ends[::4]) == {21}
  assert set(ends[1::4]) == {21, 22, 23, 24, 25}
  assert set(ends[2::4]) == {104, 105, 106, 107, 108}
  assert set(ends[3::4]) == {0}
  same = polyphony.moved([piece], 0, rng)
  np.testing.assert_array_equal(same, [piece])


@pytest.mark.parametrize(("length", "most"), [(7, 3), (6, 3), (2, 3), (5, 1)])
def test_segments_follow_each_other(length, most):
  rng = np.random.default_rng(length)
  piece = rng.random((length, 88)) < 0.1
  parts = polyphony.segments([piece, piece[:1]], most)
  last = parts.pop()
  np.testing.assert_array_equal(last, [0 * piece[0], piece[0]])
  assert all(1 < len(part) <= most + 1 for part in parts)
  np.testing.assert_array_equal(np.concatenate([p[1:] for p in parts]), piece)
  before = np.concatenate([part[:-1] for part in parts])
  np.testing.assert_array_equal(before[1:], piece[:-1])
  assert not before[0].any()


def test_notes_by_name():
  sets = list(itertools.product([False, True], repeat=4))
  found = polyphony.named(np.array(sets).reshape(2, 8, 4), 5).reshape(16, 6)
  for row, sounding in zip(found, sets, strict=True):
    names = [i for i, on in enumerate(sounding) if on]
    assert row.tolist() == (names + [4] * 6)[:6]


def test_independent_pitches():
  """Note by note, with half a frame added on either side."""
  train = [polyphony.frames_of([[C], [C, E]]), polyphony.frames_of([[]])]
  share = np.full(88, 0.5 / 4)
  share[C - 21], share[E - 21] = 2.5 / 4, 1.5 / 4
  asked = [polyphony.frames_of([[C, G]]), polyphony.frames_of([[E], [E]])]
  nats = 0.0
  for frame in np.concatenate(asked):
    for p, on in zip(share, frame, strict=True):
      nats -= math.log(p if on else 1 - p)
  found = polyphony.independent(train, asked)
  assert found == pytest.approx(nats / 3, rel=1e-12)


PIECES = progressions.generate(30, 0)


def test_made_up_pieces_repeat():
  assert progressions.generate(3, 0) == PIECES[:3]
  assert progressions.generate(3, 1) != PIECES[:3]
  assert len({str(piece) for piece in PIECES}) == len(PIECES)
  sizes = [len(p) for p in polyphony.load(config(examples=30), 0)]
  assert sizes == [24, 3, 3]


def test_made_up_pieces_are_in_a_key():
  """A triad in every frame, of one scale; the last chord is on its tonic."""
  major, minor = {0, 2, 4, 5, 7, 9, 11}, {0, 2, 3, 5, 7, 8, 11}
  triads = {(0, 4, 7), (0, 3, 7), (0, 3, 6)}
  for piece in PIECES:
    tonic = piece[-1][0] % 12
    used = {(pitch - tonic) % 12 for frame in piece for pitch in frame}
    assert used <= major or used <= minor
    for frame in piece:
      classes = {pitch % 12 for pitch in frame}
      shapes = {tuple(sorted((p - r) % 12 for p in classes)) for r in classes}
      assert shapes & triads
    # The bass of the last two chords: dominant, tonic, held.
    assert (piece[-3][0] - tonic) % 12 == 7
    assert piece[-1] == piece[-2]


def test_made_up_voices_lead():
  """In their ranges, uncrossed, mostly by step, few parallel fifths."""
  ranges = [(40, 60), (48, 67), (55, 74), (60, 81)]
  moves, parallels, count = [], 0, 0
  for piece in PIECES:
    voices = np.array(piece)
    for voice, (low, high) in zip(voices.T, ranges, strict=True):
      assert low <= voice.min() <= voice.max() <= high
    assert (np.diff(voices, axis=1) >= 0).all()
    moves.append(np.abs(np.diff(voices[:, 1:], axis=0)).ravel())
    for low, high in itertools.combinations(range(4), 2):
      interval = (voices[:, high] - voices[:, low]) % 12
      moved = np.diff(voices[:, low]) != 0
      same = (interval[1:] == interval[:-1]) & np.isin(interval[1:], [0, 7])
      parallels += (same & moved).sum()
      count += moved.sum()
  assert np.concatenate(moves).mean() < 2
  assert parallels < 0.01 * count
