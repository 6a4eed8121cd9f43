import gzip
import io
import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import language_pair, pairs, parallel, subwords
from seqjax.data.pairs import Pair
from seqjax.errors import InputError

TAB = "".join(f"Book:{i // 4}:{i % 4}\tword {i}\tWort {i}\n" for i in range(40))


def config(**fields):
  defaults = {
    "path": None,
    "source": "en",
    "target": "de",
    "test_file": "",
    "columns": (1, 2),
    "group": 0,
    "examples": 200,
    "validation": 0.1,
    "test": 0.2,
    "lower": False,
    "normalize": False,
    "moses": False,
    "tokenizer": "words",
    "vocab_size": 0,
    "min_count": 1,
    "joint": False,
    "subword_dropout": 0.0,
    "max_length": 0,
    "train_only": "",
  }
  return config_dict.ConfigDict({**defaults, **fields})


@pytest.fixture
def folder(write):
  """Aligned files: how many lines each part is to have."""

  def folder(packed=False, **parts):
    for name, count in parts.items():
      for language, word in ("en", "dog"), ("de", "Hund"):
        content = "".join(f"{word} {name} {i}\r\n" for i in range(count))
        ending = f"{language}.gz" if packed else language
        data = content.encode()
        path = write(
          gzip.compress(data) if packed else data, f"data/{name}.{ending}"
        )
    return str(path.parent)

  return folder


def load(path, seed=0, **fields):
  return pairs.load(config(path=str(path), **fields), seed)


def sizes(splits):
  return [len(part) for part in splits]


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_brings_its_parts(folder, packed):
  found = load(folder(packed, train=6, val=3, test_2016_flickr=2))
  assert sizes(found) == [6, 3, 2]
  assert found.test[1] == Pair(
    "dog test_2016_flickr 1", "Hund test_2016_flickr 1"
  )
  other = load(folder(packed, train=6), source="de", target="en")
  assert other.train[0] == Pair("Hund train 0", "dog train 0")


def test_which_test_set(folder):
  path = folder(train=6, val=3, test_2016=2, test_2017=1)
  assert sizes(load(path, test_file="test_2017")) == [6, 3, 1]
  with pytest.raises(
    InputError, match="2 test sets; .*test_file=test_2016 .or"
  ):
    load(path)
  with pytest.raises(
    InputError, match="'x', expected one of test_2016, test_2"
  ):
    load(path, test_file="x")
  for other in ("train", "val"):
    with pytest.raises(InputError, match=f"'{other}', expected one of test_2"):
      load(path, test_file=other)


def test_what_a_folder_lacks_is_a_share_of_training(folder):
  alone = load(folder(train=50))
  assert sizes(alone) == [35, 5, 10]
  assert sizes(load(folder(train=50, test=3))) == [45, 5, 3]
  assert sizes(load(folder(train=50, val=4, test=3))) == [50, 4, 3]
  kept = {p.source for part in alone for p in part}
  assert kept == {f"dog train {i}" for i in range(50)}


def test_columns_of_a_table(write):
  path = write(TAB)
  found = load(path, columns=(2, 3))
  assert sizes(found) == [28, 4, 8]
  assert {p for part in found for p in part} == {
    Pair(f"word {i}", f"Wort {i}") for i in range(40)
  }
  other = load(path, columns=(3, 2), group=1)
  assert Pair("Wort 7", "word 7", "Book:1") in [
    p for part in other for p in part
  ]
  packed = write(gzip.compress(TAB.encode()), "table.tsv.gz")
  assert load(packed, columns=(2, 3)) == found


def test_a_group_and_a_source_stay_on_one_side(write):
  found = load(write(TAB), columns=(2, 3), group=1)
  assert sizes(found) == [28, 4, 8]
  groups = [{p.group for p in part} for part in found]
  assert [len(g) for g in groups] == [7, 1, 2]
  # Equal sources tie groups together: 0 and 1, 1 and 2, ...
  chain = [Pair(f"s{i // 2}", "t", f"g{(i + 1) // 2}") for i in range(20)]
  loose = [Pair(f"x{i}", "t") for i in range(20)]
  for seed in range(5):
    parts = parallel.split([*chain, *loose], 0.2, 0.2, seed)
    assert sizes(parts) == [24, 8, 8]
    assert set(chain) <= set(parts.train)


def test_a_split_is_by_the_seed(write):
  path = write(TAB)
  one, other = (load(path, seed, columns=(2, 3)) for seed in (0, 1))
  assert load(path, 0, columns=(2, 3)) == one
  assert set(one.test) != set(other.test)
  # Parts are in the order of the file.
  numbers = [int(p.source.split()[1]) for p in one.train]
  assert numbers == sorted(numbers)


