"""Classification: prediction, scores, folds, labels."""

import collections
import io
import json
import sys

import jax
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from seqjax.data import formats
from seqjax.errors import InputError
from seqjax.tasks import base, calibration
from seqjax.train import folds, loop
from tests.experiments import small


def test_predict_keeps_the_order(trained, tmp_path):
  task, params = trained("sentiment")
  texts = ["the film was good", "bad", "", "not dull but brilliant", "x y z"]
  together = tmp_path / "all.txt"
  together.write_text("\n".join(texts) + "\n")
  lines = task.predict_mode(params, input=str(together)).split("\n")
  assert len(lines) == len(texts)
  for text, line in zip(texts, lines, strict=True):
    if text:
      alone = tmp_path / "one.txt"
      alone.write_text(text + "\n")
      label, share = task.predict_mode(params, input=str(alone)).split("\t")
      assert line.split("\t")[0] == label
      assert float(line.split("\t")[1]) == pytest.approx(float(share), abs=2e-4)


def test_logistic_regression_stands_beside_tables():
  """The students' rule is one: it gets what can be had, 81 %."""
  config = small("pass_fail", **{"data.examples": 4_000})
  task = base.create(base.resolve(config))
  found, _ = task.evaluate_split(task.init(jax.random.key(0)), "test")
  assert found["logistic_regression"] == pytest.approx(0.81, abs=0.04)


def test_predict_says_all_probabilities(trained, tmp_path):
  task, params = trained("surnames")
  path = tmp_path / "names.txt"
  path.write_text("Liora\nBrogzak\n\n")
  head, *lines = task.predict_mode(
    params, input=str(path), probabilities=True
  ).split("\n")
  assert head.split("\t") == ["label", *task.labels]
  rows = task.predict(params, ["Liora", "Brogzak", ""])
  assert len(lines) == len(rows)
  for line, row in zip(lines, rows, strict=True):
    label, *shares = line.split("\t")
    assert label == task.labels[row.argmax()]
    np.testing.assert_allclose(np.array(shares, float), row, atol=5.1e-5)


def test_predict_calibrated(trained, tmp_path):
  """By the temperature of the validation part; classes stay what they are."""
  task, params = trained("surnames")
  names = [example.inputs for example in task.splits.validation]
  true = [task.labels.index(e.label) for e in task.splits.validation]
  rows = task.predict(params, names)
  expected = calibration.fit_temperature(rows, true)
  assert task.temperature(params) == pytest.approx(expected, rel=1e-3)
  found = task.predict(params, names, calibrated=True)
  np.testing.assert_allclose(
    found, calibration.temper(rows, expected), rtol=1e-3
  )
  config = task.config.copy_and_resolve_references()
  config.data.validation = 0.0
  other = base.create(config, task.directory)
  with pytest.raises(InputError, match="calibrated is True, expected a run"):
    other.predict(params, names, calibrated=True)


def test_baselines_stand_beside_every_classifier(trained):
  task, params = trained("signals")
  found, _ = task.evaluate_split(params, "test")
  names = "majority", "nearest_neighbour", "mean_regression"
  assert set(names) <= set(found)
  count = collections.Counter(e.label for e in task.splits.train)
  share = [e.label == max(count, key=count.get) for e in task.splits.test]
  assert found["majority"] == pytest.approx(np.mean(share))
  rows = task.predict(params, [e.inputs for e in task.splits.test])
  true = [task.labels.index(e.label) for e in task.splits.test]
  error = calibration.reliability(rows, true).error
  assert found["calibration_error"] == pytest.approx(error, abs=1e-4)
  said = (task.directory / "showcase" / "classes.txt").read_text()
  assert "nearest neighbour" in said
  assert "Expected calibration error" in said


def test_signals_that_training_cannot_read_are_one_line(trained, tmp_path):
  task, params = trained("signals")
  path = tmp_path / "signals.txt"
  path.write_text("1 2 3\n\n4\n")
  assert len(task.predict_mode(params, input=str(path)).split("\n")) == 3
  path.write_text("1 2 3\n1:2\n")
  with pytest.raises(InputError, match=r":2: 2 dimension\(s\), expected 1"):
    task.predict_mode(params, input=str(path))


def test_predict_from_standard_input(trained, monkeypatch):
  task, params = trained("surnames")
  monkeypatch.setattr(sys, "stdin", io.StringIO("Liora\nBrogzak\n"))
  assert len(task.predict_mode(params).split("\n")) == 2
  monkeypatch.setattr(sys, "stdin", io.StringIO(""))
  with pytest.raises(InputError, match="standard input is empty"):
    task.predict_mode(params)


