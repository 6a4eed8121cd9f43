"""Made-up proteins: a hidden Markov model whose states last as long as they do.

  state 1 ~ START, state k + 1 ~ FOLLOWS[state k]
  duration k ~ uniform over LASTS[state k]
  each letter ~ 5 : 1 for those that its state prefers (PREFERS)

Rabiner 1989, "A tutorial on hidden Markov models", section IV.D: explicit state
durations. Which letters helix, sheet and coil prefer is after Chou and Fasman
1978, "Prediction of the secondary structure of proteins from their amino acid
sequence"; all other numbers are made up.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqjax.data.alphabets import ALPHABETS
from seqjax.data.examples import Tagged

STATES = "CEH"  # coil, sheet, helix
START = (0.6, 0.2, 0.2)
FOLLOWS = ((0.0, 0.5, 0.5), (0.8, 0.0, 0.2), (0.9, 0.1, 0.0))
LASTS = ((2, 8), (3, 7), (5, 14))  # from, to
PREFERS = "GNPDS", "VIYCWFTL", "AELMQKRH"
_LETTERS = ALPHABETS["protein"].letters


class Model(NamedTuple):
  """As an ordinary hidden Markov model.

  Its states are pairs of a state and how many letters of it are to come, this
  one included: that number counts down, and at 1 another state is drawn.
  """

  start: np.ndarray  # [pairs]
  moves: np.ndarray  # [pairs, pairs], from row to column
  letters: np.ndarray  # [pairs, 20]
  states: np.ndarray  # int [pairs], places in STATES


@functools.cache
def model() -> Model:
  """The model that `generate` draws from."""
  pairs = [(s, left) for s, (_, b) in enumerate(LASTS) for left in _to(b)]
  at = {pair: i for i, pair in enumerate(pairs)}
  durations = np.zeros((len(STATES), len(pairs)))  # of one that begins
  for state, (shortest, longest) in enumerate(LASTS):
    for left in range(shortest, longest + 1):
      durations[state, at[state, left]] = 1 / (longest + 1 - shortest)
  moves = np.zeros((len(pairs), len(pairs)))
  for (state, left), i in at.items():
    if left == 1:
      moves[i] = np.array(FOLLOWS[state]) @ durations
    else:
      moves[i, at[state, left - 1]] = 1
  states = np.array([state for state, _ in pairs])
  return Model(np.array(START) @ durations, moves, _odds()[states], states)


def _to(last: int) -> range:
  return range(1, last + 1)


def _odds() -> np.ndarray:
  """p(letter | state) `[states, 20]`."""
  odds = np.array(
    [[5.0 if one in liked else 1.0 for one in _LETTERS] for liked in PREFERS]
  )
  return odds / odds.sum(axis=1, keepdims=True)


def generate(
  count: int, seed: int, shortest: int = 40, longest: int = 100
) -> list[Tagged]:
  """`count` sequences of 40 to 100 letters, the last segment cut there."""
  rng, odds = np.random.default_rng(seed), _odds()
  found = []
  for _ in range(count):
    length = rng.integers(shortest, longest + 1)
    chances, states = START, []
    while len(states) < length:
      state = int(rng.choice(len(STATES), p=chances))
      low, high = LASTS[state]
      states += [state] * int(rng.integers(low, high + 1))
      chances = FOLLOWS[state]
    places = np.array(states[:length])
    bounds = odds.cumsum(axis=1)[places]
    drawn = (rng.random(length)[:, None] > bounds[:, :-1]).sum(axis=1)
    found.append(
      Tagged("".join(_LETTERS[i] for i in drawn), [STATES[i] for i in places])
    )
  return found


def posterior(sequences: Sequence[str]) -> list[np.ndarray]:
  """p(state_t | all letters) `[length, states]` of each, by the true model.

  The forward-backward algorithm (Rabiner 1989, section III.A), exact: nobody
  who sees the letters alone gets more states right, on average, than who says
  the likeliest at each. Letters are those of the twenty.
  """
  made, lengths = model(), np.array([len(one) for one in sequences])
  if not len(lengths):
    return []
  # What a letter says; past the end nothing: all states alike.
  seen = np.ones((len(lengths), lengths.max(), len(made.states)))
  for row, one in enumerate(sequences):
    seen[row, : len(one)] = made.letters.T[[_LETTERS.index(c) for c in one]]
  before, after = np.empty_like(seen), np.ones_like(seen)
  chances = np.broadcast_to(made.start, seen[:, 0].shape)
  for t in range(seen.shape[1]):
    joint = chances * seen[:, t]
    before[:, t] = joint / joint.sum(axis=1, keepdims=True)
    chances = before[:, t] @ made.moves
  for t in range(seen.shape[1] - 2, -1, -1):
    back = (after[:, t + 1] * seen[:, t + 1]) @ made.moves.T
    after[:, t] = back / back.max(axis=1, keepdims=True)
  both = before * after @ np.eye(len(STATES))[made.states]
  both /= both.sum(axis=2, keepdims=True)
  return [row[:length] for row, length in zip(both, lengths, strict=True)]


def best_accuracy(examples: Sequence[Tagged]) -> float:
  """Share of states that are the likeliest by `posterior`: what can be had."""
  said = posterior([str(example.tokens) for example in examples])
  right = [
    np.array(list(STATES))[rows.argmax(axis=1)] == np.array(example.tags)
    for rows, example in zip(said, examples, strict=True)
  ]
  return float(np.concatenate(right).mean())
