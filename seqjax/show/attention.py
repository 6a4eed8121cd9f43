"""Where a model looks: words on backgrounds as dark as they are attended to."""

import pathlib
from collections.abc import Sequence
from typing import Any

from seqjax.show import page


def write(
  path: pathlib.Path,
  texts: Sequence[Sequence[str]],
  weights: Any,
  predicted: Sequence[str],
  shares: Any,
  true: Sequence[str],
) -> None:
  """A page with a paragraph for each text.

  Args:
    path: the HTML file.
    texts: `[texts]`, each a list of words.
    weights: `[texts, time]`, 0 or more; those behind the last word do not
      count.
    predicted: `[texts]`, labels.
    shares: `[texts]`, the probabilities of those.
    true: `[texts]`, labels.
  """
  parts = [page.paragraph("The stronger its colour, the more a word counts.")]
  for words, row, said, share, fact in zip(
    texts, weights, predicted, shares, true, strict=True
  ):
    parts.append(
      page.marked(
        words,
        [float(weight) for weight in row[: len(words)]],
        f"→ {said} {float(share):.0%}, is {fact}",
      )
    )
  page.write(path, "Where the pooling looks", parts)
