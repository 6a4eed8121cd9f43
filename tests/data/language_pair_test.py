import datetime

import pytest

from seqjax.data import language_pair as pair
from seqjax.data.tokens import Tokens

COUNT = 5_000
PAIRS = pair.generate(COUNT, seed=0)
NOUNS = {
  word: (theirs[many], "mf".index(gender), many)
  for words, (*theirs, gender) in pair.NOUNS.items()
  for many, word in enumerate(words)
}
VERBS = {
  word: stem + "sn"[many]
  for words, stem in pair.VERBS.items()
  for many, word in enumerate(words)
}
# By article, number and gender; written out, as grammars do.
ARTICLES = {
  "the": [["do", "da"], ["dos", "das"]],
  "a": [["eno", "ena"]],
  "some": [[], ["enos", "enas"]],
}
ENDINGS = [["o", "a"], ["os", "as"]]


def translate(source):
  """By rules and a dictionary, word for word from the left."""
  *words, dot = source.split()
  assert dot == "."
  date = []
  if "on" in words:
    at = words.index("on")
    day = datetime.datetime.strptime(
      " ".join(words[at + 1 : at + 5]), "%B %d , %Y"
    )
    date, words = [f"{day:%Y-%m-%d}"], words[:at] + words[at + 5 :]

  def phrase():
    article, *rest = words
    adjective = rest.pop(0) if rest[0] in pair.ADJECTIVES else ""
    noun, gender, many = NOUNS[rest.pop(0)]
    words[:] = rest
    said = [ARTICLES[article][many][gender], noun]
    if adjective:
      said.append(pair.ADJECTIVES[adjective] + ENDINGS[many][gender])
    return said

  subject, verb = phrase(), VERBS[words.pop(0)]
  object_ = phrase() if words and words[0] not in pair.PLACES else []
  place = [pair.PLACES[words.pop(0)], *phrase()] if words else []
  assert not words
  return " ".join([*date, *subject, *place, *object_, verb, "."])


@pytest.mark.parametrize(
  ("source", "target"),
  [
    ("the cat sleeps .", "do kato dormas ."),
    (
      "the old dogs see a red house .",
      "das hunas veltas ena kasa ruva vidan .",
    ),
    ("some trees sing near the river .", "enos arbos apu da fluma kantan ."),
    (
      "a boat waits on march 5 , 2024 .",
      "2024-03-05 ena nava speras .",
    ),
    (
      "on june 17 , 1999 a doctor finds a bird behind some young horses .",
      "1999-06-17 ena meda retro enos kavalos junos eno vogo trovas .",
    ),
  ],
)
def test_the_rules(source, target):
  """Those of the tests, by hand."""
  assert translate(source) == target


def test_a_translation_follows_the_rules():
  for source, target, group in PAIRS:
    assert target == translate(source)
    assert not group


def test_pairs_are_many_and_different():
  assert len({p.source for p in PAIRS}) == len(PAIRS) == COUNT
  assert pair.generate(COUNT, seed=0) == PAIRS
  assert pair.generate(50, seed=0) == PAIRS[:50]
  other = {p.source for p in pair.generate(COUNT, seed=1)}
  # The short sentences alone come again.
  assert len(other & {p.source for p in PAIRS}) < COUNT / 5


def test_sentences_are_short_and_words_few():
  lengths = [len(p.source.split()) for p in PAIRS]
  assert (min(lengths), max(lengths)) == (4, 14)
  for side in "source", "target":
    symbols = [s for p in PAIRS for s in CUT.split(getattr(p, side))]
    assert len(set(symbols)) <= 120


CUT = Tokens.fit("a", tokenizer="blanked")


def test_all_kinds_of_sentences_are_common():
  kinds = {
    "date first": lambda words: words[0] == "on",
    "date last": lambda words: "on" in words[1:],
    "place": lambda words: set(words) & set(pair.PLACES),
    "adjective": lambda words: set(words) & set(pair.ADJECTIVES),
  }
  for kind, holds in kinds.items():
    share = sum(bool(holds(p.source.split())) for p in PAIRS) / COUNT
    assert share > 0.1, kind


def test_genders_do_not_follow_from_numbers_or_places():
  genders = [gender for *_, gender in pair.NOUNS.values()]
  assert genders.count("m") == genders.count("f")
