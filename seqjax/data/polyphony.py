"""Music frame by frame: which of the 88 keys of a piano sound.

  config.data.path        one of
    FILE.json             {"train": .., "valid": .., "test": ..}, each a list of
                          pieces, a piece a list of frames, a frame a list of
                          MIDI numbers; -1 is a voice that is silent
    FILE.mat              MATLAB 5, `traindata`, `validdata`, `testdata`: cells
                          of [frames, 88], 0 and 1
    FOLDER                of MIDI files, a piece each; parts by shares of files
  config.data.step        quarter notes of a frame, "1" or "1/4": how MIDI files
                          are read, how fast what is composed is played
  config.data.transpose   semitones that training pieces are moved by, at most
  config.data.examples    pieces that are made up, without a path
  config.data.validation  share of the files or made-up pieces; so is
  config.data.test

The files are those in which the benchmarks of Boulanger-Lewandowski et al. 2012
are passed on. What is left out or moved is said on stderr.
"""

import json
import pathlib
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from seqjax.config import Config
from seqjax.data import matlab, midi, notes, progressions
from seqjax.data.examples import Splits, contiguous, path_of
from seqjax.errors import InputError

LOWEST, PITCHES = 21, 88  # MIDI's number of the lowest key, how many there are
_HIGHEST = LOWEST + PITCHES - 1
_SILENT = -1  # a voice that does not sound, in a JSON file
_KNOWN = frozenset([_SILENT, *range(LOWEST, _HIGHEST + 1)])
_JSON = "train", "valid", "test"
_MATLAB = "traindata", "validdata", "testdata"


def load(data: Config, seed: int) -> Splits:
  """What `config.data` asks for: lists of pieces, bool `[time, 88]`.

  Raises:
    InputError: no such file, it is damaged or of neither kind, or there is
      nothing to train on.
  """
  path = path_of(data)
  if path is None:
    made = progressions.generate(data.examples, seed)
    pieces = [frames_of(piece) for piece in made]
    found = contiguous(pieces, data.validation, data.test)
  elif path.is_dir():
    found = _read_folder(path, data, seed)
  else:
    found = read(path)
  sounding = Splits(*([p for p in part if len(p)] for part in found))
  if empty := sum(map(len, found)) - sum(map(len, sounding)):
    print(f"{path}: {empty} piece(s) without a frame dropped", file=sys.stderr)
  if not sounding.train:
    raise InputError(
      f"{path or 'config.data'} leaves no pieces to train on, expected some"
      " with frames"
    )
  return sounding


def step_of(data: Config) -> Fraction:
  """`config.data.step`, quarter notes of a frame.

  Raises:
    InputError: it is no such number, or below 1/64 or above 16.
  """
  said = str(data.step)
  step = Fraction(0)
  if re.fullmatch(r"\d{1,3}(/0*[1-9]\d{0,2})?", said):
    step = Fraction(said)
  if not Fraction(1, 64) <= step <= 16:
    raise InputError(
      f"config.data.step is {said!r}, expected quarter notes of a frame, from"
      " '1/64' to '16', such as '1' or '1/4'"
    )
  return step


def frames_of(pitches: Sequence[Sequence[int]]) -> np.ndarray:
  """Frames of MIDI numbers as bool `[time, 88]`; others are left out."""
  frames = np.zeros((len(pitches), PITCHES), bool)
  for frame, sounding in zip(frames, pitches, strict=True):
    frame[[int(p) - LOWEST for p in sounding if LOWEST <= p <= _HIGHEST]] = True
  return frames


def read(path: str | pathlib.Path) -> Splits:
  """A file that brings its parts, JSON or MATLAB, see above.

  Raises:
    InputError: it cannot be read or is not as it should be.
  """
  try:
    content = pathlib.Path(path).read_bytes()
  except OSError as error:
    reason = error.strerror or str(error)
    raise InputError(f"{path} cannot be read ({reason})") from error
  if content.startswith(matlab.BEGINS):
    return _read_matlab(path, content)
  if content[:4] == b"MThd":
    raise InputError(
      f"config.data.path is {path}, one MIDI file, expected a folder of them"
    )
  return _read_json(path, content)


def _read_json(path, content: bytes) -> Splits:
  try:
    found = json.loads(content)
  except (ValueError, RecursionError) as error:
    raise InputError(
      f"{path}: no JSON ({str(error)[:80]}) and no MATLAB 5, expected one"
    ) from error
  if not isinstance(found, dict) or not set(_JSON) <= set(found):
    raise InputError(f'{path}: expected {{"train", "valid", "test"}} of pieces')
  return Splits(*(_pieces(path, name, found[name]) for name in _JSON))


def _pieces(path, name: str, part: Any) -> list[np.ndarray]:
  """A part of a JSON file, looked at number by number."""

  def check(where, value, of):
    if not isinstance(value, list):
      raise InputError(
        f"{path}: {where} is {_said(value)}, expected a list of {of}"
      )

  check(name, part, "pieces")
  for i, piece in enumerate(part):
    check(f"{name}[{i}]", piece, "frames")
    for t, frame in enumerate(piece):
      check(where := f"{name}[{i}][{t}]", frame, "MIDI numbers")
      for pitch in frame:
        # As 60.0 some files have it; a list would not be looked up.
        if not isinstance(pitch, int | float) or pitch not in _KNOWN:
          raise InputError(
            f"{path}: {where} holds {_said(pitch)}, expected MIDI numbers"
            f" from {LOWEST} to {_HIGHEST}, or {_SILENT} for silence"
          )
  return [frames_of(piece) for piece in part]


