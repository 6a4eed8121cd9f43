"""Two made-up languages: sentences, and what they are in the other one.

  source   on march 5 , 2024 the old dogs see a red house .
  target   2024-03-05 das hunas veltas ena kasa ruva vidan .

The translation is a function of the source that takes more than a word for each
word:

  order       the date comes first, wherever it stood, and the verb last, after
              the object; an adjective follows its noun; "near the house" is
              said before the object
  agreement   article and adjective have gender and number of their noun, the
              verb has the number of its subject
  dates       "march 5 , 2024" is 2024-03-05

Genders cannot be seen in the source. All signs are parted by blanks, but those
of a date.
"""

import numpy as np

from seqjax.data.parallel import Pair

# Each noun, its two forms and its gender: masculine or feminine.
NOUNS = {
  ("cat", "cats"): ("kato", "katos", "m"),
  ("dog", "dogs"): ("huna", "hunas", "f"),
  ("house", "houses"): ("kasa", "kasas", "f"),
  ("tree", "trees"): ("arbo", "arbos", "m"),
  ("bird", "birds"): ("vogo", "vogos", "m"),
  ("child", "children"): ("kinda", "kindas", "f"),
  ("teacher", "teachers"): ("lero", "leros", "m"),
  ("doctor", "doctors"): ("meda", "medas", "f"),
  ("river", "rivers"): ("fluma", "flumas", "f"),
  ("horse", "horses"): ("kavalo", "kavalos", "m"),
  ("boat", "boats"): ("nava", "navas", "f"),
  ("garden", "gardens"): ("hardo", "hardos", "m"),
}
# The stem, to which `ENDINGS` are added.
ADJECTIVES = {
  "old": "velt", "young": "jun", "red": "ruv", "small": "mikr", "big": "grand",
  "quiet": "kalm", "white": "alb", "happy": "gaud",
}  # fmt: skip
ENDINGS = {"m": ("o", "os"), "f": ("a", "as")}
ARTICLES = {
  "the": {"m": ("do", "dos"), "f": ("da", "das")},
  "a": {"m": ("eno",), "f": ("ena",)},
  "some": {"m": ("", "enos"), "f": ("", "enas")},
}
# Both forms, and the stem to which "s" or "n" is added.
VERBS = {
  ("sees", "see"): "vida",
  ("follows", "follow"): "sega",
  ("paints", "paint"): "pinta",
  ("finds", "find"): "trova",
  ("waits", "wait"): "spera",
  ("sings", "sing"): "kanta",
  ("sleeps", "sleep"): "dorma",
}
ALONE = 4  # verbs from here on have no object
PLACES = {"near": "apu", "behind": "retro", "with": "kun"}
MONTHS = (
  "january", "february", "march", "april", "may", "june", "july", "august",
  "september", "october", "november", "december",
)  # fmt: skip
DAYS = 28
YEARS = range(1950, 2050)


def generate(count: int, seed: int) -> list[Pair]:
  """`count` pairs, no two of one source."""
  rng = np.random.default_rng(seed)
  found: dict[str, str] = {}
  while len(found) < count:
    found.setdefault(*_sentence(rng))
  return [Pair(source, target) for source, target in found.items()]


def _sentence(rng: np.random.Generator) -> tuple[str, str]:
  """4 to 14 words of the source, and their translation."""
  verb = int(rng.integers(len(VERBS)))
  forms, stem = list(VERBS.items())[verb]
  many, subject, translated = _noun(rng)
  source, target = [subject, forms[many]], [translated]
  place = rng.random() < 0.3
  if verb < ALONE:
    _, thing, other = _noun(rng)
    source.append(thing)
    target.append(other)
    place = place and len(" ".join(source).split()) < 7
  if place:
    word = str(rng.choice(list(PLACES)))
    _, thing, other = _noun(rng)
    source.append(f"{word} {thing}")
    target.insert(1, f"{PLACES[word]} {other}")
  target.append(stem + "sn"[many])
  if rng.random() < 0.4 and len(" ".join(source).split()) <= 8:
    said, written = _date(rng)
    target.insert(0, written)
    if rng.random() < 0.5:
      source.insert(0, said)
    else:
      source.append(said)
  return " ".join([*source, "."]), " ".join([*target, "."])


def _noun(rng: np.random.Generator) -> tuple[int, str, str]:
  """Whether there are many, and a noun with all that goes with it."""
  many = int(rng.integers(2))
  article = str(rng.choice(["the", "some" if many else "a"]))
  nouns = list(NOUNS.items())
  forms, (*theirs, gender) = nouns[rng.integers(len(nouns))]
  source = [article, forms[many]]
  target = [ARTICLES[article][gender][many], theirs[many]]
  if rng.random() < 0.5:
    adjective = str(rng.choice(list(ADJECTIVES)))
    source.insert(1, adjective)
    target.append(ADJECTIVES[adjective] + ENDINGS[gender][many])
  return many, " ".join(source), " ".join(target)


def _date(rng: np.random.Generator) -> tuple[str, str]:
  month, day = int(rng.integers(12)), 1 + int(rng.integers(DAYS))
  year = int(rng.choice(YEARS))
  said = f"on {MONTHS[month]} {day} , {year}"
  return said, f"{year}-{month + 1:02}-{day:02}"
