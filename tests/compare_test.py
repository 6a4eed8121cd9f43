"""Runs compared, from directories whose numbers are written by hand."""

import json
import math
import re

import pytest
from ml_collections import ConfigDict

from seqjax import compare
from seqjax.errors import InputError
from seqjax.train import workdir

CONFIG = {
  "task": "language_model",
  "best_metric": "loss",
  "best_mode": "min",
  "seed": 0,
  "steps": 30,
  "model": {"cell": "lstm(bias=1.0, peepholes=False)", "hidden_size": 8},
  "data": {"fold": 0},
}


def write(path, values=(), test=None, metric="loss", **changes):
  """A run directory with a validation every ten steps."""
  path.mkdir(parents=True)
  config = ConfigDict(CONFIG)
  config.update_from_flattened_dict(changes)
  workdir.save_config(path, config)
  lines = []
  for step, value in enumerate(values, 1):
    rate = {"chars_per_second": 100.0 * step}
    lines.append({"kind": "train", "step": 10 * step, "loss": 9.0, **rate})
    lines.append({"kind": "validation", "step": 10 * step, metric: value})
  text = "".join(json.dumps(line) + "\n" for line in lines)
  (path / "metrics.jsonl").write_text(text)
  if test:
    evaluation = {"step": 10 * len(values), "test": test}
    (path / "evaluation.json").write_text(json.dumps(evaluation))
  return path


@pytest.fixture
def sweep(tmp_path):
  """Three seeds of one cell, two of another, one of a third."""
  write(tmp_path / "a0", [3.0, 2.0, 2.5], seed=0)
  write(tmp_path / "a1", [3.0, 2.5, 4.0], {"loss": 5.0}, seed=1)
  write(tmp_path / "a2", [3.0, 3.5, 3.0], seed=2)
  gru = {"model.cell": "gru(bias=1.0)"}
  write(tmp_path / "b0", [2.0, 1.0], {"loss": 2.0}, **gru)
  write(tmp_path / "b1", [2.0, 1.5, 1.4], {"loss": 4.0}, seed=1, **gru)
  peepholes = {"model.cell": "lstm(bias=1.0, peepholes=True)"}
  write(tmp_path / "c", [math.nan, 2.0, math.inf], **peepholes)
  return tmp_path


def run(capsys, *arguments):
  code = compare.main(["compare", *map(str, arguments)])
  said = capsys.readouterr()
  return code, said.out, said.err


def test_statistics_by_hand(sweep):
  b, c, a = compare.compare(sorted(sweep.iterdir()))
  # b: the best are 1.0 and 1.4; a: 2.0, 2.5 and 3.0.
  assert b.validation == pytest.approx((1.2, math.sqrt(0.08), 2))
  assert b.test["loss"] == pytest.approx((3.0, math.sqrt(2), 2))
  assert a.validation == pytest.approx((2.5, 0.5, 3))
  assert a.test["loss"] == (5.0, None, 1)
  assert c.validation == (2.0, None, 1)
  # The medians are 200 chars/s, and 150 where there are two records.
  assert a.rates["chars_per_second"] == (200, 0, 3)
  assert b.rates["chars_per_second"].mean == 175
  assert [run.best for run in a.runs] == [(20, 2.0), (20, 2.5), (10, 3.0)]
  assert [run.step for run in b.runs] == [20, 30]


def test_what_differs(sweep):
  groups = compare.compare(sorted(sweep.iterdir()))
  assert [list(group.differs) for group in groups] == [["model.cell"]] * 3
  # The whole truth in the data, what tells apart in the table.
  assert groups[0].differs["model.cell"] == "gru(bias=1.0)"
  fields, rows = compare.labels(groups)
  assert fields == ["model.cell"]
  assert rows == [["gru"], ["lstm(peepholes=True)"], ["lstm(peepholes=False)"]]
  alone = compare.compare(sweep.glob("a*"))
  assert [group.differs for group in alone] == [{}]


def test_fields_that_one_config_lacks(tmp_path):
  with_field = ConfigDict({**CONFIG, "extra": 3})
  write(tmp_path / "a", [1.0])
  write(tmp_path / "b", [2.0])
  workdir.save_config(tmp_path / "b", with_field)
  groups = compare.compare(tmp_path.iterdir())
  assert [group.differs for group in groups] == [{}, {"extra": 3}]
  assert compare.labels(groups) == (["extra"], [["none"], ["3"]])


def test_the_largest_is_best_where_the_config_says_so(tmp_path):
  changes = {"best_metric": "accuracy", "best_mode": "max"}
  for name, values, size in (("a", [0.5, 0.9, 0.6], 8), ("b", [0.7], 16)):
    changes["model.hidden_size"] = size
    write(tmp_path / name, values, metric="accuracy", **changes)
  a, b = compare.compare(tmp_path.iterdir())
  assert (a.runs[0].best, b.runs[0].best) == ((20, 0.9), (10, 0.7))


