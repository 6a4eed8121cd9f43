"""Tunes as a task: parts by tune, what is composed, and what is said of it."""

import numpy as np
import pytest

from seqjax.data import abc_notation, midi, wav
from seqjax.data.examples import InputError
from seqjax.tasks import base, music
from tests import experiments

TUNE = """X:1
T:Home
M:2/4
L:1/8
K:G
|:G2 AB|c2 d2|^f2 ed|g4:|"""


@pytest.fixture(scope="module")
def made(trained):
  return trained("music")


def test_a_tune_is_in_one_part_and_whole(made):
  task, _ = made
  tunes = [part.split(music.BETWEEN) for part in map("".join, task.parts)]
  assert all(part[-1] == "" for part in tunes)
  every = [tune for part in tunes for tune in part[:-1]]
  assert len(every) == len(set(every)) == task.config.data.examples
  assert all(tune.startswith("X:") for tune in every)


def test_it_stands_beside_longer_ngrams(made):
  task, params = made
  values, _ = task.evaluate_split(params, "validation")
  assert 0.5 < values["ngram_bits_per_char"] < values["bits_per_char"]
  assert values["ngram_perplexity"] == pytest.approx(
    2 ** values["ngram_bits_per_char"]
  )


def test_a_tune_ends_at_a_blank_line(made, monkeypatch):
  task, params = made

  def generate(params, *, prompt, num_samples, **options):
    before, between, begun = prompt.partition("\n\n")
    assert before == task.saved["before"] == task._tunes.train[-1]
    assert (between, begun) == ("\n\n", "X:7\nT:")
    assert options["temperature"] == 0.5
    return [f"{prompt}A\nK:C\nCDE|\n\nX:8\nT:B"] * num_samples

  monkeypatch.setattr(task, "generate", generate)
  found = task.compose(params, prompt="X:7\nT:", temperature=0.5, num_samples=2)
  assert found == ["X:7\nT:A\nK:C\nCDE|"] * 2


def test_it_composes(made):
  task, params = made
  found = task.compose(params, num_tokens=20, num_samples=3, seed=1)
  assert len(set(found)) > 1
  assert all(tune.startswith("X:") for tune in found)
  assert all(music.BETWEEN not in tune for tune in found)
  assert found == task.compose(params, num_tokens=20, num_samples=3, seed=1)


def test_files_of_a_tune(made, monkeypatch, tmp_path):
  """The repeat is played: twice four bars of two quarters, at 120 a minute."""
  task, params = made
  monkeypatch.setattr(task, "compose", lambda *_, **__: [TUNE])
  said = task.compose_mode(params, output=str(tmp_path / "new" / "folder"))
  folder = tmp_path / "new" / "folder"
  assert (folder / "tune.abc").read_text() == TUNE + "\n"
  score = midi.read(folder / "tune.mid").score
  assert score.notes == abc_notation.read(TUNE).score.notes
  assert len(score.notes) == 2 * 9
  assert score.end == 16
  sound = wav.read(folder / "tune.wav")
  assert len(sound.samples) / sound.rate == pytest.approx(16 / 2 + 0.5, abs=0.1)
  assert 0.5 < np.abs(sound.samples).max() < 1
  assert (folder / "tune.png").stat().st_size > 5_000
  assert "18 notes" in said
  assert said.endswith("The tune is well formed.")


@pytest.mark.parametrize(
  ("tune", "fault"),
  [
    (TUNE.replace("c2 d2", "c2 d3"), "a bar is not of the metre's length"),
    (TUNE.replace("T:Home\n", ""), "its header is not complete"),
    (TUNE.replace("g4", "g4?"), "not all signs are legal"),
    (TUNE.replace("c2 d2|", "c2 d2|2 "), "its repeats cannot be played"),
  ],
)
def test_faults_are_told(tmp_path, tune, fault):
  assert f"not well formed: {fault}" in music.write(tune, tmp_path)


def test_a_folder_that_cannot_be_written(made, monkeypatch, tmp_path):
  task, params = made
  monkeypatch.setattr(task, "compose", lambda *_, **__: [TUNE])
  (tmp_path / "file").write_text("")
  (tmp_path / "tune.wav").mkdir()
  for output in tmp_path / "file", tmp_path / "file" / "below", tmp_path:
    with pytest.raises(InputError, match="--output is .*cannot be written"):
      task.compose_mode(params, output=str(output))


def test_what_does_not_sound(tmp_path):
  said = music.write("X:1\nT:", tmp_path)
  assert [path.name for path in tmp_path.iterdir()] == ["tune.abc"]
  assert "no note in it" in said


def test_scores_of_what_is_copied_and_what_is_not(made, monkeypatch):
  task, params = made
  train = task._tunes.train
  monkeypatch.setattr(task, "_judged", lambda params: train[:3])
  found = task.thorough_scores(params, "test")
  for name in ("header", "legal", "bars", "repeats"):
    # The grammar makes well-formed tunes.
    assert found[f"composed_{name}"] == found[f"own_{name}"] == 1
  assert found["composed_copied"] == 1
  assert 0 <= found["own_copied"] < 1
  monkeypatch.setattr(task, "_judged", lambda params: [TUNE])
  assert task.thorough_scores(params, "test")["composed_copied"] < 1


def test_tunes_that_have_changed_are_refused(tmp_path):
  path = tmp_path / "tunes.abc"
  tunes = [TUNE.replace("Home", name).replace("c2", f"{n}c/") for n, name in
           enumerate(("A", "Bee", "Sea", "Dee"), 1)]  # fmt: skip
  path.write_text("\n\n".join(tunes))
  changes = {"data.path": str(path), "data.validation": 0.25, "data.test": 0.0}
  config = experiments.small("music", **changes)
  state = base.create(config).state()
  again = type(base.create(config))(config, state)
  assert again.parts.train
  path.write_text("\n\n".join(tunes[:3]))
  with pytest.raises(InputError, match="the text has changed since the run"):
    type(again)(config, state).parts  # noqa: B018
