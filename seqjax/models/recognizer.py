"""Sound in, scores of symbols frame by frame out."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.models.aligned import around
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import Layer, valid_only
from seqjax.nn.read_out import affine


class Recognizer(nnx.Module):
  """Frames put together, layers over them, and a score for each symbol.

    x_t = [f_(s t), .., f_(s t + s - 1)]    s = stack; zeros behind the last
    x_t = relu(x_(t-n) W_(-n) + .. + x_(t+n) W_n + b)    with n neighbours
    y_1 .. y_T = layers(x_1 .. x_T)
    logits_t = y_t W + b

  Fewer steps of more features: layers run s times faster, and an alignment is
  shorter. What neighbours tell is the same wherever a word is: where there is
  little to learn from, layers without a memory above them learn no utterance by
  heart. For CTC one of the symbols is the blank. Where nothing looks ahead
  `step` gives the same scores while the sound is heard.

  Attributes:
    stack: s.
    neighbours: n, on each side; 0 is no such layer.
    causal: whether a score depends on what came before alone.
    dropout: rate before the read-out, used only where a key is given.
    input_dropout: rate on what the first layer reads, likewise.
  """

  def __init__(
    self,
    make: Callable[[int, jax.Array], Layer],
    input_size: int,
    output_size: int,
    *,
    stack: int = 1,
    neighbours: int = 0,
    filters: int = 0,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    compute_dtype: str = "float32",
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      make: the layers, from the size of their input and a key.
      input_size: features of a frame.
      output_size: symbols, the blank included.
      stack: see above, as for what follows.
      neighbours: likewise.
      filters: features of x with neighbours.
      dropout: likewise.
      input_dropout: likewise.
      compute_dtype: of the matrix products.
      key: of the draw; or
      rngs: of Flax, one of the two.

    Raises:
      ValueError: `stack` is less than 1.
    """
    if stack < 1:
      raise ValueError(f"stack is {stack}, expected at least 1")
    window_key, rnn_key, head_key = jax.random.split(one_key(key, rngs), 3)
    self.stack, self.neighbours, self.dropout = stack, neighbours, dropout
    self.input_dropout, self.compute_dtype = input_dropout, compute_dtype
    size = stack * input_size
    if neighbours:
      seen = (2 * neighbours + 1) * size
      self.window = nnx.Linear(seen, filters, rngs=nnx.Rngs(window_key))
      size = filters
    self.rnn = make(size, rnn_key)
    self.causal = self.rnn.causal and not neighbours
    self.head = nnx.Linear(
      self.rnn.output_size, output_size, rngs=nnx.Rngs(head_key)
    )

  def __call__(
    self,
    frames: jax.Array,
    *,
    lengths: jax.Array,
    key: jax.Array | None = None,
  ) -> tuple[jax.Array, jax.Array]:
    """Reads whole utterances.

    Args:
      frames: `[batch, time, input_size]`; what is behind a length is not read.
      lengths: int `[batch]`.
      key: randomness of dropout; None turns it off.

    Returns:
      `(logits [batch, steps, output_size], lengths [batch])`, steps and lengths
      those of frames by `stack`, rounded up.
    """
    keys = (None,) * 3 if key is None else jax.random.split(key, 3)
    vectors = stacked(valid_only(frames, lengths), self.stack)
    lengths = count(lengths, self.stack)
    vectors = drop(vectors, self.input_dropout, keys[0])
    if self.neighbours:
      seen = around(vectors, self.neighbours)
      vectors = jax.nn.relu(affine(self.window, seen, self.compute_dtype))
    _, outputs = self.rnn(vectors, key=keys[1], lengths=lengths)
    outputs = drop(outputs, self.dropout, keys[2])
    return affine(self.head, outputs, self.compute_dtype), lengths

  def initial_carry(self, batch: int) -> Any:
    """What `step` begins with."""
    return self.rnn.initial_carry((batch,))

  def step(self, carry: Any, vector: jax.Array) -> tuple[Any, jax.Array]:
    """Reads `stack` frames more, without noise.

    Args:
      carry: of the step before.
      vector: the frames one behind the other, `[batch, stack * input_size]`;
        zeros for those behind the last.

    Returns:
      `(carry, logits [batch, output_size])`.

    Raises:
      ValueError: the model is not causal.
    """
    if not self.causal:
      raise ValueError(
        "the model is not causal, expected neighbours = 0 and causal layers to"
        " step: it reads a sound from its end, too"
      )
    carry, output = self.rnn.step(carry, vector)
    return carry, affine(self.head, output, self.compute_dtype)


def count(frames: Any, stack: int) -> Any:
  """Steps of so many frames, an int or an array of them: rounded up."""
  return -(-frames // stack)


def stacked(frames: jax.Array, stack: int) -> jax.Array:
  """`[batch, steps, stack * features]`, zeros behind the last frame.

  Args:
    frames: `[batch, time, features]`.
    stack: frames of a step.
  """
  batch, time, size = frames.shape
  steps = count(time, stack)
  wide = jnp.pad(frames, ((0, 0), (0, steps * stack - time), (0, 0)))
  return wide.reshape(batch, steps, stack * size)
