"""The benchmark scripts run; their figures are no test's business."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import (
  compare,
  families,
  harness,
  long_sequences,
  startup,
  transformer,
  translation,
)
from benchmarks.peers import translation_batches
from seqjax.train import runtime

ROOT = pathlib.Path(__file__).parents[1]


def test_loop_overhead():
  command = [
    *(sys.executable, "-m", "benchmarks.loop_overhead"),
    *("--steps=3", "--rounds=1", "--config.model.hidden_size=8"),
    *("--config.window=8", "--config.batch_size=4"),
  ]
  result = subprocess.run(
    command, cwd=ROOT, capture_output=True, text=True, timeout=120
  )
  assert result.returncode == 0, result.stderr
  ratios = json.loads(result.stdout.split("ratio: ")[1])
  assert set(ratios) == {"min", "median"}


def test_peers_take_turns_and_a_missing_one_is_a_gap(tmp_path):
  case = {
    **{"cell": "gru", "hidden_size": 8, "num_layers": 2, "batch": 32},
    **{"time": 6, "vocab": 5, "dtype": "float32"},
  }
  arguments = ["--peers=ours,ours:scan:1,linen,pytorch"]
  arguments += ["--rounds=1", "--seconds=0.01", f"--json={tmp_path}/rows.json"]
  options = harness.parser("").parse_args(arguments)
  rows = harness.measure(case, "train", options)
  first, second, linen, torch = rows
  assert (first["devices"], second["devices"]) == (
    runtime.cpu_devices(32),
    1,
  )
  assert first["parameters"] == linen["parameters"]
  for row in (first, second, linen):
    assert 0 < row["min_ms"] <= row["median_ms"]
    assert row["deviation"] < 1e-5
  if importlib.util.find_spec("torch") is None:
    assert torch["gap"] == "No module named 'torch'"
  text = harness.table(rows)
  assert "| seqjax `scan` |" in text
  assert "| Flax Linen |" in text
  harness.finish(rows, options)
  assert len(json.loads((tmp_path / "rows.json").read_text())["rows"]) == 4


def test_a_translator_is_trained_and_told_in_tokens():
  small = {"hidden_size": 4, "embed_size": 4, "vocab": 9, "batch": 4}
  case = {**translation.CASE, **small, "buckets": 1}
  options = harness.parser("").parse_args(
    ["--peers=ours:scan,linen,pytorch", "--rounds=1", "--seconds=0.01"]
  )
  rows = ours, *_ = harness.measure(case, "train", options)
  assert 0 < ours["min_ms"] <= ours["median_ms"]
  tokens = translation_batches.target_tokens(case)
  told = translation.table(rows, tokens).splitlines()
  assert f"| {1e3 * tokens / ours['min_ms']:,.0f}, " in told[2]
  assert "No module named 'benchmarks.peers.linen_translation'" in told[3]


@pytest.mark.parametrize("kind", ["train", "generate"])
def test_a_gpt_is_trained_and_writes_and_is_told_in_tokens(kind):
  case = {**transformer.case(8, 2), "num_layers": 1}
  options = harness.parser("").parse_args(
    ["--peers=ours::1,linen", "--rounds=1", "--seconds=0.01"]
  )
  rows = ours, linen = harness.measure(case, kind, options)
  assert 0 < ours["min_ms"] <= ours["median_ms"]
  assert "No module named 'benchmarks.peers.linen_transf" in linen["gap"]
  if kind == "train":  # and from the same parameters as in float64
    assert 0 < ours["deviation"] < 1e-5
  told = transformer.table(rows, "a step").splitlines()
  assert f"| {1e3 * 2 * 8 / ours['min_ms']:,.0f}, " in told[4]


def test_lengths_of_the_pairs_are_as_told():
  rows = translation_batches.batches(translation.CASE)
  for sources, source_lengths, targets, target_lengths in rows:
    assert ((sources != 0).sum(1) == source_lengths).all()
    assert ((targets != 0).sum(1) == target_lengths).all()
  pairs = [np.concatenate([row[side] for row in rows]) for side in (1, 3)]
  for lengths in pairs:
    assert abs(lengths.mean() - translation_batches.MEAN) < 0.5
    assert abs(lengths.std() - translation_batches.DEVIATION) < 0.5
  assert 0.7 < np.corrcoef(pairs)[0, 1] < 0.9
  assert 25 < np.max(pairs) <= translation_batches.LONGEST


def entry(ours, linen):
  case = {name: 1 for name in compare._CASE}
  return {
    "rows": [
      {**case, "peer": "ours", "min_ms": ours},
      {**case, "peer": "linen", "min_ms": linen},
      {**case, "peer": "pytorch", "gap": "not installed"},
    ]
  }


def test_runs_are_compared_by_their_ratios(monkeypatch, tmp_path, capsys):
  """A slower machine is no loss; a worse ratio is."""
  path = tmp_path / "history.jsonl"
  entries = [entry(10.0, 20.0), entry(30.0, 60.0), entry(15.0, 20.0)]
  lines = [json.dumps({"date": "d", **e}) for e in entries]
  path.write_text("\n".join(lines) + "\n")
  monkeypatch.setattr(harness, "HISTORY", path)
  monkeypatch.setattr(sys, "argv", ["compare", "0", "1"])
  compare.main()
  assert "0 of 1 got worse" in capsys.readouterr().out
  monkeypatch.setattr(sys, "argv", ["compare"])
  compare.main()
  assert "| 0.50 | 0.75 | worse |" in capsys.readouterr().out
  monkeypatch.setattr(sys, "argv", ["compare", "0", "7"])
  with pytest.raises(SystemExit, match="has 3 entries"):
    compare.main()


def test_long_sequences(tmp_path):
  rows = long_sequences.measure([256], rounds=1)
  assert len(rows) == len(long_sequences.JOBS)
  by_method = {
    r["method"]: r["temp_bytes"] for r in rows if r["cell"] == "LSTM"
  }
  assert by_method["checkpointed"] < by_method["scan"] / 4
  long_sequences.draw(rows, tmp_path / "figure.png")
  assert (tmp_path / "figure.png").stat().st_size > 1000


def test_a_record_names_no_path():
  argv = [
    "x/train_step.py",
    "--cells",
    "gru",
    "--json",
    "a/b",
    "--python=t=c/d",
  ]
  assert harness._command(argv) == "python -m benchmarks.train_step --cells gru"


def test_a_misspelt_peer_is_named_before_anything_starts(capsys):
  with pytest.raises(SystemExit):
    harness.parser("").parse_args(["--peers=ours,lynen"])
  assert "'lynen' is no peer, expected some of ours" in capsys.readouterr().err


def test_a_peer_that_ends_in_the_middle_is_a_gap(monkeypatch):
  class Dying:
    def __init__(self, name, python):
      self.name, self.asked = name, 0

    def ask(self, do, **request):
      self.asked += 1
      if self.name == "linen" and self.asked == 4:
        raise harness.Gap("its process ended with -9")
      return {"build": {"devices": 1}, "time": {"seconds": 1.0}}[do]

    def close(self):
      pass

  monkeypatch.setattr(harness, "Worker", Dying)
  options = harness.parser("").parse_args(["--peers=ours,linen", "--rounds=3"])
  ours, linen = harness.measure({"batch": 4}, "forward", options)
  assert (ours["min_ms"], ours["median_ms"]) == (1e3, 1e3)
  assert linen["gap"] == "its process ended with -9"
  assert "min_ms" not in linen


def test_startup_is_told_beside_before():
  found = {
    ("generate", "before"): [4.0, 2.0, 9.0],
    ("generate", "cold"): [2.0, 3.0, 1.0],
    ("predict", "warm"): [1.5],
  }
  before, cold, warm = startup.table(found).splitlines()
  assert before.split()[2:4] == ["2.00", "(4.00)"]
  assert cold.endswith("1.00 (2.00) CPU s  0.50 of before")
  assert warm.endswith("1.50 (1.50) CPU s")


@pytest.mark.slow
@pytest.mark.parametrize(
  "arguments",
  [
    ["startup", "--rounds=1"],
    ["bfloat16_backward", "--rounds=1", "--sizes=8x4x5"],
    ["coverage", "--seeds=1", "--steps=2"],
    [
      "many_symbols",
      "--rounds=1",
      "--symbols=50",
      "--hidden_size=4",
      "--steps=2",
    ],
  ],
)
def test_the_script_runs(arguments):
  name, *options = arguments
  result = subprocess.run(
    [sys.executable, "-m", f"benchmarks.{name}", *options],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert result.returncode == 0, result.stderr
  told = result.stdout.splitlines()
  if name == "coverage":
    told = told[-4:]
    assert told[0].startswith("farthest from what the true quantiles cover: ")
  lines = {"bfloat16_backward": 2, "many_symbols": 9}
  assert len(told) == lines.get(name, 4)


def test_families_over_the_length(tmp_path, monkeypatch):
  """What does not fit is not run; its sizes are known."""
  monkeypatch.setattr(families, "TOKENS", 128)
  kinds = "gru", "transformer", "windowed"
  training = families.measure(families.gradient, kinds[:1], 128, 1)
  written = [
    row
    for length in (128, 512)
    for row in families.measure(families.writing, kinds, length, 1)
  ]
  # Keys and values of 128 in each of four blocks, and five positions.
  cache = lambda window: 4 * 2 * window * 128 * 4 + 5 * 4
  sizes = [row["carry_bytes"] for row in written]
  assert sizes == [
    *(476 * 4, cache(128), cache(128)),
    *(476 * 4, cache(512), cache(256)),
  ]
  monkeypatch.setattr(families.os, "sysconf", lambda _: 1)
  (small,) = families.measure(families.gradient, kinds[:1], 128, 1)
  assert np.isnan(small["min_s"])
  assert small["temp_bytes"] == training[0]["temp_bytes"] > 0
  assert "does not fit" in families.told("training", small)
  families.draw(training, written, tmp_path / "families.png")
  assert (tmp_path / "families.png").stat().st_size > 10_000
