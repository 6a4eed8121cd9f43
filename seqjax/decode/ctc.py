"""From scores of frames to symbols: connectionist temporal classification.

An alignment says a symbol or the blank at every frame. It is read by dropping
repeats first and blanks then, so that "a a - a" is "a a": what was said twice
has a blank between. The probability of a text is the sum over all alignments
that are read so (Graves et al. 2006, "Connectionist temporal classification",
section 3). `greedy` reads the likeliest alignment, `prefix_beam` looks for the
likeliest text, `align` says when each symbol of a text begins.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# From symbols so far to log-weights `[V]` of each next one; in the place of the
# blank that of the end.
LanguageModel = Callable[[tuple[int, ...]], np.ndarray]


class Greedy(NamedTuple):
  """Symbols of a batch.

  Attributes:
    tokens: int32 `[batch, time]`, the blank behind the last one.
    lengths: int32 `[batch]`, how many.
    frames: int32 `[batch, time]`, where each is said first; 0 behind.
  """

  tokens: jax.Array
  lengths: jax.Array
  frames: jax.Array


class Found(NamedTuple):
  """A text that `prefix_beam` found.

  Attributes:
    tokens: its symbols.
    score: log p, with what the language model adds.
    log_prob: log p alone, the sum over all alignments that were followed.
  """

  tokens: tuple[int, ...]
  score: float
  log_prob: float


@functools.partial(jax.jit, static_argnames="blank")
def greedy(logits: jax.Array, lengths: jax.Array, blank: int = 0) -> Greedy:
  """The likeliest alignment, read.

  Args:
    logits: `[batch, time, V]`.
    lengths: int `[batch]`; frames behind say nothing.
    blank: its id.
  """
  best = logits.argmax(axis=-1).astype(jnp.int32)
  time = best.shape[1]
  before = jnp.pad(best[:, :-1], ((0, 0), (1, 0)), constant_values=blank)
  frames = jnp.broadcast_to(jnp.arange(time, dtype=jnp.int32), best.shape)
  said = (best != blank) & (best != before) & (frames < lengths[:, None])
  # Those that are said come first, in their order.
  order = jnp.argsort(~said, axis=1, stable=True)
  counts = said.sum(axis=1, dtype=jnp.int32)
  there = frames < counts[:, None]
  tokens = jnp.take_along_axis(best, order, axis=1)
  return Greedy(
    jnp.where(there, tokens, blank),
    counts,
    jnp.where(there, order.astype(jnp.int32), 0),
  )


class Collapser:
  """Reads an alignment that comes in pieces, with one symbol of memory.

  Attributes:
    frames: how many have been read.
  """

  def __init__(self, blank: int = 0):
    self.frames = 0
    self._blank = self._last = blank

  def push(self, path: Sequence[int] | np.ndarray) -> list[tuple[int, int]]:
    """The symbols that begin in a piece.

    Args:
      path: the symbol or blank of each frame, int `[time]`, also none.

    Returns:
      For each `(symbol, frame)`, frames counted from the first piece on.
    """
    found = []
    for symbol in np.asarray(path, int).tolist():
      if symbol not in (self._blank, self._last):
        found.append((symbol, self.frames))
      self._last = symbol
      self.frames += 1
    return found


def frames_needed(tokens: Sequence[int] | np.ndarray) -> int:
  """How many frames a text needs: one a symbol, one more between equal ones."""
  tokens = np.asarray(tokens)
  return len(tokens) + int((tokens[1:] == tokens[:-1]).sum())


class _Tree:
  """Texts that share their beginnings; a text is a number, 0 the empty one."""

  def __init__(self, blank: int):
    self.tokens: list[tuple[int, ...]] = [()]
    self.parent, self.last = [-1], [blank]  # nothing repeats the empty text
    self._children: dict[tuple[int, int], int] = {}

  def child(self, text: int, symbol: int) -> int:
    key = text, symbol
    if key not in self._children:
      self._children[key] = len(self.tokens)
      self.tokens.append((*self.tokens[text], symbol))
      self.parent.append(text)
      self.last.append(symbol)
    return self._children[key]


def prefix_beam(
  log_probs: np.ndarray,
  beam: int,
  lm: LanguageModel | None = None,
  weight: float = 0.0,
  *,
  bonus: float = 0.0,
  n_best: int = 1,
  blank: int = 0,
) -> list[Found]:
  """The likeliest texts, each by the sum over its alignments.

    score = log p(text) + weight log q(text) + bonus (number of symbols)

  For each beginning of a text two sums are kept, over the alignments that end
  in a blank and over those that end in its last symbol: the same symbol again
  begins a new one behind a blank alone. The model q counts once for each symbol
  when it is begun, whatever the number of frames, and once for the end. (Hannun
  et al. 2014, "First-pass large vocabulary continuous speech recognition using
  bi-directional recurrent DNNs", algorithm 1.) With a beam that holds all
  beginnings it is exact.

  Args:
    log_probs: log p of each symbol at each frame, `[time, V]`.
    beam: how many beginnings go on from frame to frame.
    lm: log q, see `LanguageModel`; None for none.
    weight: of log q.
    bonus: for each symbol: what `weight` takes from longer texts.
    n_best: how many are returned, fewer where fewer were found.
    blank: its id.

  Returns:
    By falling score.

  Raises:
    ValueError: an option is out of range.
  """
  log_probs = np.asarray(log_probs, np.float64)
  if log_probs.ndim != 2:
    raise ValueError(
      f"log_probs has shape {log_probs.shape}, expected [time, V]"
    )
  if np.isnan(log_probs).any():
    raise ValueError("log_probs holds NaN, expected log-probabilities")
  if beam < 1 or not 1 <= n_best <= beam:
    raise ValueError(
      f"beam is {beam} and n_best is {n_best}, expected 1 <= n_best <= beam"
    )
  tree, size = _Tree(blank), log_probs.shape[1]
  added: dict[int, np.ndarray] = {}

  def adds(text: int) -> np.ndarray:
    """What each next symbol adds to the score of a text."""
    if text not in added:
      found = np.full(size, bonus)
      found[blank] = 0.0
      if lm is not None and weight:
        found = found + weight * np.asarray(lm(tree.tokens[text]), np.float64)
      added[text] = found
    return added[text]

  texts = [0]
  by_blank, by_symbol = np.zeros(1), np.full(1, -np.inf)
  told = np.zeros(1)  # by the language model, so far
  for row in log_probs:
    last = np.array([tree.last[text] for text in texts])
    both = np.logaddexp(by_blank, by_symbol)
    next_blank, next_symbol = both + row[blank], by_symbol + row[last]
    new = both[:, None] + row
    at = np.arange(len(texts))
    new[at, last] = by_blank + row[last]
    new[:, blank] = -np.inf
    # A text that is there already may also come from its own beginning.
    places = {text: place for place, text in enumerate(texts)}
    for place, text in enumerate(texts):
      parent = places.get(tree.parent[text])
      if parent is not None:
        more = new[parent, last[place]]
        next_symbol[place] = np.logaddexp(next_symbol[place], more)
        new[parent, last[place]] = -np.inf
    new_told = told[:, None] + np.stack([adds(text) for text in texts])
    scores = np.concatenate(
      [np.logaddexp(next_blank, next_symbol) + told, (new + new_told).ravel()]
    )
    order = np.argsort(-scores, kind="stable")[:beam]
    order = order[: max(int((scores[order] > -np.inf).sum()), 1)]
    stays = order[order < len(texts)]
    parents, symbols = np.divmod(order[order >= len(texts)] - len(texts), size)
    texts = [texts[place] for place in stays] + [
      tree.child(texts[parent], symbol)
      for parent, symbol in zip(parents.tolist(), symbols.tolist(), strict=True)
    ]
    none = np.full(len(parents), -np.inf)
    by_blank = np.concatenate([next_blank[stays], none])
    by_symbol = np.concatenate([next_symbol[stays], new[parents, symbols]])
    told = np.concatenate([told[stays], new_told[parents, symbols]])
  log_p = np.logaddexp(by_blank, by_symbol)
  scores = log_p + told + np.array([adds(text)[blank] for text in texts])
  order = np.argsort(-scores, kind="stable")[:n_best]
  return [
    Found(tree.tokens[texts[i]], float(scores[i]), float(log_p[i]))
    for i in order
  ]


def align(
  log_probs: np.ndarray, tokens: Sequence[int] | np.ndarray, blank: int = 0
) -> np.ndarray:
  """Where each symbol of a text begins: in the likeliest alignment of the text.

  Args:
    log_probs: `[time, V]`.
    tokens: the text, int `[n]`.
    blank: its id.

  Returns:
    int `[n]`, a frame each.

  Raises:
    ValueError: the text needs more frames than there are.
  """
  log_probs, tokens = np.asarray(log_probs), np.asarray(tokens, int)
  time, needed = len(log_probs), frames_needed(tokens)
  if needed > time:
    raise ValueError(
      f"tokens need {needed} frames, expected at most the {time} of log_probs"
    )
  if not len(tokens):
    return np.zeros(0, int)
  # Blank, symbol, blank, symbol .. blank: the places of an alignment.
  states = np.full(2 * len(tokens) + 1, blank)
  states[1::2] = tokens
  skips = np.zeros(len(states), bool)  # the blank before may be left out
  skips[3::2] = tokens[1:] != tokens[:-1]
  best = np.full(len(states), -np.inf)
  best[:2] = log_probs[0, states[:2]]
  back = np.zeros((time, len(states)), int)
  for frame in range(1, time):
    one = np.concatenate([[-np.inf], best[:-1]])
    two = np.where(skips, np.concatenate([[-np.inf] * 2, best[:-2]]), -np.inf)
    ways = np.stack([best, one, two])
    back[frame] = ways.argmax(axis=0)
    best = ways.max(axis=0) + log_probs[frame, states]
  place = len(states) - 1 - int(best[-1] < best[-2])
  begins = np.zeros(len(tokens), int)
  for frame in range(time - 1, -1, -1):
    if place % 2:
      begins[place // 2] = frame  # the earliest is written last
    place -= back[frame, place]
  return begins


def ngram(model: Any, blank: int = 0) -> LanguageModel:
  """A `data.ngram.KneserNey` over symbols as what `prefix_beam` asks.

  Args:
    model: fitted on what `text_stream` returns.
    blank: its id, which stands for the edge of a text.
  """
  symbols, known = np.arange(model.vocab_size), model.order - 1

  @functools.cache
  def after(context: tuple[int, ...]) -> np.ndarray:
    repeated = np.tile(np.array(context), (len(symbols), 1))
    return np.log(model.probabilities(repeated, symbols))

  return lambda text: after(((blank,) * known + text)[-known:])


def text_stream(
  texts: Sequence[Sequence[int] | np.ndarray], order: int, blank: int = 0
) -> np.ndarray:
  """Texts as one stream for n-grams, the blank at every edge.

  Args:
    texts: ids of each.
    order: n: the first symbol of a text has seen n - 1 edges.
    blank: its id.

  Returns:
    int64 `[time]`.
  """
  edge = np.full(order - 1, blank, np.int64)
  parts = [part for text in texts for part in (edge, np.asarray(text, int))]
  return np.concatenate([*parts, edge]).astype(np.int64)