def test_empty_sides_are_dropped_and_told(write, capsys):
  path = write("a\tb\n\n \tc\nd\t\ne\tf\n")
  assert sizes(load(path, validation=0, test=0)) == [2, 0, 0]
  assert capsys.readouterr().err == (
    f"{path}: 2 pair(s) with an empty side are dropped (line 3, 4)\n"
  )
  folder = write("a\n\nb\n", "both/train.en").parent
  write("c\nd\n \n", "both/train.de")
  assert load(folder, validation=0, test=0).train == [Pair("a", "c")]
  said = capsys.readouterr().err
  assert said.startswith(f"{folder}/train.en and train.de: 2 pair(s)")
  assert said.endswith("(line 2, 3)\n")


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"path": "none"}, "config.data.path is none, which does not exist"),
    (
      {"columns": (1, 4)},
      ":1: 'Book:0:0.tword 0.*3 column.*expected 4: config",
    ),
    ({"columns": (2, 3), "group": 5}, "expected 5: .*group is 5"),
    ({"columns": (1, 1)}, r"config.data.columns is \(1, 1\), expected two who"),
    ({"columns": (0, 1)}, r"config.data.columns is \(0, 1\)"),
    ({"columns": (1, 2, 3)}, r"config.data.columns is \(1, 2, 3\)"),
    ({"group": -1}, "config.data.group is -1, expected a whole number >= 0"),
    (
      {"validation": 0.6, "test": 0.4},
      "validation is 0.6 and .*test is 0.4, ex",
    ),
    ({"test": 0.001}, "config.data.test is 0.001, which leaves nothing of 40"),
  ],
)
def test_mistakes_in_a_table(write, fields, message):
  with pytest.raises(InputError, match=message) as error:
    pairs.load(config(**{"path": str(write(TAB)), **fields}), 0)
  assert "\n" not in str(error.value)


def test_mistakes_in_a_folder(folder, write):
  path = folder(train=3, val=2)
  with pytest.raises(InputError, match="where train.fr.* is not .*train.de"):
    load(path, source="fr")
  with pytest.raises(InputError, match="where train.fr.* is not to be found; "):
    load(path, target="fr")
  with pytest.raises(InputError, match="source is 'en' and .*target is 'en', "):
    load(path, target="en")
  write("a\nb\n", "data/val.de")
  write("a\nb\nc\n", "data/val.en")
  with pytest.raises(
    InputError, match="val.en has 3 lines and .*de has 2, exp"
  ):
    load(path)
  write(b"no gzip", "data/test.en.gz")
  write("a\n", "data/test.de")
  write("a\n", "data/val.de")
  write("a\n", "data/val.en")
  with pytest.raises(InputError, match="test.en.gz: cannot be unpacked"):
    load(path)


def test_without_a_path_pairs_are_made_up():
  found = pairs.load(config(), 3)
  assert sizes(found) == [140, 20, 40]
  made = language_pair.generate(200, 3)
  assert sorted(p for part in found for p in part) == sorted(made)
  with pytest.raises(InputError, match="config.data.examples is 0, expected"):
    pairs.load(config(examples=0), 0)


LINES = [
  Pair("A man, who isn't old.", "Ein Mann, der nicht alt ist."),
  Pair("Two cats (red)!", "Zwei Katzen (rot)!"),
]


@pytest.mark.parametrize("tokenizer", pairs.TOKENIZERS)
@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("moses", [False, True])
def test_encoder(tokenizer, joint, moses):
  data = config(
    tokenizer=tokenizer,
    joint=joint,
    moses=moses,
    vocab_size=300 if tokenizer == "subwords" else 0,
  )
  made = pairs.Encoder.fit(LINES, data, 0)
  assert (made.source is made.target) == joint
  again = pairs.Encoder(**json.loads(json.dumps(made.state)))
  assert again.state == made.state
  assert (again.source is again.target) == joint
  for encoder in made, again:
    for cut in encoder.source, encoder.target:
      ids = [cut.padding, cut.unknown, cut.start, cut.stop]
      assert ids == [0, 1, 2, 3]
    for pair in LINES:
      source = encoder.encode_source(pair.source)
      target = encoder.encode_target(pair.target)
      assert source.dtype == target.dtype == np.int32
      assert source[-1] == target[-1] == 3
      assert min(source[:-1].min(), target[:-1].min()) > 3
      assert encoder.decode(target) == pair.target
      assert encoder.decode([2, *target, 0, 0]) == pair.target
    assert encoder.encode_source("").tolist() == [3]
    assert encoder.decode([3]) == ""


def test_the_made_up_pairs_come_back():
  parts = pairs.load(config(examples=2_000), 0)
  encoder = pairs.Encoder.fit(parts.train, config(), 0)
  for pair in parts.test:
    assert encoder.decode(encoder.encode_target(pair.target)) == pair.target
  date = encoder.target.symbols(encoder.encode_target("2024-03-05"))
  assert date == ["▁2", *"024-03-05", "<stop>"]


