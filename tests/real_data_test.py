"""The real files in their original formats, where they are at hand."""

import itertools
import json
import os
import pathlib
import tarfile
from fractions import Fraction

import numpy as np
import pytest
from ml_collections import config_dict
from scipy.io import wavfile

from seqjax.data import (
  bleu,
  caption_scores,
  captions,
  conll,
  formats,
  midi,
  moses,
  notes,
  pairs,
  polyphony,
  protein,
  series,
  signals,
  sounds,
  subwords,
  tune_scores,
  tunes,
  utterances,
  wav,
)
from seqjax.tasks import base
from seqjax.train import folds, loop
from tests.experiments import load

DATA = pathlib.Path(
  os.environ.get(
    "SEQJAX_DATA_DIR", pathlib.Path(__file__).parents[2] / "shared" / "data"
  )
)
pytestmark = pytest.mark.skipif(
  not (DATA / "names").is_dir(), reason="the files are not here"
)

# config.data of what is in two languages.
LANGUAGES = {
  "path": None,
  "source": "en",
  "target": "de",
  "test_file": "",
  "columns": (1, 2),
  "group": 0,
  "validation": 0.1,
  "test": 0.1,
  "train_only": "",
}
ARCHIVE = "time_series_classes"

# experiment: where its file is, and the sizes of its parts.
PARTS = {
  "sentiment:sst2": ("sst2", [6_920, 872, 1_821]),
  "surnames:names": ("names", [14_408, 1_802, 1_802]),
  "dna:promoters": ("promoters/promoters.data", [95, 0, 11]),
  "dna:splice": ("splice/splice.data", [2_866, 0, 324]),
  "dna:binding": ("tf_binding", [1_297, 203, 500]),
  "pass_fail:uci": ("student_uci/student-por.csv", [584, 0, 65]),
  "signals:vowels": (f"{ARCHIVE}/JapaneseVowels_TRAIN.ts", [270, 0, 370]),
  "signals:motions": (f"{ARCHIVE}/BasicMotions_TRAIN.ts", [40, 0, 40]),
  "signals:gunpoint": (f"{ARCHIVE}/GunPoint_TRAIN.tsv", [50, 0, 150]),
  "signals:power": (f"{ARCHIVE}/ItalyPowerDemand_TRAIN.ts", [67, 0, 1_029]),
}


@pytest.mark.parametrize("name", PARTS)
def test_classes(name):
  path, sizes = PARTS[name]
  config = load(name)
  config.data.path = str(DATA / path)
  parts = formats.find(config.data.format).load(config.data, 0)
  assert [len(part) for part in parts] == pytest.approx(sizes, abs=4)
  total = {"sentiment:sst2": 9_613, "surnames:names": 18_012}
  assert sum(map(len, parts)) == total.get(name, sum(sizes))


@pytest.mark.parametrize(
  ("variant", "expected"),
  [("vowels", 93.5), ("motions", 57.5), ("gunpoint", 91.3), ("power", 95.5)],
)
def test_the_nearest_neighbour_of_signals(variant, expected):
  path, _ = PARTS[f"signals:{variant}"]
  config = load(f"signals:{variant}")
  config.data.path = str(DATA / path)
  found = base.create(base.resolve(config)).baselines("test")
  assert 100 * found["nearest_neighbour"] == pytest.approx(expected, abs=0.05)


def test_both_forms_of_the_archive_are_the_same():
  rows = [
    signals.read(
      DATA / ARCHIVE / f"GunPoint_TRAIN.{kind}", load("signals").data
    )
    for kind in ("ts", "tsv")
  ]
  for (_, one), (_, other) in zip(*rows, strict=True):
    assert one.label == other.label
    np.testing.assert_allclose(one.values, other.values, atol=1e-6)


def in_two_languages(path, **fields):
  data = {**LANGUAGES, "path": str(DATA / path), **fields}
  return pairs.load(config_dict.ConfigDict(data), 0)


def test_multi30k():
  found = in_two_languages("multi30k", test_file="test_2016_flickr")
  assert [len(part) for part in found] == [29_000, 1_014, 1_000]
  # Words as the data's own README counts them, after its own script.
  counts = {
    (part, side): sum(
      len(
        moses.prepare(
          getattr(pair, side),
          LANGUAGES[side],
          lower=True,
          normalize=True,
          moses=True,
        ).split()
      )
      for pair in getattr(found, part)
    )
    for part in ("validation", "test")
    for side in ("source", "target")
  }
  assert list(counts.values()) == [13_308, 12_828, 12_968, 12_103]
  # What is perfect but in lower case.
  references = [pair.target for pair in found.test]
  lower = [text.lower() for text in references]
  scores = bleu.scores(lower, references, "de")
  assert scores["bleu"] == pytest.approx(23.3, abs=0.05)
  assert scores["bleu_tokenized"] == pytest.approx(100)


