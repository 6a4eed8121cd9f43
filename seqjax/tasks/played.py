"""A score as files: heard, seen, and read by other programs."""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

from seqjax.data import midi, synthesiser, wav
from seqjax.data.notes import Score
from seqjax.errors import InputError, extra

RATE = 22_050  # samples a second


def check_installed() -> None:
  """Raises InputError if what `write` needs is missing."""
  with extra():
    import mido as mido


@contextlib.contextmanager
def folder_of(output: str) -> Iterator[pathlib.Path]:
  """Makes the folder that --output names, around what is written there.

  Raises:
    InputError: it cannot be made, or not be written to.
  """
  folder = pathlib.Path(output)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
  except OSError as error:
    reason = error.strerror or str(error)
    raise InputError(
      f"--output is {output!r}, which cannot be written ({reason})"
    ) from error


def write(
  score: Score,
  folder: pathlib.Path,
  name: str,
  *,
  title: str = "",
  bars: Sequence[float] = (),
) -> str:
  """Writes NAME.mid, NAME.wav and a piano roll, NAME.png; says where they are.

  Args:
    score: with one note at least.
    folder: of the files.
    name: of the files, without an ending.
    title: of the picture.
    bars: where bar lines are, in quarter notes.

  Raises:
    InputError: it is too long to be played.
  """
  from seqjax.show import piano_roll  # matplotlib: not for a generation of text

  path = folder / name
  sound = synthesiser.play(score, RATE)
  midi.write(path.with_suffix(".mid"), score)
  wav.write(path.with_suffix(".wav"), sound, RATE)
  notes = score.notes
  piano_roll.draw(
    [float(note.start) for note in notes],
    [float(note.length) for note in notes],
    [note.pitch for note in notes],
    [note.voice for note in notes],
    path.with_suffix(".png"),
    title=title,
    bars=bars,
  )
  seconds = len(sound) / RATE
  return (
    f"{len(notes)} notes, {seconds:.0f} seconds: {path}.mid, {path}.wav,"
    f" {path}.png"
  )
