"""Writes cider.json: what the authors' own program for CIDEr-D computes.

Run with NumPy alone and ciderD_scorer.py of github.com/vrama91/cider:

  python tests/goldens/make_cider.py pyciderevalcap/ciderD/ciderD_scorer.py

That file is for Python 2; two names of it are replaced before it runs.
"""

import json
import pathlib
import random
import sys

COMMIT = "f281464c60d496b8fabb89a7a8c120f655a3a2bd"
WHO = ["a boy", "a girl", "the old man", "two dogs", "a small brown dog"]
DOES = ["runs", "jumps", "sits", "waits", "plays with a ball", "looks up"]
WHERE = ["on the beach", "in the snow", "near a river", "behind the red house"]


def caption(rng):
  words = [rng.choice(WHO), rng.choice(DOES)]
  words += rng.sample(WHERE, rng.randrange(3))
  if rng.random() < 0.3:  # words that come again
    words += ["and", rng.choice(WHO), rng.choice(DOES)]
  return " ".join(words)


def corpus(seed, images):
  rng = random.Random(seed)
  references = [
    [caption(rng) for _ in range(rng.randint(1, 5))] for _ in range(images)
  ]
  hypotheses = [caption(rng) for _ in range(images)]
  return hypotheses, references


def cases():
  hypotheses, references = corpus(0, 40)
  hypotheses[:8] = [
    "",
    "dogs",
    "two dogs",
    "two dogs two dogs two dogs two dogs on the beach on the beach",
    references[4][0],
    "an elephant never forgets",
    f"{references[6][0]} and {references[6][-1]} near a river in the snow",
    "a a a a a a a a a a a a a a a a a a a a a a a a",
  ]
  yield "many", hypotheses, references
  # Each image has the same references: no word says anything.
  same = [["a boy runs", "two dogs wait"]] * 3
  yield "same", ["a boy runs", "two dogs", "a cat"], same
  yield "single", ["a boy runs"], [["a boy runs", "the boy runs away"]]
  yield "two", *corpus(1, 2)
  yield "short", ["dogs", "dog", "a dog"], [["dogs"], ["a", "dog"], ["a dog"]]


def main():
  source = pathlib.Path(sys.argv[1]).read_text()
  source = source.replace("xrange", "range").replace("iteritems", "items")
  reference = {}
  exec(compile(source, sys.argv[1], "exec"), reference)
  found = {}
  for name, hypotheses, references in cases():
    scorer = reference["CiderScorer"]()
    for pair in zip(hypotheses, references, strict=True):
      scorer += pair
    _, scores = scorer.compute_score("corpus")
    found[name] = {
      "hypotheses": hypotheses,
      "references": references,
      "scores": scores.tolist(),
    }
  golden = {
    "implementation": "github.com/vrama91/cider, pyciderevalcap/ciderD",
    "commit": COMMIT,
    "cases": found,
  }
  path = pathlib.Path(__file__).parent / "cider.json"
  path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
  main()