def test_subwords_of_multi30k():
  found = in_two_languages("multi30k", test_file="test_2017_mscoco")
  lines = [line for pair in found.train for line in (pair.source, pair.target)]
  cut = subwords.Subwords.fit(lines, 10_000)
  assert len(cut) == 10_000
  assert subwords.Subwords.fit(lines, 10_000).state == cut.state
  encoded = [cut.encode(line) for line in lines]
  assert [cut.decode(ids) for ids in encoded] == lines
  assert np.mean([len(ids) for ids in encoded]) == pytest.approx(14.2, abs=0.1)
  for pair in found.test:
    assert cut.decode(cut.encode(pair.target)) == pair.target


@pytest.mark.parametrize(
  ("path", "fields", "total"),
  [
    ("tatoeba_cmn/cmn.txt.gz", {"target": "zh"}, 29_155),
    (
      "bible_en_es/en-es.tsv.gz",
      {"columns": (2, 3), "group": 1, "target": "es"},
      31_015,
    ),
  ],
)
def test_tables_in_two_languages(path, fields, total):
  found = in_two_languages(path, **fields)
  shares = [len(part) / total for part in found]
  assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.002)
  assert sum(map(len, found)) == total
  for key in "source", "group":
    sides = [{getattr(p, key) for p in part} - {""} for part in found]
    assert not (sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2])


def test_verses_that_are_told_twice_are_trained_on():
  config = load("translate:verses")
  config.data.path = str(DATA / "bible_en_es" / "en-es.tsv.gz")
  found = pairs.load(config.data, 0)
  assert [len(part) for part in found] == [27_293, 620, 3_102]
  held = {p.group.rpartition(" ")[0] for p in found.validation + found.test}
  assert not held & {"I Kings", "II Chronicles", "Matthew", "Luke", "John"}
  assert "I John" in {p.group.rpartition(" ")[0] for p in found.train}
  words = [len(pair.source.split()) for pair in found.test]
  assert np.mean(np.array(words) > 20) == pytest.approx(0.53, abs=0.03)


def test_flickr8k(capsys):
  config, texts = load("caption:flickr8k"), DATA / "flickr8k_text"
  config.data.grids = str(DATA / "flickr8k_grid")
  config.data.captions = str(texts / "Flickr8k.token.txt")
  for part, name in (
    ("train", "train"),
    ("validation", "dev"),
    ("test", "test"),
  ):
    config.data[f"{part}_names"] = str(texts / f"Flickr_8k.{name}Images.txt")
  found = captions.load(config.data, 0)
  assert [len(part) for part in found] == [6_000, 1_000, 1_000]
  assert "5 captions of 1 image(s)" in capsys.readouterr().err
  every = [each for part in found for each in part]
  assert {each.inputs.shape for each in every} == {(49, 96)}
  assert {len(each.captions) for each in every} == {5}
  encoder = captions.Encoder.fit(found.train, config.data, 0)
  flat = encoder.encode(found.train[:500]).reshape(-1, 96)
  assert np.abs(flat.mean(axis=0)).max() < 0.15
  # What the data's own README has of one caption against the other four.
  references = [each.captions for each in found.test]
  worth = caption_scores.scores(
    [one[0] for one in references], [one[1:] for one in references]
  )
  found = [worth[f"bleu_{n}"] for n in range(1, 5)]
  assert found == pytest.approx([63.7, 44.7, 30.6, 21.0], abs=0.2)


def test_wnut17():
  folder = DATA / "wnut17"
  counts = {
    "wnut17train.conll": (3_394, 62_730),
    "emerging.dev.conll": (1_009, 15_733),
    "emerging.test.annotated": (1_287, 23_394),
  }
  for name, expected in counts.items():
    found = conll.read(folder / name)
    tokens = sum(len(sentence.tokens) for sentence in found)
    assert (len(found), tokens) == expected


