"""Captions while it is spoken: any cut of a sound gives those of the whole."""

import io
import re
import types

import jax
import numpy as np
import pytest

from seqjax.data import wav
from seqjax.decode import ctc
from seqjax.errors import InputError
from seqjax.tasks import base, speech_live
from tests import experiments


@pytest.fixture(scope="module")
def made(trained):
  return trained("speech")


@pytest.fixture(scope="module")
def causal():
  """An untrained model that listens, and parameters that say something."""
  config = experiments.small("speech", **{"model.layer": "rnn"})
  config.model.neighbours = 0
  config.data.features.normalise = "running"
  task = base.create(config)
  params = task.init(jax.random.key(0))
  # Blanks and symbols in turn: without it nearly all would be one of them.
  params["head"]["kernel"] *= 30
  return task, params


def heard(task, params, samples, edges):
  listener = speech_live.Listener(task, params)
  logits, grown = [], []
  for piece in np.split(samples, edges):
    before = list(listener.ids)
    listener.push(piece)
    logits.append(listener.logits)
    assert listener.ids[: len(before)] == before  # captions only grow
    grown.append(len(listener.ids))
  listener.finish()
  logits.append(listener.logits)
  return listener.ids, np.concatenate(logits)


def test_any_chunking_hears_the_same(causal):
  task, params = causal
  one = task.splits.test[0]
  (whole,) = task.log_probs(params, [one])
  rng = np.random.default_rng(0)
  total = len(one.samples)
  cuts = [
    np.arange(640, total, 640),
    np.arange(37, 4_000, 37),
    np.sort(rng.integers(0, total, 40)),  # some of them empty
    [],
  ]
  ids = [symbol for symbol, _ in ctc.Collapser().push(whole.argmax(-1))]
  assert len(ids) > 3
  for edges in cuts:
    found, logits = heard(task, params, one.samples, edges)
    assert len(logits) == len(whole)
    log_probs = np.asarray(jax.nn.log_softmax(logits))
    # Of the largest entry: the head's are thirty times as large as usual.
    bound = 1e-6 * np.abs(whole).max()
    np.testing.assert_allclose(log_probs, whole, rtol=0, atol=bound)
    assert found == ids


def test_words_are_printed_as_they_come(causal, tmp_path, capsys):
  task, params = causal
  one = task.splits.test[0]
  path = tmp_path / "one.wav"
  wav.write(path, one.samples, task.encoder.rate)
  said = task.listen_mode(params, input=str(path))
  lines = [re.fullmatch(r" *([\d.]+) s  (.+)", line) for line in
           capsys.readouterr().out.splitlines()]  # fmt: skip
  moments = [float(line[1]) for line in lines]
  caption, told = said.split("\n")
  assert [line[2] for line in lines] == caption.split()
  assert moments == sorted(moments)
  seconds = len(one.samples) / task.encoder.rate
  assert f"{len(lines)} words in {seconds:.2f} s of sound" in told
  assert "real-time factor" in told
  sound = wav.read(path)
  (found,) = task.transcribe(params, [sound.samples], beam=1)
  assert found.text == caption


@pytest.mark.parametrize(
  ("encoding", "kind"), [("s16le", "<i2"), ("f32le", "<f4")]
)
def test_raw_sound_on_standard_input(encoding, kind, causal, monkeypatch):
  task, params = causal
  samples = task.splits.test[1].samples
  scaled = np.rint(samples * 2**15) if kind == "<i2" else samples
  content = scaled.astype(kind).tobytes() + b"\0"  # half a sample too many
  stdin = types.SimpleNamespace(buffer=io.BytesIO(content))
  monkeypatch.setattr("sys.stdin", stdin)
  pieces = speech_live.chunks("-", 8_000, 0.08, rate=0, encoding=encoding)
  found = np.concatenate(list(pieces))
  np.testing.assert_allclose(found, samples, atol=2**-16)
  stdin.buffer.seek(0)
  caption, _ = task.listen_mode(params, encoding=encoding).split("\n")
  assert caption == task.transcribe(params, [found], beam=1)[0].text


def test_what_cannot_be_listened_to(causal, monkeypatch):
  task, params = causal
  give = lambda content: monkeypatch.setattr(
    "sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(content))
  )
  give(b"")
  assert task.listen_mode(params) == "\nno sound"
  give(b"RIFF" + bytes(100))
  with pytest.raises(InputError, match="is a WAV file"):
    task.listen_mode(params)
  give(np.full(2_000, np.nan, "<f4").tobytes())
  with pytest.raises(InputError, match="no finite numbers"):
    task.listen_mode(params, encoding="f32le")
  for options, said in [
    ({"chunk": 0.0}, "--chunk is 0.0"),
    ({"chunk": float("nan")}, "--chunk is nan"),
    ({"rate": 44_100}, "--rate is 44100, expected 8000"),
    ({"encoding": "mp3"}, "expected one of s16le, f32le"),
  ]:
    with pytest.raises(InputError, match=said):
      task.listen_mode(params, **options)


def test_what_sees_ahead_does_not_listen(made):
  task, params = made
  with pytest.raises(InputError, match="--mode=listen: the features") as error:
    task.listen_mode(params)
  assert "\n" not in str(error.value)
  config = experiments.small("speech")
  config.data.features.normalise = "running"
  other = base.create(config)
  with pytest.raises(InputError, match="config.model.layer is 'bidirectional'"):
    other.listen_mode(other.init(jax.random.key(0)))


def test_latency_is_from_where_it_becomes_quiet():
  """Two words, 0.1 to 0.5 s with a short closure and 0.8 to 1.0 s."""
  loudness = np.full(150, 1e-3)
  loudness[10:50] = loudness[80:100] = 0.5
  loudness[30:34] = 1e-3
  word = lambda begins, written: speech_live.Heard("w", begins, written)
  heard = [word(0.2, 0.64), word(0.6, 0.66), word(0.9, 0.95)]
  found = speech_live.latencies(heard, loudness)
  assert found == pytest.approx([0.14, 0.16, -0.05])
  assert speech_live.latencies([], loudness) == []
  assert speech_live.latencies(heard, np.zeros(0)) == []


def test_words_of_letters(monkeypatch):
  config = experiments.small("speech", **{"data.tokenizer": "characters"})
  task = base.create(config)
  ids = task.encoder.encode_text(task.splits.train[0].text)
  seconds = np.arange(len(ids)) * 0.1
  words = task.splits.train[0].text.split()
  found = speech_live.words(task.encoder, ids, seconds)
  assert [word for _, word in found] == words
  assert found[1][0] == pytest.approx(0.1 * (len(words[0]) + 1))
  # A word of letters is told when its end is heard, the last one at the end.
  listener = types.SimpleNamespace(ids=[], seconds=[], told=0)

  def push(_):
    listener.ids = ids[: len(listener.ids) + 1].tolist()
    listener.seconds = seconds[: len(listener.ids)].tolist()
    return 1

  listener.push, listener.finish = push, lambda: 0
  monkeypatch.setattr(speech_live, "Listener", lambda *_: listener)
  pieces = [np.zeros(80, np.float32)] * len(ids)
  *progress, last = speech_live.follow(task, None, pieces)
  told = [[each.word for each in one.words] for one in progress]
  assert [word for some in told for word in some] == words[:-1]
  assert told[len(words[0])] == [words[0]]
  assert [each.word for each in last.words] == words[-1:]


def test_captions_are_drawn_of_what_listens(causal, tmp_path):
  task, params = causal
  said = task.showcase(params, tmp_path)
  assert "Captions while it is spoken" in said
  assert (tmp_path / "captions.png").stat().st_size > 10_000
