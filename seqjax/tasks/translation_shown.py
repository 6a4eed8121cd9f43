"""What a run of translation ends with: examples, and where it looked."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax import files
from seqjax.data import bleu
from seqjax.data.pair_batches import Batch
from seqjax.data.pairs import Pair
from seqjax.decode import hypotheses
from seqjax.decode.hypotheses import Hypotheses
from seqjax.errors import InputError


class Found(NamedTuple):
  """A translation, and where the model looked."""

  text: str
  score: float  # log-probability / length^alpha
  source: list[str]  # symbols that were read
  target: list[str]  # symbols that were written, the stop too
  weights: np.ndarray | None  # [target, source]; None without attention


def read(
  batch: Batch, found: Hypotheses, encoder: Any, sources: Sequence[str] = ()
) -> Iterator[tuple[int, list[Found]]]:
  """The hypotheses of each pair that is present, as texts.

  Args:
    batch: what was read.
    found: what was written, NumPy arrays.
    encoder: from ids to texts, see `data.formats`.
    sources: the text of each pair, if an unknown word is to be that of the
      source that was looked at most; `found` has records then.

  Yields:
    `(index of the pair, hypotheses)`, the best first.
  """
  for row in np.flatnonzero(batch.weights):
    ids = batch.source[row, : batch.source_lengths[row]]
    symbols, several = encoder.source.symbols(ids), []
    for tokens, score, weights in hypotheses.of_row(found, row):
      copies: list[str] = []
      if weights is not None:
        weights = weights[:, : len(ids)]
      if weights is not None and sources:
        words = encoder.split_source(sources[batch.indices[row]])
        copies = [words[i] for i in weights.argmax(axis=-1)]
      several.append(
        Found(
          encoder.decode(tokens, copies),
          score,
          symbols,
          encoder.target.symbols(tokens),
          weights,
        )
      )
    yield int(batch.indices[row]), several


def show(
  pairs: Sequence[Pair],
  found: Sequence[Sequence[Found]],
  count: int,
  title: str,
  directory: pathlib.Path,
) -> str:
  """Writes the best, the middle and the worst, and four alignments.

  Args:
    pairs: what was to be translated, and references.
    found: of each the hypotheses, the best first; none for an empty text.
    count: how many of each.
    title: of the text.
    directory: of `translations.txt` and `alignment.png`.

  Returns:
    The text.
  """
  texts = [one[0].text if one else "" for one in found]
  chrf = bleu.sentence_scores(texts, [pair.target for pair in pairs])
  order = np.argsort(-chrf, kind="stable")
  middle, told = order[len(order) // 2 :], [title]
  for name, chosen in (
    ("the best", order[:count]),
    ("from the middle", middle[:count]),
    ("the worst", order[::-1][:count]),
  ):
    told += ["", f"{name}:"]
    for i in dict.fromkeys(chosen):
      told += [
        f"  {chrf[i]:5.1f}  source     {pairs[i].source}",
        f"         reference  {pairs[i].target}",
        f"         written    {texts[i]}",
      ]
  files.write(directory / "translations.txt", "\n".join(told) + "\n")
  shown = [found[i][0] for i in middle if found[i]][:4]
  draw(shown, directory / "alignment.png")
  return "\n".join(told)


def draw(found: Sequence[Found], path: Any) -> None:
  """A picture of where a model looked, of the first; none if it did not."""
  panels = [
    (one.source, one.target, one.weights)
    for one in found[:6]
    if one.weights is not None
  ]
  if panels:
    from seqjax.show import alignment  # no use to a translation alone

    alignment.draw(panels, pathlib.Path(path))


def check_picture(path: str, attends: bool) -> None:
  """Makes the folder of a picture, before a search that is to be drawn.

  What it finds must not be lost for a path.

  Raises:
    InputError: the model does not look, or nothing can be written there.
  """
  if not attends:
    raise InputError(
      f"--alignment is {path!r}, expected none: the run's"
      " config.model.attention is 'none'"
    )
  files.check_picture("--alignment", path)
