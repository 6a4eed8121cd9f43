"""The formats: what users have, and what is wrong with it."""

import gzip
import struct

import numpy as np
import pytest

from seqjax.data import conll, dna, images, names, physics, series, table, tsv
from seqjax.data.encoders import Table
from seqjax.errors import InputError


@pytest.fixture
def write(tmp_path):
  def write(content, name="file"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, bytes):
      path.write_bytes(content)
    else:
      path.write_text(content, "utf-8", newline="")
    return path

  return write


def test_tsv(write):
  found = tsv.read(write("a good film\t1\r\n\nbad , bad\t0\n"))
  assert [(e.inputs, e.label) for e in found] == [
    (["a", "good", "film"], "1"),
    (["bad", ",", "bad"], "0"),
  ]


def test_the_same_words_have_both_labels():
  """No bag of words can tell the generated reviews apart."""
  bags = {}
  for example in tsv.generate(4_000, seed=0):
    bag = tuple(sorted(example.inputs))
    bags.setdefault(bag, set()).add(example.label)
  assert all(len(labels) == 2 for labels in bags.values())
  for one, other in tsv.PAIRS:
    assert sorted(one.split()) == sorted(other.split())


def test_names_drop_doubles(write, tmp_path):
  write("Ada\nEva\nAda\n  Eva \n", "names/x.txt")
  write("Ada\n", "names/y.txt")
  found = names.read_folder(tmp_path / "names")
  assert [(e.inputs, e.label) for e in found] == [
    ("Ada", "x"),
    ("Eva", "x"),
    ("Ada", "y"),
  ]


def test_dna(write):
  found = dna.read(write("+,S10,\t\tacgt\n-,  B,   NNRA  \n"))
  assert [(e.inputs, e.label) for e in found] == [("ACGT", "+"), ("NNRA", "-")]
  np.testing.assert_array_equal(dna.one_hot("ACGU"), np.eye(4))
  np.testing.assert_array_equal(
    dna.one_hot("nR"), [[0.25] * 4, [0.5, 0, 0.5, 0]]
  )


def test_aligned_dna(write, tmp_path):
  write("ACGT\nTTTT\n", "b/sequences.txt")
  write("0\n1\n", "b/labels.txt")
  found = dna.read(tmp_path / "b")
  assert [(e.inputs, e.label) for e in found] == [("ACGT", "0"), ("TTTT", "1")]


def test_the_motif_is_where_it_should_be():
  for example in dna.generate(500, seed=0):
    assert ("TATAAT" in example.inputs) == (example.label == "motif")


def idx(shape, data, kind=8):
  head = struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)
  return head + bytes(data)


def test_idx(write):
  content = idx((2, 2, 2), range(8))
  for file in (write(content), write(gzip.compress(content))):
    np.testing.assert_array_equal(
      images.read_idx(file), np.arange(8).reshape(2, 2, 2)
    )


def test_idx_folder(write, tmp_path):
  for part, count in (("train", 20), ("t10k", 2)):
    write(idx((count, 1, 2), [7] * 2 * count), f"m/{part}-images-idx3-ubyte")
    labels = gzip.compress(idx((count,), [i % 2 for i in range(count)]))
    write(labels, f"m/{part}-labels-idx1-ubyte.gz")
  found = images.read_folder(tmp_path / "m", 0.1, seed=0)
  assert [len(part) for part in found] == [18, 2, 2]
  assert [e.label for e in found.test] == ["0", "1"]


def test_students(write):
  path = write('a;"b";G1;G2;G3\r\n"x";"5";1;2;"10"\r\n"y";6;1;2;9\r\n')
  found = table.read(path, grades=False)
  assert [(e.inputs, e.label) for e in found] == [
    ({"a": "x", "b": 5.0}, "pass"),
    ({"a": "y", "b": 6.0}, "fail"),
  ]
  assert "G1" in table.read(path, grades=True)[0].inputs
  encoder = Table.fit(found)
  np.testing.assert_allclose(encoder.encode({"a": "y", "b": 6.0}), [1, 0, 1])
  np.testing.assert_allclose(encoder.encode({"a": "new", "b": 5.5}), [0, 0, 0])


def test_conll_with_tab_only_separators(write):
  text = "Jim\tB-p\nSmith\tI-p\n\t\nate\tO\n\n\n-DOCSTART- O\n\nit\tO"
  found = conll.read(write(text))
  assert [s.tokens for s in found] == [["Jim", "Smith"], ["ate"], ["it"]]
  assert conll.bracketed(found[0]) == "[Jim Smith]p"
  assert conll.read(write(conll.write(found))) == found
  four_columns = "Jim NNP I-NP B-PER\nate VBD I-VP O\n"
  assert conll.read(write(four_columns))[0].tags == ["B-PER", "O"]


def test_bracketed_parts_neighbours():
  sentence = conll.Sentence(["a", "b", "c"], ["B-x", "B-x", "B-y"])
  assert conll.bracketed(sentence) == "[a]x [b]x [c]y"


def test_series_newest_first(write, capsys):
  path = write('"Date","A","B"\r\n2020-01-03,3,30\n2020-01-02,2,20\n')
  found = series.read(path)
  assert found.names == ["A", "B"]
  np.testing.assert_array_equal(found.values, [[2, 20], [3, 30]])
  assert "not in order; sorted" in capsys.readouterr().err
  assert series.read(path, ["B"]).values.tolist() == [[20], [30]]


