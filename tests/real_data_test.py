"""The real files in their original formats, where they are at hand."""

import json
import os
import pathlib

import numpy as np
import pytest

from seqjax.data import conll, formats, series
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

# experiment: where its file is, and the sizes of its parts.
PARTS = {
  "sentiment:sst2": ("sst2", [6_920, 872, 1_821]),
  "surnames:names": ("names", [14_408, 1_802, 1_802]),
  "dna:promoters": ("promoters/promoters.data", [95, 0, 11]),
  "dna:splice": ("splice/splice.data", [2_866, 0, 324]),
  "dna:binding": ("tf_binding", [1_297, 203, 500]),
  "pass_fail:uci": ("student_uci/student-por.csv", [584, 0, 65]),
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
def test_entities(tmp_path):
  assert evaluate("ner:wnut17", tmp_path, "wnut17")["f1"] > 0.15


@pytest.mark.slow
def test_promoters(tmp_path):
  config = load("dna:promoters")
  config.data.path = str(DATA / "promoters/promoters.data")
  folds.cross_validate(config, tmp_path)
  result = json.loads((tmp_path / "cross_validation.json").read_text())
  assert result["mean"]["accuracy"] > 0.88