def test_predict_reads_tables_and_images(trained, tmp_path):
  task, params = trained("pass_fail")
  path = tmp_path / "students.csv"
  path.write_text("sleep;hours;attendance;failures\nenough;9;95;0\n?;1;50;3\n")
  assert len(task.predict_mode(params, input=str(path)).split("\n")) == 2
  path.write_text("sleep;hours;attendance\nenough;9;95\n")
  with pytest.raises(InputError, match=":1: no column 'failures'"):
    task.predict_mode(params, input=str(path))
  path.write_text("sleep;hours;attendance;failures\nenough;many;95;0\n")
  with pytest.raises(InputError, match=":2: hours is 'many', expected a fin"):
    task.predict_mode(params, input=str(path))
  task, params = trained("pixels")
  path = tmp_path / "images"
  path.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 12]))
  path.write_bytes(path.read_bytes() + bytes(144))
  assert len(task.predict_mode(params, input=str(path)).split("\n")) == 1
  path.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]))
  with pytest.raises(InputError, match=r"images have shape \(1, 1\), expected"):
    task.predict_mode(params, input=str(path))


def test_scores_are_scikit_learns(trained):
  """Against probabilities of each input on its own."""
  task, params = trained("surnames")
  examples = task.splits.validation
  rows = task.predict(params, [example.inputs for example in examples])
  true = [task.labels.index(example.label) for example in examples]
  found, outputs = task.evaluate_split(params, "validation")
  said = rows.argmax(-1)
  expected = sklearn_metrics.balanced_accuracy_score(true, said)
  assert found["balanced_accuracy"] == pytest.approx(expected)
  assert found["accuracy"] == pytest.approx((said == true).mean())
  absent = sum((weights == 0).sum() for *_, weights in outputs)
  assert absent == len(outputs) * 16 - len(examples)


def test_pixels_in_a_fixed_random_order(tmp_path):
  config = small("pixels", **{"data.order": "permuted"})
  assert loop.train(config, tmp_path) == 0
  task, _, _ = loop.load(tmp_path)
  image = np.arange(144, dtype=np.uint8).reshape(12, 12)
  found = task.encoder.encode(image)
  assert found.shape == (144, 1)
  assert (found[:, 0] != image.reshape(-1) / 255).any()
  np.testing.assert_allclose(np.sort(found[:, 0]), np.arange(144) / 255)
  again = base.create(config).encoder
  np.testing.assert_array_equal(again.encode(image), found)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"model.channels": (4,)}, r"channels is \(4,\), expected \(\) but for co"),
    (
      {
        "data.order": "patches",
        "model.layer": "transformer_encoder(positions='learned',max_length=8)",
      },
      "the number of patches is 9, expected at most 8, the max_length",
    ),
    ({"model.pool": "class_token"}, "config.model: pool is 'class_token', whi"),
  ],
)
def test_patches_that_cannot_be(changes, message):
  with pytest.raises(InputError, match=message):
    base.create(small("pixels", **changes)).init(jax.random.key(0))


def test_cross_validation(tmp_path, capsys):
  config = small("pass_fail", **{"data.num_folds": 3})
  assert folds.cross_validate(config, tmp_path) == 0
  result = json.loads((tmp_path / "cross_validation.json").read_text())
  values = [fold["accuracy"] for fold in result["folds"]]
  assert len(values) == 3
  assert result["mean"]["accuracy"] == pytest.approx(np.mean(values))
  assert "accuracy: " in capsys.readouterr().out
  assert config.data.fold == 0  # the caller's config is left as it is
  with pytest.raises(InputError, match="num_folds is 0, expected at least 2"):
    folds.cross_validate(small("dna"), tmp_path / "none")


def test_equal_sequences_are_in_one_fold():
  config = small("dna", **{"data.num_folds": 3, "data.fold": 1})
  parts = formats.find(config.data.format).load(config.data, 0)
  train, test = ({e.inputs for e in p} for p in (parts.train, parts.test))
  assert not train & test


def test_a_label_unseen_in_training(tmp_path):
  for part, rows in (("train", "a\t0\nb\t1\n"), ("dev", "c\t2\n")):
    (tmp_path / f"{part}.tsv").write_text(rows)
  (tmp_path / "test.tsv").write_text("a\t0\n")
  config = small("sentiment", **{"data.path": str(tmp_path)})
  with pytest.raises(InputError, match="validation part holds the label '2'"):
    loop.train(config, tmp_path / "run")


def test_blank_lines_keep_their_place(trained, tmp_path):
  task, params = trained("sentiment")
  path = tmp_path / "lines.txt"
  path.write_text("the film was good\n\n  \nbad\n")
  assert len(task.predict_mode(params, input=str(path)).split("\n")) == 4


def test_word_dropout_hides_words_in_training_alone(trained):
  task, params = trained("sentiment")
  batch = next(task.train_batches())
  losses = []
  for rate in (0.0, 0.9):
    config = task.config.copy_and_resolve_references()
    config.model.update(dropout=0.0, input_dropout=0.0, word_dropout=rate)
    other = base.create(config, task.directory)
    (total, _), _, _ = other.loss(params, batch, (), jax.random.key(0))
    loss, _, _ = other.evaluate(params, batch, ())
    losses.append((float(total), float(loss["loss"][0])))
  assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-5)
  assert losses[1][0] != pytest.approx(losses[0][0], rel=1e-3)
  assert losses[1][1] == losses[0][1]