def test_the_table(sweep, capsys):
  code, out, err = run(capsys, *sorted(sweep.iterdir()), "--output=")
  assert code == 0
  header, _, *rows = (line.split() for line in out.splitlines() if line.strip())
  assert " ".join(header) == (
    "config runs steps validation loss test loss chars/s"
  )
  # Best first; n is said where it is not that of the runs.
  assert [" ".join(row) for row in rows] == [
    "1 model.cell=gru 2 20–30 of 30 1.20 ± 0.28 3.0 ± 1.4 175",
    "2 model.cell=lstm(peepholes=True) 1 30 2 ± – 200",
    "3 model.cell=lstm(peepholes=False) 3 30 2.50 ± 0.50 5 ± – (n=1) 200",
  ]
  # Of a1, whose best is of step 20 and whose test is of step 30.
  assert err.count("\n") == 1
  assert "a1/evaluation.json is of step 30, the best evaluation of step 20" in (
    err
  )


def test_folds_stand_in_the_place_of_their_cross_validation(tmp_path, capsys):
  whole = tmp_path / "whole"
  for fold in range(11):
    path = write(whole / f"fold_{fold}", **{"data.fold": fold})
    line = {"kind": "train", "step": 30, "loss": 1.0}
    (path / "metrics.jsonl").write_text(json.dumps(line) + "\n")
  folds = [{"loss": float(fold)} for fold in range(10)]
  record = {"mean": {}, "folds": folds}
  (whole / "cross_validation.json").write_text(json.dumps(record))
  write(tmp_path / "run", [1.0], **{"model.hidden_size": 16})
  # A fold named beside its directory is the same run.
  code, out, err = run(
    capsys, *tmp_path.iterdir(), whole / "fold_3", f"--output={tmp_path}/a.png"
  )
  assert code == 0
  # Without a validation part it comes last, whatever its test says.
  assert re.search(r"2 +model.hidden_size=8 +10 +30 +4.5 ± 3.0", out)
  assert err.splitlines() == [f"skipped: {whole}/fold_10 has no evaluation yet"]
  assert (tmp_path / "a.png").exists()
  code, out, err = run(capsys, whole, f"--output={tmp_path}/b.png")
  assert "no picture: no run has evaluations" in out
  assert not (tmp_path / "b.png").exists()


def other_format(path):
  write(path, [1.0])
  config = json.loads((path / "config.json").read_text())
  (path / "config.json").write_text(json.dumps({**config, "format": 2}))


def study(path):
  write(path, [1.0], study="memory_distance")


def no_such_metric(path):
  write(path, [1.0], metric="perplexity")


def no_config(path):
  write(path, [1.0])
  (path / "config.json").write_text("{")


