"""Music frame by frame, trained: what is measured, what is composed."""

import json
from fractions import Fraction

import chex
import jax
import numpy as np
import pytest

from seqjax.data import midi, notes, polyphony
from seqjax.errors import InputError
from seqjax.tasks import base
from tests.experiments import small

PIECES = {
  "train": [[[60], [60, 64], [64], [], [67, 72]] * 3, [[50]] * 4] * 2,
  "valid": [[[60], [64]], [[60, 64, 67, 72, 76]], [[62]] * 9],
  "test": [[[40]]],
}


def made(tmp_path, output="notes", **changes):
  path = tmp_path / "pieces.json"
  path.write_text(json.dumps(PIECES))
  return small(
    "chorales",
    **{
      "data.path": str(path),
      "model.output": output,
      "model.hidden_size": 8,
      "model.note_size": 8,
      "max_frames": 4,
      "model.cell": "elman",
      **changes,
    },
  )


@pytest.mark.parametrize("output", ["pitches", "notes"])
def test_the_loss_is_the_mean_over_frames(tmp_path, output):
  """Piece by piece and unpadded, whatever shares a batch."""
  task = base.create(made(tmp_path, output, eval_batch_size=2))
  params = task.init(jax.random.key(0))
  values, outputs = task.evaluate_split(params, "validation")
  nats, right, either = [], 0, 0
  for piece in task.splits.validation:
    frames = np.pad(piece, ((1, 0), (0, 0)))[None]
    asked = frames[:, 1:]
    if output == "notes":
      asked = polyphony.named(asked, 5)
    _, told, likeliest = task.apply(
      params, frames[:, :-1], asked, method="judge"
    )
    nats += told[0].tolist()
    right += int((likeliest[0] & piece).sum())
    either += int((likeliest[0] | piece).sum())
  assert len(nats) == 12
  assert values["loss"] == pytest.approx(np.mean(nats), rel=1e-5)
  assert values["accuracy"] == pytest.approx(right / either, abs=1e-6)
  train, asked = task.splits.train, task.splits.validation
  independent = polyphony.independent(train, asked)
  assert values["independent"] == pytest.approx(independent)
  said = task.report(params, outputs, "validation")
  assert f"3 pieces of 12 frames, {task_size(params):,} parameters" in said
  each = [np.mean(nats[:2]), nats[2], np.mean(nats[3:])]
  assert f"a piece {np.mean(each):.3f}, from {min(each):.3f}" in said


def task_size(params):
  return sum(leaf.size for leaf in jax.tree.leaves(params))


def test_training_reads_parts_of_pieces(tmp_path):
  """Every frame once an epoch, each part after the frame before it."""
  config = made(tmp_path, "pitches", num_buckets=2, batch_size=3)
  task = base.create(config)
  expected = np.concatenate(task.splits.train)
  seen, first = [], []
  batches = task.train_batches()
  # 15 frames are 4 parts, the last of 3 frames; 4 are one. Twice: 10 parts.
  for _ in range(4):
    batch = next(batches)
    for row, length in zip(batch.frames, batch.lengths, strict=True):
      seen.append(row[1 : length + 1])
      first += [row[0].any()] * bool(length)
      assert not row[length + 1 :].any()
    assert (batch.targets == batch.frames[:, 1:]).all()
    assert ((batch.lengths > 0) == (batch.weights > 0)).all()
  seen = np.concatenate(seen)
  assert sorted(map(bytes, seen)) == sorted(map(bytes, expected))
  # Two pieces of each kind begin after silence; one part does in the middle.
  assert len(first) - sum(first) == 4 + 2


def test_transposition_is_drawn_anew(tmp_path):
  changes = {"data.transpose": 3, "batch_size": 10, "num_buckets": 1}
  task = base.create(made(tmp_path, **changes))
  batches, again = task.train_batches(), task.train_batches()
  one, two = next(batches), next(batches)
  chex.assert_trees_all_equal(one, next(again))
  both = (batch.frames[np.argsort(batch.indices)] for batch in (one, two))
  assert any((a != b).any() for a, b in zip(*both, strict=True))
  # The frame that came before moves along.
  parts = polyphony.segments(task.splits.train, 4)
  for batch in one, two:
    for index, frames in zip(batch.indices, batch.frames, strict=True):
      part = parts[index]
      ways = [np.roll(part, by, axis=1) for by in range(-3, 4)]
      assert any((way == frames[: len(part)]).all() for way in ways)
  # Evaluation takes pieces as they are.
  (batch, *_) = task.evaluation_batches("test")
  assert np.flatnonzero(batch.frames[0, 1]).tolist() == [40 - 21]


def test_compose_goes_on(trained):
  task, params = trained("chorales")
  # After two steps of training, weights that tell more.
  params = jax.tree.map(lambda leaf: 4 * leaf, params)
  short = task.compose(params, num_frames=6, seed=3)
  assert (short.shape, short.dtype) == ((6, 88), bool)
  long = task.compose(params, num_frames=9, seed=3)
  np.testing.assert_array_equal(long[:6], short)
  other = task.compose(params, num_frames=6, seed=4)
  assert (short != other).any()
  prompt = polyphony.frames_of([[60, 64], [62]])
  found = task.compose(params, prompt=prompt, num_frames=5, seed=3)
  np.testing.assert_array_equal(found[:2], prompt)
  assert len(found) == 7
  assert (found[2:] != short[:5]).any()


