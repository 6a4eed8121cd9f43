"""Sounds of files, folders and archives, and what their names tell."""

import contextlib
import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import sound_files, wav
from seqjax.data.sound_files import Clip
from seqjax.data.wav import Sound
from seqjax.errors import InputError

FSDD = r"(?P<label>\d)_(?P<speaker>\w+)_(?P<clip>\d+)"


def tone(count=80, value=0.25):
  return np.full(count, value, np.float32)


@pytest.fixture
def folder(tmp_path):
  """Three sounds, one in a folder of its own, and what is none."""
  place = tmp_path / "sounds"
  (place / "more").mkdir(parents=True)
  wav.write(place / "b.wav", tone(value=0.5), 8_000)
  wav.write(place / "a.WAV", tone(), 8_000)
  wav.write(place / "more" / "c.wav", tone(160), 8_000)
  (place / "readme.txt").write_text("no sound")
  (place / "._a.wav").write_bytes(b"what a file system leaves behind")
  return place


def packed(folder, path):
  files = sorted(p for p in folder.rglob("*") if p.is_file())
  if path.suffix == ".zip":
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
      for file in reversed(files):
        archive.write(file, file.relative_to(folder))
  else:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
      for file in reversed(files):
        archive.add(file, str(file.relative_to(folder)))
  return path


NAMES = ["a.WAV", "b.wav", "more/c.wav"]


@pytest.mark.parametrize("kind", [None, "s.zip", "s.tar.gz", "s.tar"])
def test_a_folder_and_archives_of_it_are_alike(folder, tmp_path, kind, capsys):
  path = packed(folder, tmp_path / kind) if kind else folder
  before = set(tmp_path.rglob("*"))
  found = sound_files.read_all(path)
  assert [name for name, _ in found] == NAMES
  assert [len(sound.samples) for _, sound in found] == [80, 80, 160]
  np.testing.assert_array_equal(found[1][1].samples, tone(value=0.5))
  assert set(tmp_path.rglob("*")) == before  # nothing is unpacked
  assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", [None, "s.zip"])
def test_all_have_the_rate_of_the_first(folder, tmp_path, capsys, kind):
  wav.write(folder / "d.wav", tone(1_600), 16_000)
  path = packed(folder, tmp_path / kind) if kind else folder
  found = dict(sound_files.read_all(path))
  assert {sound.rate for sound in found.values()} == {8_000}
  assert len(found["d.wav"].samples) == 800
  # What does not change stays the same, away from the edges.
  middle = found["d.wav"].samples[100:-100]
  np.testing.assert_allclose(middle, 0.25, atol=1e-3)
  said = capsys.readouterr().err
  assert said.count("\n") == 1
  assert "1 of 4 sound(s) of 16,000 samples a second resampled to 8,000" in said
  found = sound_files.read_all(path, rate=4_000)
  assert {sound.rate for _, sound in found} == {4_000}
  assert "4 of 4 sound(s) of 8,000, 16,000" in capsys.readouterr().err


def test_one_file(folder):
  ((name, sound),) = sound_files.read_all(folder / "b.wav")
  assert (name, sound.rate, len(sound.samples)) == ("b.wav", 8_000, 80)


def test_what_is_cut_short_is_told_once(folder, tmp_path, capsys):
  for name in "a.WAV", "b.wav":
    file = folder / name
    file.write_bytes(file.read_bytes()[:-40])
  for path in folder, packed(folder, tmp_path / "s.zip"):
    found = sound_files.read_all(path)
    assert [len(sound.samples) for _, sound in found] == [60, 60, 160]
    said = capsys.readouterr().err
    assert "a.WAV: cut short" in said
    assert "(1 more like this)" in said
    assert said.count("\n") == 1


