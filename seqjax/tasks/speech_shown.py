"""What a person looks at when a recognizer has been trained."""

import pathlib
from typing import Any

import numpy as np

from seqjax import files
from seqjax.data import word_errors
from seqjax.data.examples import held_out
from seqjax.tasks import speech_live

_MISSES = 20  # transcripts with errors that are told
_FIRST = 20  # of which the longest is heard
REPORT = "transcripts.txt"


def show(task: Any, params: Any, directory: pathlib.Path) -> str:
  """Rates of errors, misses, spectrograms, and captions as they grew.

  Args:
    task: a `Speech`.
    params: the model's parameters.
    directory: where the report and the pictures are written.

  Returns:
    What is in the report, and where the pictures are.
  """
  from seqjax.show import spectrogram  # pictures are no use to a transcript

  name = held_out(task.splits)
  examples = list(getattr(task.splits, name))
  found = task.transcribe(params, examples, beam=1)
  lines = report(name, examples, [one.text for one in found])
  count = min(task.config.showcase.utterances, len(examples))
  if count:
    path = directory / "spectrogram.png"
    some = examples[:count]
    panels = [spectrogram.Panel(*_panel(task, params, one)) for one in some]
    spectrogram.draw(panels, path)
    lines.append(f"What was heard, and what was written below it: {path}")
  if count and _hears(task):
    path = directory / "captions.png"
    one = max(examples[:_FIRST], key=lambda each: len(each.samples))
    heard = live(task, params, one.samples)
    title = f"says: {one.text}"
    moments = [(each.written, each.word) for each in heard]
    spectrogram.captions(
      one.samples, task.encoder.rate, moments, path, title=title
    )
    lines.append(f"Captions while it is spoken: {path}")
  written = "\n".join(lines)
  files.write(directory / REPORT, written + "\n")
  return written


def report(name: str, examples, texts) -> list[str]:
  """Rates of errors, those of each speaker, and the transcripts with most."""
  said = [one.text for one in examples]
  worth = word_errors.scores(texts, said)
  lines = [
    f"{name}: {len(said):,} utterances, word errors {worth['wer']:.2%}"
    f" (substitutions {worth['substitutions']:.2%}, insertions"
    f" {worth['insertions']:.2%}, deletions {worth['deletions']:.2%}),"
    f" character errors {worth['cer']:.2%}; {worth['exact']:.1%} without error"
  ]
  speakers = sorted({one.speaker for one in examples} - {""})
  if len(speakers) > 1:
    rates = {}
    for speaker in speakers:
      own = [i for i, one in enumerate(examples) if one.speaker == speaker]
      pair = [texts[i] for i in own], [said[i] for i in own]
      rates[speaker] = word_errors.scores(*pair)["wer"]
    worst = sorted(speakers, key=lambda speaker: -rates[speaker])
    lines.append("Word errors by speaker, the worst first:")
    lines += [f"  {speaker}  {rates[speaker]:.2%}" for speaker in worst]
  errors = [
    word_errors.counts(text, one).total
    for text, one in zip(texts, said, strict=True)
  ]
  order = np.argsort(-np.array(errors), kind="stable")
  misses = [place for place in order if errors[place]]
  if misses:
    lines.append(
      f"With errors, {len(misses):,}; the worst of them, [said→written],"
      " [+written], [-said]:"
    )
  for place in misses[:_MISSES]:
    label = examples[place].name or examples[place].speaker
    marked = word_errors.marked(texts[place], said[place])
    lines.append(f"  {label}  {marked}" if label else f"  {marked}")
  return lines


def live(task: Any, params: Any, samples: np.ndarray, chunk: float = 0.08):
  """The words of a sound as they are written while it is heard."""
  size = max(round(chunk * task.encoder.rate), 1)
  pieces = [
    samples[start : start + size] for start in range(0, len(samples), size)
  ]
  progress = speech_live.follow(task, params, pieces)
  return [word for one in progress for word in one.words]


def _hears(task: Any) -> bool:
  """Whether the run can listen."""
  try:
    speech_live.check_causal(task)
  except ValueError:
    return False
  return True


def _panel(task: Any, params: Any, one: Any) -> tuple[Any, ...]:
  """The fields of a `show.spectrogram.Panel`."""
  (log_probs,) = task.log_probs(params, [one])
  (found,) = task.transcribe(params, [one], beam=1)
  features = task.encoder.features
  frames = task.encoder.encode(one.samples)[:, : features.mels]
  symbols = ["", *task.encoder.tokens.vocabulary.names]
  return (
    frames,
    features.hop,
    found.words,
    np.exp(log_probs),
    task.step_seconds,
    symbols,
    0,
    f"says: {one.text}" + (f" ({one.speaker})" if one.speaker else ""),
  )