def test_each_frame_follows_from_those_before(trained):
  """At temperature 0, by the whole sequence instead of step by step."""
  task, params = trained("chorales")
  found = task.compose(params, num_frames=5, temperature=0)
  frames = np.pad(found, ((1, 0), (0, 0)))[None]
  most = int(found.sum(axis=1).max())
  asked = polyphony.named(frames[:, 1:], most)
  _, _, likeliest = task.apply(params, frames[:, :-1], asked, method="judge")
  np.testing.assert_array_equal(likeliest[0], found)


def test_what_compose_writes(trained, tmp_path):
  task, params = trained("chorales")
  folder = tmp_path / "new" / "folder"
  said = task.compose_mode(params, output=str(folder), num_frames=8, seed=1)
  assert sorted(path.name for path in folder.iterdir()) == [
    "chorale.mid",
    "chorale.png",
    "chorale.wav",
  ]
  assert "chorale.mid" in said
  frames = task.compose(params, num_frames=8, seed=1)
  score = midi.read(folder / "chorale.mid").score
  read, _ = notes.frames(score, Fraction(1))
  np.testing.assert_array_equal(read, frames[: len(read)])
  assert not frames[len(read) :].any()
  assert score.tempi[0][1] == pytest.approx(72, rel=1e-4)
  # The file is a prompt again.
  prompt = str(folder / "chorale.mid")
  task.compose_mode(params, output=str(tmp_path), prompt=prompt, num_frames=2)
  longer = midi.read(tmp_path / "chorale.mid").score
  begun = [note for note in longer.notes if note.start < score.end - 1]
  assert {note[::2] for note in begun if note.start + note.length < 7} == {
    note[::2] for note in score.notes if note.start + note.length < 7
  }


def test_mistakes_of_compose(trained, tmp_path):
  task, params = trained("chorales")
  options = {"output": str(tmp_path)}
  for wrong, message in (
    ({"num_frames": 0}, "--num_frames is 0, expected 1 to 10,000"),
    ({"num_frames": 10**9}, "--num_frames is 1000000000, expected"),
    ({"temperature": -1.0}, "--temperature is -1.0, expected 0"),
    ({"temperature": float("nan")}, "--temperature is nan, expected 0"),
    ({"seed": -1}, "--seed is -1, expected 0 or more"),
    ({"prompt": str(tmp_path / "no.mid")}, "no.mid"),
  ):
    with pytest.raises(InputError, match=message):
      task.compose_mode(params, **options, **wrong)
  prompt = np.zeros((9_999, 88), bool)
  with pytest.raises(InputError, match="are 10,001 frames, expected at most"):
    task.compose(params, prompt=prompt, num_frames=2)
  (tmp_path / "file").write_text("")
  with pytest.raises(InputError, match="--output is '.*file', which cannot be"):
    task.compose_mode(params, output=str(tmp_path / "file"), num_frames=1)


def test_silence_is_told(tmp_path):
  task = base.create(made(tmp_path, "pitches"))
  params = task.init(jax.random.key(0))
  params["head"]["bias"] -= 100
  said = task.compose_mode(params, output=str(tmp_path), num_frames=3)
  assert said == "3 frames of silence: nothing to write"


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("model.output", "chords", "config.model.output is 'chords', expected one"),
    ("data.step", "1/0", "config.data.step is '1/0', expected"),
    ("data.transpose", -1, "config.data.transpose is -1, expected"),
    ("max_frames", 0, "config.max_frames is 0, expected"),
    ("model.input_dropout", 1.0, "config.model.input_dropout is 1.0, expected"),
    ("showcase.num_frames", 0, "config.showcase.num_frames is 0, expected 1"),
    ("showcase.temperature", -1.0, "config.showcase.temperature is -1.0, exp"),
    ("showcase.tempo", 0.0, "config.showcase.tempo is 0.0, expected"),
    (
      "model.layer",
      "transformer(heads=2, positions='learned', max_length=3)",
      "config.max_frames is 4, expected at most 3",
    ),
  ],
)
def test_mistakes(tmp_path, field, value, message):
  with pytest.raises(InputError, match=message):
    base.create(made(tmp_path, **{field: value}))


def test_a_piece_past_the_positions_of_a_transformer(tmp_path):
  layer = "transformer(heads=2, positions='learned', max_length=8)"
  changes = {"model.layer": layer, "showcase.num_frames": 8}
  task = base.create(made(tmp_path, **changes))
  with pytest.raises(InputError, match="the longest piece is 15, expected at"):
    task.train_batches()


def test_a_transformer_and_gradients_over_time(tmp_path):
  changes = {"model.layer": "transformer(heads=2)", "model.num_layers": 1}
  task = base.create(made(tmp_path, **changes))
  params = task.init(jax.random.key(0))
  values, _ = task.evaluate_split(params, "validation")
  assert np.isfinite(list(values.values())).all()
  assert task.compose(params, num_frames=3).shape == (3, 88)
  task = base.create(made(tmp_path))
  batch = next(task.train_batches())
  params = task.init(jax.random.key(0))
  norms, lengths = task.gradient_norms(params, batch, ())
  assert norms["layer 0"].shape == batch.frames[:, 1:, 0].shape
  row = int(np.argmax(lengths))
  assert (norms["layer 0"][row, : lengths[row]] > 0).all()
