"""From text to words and back."""

import itertools
import re

from seqjax.data.vocabulary import UNKNOWN_WORD

END_OF_LINE = "<eos>"
TOKENIZERS = "words", "blanks"
_WORD = re.compile(r"<unk>|\w+(?:['’]\w+)*|[^\w\s]")


def tokenize(text: str, tokenizer: str, lower: bool) -> list[str]:
  """The words of a text.

  Args:
    text: the text.
    tokenizer: "words": words, with apostrophes inside, and each other sign on
      its own; line breaks are blanks. "blanks": as the text is parted already,
      with `<eos>` at the end of a line: the format of the Penn Treebank.
    lower: whether in lower case.
  """
  if tokenizer == "words":
    found = _WORD.findall(text)
  else:
    lines = (line.split() for line in text.split("\n"))
    found = [w for line in lines if line for w in [*line, END_OF_LINE]]
  if lower:
    return [w if w == UNKNOWN_WORD else w.lower() for w in found]
  return found


def join(words: list[str]) -> str:
  """For reading: no blank before a sign that ends something."""
  text = " ".join("\n" if word == END_OF_LINE else word for word in words)
  return re.sub(r" +([.,;:!?)\]}'’])", r"\1", text)


def shape(word: str) -> str:
  """What a word looks like: "Xx" for "Jim", "d,d" for "3,000", "@x" for "@al".

  Capitals, other letters and digits become X, x and d, a run of one kind a
  single sign (Finkel et al. 2004, "Exploiting context for biomedical entity
  recognition"); at most six signs.
  """
  signs = (
    "d" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c
    for c in word
  )
  return "".join(sign for sign, _ in itertools.groupby(signs))[:6]