def _said(value: Any) -> str:
  """What stands in a JSON file, cut short; a list may be deep."""
  if isinstance(value, list | dict):
    return "a list" if isinstance(value, list) else "an object"
  return json.dumps(value)[:40]


def _read_matlab(path, content: bytes) -> Splits:
  try:
    found = matlab.cells(content, _MATLAB)
    return Splits(*([*map(_frames, found[name])] for name in _MATLAB))
  except ValueError as error:
    raise InputError(
      f"{path}: damaged ({error}), or no MATLAB 5 file of {', '.join(_MATLAB)},"
      f" cells of [frames, {PITCHES}] of 0 and 1"
    ) from error


def _frames(cell: np.ndarray) -> np.ndarray:
  """A cell of a MATLAB file as bool `[time, 88]`."""
  if cell.ndim == 2 and not cell.size:
    return np.zeros((0, PITCHES), bool)
  if cell.ndim != 2 or cell.shape[1] != PITCHES:
    raise ValueError(f"a piece of shape {cell.shape}")
  if not ((cell == 0) | (cell == 1)).all():
    raise ValueError("a piece that holds other values")
  return cell == 1


def _read_folder(folder: pathlib.Path, data: Config, seed: int) -> Splits:
  """The MIDI files in a folder and those below it, parted at random."""
  step = step_of(data)
  files = sorted(
    path
    for path in folder.rglob("*")
    if path.suffix.lower() in (".mid", ".midi") and path.is_file()
  )
  if not files:
    raise InputError(
      f"config.data.path is {folder}, which holds no MIDI files (.mid, .midi)"
    )
  pieces, lost = [], Counter()
  for file in files:
    piece, counts = read_midi(file, step)
    pieces.append(piece)
    lost.update(counts)
  if said := told(lost):
    print(f"{folder}: {len(files)} file(s), {said}", file=sys.stderr)
  order = np.random.default_rng(seed).permutation(len(pieces))
  return contiguous([pieces[i] for i in order], data.validation, data.test)


def read_midi(
  path: str | pathlib.Path, step: Fraction
) -> tuple[np.ndarray, dict[str, int]]:
  """A MIDI file as bool `[time, 88]`, and how many notes were lost by what.

  Args:
    path: of the file.
    step: quarter notes of a frame.

  Raises:
    InputError: it cannot be read, or has too many frames.
  """
  reading = midi.read(path)
  try:
    frames, counts = notes.frames(reading.score, step, LOWEST, PITCHES)
  except InputError as error:
    raise InputError(f"{path}: {error}") from error
  found = Counter(reading.counts._asdict())
  found.update(counts._asdict())
  return frames, dict(found)


def told(lost: Mapping[str, int]) -> str:
  """What `read_midi` counts, in words; "" if there is nothing to tell."""
  said = [f"{count:,} {what}" for what, count in lost.items() if count]
  return f"notes that were {', '.join(said)}" if said else ""


def room(piece: np.ndarray) -> tuple[int, int]:
  """How far a piece can be moved down and up within the keys, in semitones."""
  sounding = np.flatnonzero(piece.any(axis=0))
  if not len(sounding):
    return 0, 0
  return int(sounding[0]), int(PITCHES - 1 - sounding[-1])


def moved(
  pieces: Sequence[np.ndarray], most: int, rng: np.random.Generator
) -> list[np.ndarray]:
  """Each piece by up to `most` semitones up or down, where there is room."""
  found = []
  for piece in pieces:
    down, up = room(piece)
    by = rng.integers(-min(most, down), min(most, up) + 1)
    # Nothing sounds in what comes round.
    found.append(np.roll(piece, by, axis=1))
  return found


def segments(pieces: Sequence[np.ndarray], most: int) -> list[np.ndarray]:
  """Pieces in parts of at most `most` frames, with the frame before each.

  Returns:
    bool `[1 + time, 88]`, the first frame silence where a piece begins.
  """
  found = []
  for piece in pieces:
    after_silence = np.pad(piece, ((1, 0), (0, 0)))
    found += [
      after_silence[first : first + most + 1]
      for first in range(0, len(piece), most)
    ]
  return found


def named(frames: np.ndarray, most: int) -> np.ndarray:
  """The pitches of frames by name: from low to high, then stop.

  Args:
    frames: bool `[*batch, pitches]`.
    most: notes in a frame, at most.

  Returns:
    int32 `[*batch, most + 1]`: the columns that sound, and the number of
    columns, "stop", from there on.
  """
  found = np.full((*frames.shape[:-1], most + 1), frames.shape[-1], np.int32)
  *batch, pitch = np.nonzero(frames)
  rank = frames.cumsum(axis=-1)[(*batch, pitch)] - 1
  found[(*batch, rank)] = pitch
  return found


def independent(
  train: Sequence[np.ndarray], pieces: Sequence[np.ndarray]
) -> float:
  """Nats a frame if each pitch sounds as often as in training, whatever else.

  Half a frame is added to how often it sounds, and half to how often not, so
  that nothing is impossible.
  """
  known, asked = np.concatenate(train), np.concatenate(pieces)
  share = (known.sum(axis=0) + 0.5) / (len(known) + 1)
  nats = asked.mean(axis=0) * np.log(share)
  nats += (1 - asked.mean(axis=0)) * np.log1p(-share)
  return float(-nats.sum())
