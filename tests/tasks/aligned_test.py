"""Tagging: what a run makes of sentences."""

import pytest

from seqjax.data import conll
from seqjax.errors import InputError
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
