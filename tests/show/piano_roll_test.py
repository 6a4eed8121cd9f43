import numpy as np
import pytest
from PIL import Image

from seqjax.show import piano_roll, plot


def bars_of(figure):
  """Of each axis, the notes as (start, end, pitch)."""
  return [
    sorted(
      (bar.get_x(), bar.get_x() + bar.get_width(), round(bar.get_center()[1]))
      for bar in axis.containers[0]
    )
    for axis in figure.axes
  ]


def melody(count, low=60, high=73):
  """A note a quarter, up and down, of two voices in turn."""
  starts = np.arange(count)
  pitches = low + starts % (high - low)
  return starts, np.ones(count), pitches, starts % 2


def test_names():
  assert [piano_roll.name(pitch) for pitch in (21, 60, 61, 70, 108, 0)] == [
    "A0", "C4", "C♯4", "B♭4", "C8", "C-1",
  ]  # fmt: skip


def test_notes_where_they_are(tmp_path, figures, words):
  path = tmp_path / "a.png"
  piano_roll.draw(
    [0, 1, 1.5], [1, 0.5, 2], [60, 64, 67], [0, 0, 1], path,
    title="A $tune$", bars=[0, 2, 4],
  )  # fmt: skip
  (axis,) = figures[0].axes
  assert bars_of(figures[0]) == [[(0, 1, 60), (1, 1.5, 64), (1.5, 3.5, 67)]]
  faces = [tuple(bar.get_facecolor()) for bar in axis.containers[0]]
  assert faces[0] == faces[1] != faces[2]
  assert [line.get_xdata()[0] for line in axis.get_lines()] == [0, 2, 4]
  assert axis.get_xticks().tolist() == [0, 2, 4]
  seen = words()
  for word in ("A $tune$", "C4", "D4", "G4", "quarter notes", "voice 2"):
    assert word in seen
  assert "C♯4" not in seen
  with Image.open(path) as picture:
    assert picture.size[0] >= 150 * 5


def test_many_pitches_have_names_at_the_cs(tmp_path, figures, words):
  piano_roll.draw(*melody(40, 36, 76), tmp_path / "a.png")
  names = [t.get_text() for t in figures[0].axes[0].get_yticklabels()]
  assert names == ["C2", "C3", "C4", "C5"]
  piano_roll.draw(*melody(4)[:3], [0] * 4, tmp_path / "b.png")
  assert "voice" not in words()


@pytest.mark.parametrize("bar", [0, 3, 100])
def test_long_ones_are_in_rows(bar, tmp_path, figures):
  """Every note is there; rows begin at bar lines, and none is very short."""
  lines = np.arange(0, 101, bar) if bar else ()
  played = melody(100)
  piano_roll.draw(*played, tmp_path / "a.png", bars=lines)
  (figure,) = figures
  assert len(figure.axes) == 3
  limits = [axis.get_xlim() for axis in figure.axes]
  begins = [low for low, _ in limits]
  assert len({high - low for low, high in limits}) == 1  # one scale
  if bar == 3:
    assert [low % 3 for low in begins] == [0, 0, 0]
  assert 100 - begins[-1] > 25
  found = [note for row in bars_of(figure) for note in row]
  assert found == [
    (start, start + 1, pitch)
    for start, _, pitch, _ in zip(*played, strict=True)
  ]
  widths = figure.get_figwidth()
  piano_roll.draw(*melody(30), tmp_path / "b.png")
  assert 5 < figures[1].get_figwidth() < widths + 1
  assert len(figures[1].axes) == 1


def test_a_note_across_rows_is_in_both(tmp_path, figures):
  piano_roll.draw([0, 0], [60, 1], [60, 62], [0, 0], tmp_path / "a.png")
  assert bars_of(figures[0]) == [[(0, 1, 62), (0, 30, 60)], [(30, 60, 60)]]


def test_too_long_ones_say_what_is_left_out(tmp_path, figures, words):
  starts = np.arange(1_000)
  piano_roll.draw(starts, starts * 0 + 1, starts % 5 + 60, starts * 0,
                  tmp_path / "a.png")  # fmt: skip
  assert len(figures[0].axes) == 10
  drawn = sum(len(row) for row in bars_of(figures[0]))
  assert f"({1_000 - drawn:,} later notes are left out)" in words()
  assert figures[0].get_figheight() < 40


def test_no_notes(tmp_path, words):
  piano_roll.draw([], [], [], [], tmp_path / "a.png")
  assert "C4" in words()


def test_any_title_and_many_voices(tmp_path, figures, label):
  voices = np.arange(12)
  piano_roll.draw(voices, voices * 0 + 1, voices + 50, voices,
                  tmp_path / "a.png", title=label)  # fmt: skip
  (legend,) = figures[0].legends
  assert len(legend.get_texts()) <= len(plot.COLORS)