def test_proteins():
  path = DATA / "protein_structure" / "protein-secondary-structure.train"
  config = load("protein:uci")
  config.data.path = str(path)
  parts = protein.load(config.data, 0)
  sizes = [(len(p), sum(len(one.tags) for one in p)) for p in parts]
  assert sizes == [(111, 18_105), (0, 0), (17, 3_520)]
  states = [tag for one in parts.test for tag in one.tags]
  assert states.count("C") / len(states) == pytest.approx(0.546, abs=5e-4)
  # No test protein has a relative; in training many have.
  families = protein.relatives(parts.train + parts.test)
  assert max(map(len, families)) == 8
  assert all(len(one) == 1 for one in families if max(one) >= 111)


@pytest.mark.parametrize(
  ("path", "rows", "first"),
  [
    ("ett/ETTh1.csv", 17_420, "2016-07-01"),
    ("timeseries/daily-min-temperatures.csv", 3_650, "1981-01-01"),
    ("timeseries/airline-passengers.csv", 144, "1949-01-01"),
    ("djia/DJIA_table.csv", 1_989, "2008-08-08"),
  ],
)
def test_series(path, rows, first):
  found = series.read(DATA / path)
  assert len(found.dates) == rows
  assert found.dates[0].date().isoformat() == first
  assert (np.diff([date.timestamp() for date in found.dates]) > 0).all()


def evaluate(name, directory, path, **changes):
  """Trains by the experiment's own settings; the scores of the test part."""
  config = load(name)
  config.data.path = str(DATA / path)
  config.update_from_flattened_dict(changes)
  assert loop.train(config, directory) == 0
  task, params, _ = loop.load(directory)
  return task.evaluate_split(params, "test")[0]


@pytest.mark.slow
def test_etth1_is_forecast_well(tmp_path):
  found = evaluate("forecast:etth1", tmp_path, "ett/ETTh1.csv")
  assert found["mse"] < 0.40
  assert found["mse"] < min(found["naive_mse"], found["seasonal_naive_mse"])


@pytest.mark.slow
def test_intervals_of_etth1(tmp_path):
  """Those of 80 %, though the test part drifts away from training."""
  changes = {"model.quantiles": (0.1, 0.5, 0.9), "model.dropout": 0.1}
  found = evaluate("forecast:etth1", tmp_path, "ett/ETTh1.csv", **changes)
  assert found["mae"] < 0.41
  assert 0.75 < found["coverage_80"] < 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
  ("variant", "file"),
  [
    ("airline", "timeseries/airline-passengers.csv"),
    ("temperatures", "timeseries/daily-min-temperatures.csv"),
  ],
)
def test_series_beat_both_baselines(tmp_path, variant, file):
  found = evaluate(f"forecast:{variant}", tmp_path, file)
  assert found["mse"] < min(found["naive_mse"], found["seasonal_naive_mse"])


@pytest.mark.slow
def test_surnames(tmp_path):
  found = evaluate("surnames:names", tmp_path, "names")
  assert found["accuracy"] > 0.81
  assert found["balanced_accuracy"] > 0.4


@pytest.mark.slow
def test_binding_sites_are_found(tmp_path):
  assert evaluate("dna:binding", tmp_path, "tf_binding")["accuracy"] > 0.98


@pytest.mark.slow
def test_sentiment(tmp_path):
  assert evaluate("sentiment:sst2", tmp_path, "sst2")["accuracy"] > 0.80


@pytest.mark.slow
def test_motions(tmp_path):
  path, _ = PARTS["signals:motions"]
  assert evaluate("signals:motions", tmp_path, path)["accuracy"] > 0.95


@pytest.mark.slow
def test_entities(tmp_path):
  assert evaluate("ner:wnut17", tmp_path, "wnut17")["f1"] > 0.15


@pytest.mark.slow
def test_structures(tmp_path):
  path = "protein_structure/protein-secondary-structure.train"
  found = evaluate("protein:uci", tmp_path, path)
  assert found["q3"] > 0.61
  assert found["majority"] < 0.55


@pytest.mark.slow
def test_promoters(tmp_path):
  config = load("dna:promoters")
  config.data.path = str(DATA / "promoters/promoters.data")
  folds.cross_validate(config, tmp_path)
  result = json.loads((tmp_path / "cross_validation.json").read_text())
  assert result["mean"]["accuracy"] > 0.88


