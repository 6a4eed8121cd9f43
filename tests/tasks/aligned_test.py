"""Tagging: what a run makes of sentences and of proteins."""

import jax
import numpy as np
import pytest

from seqjax.data import alphabets, conll, protein
from seqjax.errors import InputError
from seqjax.nn import crf
from seqjax.tasks import base
from seqjax.train import loop
from tests.experiments import small


def test_tag_gives_conll(trained, tmp_path):
  task, params = trained("ner")
  path = tmp_path / "sentences.txt"
  path.write_text("Jim bought shares .\nWho ?\n")
  written = tmp_path / "tagged.conll"
  written.write_text(task.tag_mode(params, input=str(path)))
  found = conll.read(written)
  assert [s.tokens for s in found] == [
    ["Jim", "bought", "shares", "."],
    ["Who", "?"],
  ]


def test_a_tag_unseen_in_training(tmp_path):
  for part, kind in (("train", "x"), ("dev", "y"), ("test", "x")):
    (tmp_path / f"{part}.conll").write_text(f"Jim\tB-{kind}\nran\tO\n")
  config = small("ner", **{"data.path": str(tmp_path)})
  with pytest.raises(InputError, match=r"holds the tag 'B-y' \('Jim'\)"):
    loop.train(config, tmp_path / "run")


def test_a_blank_line_is_an_empty_sentence(trained, tmp_path):
  task, params = trained("ner")
  path = tmp_path / "sentences.txt"
  path.write_text("Jim ran .\n\nWho ?\n")
  tags = task.tag(params, task.encoder.read(str(path)))
  assert [len(sentence) for sentence in tags] == [3, 0, 2]
  assert task.tag(params, [[]]) == [[]]
  lines = task.tag_mode(params, input=str(path)).split("\n")
  assert [line.split("\t")[0] for line in lines if line] == [
    "Jim",
    "ran",
    ".",
    "Who",
    "?",
  ]


def test_scores_are_those_of_the_tags(trained):
  """One pass gives what tagging sentence by sentence gives."""
  from seqeval.metrics import f1_score

  task, params = trained("ner")
  sentences = task.splits.validation
  tags = [task.tag(params, [sentence.tokens])[0] for sentence in sentences]
  found, _ = task.evaluate_split(params, "validation")
  true = [sentence.tags for sentence in sentences]
  expected = f1_score(true, tags, average="micro", zero_division=0)
  assert found["f1"] == pytest.approx(expected)


def test_tag_gives_letters_and_states(trained, tmp_path):
  task, params = trained("protein")
  path = tmp_path / "some.fasta"
  path.write_text(">one\nMKVL\nAG\n>two x\nGXU\n")
  written = tmp_path / "tagged"
  written.write_text(task.tag_mode(params, input=str(path)))
  found = protein.read(written, alphabets.find("protein"))
  assert [one.tokens for one in found] == ["MKVLAG", "GXU"]
  assert [one.tags for one in found] == task.tag(params, ["MKVLAG", "gxu"])


def test_the_likeliest_at_each_step_gets_more_steps_right(trained):
  """Path and steps differ, and each is what it says."""
  task, _ = trained("protein")
  rng = np.random.default_rng(0)
  draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
  field = crf.CRF(2 * draw(3, 3), draw(3), draw(3))
  emissions, lengths = draw(8, 20, 3), np.full(8, 20)
  said = {}
  for decode in "steps", "path":
    config = task.config.copy_and_resolve_references()
    config.model.decode = decode
    other = base.create(config, task.directory)
    said[decode] = other._decode(field, jax.numpy.asarray(emissions), lengths)
  sure = crf.marginals(field, emissions, lengths)
  score = lambda tags: crf.score(field, emissions, tags, lengths)
  right = lambda tags: np.take_along_axis(sure, tags[..., None], 2).sum((1, 2))
  assert (said["path"] != said["steps"]).any()
  assert (score(said["path"]) >= score(said["steps"])).all()
  assert (right(said["steps"]) >= right(said["path"])).all()


def test_letters_are_hidden_in_training_alone(trained):
  task, params = trained("protein")
  batch = next(task.train_batches())
  losses = []
  for rate in (0.0, 0.9):
    config = task.config.copy_and_resolve_references()
    config.model.update(dropout=0.0, word_dropout=rate)
    other = base.create(config, task.directory)
    (total, _), _, _ = other.loss(params, batch, (), jax.random.key(0))
    loss, _, _ = other.evaluate(params, batch, ())
    losses.append((float(total), float(loss["loss"][0])))
  assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-5)
  assert losses[1][0] != pytest.approx(losses[0][0], rel=1e-4)
  assert losses[1][1] == losses[0][1]


def test_the_penalty_on_the_commonest_tag(trained):
  """No coil at all, if it costs enough; "O" likewise."""
  for name, text in ("protein", "GGGGG"), ("ner", "it may rain"):
    task, params = trained(name)
    config = task.config.copy_and_resolve_references()
    config.model.outside_penalty = 1e4
    other = base.create(config, task.directory)
    assert other.encoder.tags[0] not in other.tag(params, [text])[0]


def test_what_stands_beside_it(trained):
  task, params = trained("protein")
  found, _ = task.evaluate_split(params, "validation")
  assert found["majority"] < found["best_q3"] < 1
  said = task.tag(params, [one.tokens for one in task.splits.validation])
  right = [
    a == b
    for one, tags in zip(task.splits.validation, said, strict=True)
    for a, b in zip(one.tags, tags, strict=True)
  ]
  assert found["q3"] == pytest.approx(np.mean(right))
