"""Sentences of files: columns, parts, what is left out."""

import gzip

import pytest
from ml_collections import config_dict

from seqjax.data import sentences
from seqjax.errors import InputError

LINES = [f"line {i} , is here" for i in range(10)]


def options(**changes):
  data = {
    "path": None,
    "name": "reviews",
    "examples": 20,
    "clean": False,
    "exclude": "",
    "max_length": 64,
    "validation": 0.2,
    "test": 0.1,
  }
  return config_dict.ConfigDict({**data, **changes}, allow_dotted_keys=True)


def texts(part):
  return [" ".join(words) for words in part]


@pytest.fixture
def folder(tmp_path):
  (tmp_path / "a.txt").write_text("\n".join(LINES) + "\n\n")
  table = "\n".join(f"x{i}\t{line}\t1" for i, line in enumerate(LINES))
  with gzip.open(tmp_path / "b.tsv.gz", "wt") as file:
    file.write(table)
  return tmp_path


def test_each_file_has_its_own_end_set_aside(folder):
  path = f"{folder}/a.txt, {folder}/b.tsv.gz:2"
  found = sentences.load(options(path=path), 0)
  for part, some in zip(found, (LINES[:7], LINES[7:9], LINES[9:]), strict=True):
    assert texts(part) == some * 2
  # Named twice it is read twice; a folder is its texts.
  found = sentences.load(options(path=f"{folder},{folder}/a.txt"), 0)
  assert texts(found.train) == LINES[:7] * 2


def test_what_is_left_out(folder, capsys):
  (folder / "held_out.tsv").write_text('LINE 3 is "here"\t0\nnothing\t1\n')
  found = sentences.load(
    options(
      path=f"{folder}/a.txt",
      exclude=f"{folder}/held_out.tsv:1",
      validation=0.0,
      test=0.0,
    ),
    0,
  )
  assert texts(found.train) == [*LINES[:3], *LINES[4:]]
  assert "1 sentence(s) left out" in capsys.readouterr().err


def test_long_lines_are_cut(folder):
  data = options(path=f"{folder}/a.txt", max_length=3, validation=0.0, test=0.0)
  found = sentences.load(data, 0)
  assert texts(found.train[:4]) == [
    "line 0 ,",
    "is here",
    "line 1 ,",
    "is here",
  ]


@pytest.mark.parametrize(
  ("text", "cleaned"),
  [
    (
      "He didn’t say “Stop!” (it's 1,000 re-runs, etc.)",
      "He did n't say `` Stop ! '' lrb it 's 1,000 re runs , etc rrb",
    ),
    ("they 've won ?!? 'til '70s", "they 've won ?!? 'til '70s"),
    ('a_b "x"', "a b '' x ''"),
  ],
)
def test_clean(text, cleaned):
  assert sentences.clean(text) == cleaned
  assert sentences.clean(cleaned) == cleaned


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    (
      {"path": "{}/no.txt"},
      "config.data.path names .*no.txt, which is not the",
    ),
    ({"path": "{}/empty"}, "names the folder .*empty, expected files in it"),
    ({"path": "{}/a.txt:0"}, "expected a column from 1 on"),
    (
      {"path": "{}/b.tsv.gz:4"},
      r"b.tsv.gz:1: .* has 3 column\(s\).*expected 4",
    ),
    (
      {"path": "{}/a.txt", "exclude": "no"},
      "config.data.exclude names no, whi",
    ),
    ({"path": "{}/a.txt", "test": 0.9}, "expected shares >= 0 that leave some"),
    ({"name": "sonnets"}, "config.data.name is 'sonnets', expected one of"),
  ],
)
def test_mistakes(folder, changes, message):
  (folder / "empty").mkdir()
  changes = {
    name: value.format(folder) if isinstance(value, str) else value
    for name, value in changes.items()
  }
  with pytest.raises(InputError, match=message) as error:
    sentences.load(options(**changes), 0)
  assert "\n" not in str(error.value)