def test_tunes(capsys):
  """Whole ones, well formed as far as they are; no title in two parts."""
  found = tunes.read(DATA / "irish_abc" / "irish.abc")
  assert len(found) == 800
  assert "2 double(s)" in capsys.readouterr().err
  shares = tune_scores.shares(found)
  assert shares == pytest.approx(
    {"header": 1, "legal": 0.996, "bars": 0.969, "repeats": 1, "all": 0.966},
    abs=0.002,
  )
  parts = tunes.split(found, 0.1, 0.1, 0)
  titles = [
    {tunes.plain(line[2:]) for t in part for line in t.split("\n")
     if line.startswith("T:")} for part in parts
  ]  # fmt: skip
  assert not any(a & b for a, b in itertools.combinations(titles, 2))


@pytest.mark.parametrize(
  ("name", "least"), [("airdsAirs", 0.97), ("oneills1850", 0.9),
                      ("ryansMammoth", 0.78)]
)  # fmt: skip
def test_folk_tunes(name, least):
  found = tunes.read(DATA / "abc_folk" / f"{name}.abc.gz")
  assert len(found) > 1_000
  assert tune_scores.shares(found)["all"] > least


def test_chorales_as_midi(tmp_path):
  """To notes, to a file, and back."""
  path = DATA / "jsb_chorales" / "jsb-chorales-16th.json"
  pieces = json.loads(path.read_text())["test"][:10]
  for piece in pieces:
    frames = np.zeros((len(piece), 88), bool)
    for time, pitches in enumerate(piece):
      frames[time, [int(pitch) - 21 for pitch in pitches]] = True
    score = notes.score_of(frames, Fraction(1, 4), 100.0)
    midi.write(tmp_path / "one.mid", score)
    read = midi.read(tmp_path / "one.mid").score
    assert read.notes == score.notes
    again, counts = notes.frames(read, Fraction(1, 4))
    assert counts == (0, 0, 0, 0)
    # Silence at the end is no note.
    np.testing.assert_array_equal(frames[: len(again)], again)
    assert not frames[len(again) :].any()


@pytest.mark.parametrize(
  ("name", "frames", "nats"),
  [
    ("JSB_Chorales", [13_807, 4_602, 4_725], 11.06),
    ("Nottingham", [176_561, 45_513, 44_463], 10.25),
    ("MuseData", [245_202, 82_755, 64_339], 11.51),
    ("Piano_midi", [75_911, 8_540, 19_036], 11.05),
  ],
)
def test_polyphonic_music(name, frames, nats):
  """As many frames as are told, and what pitches alone are worth."""
  parts = polyphony.read(DATA / "polyphonic_music" / f"{name}.mat")
  assert [sum(map(len, part)) for part in parts] == frames
  found = polyphony.independent(parts.train, parts.test)
  assert found == pytest.approx(nats, abs=0.005)
  if name == "JSB_Chorales":
    path = DATA / "jsb_chorales" / "jsb-chorales-quarter.json"
    same = polyphony.read(path)
    for one, other in zip(same.train, parts.train, strict=True):
      np.testing.assert_array_equal(one, other)


def test_speech():
  """Parts as the recordings' own splits have them, and whole strings."""
  digits = load("digits:fsdd")
  digits.data.path = str(DATA / "fsdd" / "recordings.tar.gz")
  parts = sounds.load(digits.data, 0)
  assert [len(part) for part in parts] == [2_700, 0, 300]
  yesno = load("speech:yesno")
  yesno.data.path = str(DATA / "yesno" / "waves_yesno.tar.gz")
  parts = utterances.load(yesno.data, 0)
  assert [len(part) for part in parts] == [31, 0, 29]
  assert parts.test[0].text == "yes no no no no no no no"
  strings = load("speech:digits")
  strings.data.path = digits.data.path
  strings.data.examples = 50
  parts = utterances.load(strings.data, 0)
  assert [len(part) for part in parts] == [50, 200, 1_000]
  assert all(3 <= len(one.text.split()) <= 7 for one in parts.test)


def test_recordings(tmp_path):
  """Each as SciPy reads it."""
  with tarfile.open(DATA / "fsdd" / "recordings.tar.gz") as archive:
    names = [n for n in sorted(archive.getnames()) if n.endswith(".wav")]
    assert len(names) == 3_000
    for name in names[::100]:
      path = tmp_path / "one.wav"
      path.write_bytes(archive.extractfile(name).read())
      rate, values = wavfile.read(path)
      sound = wav.read(path)
      assert (sound.rate, sound.notice) == (rate, "")
      np.testing.assert_array_equal(sound.samples, values / np.float32(2**15))
