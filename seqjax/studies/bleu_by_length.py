"""BLEU of sentences of some length, model beside model, and how sure it is.

Intervals are of a paired bootstrap (Koehn 2004, "Statistical significance tests
for machine translation evaluation"): sentences of a bin are drawn with
replacement, the same ones for all models. That holds the models fixed: another
seed of training is another question.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.data.pairs import Pair
from seqjax.errors import extra


class Row(NamedTuple):
  """The sentences of a bin.

  Attributes:
    name: "10 to 19", "50 or more", "all".
    count: of the sentences.
    words: their mean number of words.
    scores: label to value, lower and upper end of the interval of 95 %.
    differences: likewise, to the first model; of all but that one.
  """

  name: str
  count: int
  words: float
  scores: dict[str, tuple[float, float, float]]
  differences: dict[str, tuple[float, float, float]]


def compare(
  pairs: Sequence[Pair],
  texts: dict[str, list[str]],
  signature: str,
  *,
  bins: Sequence[int],
  resamples: int = 1_000,
  seed: int = 0,
) -> list[Row]:
  """What models are worth on sentences of some length.

  Args:
    pairs: sentences and what they are in the other language, `[n]`.
    texts: label to the translations `[n]`; differences are to the first.
    signature: how BLEU counts, of `data.bleu.signatures`.
    bins: number of words of the source from which on each begins, the first 1;
      words are what blanks part. A source without any counts in "all" alone.
    resamples: how often the sentences are drawn.
    seed: of that.

  Returns:
    A row for each bin that is not empty, and one for all sentences.
  """
  words = np.array([len(pair.source.split()) for pair in pairs])
  targets = [pair.target for pair in pairs]
  counted = [statistics(each, targets, signature) for each in texts.values()]
  ends = (*(edge - 1 for edge in bins[1:]), None)
  parts = {
    _name(low, high): np.flatnonzero(
      (words >= low) & (words <= (high or math.inf))
    )
    for low, high in zip(bins, ends, strict=True)
  }
  parts["all"] = np.arange(len(pairs))
  rows = []
  for name, places in parts.items():
    if not len(places):
      continue
    drawn = _drawn(len(places), resamples, seed)
    values, samples = [], []
    for of_model in counted:
      of_bin = of_model[places]
      values.append(score(of_bin.sum(0), signature))
      samples.append(
        np.array([score(sums, signature) for sums in drawn @ of_bin])
      )
    scores = {
      label: _interval(value, sample)
      for label, value, sample in zip(texts, values, samples, strict=True)
    }
    differences = {
      label: _interval(value - values[0], sample - samples[0])
      for label, value, sample in zip(texts, values, samples, strict=True)
    }
    del differences[next(iter(texts))]
    mean = float(words[places].mean())
    rows.append(Row(name, len(places), mean, scores, differences))
  return rows


def statistics(
  hypotheses: Sequence[str], references: Sequence[str], signature: str
) -> np.ndarray:
  """What BLEU adds up, int64 `[n, 10]`, a row a sentence.

  Words of the hypothesis and of the reference; n-grams of the hypothesis that
  the reference has, for n of 1 to 4; all n-grams of the hypothesis.
  """
  metric, rows = _metric(signature), []
  for hypothesis, reference in zip(hypotheses, references, strict=True):
    one = metric.corpus_score([hypothesis], [[reference]])
    rows.append([one.sys_len, one.ref_len, *one.counts, *one.totals])
  return np.array(rows, np.int64).reshape(-1, 10)


def score(sums: np.ndarray, signature: str) -> float:
  """BLEU of the sums `[10]` of `statistics`: that of the whole corpus."""
  metric = _metric(signature)
  words, words_of_reference, *ngrams = sums.tolist()
  found = metric.compute_bleu(
    ngrams[:4],
    ngrams[4:],
    words,
    words_of_reference,
    smooth_method=metric.smooth_method,
  )
  return float(found.score)


def tabs(rows: Sequence[Row]) -> str:
  """A line a bin, columns parted by tabs, with a header."""
  first, *others = rows[0].scores
  header = ["words", "sentences"]
  names = [first, *others, *(f"{label} - {first}" for label in others)]
  for name in names:
    header += [name, "low", "high"]
  lines = [header]
  for row in rows:
    values = [*row.scores.values(), *row.differences.values()]
    numbers = [f"{number:.2f}" for each in values for number in each]
    lines.append([row.name, str(row.count), *numbers])
  return "".join("\t".join(line) + "\n" for line in lines)


def aligned(rows: Sequence[Row]) -> str:
  """The same for the eye: a value and its interval in one column."""
  first, *others = rows[0].scores
  gains = [f"{label} - {first}" for label in others]
  table = [["words", "n", *rows[0].scores, *gains]]
  for row in rows:
    plain = [f"{v:.1f} ({a:.1f} to {b:.1f})" for v, a, b in row.scores.values()]
    signed = [
      f"{v:+.1f} ({a:+.1f} to {b:+.1f})" for v, a, b in row.differences.values()
    ]
    table.append([row.name, f"{row.count:,}", *plain, *signed])
  widths = [max(map(len, column)) for column in zip(*table, strict=True)]
  return "\n".join(
    "  ".join(cell.rjust(width) for cell, width in zip(r, widths, strict=True))
    for r in table
  )


@functools.cache
def _metric(signature: str) -> Any:
  """Sacrebleu's metric that has this signature."""
  with extra():
    from sacrebleu.metrics.bleu import BLEU
  said = dict(entry.split(":", 1) for entry in signature.split("|"))
  # `force`: no warning where the text of users is parted by blanks.
  return BLEU(lowercase=said["case"] == "lc", tokenize=said["tok"], force=True)


def _drawn(count: int, resamples: int, seed: int) -> np.ndarray:
  """How often each sentence is drawn, int64 `[resamples, count]`."""
  rng = np.random.default_rng(seed)
  return rng.multinomial(count, np.full(count, 1 / count), size=resamples)


def _interval(value: float, sample: np.ndarray) -> tuple[float, float, float]:
  """The value, and the interval of 95 % that a sample of it spans."""
  low, high = np.percentile(sample, [2.5, 97.5])
  return value, float(low), float(high)


def _name(low: int, high: int | None) -> str:
  if high is None:
    return f"{low} or more"
  return str(low) if low == high else f"{low} to {high}"
