"""Text as the Moses scripts have it, and back (Koehn et al. 2007).

  lower       lower case
  normalize   signs that look alike become one: quotation marks, dashes, blanks
  moses       words and punctuation are parted by blanks

In this order, which is that of Multi30k's own script; a hyphen stays inside its
word, as there (`-a` is not set). All by the package sacremoses, without the
escapes of XML. The blanks alone can be taken back, by `restore`.
"""

import functools
from typing import Any

from seqjax.errors import extra


def prepare(
  text: str,
  language: str,
  *,
  lower: bool = False,
  normalize: bool = False,
  moses: bool = False,
) -> str:
  """A text as a model is to read it.

  Args:
    text: a line.
    language: "en" say; what Moses has no rules of its own for is treated alike.
    lower: whether to write it in lower case.
    normalize: whether to unify punctuation.
    moses: whether to part words and punctuation.

  Raises:
    InputError: sacremoses is needed and not installed.
  """
  if lower:
    text = text.lower()
  if normalize:
    text = _normalizer(language).normalize(text)
  if moses:
    text = _tokenizer(language).tokenize(text, escape=False, return_str=True)
  return text


def restore(text: str, language: str) -> str:
  """The text of what `moses` has parted, as one writes it."""
  return _detokenizer(language).detokenize(text.split(), unescape=False)


@functools.cache
def _normalizer(language: str) -> Any:
  with extra():
    from sacremoses import MosesPunctNormalizer
  return MosesPunctNormalizer(language)


@functools.cache
def _tokenizer(language: str) -> Any:
  with extra():
    from sacremoses import MosesTokenizer
  return MosesTokenizer(language)


@functools.cache
def _detokenizer(language: str) -> Any:
  with extra():
    from sacremoses import MosesDetokenizer
  return MosesDetokenizer(language)