@pytest.mark.parametrize(
  ("dates", "expected"),
  [
    (["2020-11", "2020-12"], ["2021-01-01", "2021-02-01"]),
    (
      ["2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"],  # a Friday
      ["2026-11-23", "2026-11-24"],
    ),
    (["2026-11-20", "2026-11-21"], ["2026-11-22", "2026-11-23"]),
  ],
)
def test_following_dates(write, dates, expected):
  rows = "\n".join(f"{date},1" for date in dates)
  found = series.read(write(f"Month,A\n{rows}\n"))
  after = series.following(found.dates, 2)
  assert [date.date().isoformat() for date in after] == expected


def test_trajectories(write):
  found = physics.read(write("trajectory,x,y\na,0,1\na,2,3\nb,4,5\n"))
  assert [path.tolist() for path in found] == [[[0, 1], [2, 3]], [[4, 5]]]


def test_balls_stay_in_the_box_and_keep_their_energy():
  steps = 400
  found = physics.simulate(np.random.default_rng(0), 20, steps).astype(float)
  low, high = physics.RADIUS - 1e-6, 1 - physics.RADIUS + 1e-6
  assert ((found >= low) & (found <= high)).all()
  moves = np.diff(found, axis=1)
  free = np.abs(np.diff(moves[..., 0], axis=1)) < 1e-6
  assert free.mean() > 0.8  # sideways nothing but walls
  fall = np.diff(moves[..., 1], axis=1)
  assert np.median(fall) == pytest.approx(-physics.GRAVITY, abs=1e-6)


def test_constant_velocity_flies_straight_on():
  past = np.array([[[0.1, 0.5], [0.2, 0.4]]])
  np.testing.assert_allclose(
    physics.constant_velocity(past, 2), [[[0.3, 0.3], [0.4, 0.2]]]
  )


def test_images_show_the_ball_where_it_is():
  image = physics.draw(np.array([0.25, 0.75]), 8).reshape(8, 8)
  total = image.sum()
  rows, columns = np.indices((8, 8))
  assert (columns * image).sum() / total == pytest.approx(1.5, abs=0.01)
  assert (rows * image).sum() / total == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(
  ("read", "content", "message"),
  [
    (tsv.read, "good\t1\nno label\n", r":2: 'no label' has 1 column\(s\)"),
    (tsv.read, " \n", "the file is empty"),
    (dna.read, "+,A,ACGX\n", ":1: 'X' is no nucleotide"),
    (dna.read, "+,ACGT\n", r":1: .* has 2 field\(s\), expected CLASS,NAME"),
    (images.read_idx, b"PNG?", "no IDX file"),
    (images.read_idx, idx((3,), [1]), "9 bytes, expected 11 for shape"),
    (
      lambda p: table.read(p, False),
      "a;G3\n1;2\n3\n",
      ":3: 1 fields, expected 2",
    ),
    (lambda p: table.read(p, False), "a;b\n1;2\n", "expected G3"),
    (
      lambda p: table.read(p, False),
      "a;G3\nnan;2\n",
      ":2: a is 'nan', expected a fin",
    ),
    (lambda p: table.read(p, False), "a;G3\n", "holds no examples"),
    (conll.read, "Jim B-p\nSmith\n", ":2: 'Smith', expected a token and a BIO"),
    (conll.read, "Jim PERSON\n", ":1: 'Jim PERSON', expected"),
    (series.read, "date,a\n2020-01-01,NaN\n", ":2: a is 'NaN', expected a fin"),
    (series.read, "date,a\n2020-01-01,\n", ":2: a is '', expected a finite"),
    (series.read, "date,a\n2020-01-01\n", ":2: 1 fields, expected 2"),
    (series.read, "date,a\n01/02/2020,1\n", ":2: '01/02/2020' is no date"),
    (series.read, "a,b\n1,2\n", ":1: the columns are a, b, expected one named"),
    (
      series.read,
      "date,a\n2020-01-01,1\n2020-01-01,2\n",
      "2020-01-01 00:00:00 occurs twice",
    ),
    (lambda p: series.read(p, ["c"]), "date,a\n", "columns holds 'c'"),
    (physics.read, "trajectory,x\na,1\n", "'y' is missing"),
    (
      physics.read,
      "trajectory,x,y\na,1,?\n",
      r":2: y is '\?', expected a fin",
    ),
  ],
)
def test_mistakes(write, read, content, message):
  with pytest.raises(InputError, match=message):
    read(write(content))


def test_folders_that_are_not_right(tmp_path):
  with pytest.raises(InputError, match="expected a folder of CLASS.txt"):
    names.read_folder(tmp_path)
  with pytest.raises(InputError, match="train-images-idx3-ubyte"):
    images.read_folder(tmp_path, 0.1, 0)
  (tmp_path / "sequences.txt").write_text("A\nC\n")
  (tmp_path / "labels.txt").write_text("1\n")
  with pytest.raises(InputError, match="has 2 rows and labels.txt 1"):
    dna.read(tmp_path)
