"""Speech as a task: what is refused, what is written, and what is heard."""

import jax
import numpy as np
import pytest

from seqjax.data import batching, utterances, wav
from seqjax.data.examples import Splits
from seqjax.data.utterances import Utterance
from seqjax.decode import ctc
from seqjax.errors import InputError
from seqjax.tasks import base, speech_batches, speech_shown
from tests import experiments


@pytest.fixture(scope="module")
def made(trained):
  return trained("speech")


def forward_nats(log_probs, ids):
  """-log p of a text: the forward recursion, in float64, a state at a time."""
  states = [0, *(state for symbol in ids for state in (symbol, 0))]
  alpha = np.full(len(states), -np.inf)
  alpha[:2] = [log_probs[0, state] for state in states[:2]]
  for row in log_probs[1:]:
    before = alpha.copy()
    for i, state in enumerate(states):
      ways = [before[i], *before[max(i - 1, 0) : i]]
      if i > 1 and state not in (0, states[i - 2]):
        ways.append(before[i - 2])
      alpha[i] = np.logaddexp.reduce(ways) + row[state]
  return -np.logaddexp.reduce(alpha[-2:])


def test_loss_is_that_of_each_utterance_alone(made):
  """The sum over all alignments of its own steps, no padding in it."""
  task, params = made
  (batch, *_) = task.evaluation_batches("validation")
  total, counted = task.evaluate(params, batch, ())[0]["loss"]
  logits, steps = task.apply(params, batch.frames, lengths=batch.lengths)
  log_probs = np.asarray(jax.nn.log_softmax(logits), np.float64)
  alone = [
    forward_nats(
      log_probs[row, : int(steps[row])],
      batch.labels[row, : batch.label_lengths[row]].tolist(),
    )
    for row in np.flatnonzero(batch.weights)
  ]
  assert float(counted) == len(alone)
  assert float(total) == pytest.approx(sum(alone), rel=1e-4)


def test_an_absent_row_adds_nothing(made):
  """Not even a NaN to the gradient, which rows without a step tempt to."""
  task, params = made
  (batch, *_) = task.evaluation_batches("validation")
  some = speech_batches.Batch(*(leaf[:2] for leaf in batch))
  wide = speech_batches.Batch(*(batching.fill(leaf, 4) for leaf in some))
  four = speech_batches.Batch(*(batching.fill(leaf[:1], 4) for leaf in batch))

  @jax.jit
  def loss(params, batch):
    return jax.value_and_grad(
      lambda params: task.loss(params, batch, (), None)[0][0]
    )(params)

  value, slopes = loss(params, wide)
  one, _ = loss(params, four)
  other = speech_batches.Batch(*(batching.fill(leaf[1:2], 4) for leaf in batch))
  two, _ = loss(params, other)
  assert float(value) == pytest.approx(float(one + two), rel=1e-5)
  assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(slopes))


