"""Sequences whose answer lies far back: generated, endless, exact.

Each function draws a batch from a key; `distance` sets how far the answer lies
from the question. `BASELINES` has the loss of a model that remembers nothing.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Examples(NamedTuple):
  """A batch; which steps count is in `weights`."""

  inputs: jax.Array  # float [batch, time, 2] or int [batch, time]
  targets: jax.Array  # float [batch] or int [batch, time]
  weights: jax.Array  # float [batch] or [batch, time], 0 or 1


def adding(key: jax.Array, batch_size: int, distance: int) -> Examples:
  """The adding problem (Hochreiter and Schmidhuber 1997, section 5.4).

  Numbers in [0, 1) and a marker beside each; the answer, at the end, is the
  sum of the two that are marked. In the form of Le, Jaitly and Hinton 2015 one
  lies in the first half, one in the second.

  Args:
    key: a `jax.random` key.
    batch_size: rows.
    distance: the length of the sequence, at least 2. The first number lies
      between a half and the whole of it back.

  Returns:
    inputs `[batch, distance, 2]`, targets `[batch]`.
  """
  key_x, key_first, key_second = jax.random.split(key, 3)
  numbers = jax.random.uniform(key_x, (batch_size, distance))
  half = distance // 2
  first = jax.random.randint(key_first, (batch_size, 1), 0, half)
  second = jax.random.randint(key_second, (batch_size, 1), half, distance)
  steps = jnp.arange(distance)[None]
  marked = ((steps == first) | (steps == second)).astype(numbers.dtype)
  return Examples(
    jnp.stack([numbers, marked], axis=-1),
    (numbers * marked).sum(axis=1),
    jnp.ones((batch_size,)),
  )


COPIED = 10  # symbols to copy
ALPHABET = 8
BLANK, DELIMITER = ALPHABET, ALPHABET + 1


def copy(key: jax.Array, batch_size: int, distance: int) -> Examples:
  """Copy memory (Hochreiter and Schmidhuber 1997; Arjovsky et al. 2016).

    in:  s_1 .. s_10  blank x (distance - 1)  delimiter  blank x 10
    out: blank x (distance + 10)                         s_1 .. s_10

  Every step counts, so a symbol is told `distance + 10` steps after it was
  seen.

  Args:
    key: a `jax.random` key.
    batch_size: rows.
    distance: T, at least 1.

  Returns:
    inputs and targets `[batch, distance + 20]`: 0 to 7 the symbols, 8 blank, 9
    the delimiter.
  """
  symbols = jax.random.randint(key, (batch_size, COPIED), 0, ALPHABET)
  time = distance + 2 * COPIED
  blanks = jnp.full((batch_size, time), BLANK)
  inputs = blanks.at[:, :COPIED].set(symbols)
  inputs = inputs.at[:, COPIED + distance - 1].set(DELIMITER)
  targets = blanks.at[:, -COPIED:].set(symbols)
  return Examples(inputs, targets, jnp.ones((batch_size, time)))


LANGUAGES = {
  "France": "French",
  "Spain": "Spanish",
  "Italy": "Italian",
  "Germany": "German",
  "Japan": "Japanese",
  "China": "Chinese",
  "Russia": "Russian",
  "Poland": "Polish",
  "Greece": "Greek",
  "Turkey": "Turkish",
}
# Six words each, so that any number of words can be cut from a run of them.
_BETWEEN = (
  "my father baked bread every morning",
  "the winters there were long and",
  "we had two dogs and chickens",
  "my sister played the violin well",
  "the school was close to home",
  "in summer we swam in lakes",
  "later I moved to a city",
  "I studied music for five years",
  "my first job was very dull",
  "the train was late most days",
  "we ate soup on cold evenings",
  "then I met an old friend",
)
_OPENING = "I grew up in"
_QUESTION = "I speak fluent"
WORDS = sorted(
  {word for text in (_OPENING, _QUESTION, *_BETWEEN) for word in text.split()}
  | set(LANGUAGES)
  | set(LANGUAGES.values())
)
_ID = {word: index for index, word in enumerate(WORDS)}
_encode = lambda text: np.array([_ID[word] for word in text.split()], np.int32)


def recall(key: jax.Array, batch_size: int, distance: int) -> Examples:
  """The word at the end of "I grew up in France ... I speak fluent ___".

  Args:
    key: a `jax.random` key.
    batch_size: rows.
    distance: steps from the country to the last word, at least 4.

  Returns:
    inputs and targets `[batch, distance + 5]`, ids into `WORDS`; only the last
    step counts.
  """
  key_country, key_between = jax.random.split(key)
  countries = _encode(" ".join(LANGUAGES))
  languages = _encode(" ".join(LANGUAGES.values()))
  which = jax.random.randint(key_country, (batch_size,), 0, len(countries))
  opening, question = _encode(_OPENING), _encode(_QUESTION)
  between = np.stack([_encode(text) for text in _BETWEEN])
  num_words = distance - len(question)
  num_texts = -(-num_words // between.shape[1])
  drawn = jax.random.randint(
    key_between, (batch_size, num_texts), 0, len(between)
  )
  told = jnp.asarray(between)[drawn].reshape(batch_size, -1)[:, :num_words]
  repeat = lambda ids: jnp.broadcast_to(ids, (batch_size, len(ids)))
  country = jnp.asarray(countries)[which][:, None]
  inputs = jnp.concatenate(
    [repeat(opening), country, told, repeat(question)], axis=1
  )
  answer = jnp.asarray(languages)[which][:, None]
  targets = jnp.concatenate([inputs[:, 1:], answer], axis=1)
  weights = jnp.zeros(inputs.shape).at[:, -1].set(1.0)
  return Examples(inputs, targets, weights)


GENERATORS = {"adding": adding, "copy": copy, "recall": recall}
SHORTEST = {"adding": 2, "copy": 1, "recall": 4}
NUM_SYMBOLS = {"copy": ALPHABET + 2, "recall": len(WORDS)}
# Always 1, the mean; blanks, then a guess; a guess among the languages.
BASELINES = {
  "adding": lambda distance: 1 / 6,
  "copy": lambda distance: (
    COPIED * math.log(ALPHABET) / (distance + 2 * COPIED)
  ),
  "recall": lambda distance: math.log(len(LANGUAGES)),
}