SKIPPED = {
  "a file": (lambda path: path.write_text("notes"), "is no run directory"),
  "no run": (lambda path: path.mkdir(), "is no run directory"),
  "no evaluation": (write, "has no evaluation yet"),
  "other format": (
    other_format,
    "is of format 2, this version of seqjax reads",
  ),
  "damaged config": (no_config, "config.json cannot be read"),
  "study": (study, "is a study"),
  "no such metric": (
    no_such_metric,
    "has no validation metric 'loss', which is its config.best_metric, but"
    " perplexity",
  ),
  "nothing finite": (
    lambda path: write(path, [math.nan, math.inf]),
    "has no evaluation yet",
  ),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_what_is_no_run_is_skipped_in_a_line(name, tmp_path, capsys):
  make, message = SKIPPED[name]
  write(tmp_path / "good", [1.0])
  make(tmp_path / "bad")
  code, out, err = run(capsys, *tmp_path.iterdir(), "--output=")
  assert code == 0
  assert "1 ± –" in out
  assert err.count("\n") == 1
  assert err.startswith(f"skipped: {tmp_path}/bad")
  assert message in err
  # Alone it is refused.
  code, out, err = run(capsys, tmp_path / "bad", "--output=")
  assert (code, out) == (2, "")
  assert "error: none of 1 directories holds a run with an evaluation" in err


def test_damaged_lines_are_said_and_left_out(tmp_path, capsys):
  path = write(tmp_path / "a", [2.0, 1.0]) / "metrics.jsonl"
  good = path.read_bytes().splitlines(keepends=True)
  still_written = b'{"kind": "validation", "st'
  lines = [*good, b"\xff\xfe\n", b"5\n", b"\n", b'{"kind": "validation"}\n']
  path.write_bytes(b"".join([*lines, still_written]))
  code, out, err = run(capsys, tmp_path / "a", "--output=")
  assert code == 0
  assert err == f"{path} has 2 damaged line(s), left out\n"
  assert "1 ± –" in out


@pytest.mark.parametrize("content", ["{", "[]", '{"step": 10, "test": 5}'])
def test_a_damaged_evaluation_costs_the_test_metrics_alone(
  content, tmp_path, capsys
):
  write(tmp_path / "a", [1.0])
  (tmp_path / "a" / "evaluation.json").write_text(content)
  code, out, err = run(capsys, tmp_path / "a", "--output=")
  assert (code, err.count("\n")) == (0, 1)
  assert "without test metrics: " in err
  assert "test" not in out


def test_one_run_copied_is_said(tmp_path, capsys):
  write(tmp_path / "a", [1.0])
  write(tmp_path / "b", [1.0])
  code, _, err = run(capsys, tmp_path / "a", tmp_path / "b", "--output=")
  assert code == 0
  assert "have the same config and seed; they are counted as two" in err


@pytest.mark.parametrize(
  ("changes", "kind"),
  [
    ({"best_metric": "perplexity"}, "language_model by perplexity (min)"),
    ({"best_mode": "max"}, "language_model by loss (max)"),
    ({"task": "tagging"}, "tagging by loss (min)"),
  ],
)
def test_mixed_metrics_are_refused(changes, kind, tmp_path, capsys):
  for seed in range(6):
    write(tmp_path / f"a{seed}", [1.0], seed=seed)
  metric = changes.get("best_metric", "loss")
  write(tmp_path / "b", [1.0], metric=metric, **changes)
  code, out, err = run(capsys, *sorted(tmp_path.iterdir()), "--output=")
  assert (code, out) == (2, "")
  (line,) = err.splitlines()
  assert "not measured by one metric: language_model by loss (min) in" in line
  assert f"{tmp_path}/a3 and 2 more; {kind} in {tmp_path}/b;" in line


MISTAKES = {
  "nothing": ([], "no run directory is named"),
  "missing": (["{tmp}/nope"], "nope does not exist"),
  "flag": (["{tmp}/a", "--outptu=a.png"], "Unknown command line flag 'outptu'"),
  "suffix": (["{tmp}/a", "--output=a.jpg"], "expected a name in .png"),
  "folder": (["{tmp}/a", "--output={tmp}/x/a.png"], "does not exist"),
  "not ours": (
    ["{tmp}/a", "--output={tmp}/other.png"],
    "is no picture of this",
  ),
  "a folder": (["{tmp}/a", "--output={tmp}/f.png"], "is no picture of this"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name, tmp_path, capsys):
  write(tmp_path / "a", [1.0])
  (tmp_path / "other.png").write_bytes(b"of somebody else")
  (tmp_path / "f.png").mkdir()
  arguments, message = MISTAKES[name]
  code, out, err = run(capsys, *(a.format(tmp=tmp_path) for a in arguments))
  assert (code, out, err.count("\n")) == (2, "", 1)
  assert err.startswith("error: ")
  assert message in err
  assert (tmp_path / "other.png").read_bytes() == b"of somebody else"


def test_help(capsys):
  code, out, err = run(capsys, "--help")
  assert (code, err) == (0, "")
  assert "python -m seqjax.compare runs/*" in out
  assert "--output" in out
  assert "comparison.png" in out
  assert out.count("\n") < 30


def test_a_picture_of_ours_is_replaced(sweep, tmp_path, capsys):
  output = tmp_path / "picture.png"
  runs = sorted(sweep.glob("[abc]*"))
  for _ in range(2):
    code, out, _ = run(capsys, *runs, f"--output={output}")
    assert code == 0
    assert f"Validation loss over steps: {output}" in out


def test_nothing_is_said_but_to_who_listens(sweep):
  said = []
  (sweep / "x").mkdir()
  compare.compare(sorted(sweep.iterdir()), said.append)
  assert [line.startswith("skipped: ") for line in said] == [False, True]
  with pytest.raises(InputError, match="nope does not exist"):
    compare.compare([sweep / "nope"])


def test_on_a_narrow_terminal_what_differs_stands_above(
  sweep, capsys, monkeypatch
):
  monkeypatch.setenv("FORCE_COLOR", "1")
  monkeypatch.setenv("TERM", "xterm")
  for width, lines in ((100, 5), (60, 8)):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = run(capsys, *sorted(sweep.iterdir()), "--output=")
    assert code == 0
    filled = [line for line in out.splitlines() if line.strip()]
    assert len(filled) == lines
    # No number is broken or cut.
    assert "1.20 ± 0.28" in out
    assert ("1   model.cell=gru\n" in out) == (width == 60)