def test_a_text_without_room_is_refused_with_its_name_and_counts(monkeypatch):
  config = experiments.small("speech")
  samples = np.random.default_rng(0).normal(0, 0.1, 8_000).astype(np.float32)
  fits = Utterance(samples, "a b", name="fits.wav")
  short = Utterance(samples[:800], "a a b", name="short.wav")
  splits = Splits([fits, short], [], [])
  monkeypatch.setattr(utterances, "load", lambda *_: splits)
  task = base.create(config)
  frames = task.encoder.features.count(800)
  steps = -(-frames // config.model.stack)
  with pytest.raises(InputError) as refused:
    task.train_batches()
  said = str(refused.value)
  assert said.startswith(
    "short.wav (train): its text has 3 symbols and needs 4"
  )
  assert f"there are {steps}: {frames} frames" in said
  assert "\n" not in said


def test_scores_are_those_of_the_texts(made):
  task, params = made
  values, outputs = task.evaluate_split(params, "test")
  texts = [one.text for one in task.splits.test]
  found = task.transcribe(params, task.splits.test, beam=1)
  assert [one.text for one in found] == task._read(outputs)
  nothing = sum(1 for one in found if not one.text)
  assert values["deletions"] >= nothing / sum(len(t.split()) for t in texts)
  assert values["wer"] == pytest.approx(
    values["substitutions"] + values["insertions"] + values["deletions"]
  )


def test_the_beam_is_ctc_s(made):
  task, params = made
  one = task.splits.test[0]
  (log_probs,) = task.log_probs(params, [one])
  best = ctc.prefix_beam(log_probs, 5)[0]
  (found,) = task.transcribe(params, [one], beam=5)
  assert found.log_prob == best.log_prob
  assert found.text == task.encoder.decode(best.tokens)
  assert [word for _, word in found.words] == found.text.split()
  # Samples alone are as good.
  assert task.transcribe(params, [one.samples], beam=5) == [found]


def test_ngrams_are_of_the_training_texts_and_saved(monkeypatch):
  config = experiments.small("speech", **{"decode.ngram": 2})
  task = base.create(config)
  params = task.init(jax.random.key(0))
  saved = task.state()
  again = type(task)(config, saved)
  monkeypatch.setattr(utterances, "load", None)  # which is not asked for
  one = np.zeros(8_000, np.float32)
  options = {"beam": 4, "lm_weight": 0.5}
  found = task.transcribe(params, [one], **options)
  assert again.transcribe(params, [one], **options) == found
  first = task.splits.train[0].text
  ids = tuple(task.encoder.encode_text(first).tolist())
  model = again.language_model
  assert np.exp(model(ids[:1])).sum() == pytest.approx(1)
  worth = task.thorough_scores(params, "test")
  assert worth["lm_weight"] in config.decode.lm_weights
  assert worth["beam_wer"] >= 0


def test_lm_weight_needs_ngrams(made):
  task, params = made
  with pytest.raises(InputError, match="no n-grams"):
    task.transcribe(params, [np.zeros(8_000, np.float32)], lm_weight=1.0)
  with pytest.raises(InputError, match="beam is -1"):
    task.transcribe(params, [], beam=-1)


def test_files_are_transcribed(made, tmp_path):
  task, params = made
  some = task.splits.test[:2]
  for name, one in zip("ab", some, strict=True):
    wav.write(tmp_path / f"{name}.wav", one.samples, task.encoder.rate)
  found = task.transcribe_mode(params, input=str(tmp_path))
  lines = [line.split("\t") for line in found.split("\n")]
  assert [name for name, _ in lines] == ["a.wav", "b.wav"]
  timed = task.transcribe_mode(params, input=str(tmp_path), times=True)
  rows = [line.split("\t") for line in timed.split("\n") if line]
  for name, text in lines:
    assert [word for n, _, word in rows if n == name] == text.split()
  with pytest.raises(InputError, match="--input is empty"):
    task.transcribe_mode(params)


def test_changed_utterances_keep_room_for_their_texts(monkeypatch):
  """One is made too short: it stays as it was."""
  config = experiments.small("speech", **{"data.speed": 0.1})
  task = base.create(config)
  some = task.splits.train[:3]
  frames = task.encoder.encode_all([one.samples for one in some])
  labels = [task.encoder.encode_text(one.text) for one in some]
  made = [
    some[0].samples[:600],
    np.tile(some[1].samples, 9),
    some[2].samples[400:],
  ]
  monkeypatch.setattr(
    speech_batches.sound_augmentation,
    "augmentation",
    lambda data: lambda sounds, rate, rng: made,
  )
  change = speech_batches.augmentation(
    task.encoder, some, frames, labels, config
  )
  found = change(np.arange(3), 0)
  np.testing.assert_array_equal(found[0], frames[0])
  for place in 1, 2:
    count = task.encoder.features.count(len(made[place]))
    assert len(found[place]) == count


def test_a_batch_has_room_for_what_became_longer():
  """Pauses alone, slower voices too: nothing is cut or left as it was."""
  for changes in {"data.shift": 0.3}, {"data.shift": 0.3, "data.speed": 0.1}:
    config = experiments.small("speech", **changes)
    task = base.create(config)
    features = task.encoder.features
    batches, fastest = task.train_batches(), 1 + config.data.speed + 0.01
    longer = 0
    for _ in range(4):
      batch = next(batches)
      assert batch.lengths.max() <= batch.frames.shape[1]
      for place, length in zip(batch.indices, batch.lengths, strict=True):
        before = features.count(len(task.splits.train[place].samples))
        assert length >= before / fastest
        longer += length > before
    assert longer > 0.8 * 4 * config.batch_size


def test_training_batches_are_a_function_of_the_step():
  changes = {"data.speed": 0.1, "data.noise": 0.1, "data.time_masks": 1}
  config = experiments.small("speech", **changes)
  one, two = (base.create(config).train_batches() for _ in range(2))
  first, second, other = next(one), next(two), next(one)
  for a, b in zip(first, second, strict=True):
    np.testing.assert_array_equal(a, b)
  assert first.frames.shape != other.frames.shape or not np.array_equal(
    first.frames, other.frames
  )


def test_showcase_tells_misses_and_draws(made, tmp_path):
  task, params = made
  said = task.showcase(params, tmp_path)
  report = (tmp_path / speech_shown.REPORT).read_text()
  assert report == said + "\n"
  assert "word errors" in report
  assert "Word errors by speaker, the worst first:" in report
  assert (tmp_path / "spectrogram.png").stat().st_size > 10_000
  assert not (tmp_path / "captions.png").exists()


def test_report_names_the_worst_speaker_and_miss():
  some = [
    Utterance(np.zeros(0), "a b", "ann", "1.wav"),
    Utterance(np.zeros(0), "a b c", "bob", "2.wav"),
  ]
  lines = speech_shown.report("test", some, ["a b", "x b"])
  assert "word errors 40.00%" in lines[0]
  assert lines[2:4] == ["  bob  66.67%", "  ann  0.00%"]
  assert lines[-1] == "  2.wav  [a→x] b [-c]"


def test_the_blank_is_the_first_output(made):
  task, params = made
  assert params["head"]["kernel"].shape[-1] == len(task.encoder.tokens) + 1
  names = task.vocabularies()["head"]
  assert names[0] == "<blank>"
  ids = task.encoder.encode_text("kamo moka")
  assert [names[i] for i in ids] == ["kamo", "moka"]
