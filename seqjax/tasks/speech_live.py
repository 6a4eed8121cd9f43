"""Captions while somebody speaks: sound in pieces, words as they come.

What the network has heard stands in its carry, what the features need of the
past in their stream, the symbol that may go on in the collapser: however the
sound is cut, the captions are those of the whole, and no word is taken back.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from seqjax.data import sound_files, wav
from seqjax.data.tokens import Tokens
from seqjax.decode import ctc
from seqjax.errors import InputError

ENCODINGS = {"s16le": "<i2", "f32le": "<f4"}
_PIECE = 0.01  # seconds of sound whose loudness is known, for the ends of words
_LOUD = 0.1  # of the loud pieces' amplitude, below it is silence
_CLOSED = 5  # quiet pieces that are still inside a word: a stop's closure


class Heard(NamedTuple):
  """A word that was written down.

  Attributes:
    word: the word.
    begins: seconds, where the model takes it to begin.
    written: seconds of sound that had come, and of work on the last piece.
  """

  word: str
  begins: float
  written: float


class Listener:
  """A causal model and all that it keeps of a sound.

  Attributes:
    ids: symbols so far; they only become more.
    seconds: where each begins.
    logits: of the steps that the last `push` or `finish` was of, `[steps, V]`.

  Raises:
    InputError: layers or features look ahead.
  """

  def __init__(self, task: Any, params: Any):
    self._task, self._params = task, params
    check_causal(task)
    self._stream = task.encoder.features.stream()
    self._collapser = ctc.Collapser()
    self._carry = task.apply(params, 1, method="initial_carry")
    self._frames = np.zeros((0, task.encoder.features.size), np.float32)
    self.ids: list[int] = []
    self.seconds: list[float] = []
    self.logits = self._run(self._frames)
    # Compiled now, not while somebody speaks.
    start, zeros = self._carry, np.zeros((self._stack, *self._frames.shape[1:]))
    self._run(zeros.astype(np.float32))
    self._carry = start

  @property
  def _stack(self) -> int:
    return self._task.config.model.stack

  def push(self, samples: np.ndarray) -> int:
    """Hears samples float32 `[n]`, also none: how many symbols are new."""
    return self._hear(self._stream.push(samples), last=False)

  def finish(self) -> int:
    """Hears that this was all: how many symbols are new."""
    return self._hear(self._stream.finish(), last=True)

  def _hear(self, frames: np.ndarray, last: bool) -> int:
    frames = np.concatenate([self._frames, frames])
    rest = len(frames) % self._stack
    if last and rest:
      frames = np.pad(frames, ((0, self._stack - rest), (0, 0)))
      rest = 0
    whole = len(frames) - rest
    self._frames = frames[whole:]
    self.logits = self._run(frames[:whole])
    found = self._collapser.push(self.logits.argmax(axis=-1))
    self.ids += [symbol for symbol, _ in found]
    self.seconds += [step * self._task.step_seconds for _, step in found]
    return len(found)

  def _run(self, frames: np.ndarray) -> np.ndarray:
    """Logits `[steps, V]` of whole steps."""
    vectors = frames.reshape(-1, 1, self._stack * frames.shape[1])
    made = []
    for vector in vectors:
      self._carry, logits = self._task.step(self._params, self._carry, vector)
      made.append(logits)
    if not made:
      return np.zeros((0, len(self._task.encoder.tokens) + 1), np.float32)
    return np.concatenate(jax.device_get(made))


def check_causal(task: Any) -> None:
  """Raises InputError for a model that hears the end before it writes."""
  try:
    task.encoder.features.stream()
  except ValueError as error:
    raise InputError(
      f"--mode=listen: the features of the run look ahead ({error}); train"
      " with --config=speech:causal"
    ) from error
  if not task.causal:
    model = task.config.model
    raise InputError(
      f"--mode=listen: config.model.layer is {model.layer!r} with"
      f" config.model.neighbours = {model.neighbours}, which looks ahead;"
      " expected a causal layer such as 'rnn' and 0 (--config=speech:causal),"
      " or --mode=transcribe"
    )


def words(
  encoder: Any, ids: Sequence[int], seconds: Sequence[float]
) -> list[tuple[float, str]]:
  """`(seconds, word)` each: where its first symbol begins.

  Args:
    encoder: of the utterances.
    ids: symbols.
    seconds: where each begins.
  """
  tokens: Tokens = encoder.tokens
  symbols = tokens.symbols(np.asarray(ids, int) - 1)
  pairs = list(zip(seconds, symbols, strict=True))
  if tokens.tokenizer.name != "characters":
    return pairs
  found: list[tuple[float, str]] = []
  inside = False
  for second, symbol in pairs:
    if symbol.isspace():
      inside = False
    elif inside:
      found[-1] = found[-1][0], found[-1][1] + symbol
    else:
      found.append((second, symbol))
      inside = True
  return found


def chunks(
  path: str, model_rate: int, chunk: float, *, rate: int, encoding: str
) -> Iterator[np.ndarray]:
  """The pieces of a WAV file or of standard input, float32 `[n]` each.

  Args:
    path: the file; "-" is raw sound on standard input.
    model_rate: samples a second that the model was trained on.
    chunk: seconds of a piece.
    rate: of standard input; 0 is that of the model.
    encoding: of standard input, one of ENCODINGS.

  Raises:
    InputError: an option is out of range; while it is read, what comes is no
      sound.
  """
  if not 0 < chunk <= 60:
    raise InputError(f"--chunk is {chunk}, expected more than 0, up to 60 s")
  size = max(round(chunk * model_rate), 1)
  if path != "-":
    sound = wav.read(path)
    if sound.notice:
      print(sound.notice, file=sys.stderr)
    same = sound_files.at_rate(sound, model_rate)
    if same is not sound:
      print(same.notice, file=sys.stderr)
    starts = range(0, len(same.samples), size)
    return iter([same.samples[start : start + size] for start in starts])
  if encoding not in ENCODINGS:
    raise InputError(
      f"--encoding is {encoding!r}, expected one of {', '.join(ENCODINGS)}"
    )
  if rate not in (0, model_rate):
    raise InputError(
      f"--rate is {rate}, expected {model_rate}, that of the run: raw sound is"
      f" not resampled while it comes (ffmpeg -ar {model_rate}, sox -r"
      f" {model_rate}); a WAV file is, --input=FILE"
    )
  return _standard_input(size, ENCODINGS[encoding])


def _standard_input(size: int, kind: str) -> Iterator[np.ndarray]:
  width, first = np.dtype(kind).itemsize, True
  while data := sys.stdin.buffer.read(size * width):
    if first and data[:4] == b"RIFF":
      raise InputError(
        "standard input is a WAV file, expected raw sound; use --input=FILE"
      )
    first = False
    values = np.frombuffer(data[: len(data) // width * width], kind)
    scale = 2.0**15 if values.dtype.kind == "i" else 1.0
    yield (values / scale).astype(np.float32)


def listen(task: Any, params: Any, pieces: Iterable[np.ndarray]) -> str:
  """Prints each word as it comes, and the second; returns a summary.

  Args:
    task: a `Speech`.
    params: the model's parameters.
    pieces: of the sound, float32 `[n]` each, at the rate of the model.
  """
  heard, seconds, work = [], 0.0, 0.0
  loudness: list[float] = []
  for one in follow(task, params, pieces):
    seconds, work = one.seconds, one.work
    loudness = one.loudness
    for word in one.words:
      print(f"{word.written:8.2f} s  {word.word}", flush=True)
    heard += one.words
  caption = " ".join(word.word for word in heard)
  if not seconds:
    return f"{caption}\nno sound"
  told = f"{len(heard)} words in {seconds:.2f} s of sound"
  told += f", real-time factor {work / seconds:.3f}"
  if delays := latencies(heard, np.array(loudness)):
    middle, late = np.quantile(delays, [0.5, 0.9])
    told += (
      f"; from the end of a word to its print {middle:.2f} s in the middle,"
      f" {late:.2f} s for nine of ten"
    )
  return f"{caption}\n{told}"


class Progress(NamedTuple):
  """What a piece of sound brought.

  Attributes:
    words: that were completed by it.
    seconds: of sound so far.
    work: seconds of work so far.
    loudness: amplitude of each hundredth of a second so far.
  """

  words: list[Heard]
  seconds: float
  work: float
  loudness: list[float]


def follow(
  task: Any, params: Any, pieces: Iterable[np.ndarray]
) -> Iterator[Progress]:
  """Words as they are completed; one more entry behind the last piece.

  A word of letters is complete where a blank or the end follows.

  Args:
    task: a `Speech`.
    params: the model's parameters.
    pieces: as for `listen`.
  """
  listener = Listener(task, params)
  rate, samples, work, told = task.encoder.rate, 0, 0.0, 0
  loudness: list[float] = []
  rest = np.zeros(0, np.float32)
  letters = task.encoder.tokens.tokenizer.name == "characters"

  def new(last: bool, spent: float) -> list[Heard]:
    nonlocal told
    ready = words(task.encoder, listener.ids, listener.seconds)
    open_word = letters and not last and not _ended(task.encoder, listener.ids)
    ready = ready[: len(ready) - open_word]
    found = [
      Heard(word, begins, samples / rate + spent)
      for begins, word in ready[told:]
    ]
    told = len(ready)
    return found

  for piece in pieces:
    samples += len(piece)
    begun = time.perf_counter()
    changed = listener.push(piece)
    spent = time.perf_counter() - begun
    work += spent
    rest = np.concatenate([rest, piece])
    size = max(round(_PIECE * rate), 1)
    count = len(rest) // size
    parts = rest[: count * size].reshape(count, size).astype(np.float64)
    loudness += np.sqrt((parts**2).mean(axis=1)).tolist()
    rest = rest[count * size :]
    found = new(False, spent) if changed else []
    yield Progress(found, samples / rate, work, loudness)
  begun = time.perf_counter()
  listener.finish()
  spent = time.perf_counter() - begun
  found = new(True, spent)
  yield Progress(found, samples / rate, work + spent, loudness)


def _ended(encoder: Any, ids: Sequence[int]) -> bool:
  """Whether the last symbol is a blank between words."""
  last = np.asarray(ids[-1:], int) - 1
  return "".join(encoder.tokens.symbols(last)).isspace()


def latencies(heard: Sequence[Heard], loudness: np.ndarray) -> list[float]:
  """Seconds from the end of each word in the sound to its print.

  The ends are where the sound becomes quiet: behind the place at which the
  model takes a word to begin or, where it is quiet there, before it.

  Args:
    heard: the words.
    loudness: amplitude of each hundredth of a second.
  """
  if not len(loudness) or not heard:
    return []
  loud = loudness > _LOUD * np.quantile(loudness, 0.95)
  edges = np.flatnonzero(np.diff(np.concatenate([[0], loud, [0]])))
  begins, ends = edges[::2], edges[1::2]
  if not len(begins):
    return []
  apart = begins[1:] - ends[:-1] > _CLOSED
  begins = begins[np.concatenate([[True], apart])]
  ends = ends[np.concatenate([apart, [True]])]
  found = []
  for one in heard:
    run = np.searchsorted(begins, one.begins / _PIECE, side="right") - 1
    found.append(one.written - ends[max(run, 0)] * _PIECE)
  return found