def test_lower_case_and_punctuation():
  data = config(lower=True, normalize=True)
  encoder = pairs.Encoder.fit(LINES, data, 0)
  same = encoder.encode_source("A MAN, WHO ISN’T OLD.").tolist()
  assert same == encoder.encode_source(LINES[0].source).tolist()
  assert encoder.decode(encoder.encode_target("ZWEI KATZEN")) == "zwei katzen"


def test_unknown_words():
  data = config(min_count=2)
  encoder = pairs.Encoder.fit([Pair("a b a", "x y x")], data, 0)
  source, target = encoder.encode_source("a Zoe"), encoder.encode_target("x y")
  assert source.tolist() == [4, 1, 3]
  assert target.tolist() == [4, 1, 3]
  assert encoder.decode(target) == "x"
  copied = encoder.source.symbols(source)
  assert copied == ["▁a", "▁<unk>", "<stop>"]
  copies = encoder.split_source("a Zoe")
  assert copies == ["▁a", "▁Zoe", ""]
  assert encoder.decode(target, copies) == "x Zoe"
  assert encoder.decode([2, 1, 0], ["<stop>", "▁Zoe", ""]) == "Zoe"


def test_subwords_are_copied_and_stay_in_one_line():
  data = config(tokenizer="subwords", vocab_size=300)
  encoder = pairs.Encoder.fit(LINES, data, 0)
  text = "Zoe läuft"
  copies = encoder.split_source(text)
  assert len(copies) == len(encoder.encode_source(text))
  assert encoder.decode([1] * len(copies), copies) == text
  broken = encoder.encode_target("a\nb\rc")
  assert encoder.decode(broken) == "a b c"


def test_subword_sampling_is_of_a_seed():
  data = config(tokenizer="subwords", vocab_size=300, subword_dropout=0.3)
  encoder = pairs.Encoder.fit(LINES, data, 0)
  text = LINES[0].target
  plain = encoder.encode_target(text).tolist()
  assert plain == encoder.target.encode(text).tolist() + [3]
  drawn = [encoder.encode_target(text, seed).tolist() for seed in range(9)]
  assert drawn == [encoder.encode_target(text, s).tolist() for s in range(9)]
  assert len({tuple(ids) for ids in drawn}) > 3
  assert {encoder.decode(ids) for ids in drawn} == {text}


def test_the_vocabulary_may_be_cut():
  encoder = pairs.Encoder.fit(LINES, config(vocab_size=6), 0)
  assert (len(encoder.source), len(encoder.target)) == (6, 6)


def test_lines_to_translate(write, monkeypatch):
  encoder = pairs.Encoder.fit(LINES, config(), 0)
  expected = ["Two cats", "", "a dog"]
  assert encoder.read(str(write(" Two cats\r\n\n a dog\n"))) == expected
  monkeypatch.setattr("sys.stdin", io.StringIO("Two cats\n \na dog\n"))
  assert encoder.read("-") == expected


def test_long_pairs_are_told(capsys):
  lengths = np.array([[3, 5], [6, 2], [2, 2]])
  assert pairs.within(lengths, 5).tolist() == [True, False, True]
  assert capsys.readouterr().err == (
    "training: 1 of 3 pairs are longer than config.data.max_length = 5 tokens"
    " and dropped\n"
  )
  pairs.within(lengths, 5, ["a", "b c", "d"])
  assert capsys.readouterr().err.endswith(" and dropped; the first: b c\n")
  assert pairs.within(lengths, 6).all()
  assert pairs.within(lengths, 0).all()
  assert not capsys.readouterr().err
  with pytest.raises(
    InputError, match="is 1, which leaves none of 3 .* has 2 "
  ):
    pairs.within(lengths, 1)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"tokenizer": "bpe"}, "is 'bpe', expected one of subwords, words, charac"),
    ({"subword_dropout": 0.1}, "is 0.1, expected 0 with config.data.tokenizer"),
    ({"subword_dropout": 1.0}, "config.data.subword_dropout is 1.0"),
    ({"min_count": 0}, "config.data.min_count is 0"),
    ({"max_length": -1}, "config.data.max_length is -1"),
    ({"vocab_size": 4}, r"is 4, expected 0 \(all\) or more than the 4 reserv"),
    ({"vocab_size": 2.5}, "config.data.vocab_size is 2.5"),
    (
      {"tokenizer": subwords.NAME, "vocab_size": 9_000},
      "vocab_size is 9000, expected at most",
    ),
  ],
)
def test_mistakes_in_the_config(fields, message):
  with pytest.raises(InputError, match=message):
    pairs.Encoder.fit(LINES, config(**fields), 0)