def test_paths_a_line(folder, write, monkeypatch):
  listed = f"{folder}/b.wav\n\n{folder}/more\n"
  path = write(listed, "list.txt")
  found = sound_files.read_named(str(path), 8_000)
  assert [name for name, _ in found] == ["b.wav", "c.wav"]
  monkeypatch.setattr("sys.stdin", io.StringIO(listed))
  assert [n for n, _ in sound_files.read_named("-", 8_000)] == [
    "b.wav",
    "c.wav",
  ]
  assert [n for n, _ in sound_files.read_named(str(folder), 8_000)] == NAMES


@pytest.mark.parametrize("line", ["# a text", "no.wav", "a\0b", "x" * 5_000])
def test_lines_that_are_no_paths(write, line):
  path = write(f"\n{line}\n", "list.txt")
  with pytest.raises(InputError, match="list.txt:2: .* does not exist, exp"):
    sound_files.read_named(str(path), 8_000)


def wav_bytes(rate=8_000, count=4):
  head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
  data = struct.pack("<4sI", b"data", 2 * count) + bytes(2 * count)
  return (
    b"RIFF" + struct.pack("<I", 4 + len(head + data)) + b"WAVE" + head + data
  )


BAD = [
  ("a.wav", b"", "a.wav: no WAV file"),
  ("a.wav", b"RIFF....WAVE", "a.wav: a WAV file without a whole chunk"),
  ("a.zip", b"PK\x03\x04 and no more", "a.zip: cannot be read"),
  ("a.tar.gz", b"\x1f\x8b and no more", "a.tar.gz: cannot be read"),
  ("a.tar", b"", "a.tar: no WAV files in it|a.tar: cannot be read"),
  ("notes.txt", b"some text", "notes.txt: cannot be read"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_mistakes(write, name, content, message):
  with pytest.raises(InputError, match=message) as error:
    sound_files.read_all(write(content, name))
  assert "\n" not in str(error.value)


def test_a_damaged_file_is_named(folder, tmp_path):
  (folder / "more" / "c.wav").write_bytes(b"RIFF1234WAVE")
  for path in folder, packed(folder, tmp_path / "s.zip"):
    with pytest.raises(InputError, match=r"more/c.wav: a WAV file without a w"):
      sound_files.read_all(path)


def test_archives_cut_anywhere_are_one_line(folder, tmp_path):
  for name in "s.zip", "s.tar.gz", "s.tar":
    whole = packed(folder, tmp_path / name).read_bytes()
    for end in range(0, len(whole) - 1, max(1, len(whole) // 23)):
      path = tmp_path / f"cut.{name}"
      path.write_bytes(whole[:end])
      # A tar archive may end behind any of its files.
      with contextlib.suppress(InputError):
        assert {n for n, _ in sound_files.read_all(path)} <= set(NAMES)


def test_sizes_that_lie(tmp_path, monkeypatch):
  """A header asks for more than an archive may hold."""
  path = tmp_path / "s.tar"
  with tarfile.open(path, "w") as archive:
    info = tarfile.TarInfo("a.wav")
    info.size = 2**40
    archive.fileobj.write(info.tobuf())
  with pytest.raises(InputError, match="a.wav has 1,099,511,627,776 bytes, ex"):
    sound_files.read_all(path)
  path = tmp_path / "s.zip"
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("a.wav", wav_bytes())
    archive.writestr("b.wav", wav_bytes())
  monkeypatch.setattr(sound_files, "_MOST_IN_ALL", len(wav_bytes()) + 1)
  with pytest.raises(InputError, match="b.wav has 52 bytes"):
    sound_files.read_all(path)


def test_a_rate_that_lies(write):
  path = write(wav_bytes(rate=1), "a.wav")
  with pytest.raises(InputError, match="a.wav: 4 samples at 1 a second"):
    sound_files.read_all(path, 8_000)


def test_what_is_not_there(tmp_path):
  for name in "no.wav", "no":
    with pytest.raises(InputError, match="does not exist, expected WAV files"):
      sound_files.read_all(tmp_path / name)
  (tmp_path / "empty").mkdir()
  with pytest.raises(InputError, match="no WAV files in it"):
    sound_files.read_all(tmp_path / "empty")
  with pytest.raises(InputError, match="is no file or folder"):
    sound_files.read_all("/dev/zero")
  for path in str(tmp_path / "no.txt"), "x" * 5_000, "a\0b":
    with pytest.raises(InputError, match="cannot be read"):
      sound_files.read_named(path, 8_000)


def named(*names):
  return [(name, Sound(tone(4), 8_000)) for name in names]


def test_labelled(capsys):
  found = named("x/3_ann_b_12.wav", "x/noise.wav", "x/4_bob_0.wav")
  clips = sound_files.labelled(found, FSDD, "x")
  assert [clip[1:] for clip in clips] == [
    ("3", "ann_b", 12, "x/3_ann_b_12.wav"),
    ("4", "bob", 0, "x/4_bob_0.wav"),
  ]
  said = capsys.readouterr().err
  assert "1 file(s) left out" in said
  assert "x/noise.wav" in said
  (clip, *_) = sound_files.labelled(found, r"(?P<label>.).*", "x")
  assert (clip.label, clip.speaker, clip.number) == ("3", "", None)


@pytest.mark.parametrize(
  ("pattern", "message"),
  [
    ("(", "no regular expression"),
    (r"(\d)_.*", r"expected a group \(\?P<label>"),
    (r"(?P<label>q)", "matches no file's name, such as '3_ann_1'"),
    (r"(?P<label>\d)_(?P<clip>\w+)", "is 'ann_1', expected a number"),
  ],
)
def test_bad_patterns(pattern, message):
  with pytest.raises(InputError, match=message):
    sound_files.labelled(named("3_ann_1.wav"), pattern, "x")


def clips_of(speakers=("ann", "bob"), numbers=range(10)):
  sound = Sound(tone(4), 8_000)
  return [
    Clip(sound, label, speaker, number, f"{label}_{speaker}_{number}.wav")
    for label in "01"
    for speaker in speakers
    for number in numbers
  ]


def fields(**changed):
  known = {"held_out": "", "test_clips": "", "validation_clips": ""}
  return config_dict.ConfigDict(known | changed)


def test_split_by_number():
  parts = sound_files.split(
    clips_of(), fields(test_clips="0-2, 9", validation_clips="3")
  )
  numbers = [{clip.number for clip in part} for part in parts]
  assert numbers == [{4, 5, 6, 7, 8}, {3}, {0, 1, 2, 9}]
  assert [len(part) for part in parts] == [20, 4, 16]


def test_split_by_speaker():
  parts = sound_files.split(clips_of(), fields(held_out="bob"))
  speakers = [{clip.speaker for clip in part} for part in parts]
  assert speakers == [{"ann"}, set(), {"bob"}]
  # Of the others, not of those who are held out.
  parts = sound_files.split(
    clips_of(), fields(held_out="bob", validation_clips="0")
  )
  assert {clip.speaker for clip in parts.validation} == {"ann"}
  assert [len(part) for part in parts] == [18, 2, 20]


@pytest.mark.parametrize(
  ("changed", "message"),
  [
    ({"held_out": "cat"}, "is 'cat', expected one of ann, bob"),
    ({"test_clips": "first"}, "is 'first', expected numbers such as 0-4"),
    ({"test_clips": "70-99999999"}, "which no clip has as its number"),
    ({"test_clips": "0-9"}, "leave no clips to train on"),
    ({"test_clips": "0-4", "validation_clips": "4"}, "which no clip has"),
  ],
)
def test_splits_that_cannot_be(changed, message):
  with pytest.raises(InputError, match=message):
    sound_files.split(clips_of(), fields(**changed))


def test_no_numbers_to_choose_by():
  clips = [Clip(Sound(tone(4), 8_000), "a", name="a.wav")]
  with pytest.raises(InputError, match="finds no number in 'a'"):
    sound_files.split(clips, fields(test_clips="0"))
